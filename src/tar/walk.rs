//! The structure of a layer's tar, checked while its bytes pass by.
//!
//! Sizes are understood as Go's `archive/tar` does, since that is what container engines unpack with
//! (<https://github.com/golang/go/blob/go1.25.0/src/archive/tar/reader.go>): links, devices and folders have no data
//! whatever their size field says, and a PAX record `size` overrides the header's.

mod fields;
mod next_entry;
mod paths;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use tar::{EntryType, Header};

use crate::findings::Code;
use crate::limits;
use crate::tar::checksum_fits;
use crate::tar::number;
use next_entry::NextEntry;
use paths::{Named, Paths};

const BLOCK: usize = 512;

/// Takes a tar in pieces of any length.
pub(crate) struct TarWalk {
    state: State,
    /// Of the byte that comes next.
    offset: u64,
    /// The block that is being filled.
    block: Vec<u8>,
    /// Where the data of the current file or extension ends, its padding included.
    data_end: u64,
    /// Zeros behind the data up to the next block.
    padding: u64,
    extension: Extension,
    next: NextEntry,
    paths: Paths,
    /// Entries of types that engines refuse.
    not_unpacked: Named,
    problems: Vec<(Code, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In or before a header.
    Header,
    /// In the blocks that continue the header of a sparse file of GNU's old format; `data` is what follows them.
    SparseHeader { data: u64 },
    /// In the data of a file.
    Data,
    /// In the data of an extension header, which is kept.
    Extension,
    /// After one zero block.
    ZeroBlock,
    /// Behind the end-of-archive marker.
    Ended,
    /// Behind something that cannot be understood: the rest is not looked at.
    Damaged,
}

#[derive(Default)]
struct Extension {
    kind: Option<EntryType>,
    at: u64,
    size: usize,
    bytes: Vec<u8>,
}

impl TarWalk {
    /// `most_paths`: how many paths are remembered to find one that comes twice, at 9 to 18 bytes each.
    pub fn new(most_paths: usize) -> TarWalk {
        TarWalk {
            state: State::Header,
            offset: 0,
            block: Vec::with_capacity(BLOCK),
            data_end: 0,
            padding: 0,
            extension: Extension::default(),
            next: NextEntry::default(),
            paths: Paths::new(most_paths),
            not_unpacked: Named::default(),
            problems: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = match self.state {
                State::Data => self.pass_over(bytes),
                State::Extension => self.keep(bytes),
                State::Ended => self.after_end(bytes),
                State::Damaged => bytes.len(),
                State::Header | State::SparseHeader { .. } | State::ZeroBlock => {
                    self.fill_block(bytes)
                }
            };
            self.offset += taken as u64;
            bytes = &bytes[taken..];
            // States without a byte left of their own are left here, so that the end of the data finds them left.
            if matches!(self.state, State::Data | State::Extension) && self.offset >= self.data_end
            {
                self.leave_data();
            }
        }
    }

    /// What is wrong, once all bytes have been taken.
    pub fn finish(mut self) -> Vec<(Code, String)> {
        let at = self.offset;
        match self.state {
            State::Ended | State::Damaged => {}
            // Go takes both as the end: https://github.com/golang/go/blob/go1.25.0/src/archive/tar/reader.go#L74
            State::Data | State::Extension if at + self.padding >= self.data_end => {
                self.no_end();
            }
            State::Header | State::ZeroBlock if self.block.is_empty() => self.no_end(),
            State::Data | State::Extension => {
                let missing = self.data_end - self.padding - at;
                self.problem(
                    Code::LayerTarTruncated,
                    format!("the tar ends at byte {at}, {missing} bytes before the end of a file"),
                );
            }
            State::Header | State::ZeroBlock | State::SparseHeader { .. } => self.problem(
                Code::LayerTarTruncated,
                format!("the tar ends at byte {at}, within a header"),
            ),
        }
        let Paths {
            twice,
            outside,
            full,
            most,
            ..
        } = std::mem::take(&mut self.paths);
        let not_unpacked = std::mem::take(&mut self.not_unpacked);
        if not_unpacked.count > 0 {
            let message = format!(
                "entries of types that engines refuse: {}",
                not_unpacked.describe()
            );
            self.problem(Code::LayerEntryType, message);
        }
        if twice.count > 0 {
            let message = format!("entries of the same path: {}", twice.describe());
            self.problem(Code::LayerDuplicatePath, message);
        }
        if outside.count > 0 {
            let message = format!("paths with \"..\": {}", outside.describe());
            self.problem(Code::LayerPath, message);
        }
        if full {
            self.problem(
                Code::LayerManyPaths,
                format!("duplicates were looked for in the first {most} entries"),
            );
        }
        self.problems
    }

    fn no_end(&mut self) {
        let message = format!(
            "the tar ends at byte {} without an end-of-archive marker",
            self.offset
        );
        self.problem(Code::LayerTarNoEnd, message);
    }

    fn problem(&mut self, code: Code, message: String) {
        self.problems.push((code, message));
    }

    fn damaged(&mut self, at: u64, reason: &str) {
        let code = match at {
            0 => Code::LayerNotTar,
            _ => Code::LayerTarHeader,
        };
        self.problem(code, format!("damaged tar header at byte {at}: {reason}"));
        self.state = State::Damaged;
    }

    fn pass_over(&self, bytes: &[u8]) -> usize {
        let left = usize::try_from(self.data_end - self.offset).unwrap_or(usize::MAX);
        left.min(bytes.len())
    }

    fn keep(&mut self, bytes: &[u8]) -> usize {
        let taken = self.pass_over(bytes);
        let wanted = self.extension.size - self.extension.bytes.len();
        let kept = &bytes[..taken.min(wanted)];
        self.extension.bytes.extend_from_slice(kept);
        taken
    }

    fn after_end(&mut self, bytes: &[u8]) -> usize {
        if let Some(position) = bytes.iter().position(|byte| *byte != 0) {
            let at = self.offset + position as u64;
            self.problem(
                Code::LayerTarAfterEnd,
                format!("data at byte {at}, behind the end-of-archive marker"),
            );
            self.state = State::Damaged;
        }
        bytes.len()
    }

    fn fill_block(&mut self, bytes: &[u8]) -> usize {
        let taken = (BLOCK - self.block.len()).min(bytes.len());
        self.block.extend_from_slice(&bytes[..taken]);
        if self.block.len() == BLOCK {
            let at = self.offset + taken as u64 - BLOCK as u64;
            let block = std::mem::take(&mut self.block);
            self.block_read(at, &block);
            self.block = block;
            self.block.clear();
        }
        taken
    }

    fn block_read(&mut self, at: u64, block: &[u8]) {
        let zeros = block.iter().all(|byte| *byte == 0);
        match self.state {
            State::Header if zeros => self.state = State::ZeroBlock,
            State::ZeroBlock if zeros => self.state = State::Ended,
            State::ZeroBlock => self.damaged(at, "it follows a single zero block"),
            // The last byte but seven tells whether one more block of the map follows.
            State::SparseHeader { data } if block[504] == 0 => {
                self.enter_data(at + BLOCK as u64, data);
            }
            State::Header => self.header(at, block),
            _ => {}
        }
    }

    fn header(&mut self, at: u64, block: &[u8]) {
        let header = Header::from_byte_slice(block);
        if !checksum_fits(header) {
            return self.damaged(at, "its checksum does not fit");
        }
        let size = number(&header.as_old().size).map(u64::try_from);
        let Some(Ok(size)) = size else {
            return self.damaged(at, "its size is not a number");
        };
        if let Some(field) = fields::not_a_number(block) {
            return self.damaged(at, &format!("its {field} is not a number"));
        }
        let behind = at + BLOCK as u64;
        let kind = header.entry_type();
        if is_extension(kind) && size > limits::LAYER_EXTENSION_BYTES {
            let most = limits::LAYER_EXTENSION_BYTES;
            let reason =
                format!("an extension of {size} bytes, more than {most}: engines refuse it");
            return self.damaged(at, &reason);
        }
        match kind {
            EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName => {
                self.enter_data(behind, size);
                self.state = State::Extension;
                self.extension = Extension {
                    kind: Some(kind),
                    at,
                    // Its limit is far below.
                    size: usize::try_from(size).unwrap_or(usize::MAX),
                    bytes: Vec::new(),
                };
            }
            // What they hold does not matter for the structure, but its size does.
            EntryType::GNULongLink => self.enter_data(behind, size),
            kind => {
                let mut next = std::mem::take(&mut self.next);
                let path = next.path().map_or_else(|| header.path_bytes(), Cow::Owned);
                self.paths.add(&path);
                if !fields::is_unpacked(kind) {
                    let path = String::from_utf8_lossy(&path);
                    let kind = char::from(kind.as_byte());
                    self.not_unpacked.add(&format!("{path} (type {kind:?})"));
                }
                let size = match kind {
                    EntryType::Link
                    | EntryType::Symlink
                    | EntryType::Char
                    | EntryType::Block
                    | EntryType::Directory
                    | EntryType::Fifo => 0,
                    // Headers older than POSIX tell folders by their names alone.
                    _ if block[156] == 0 && path.ends_with(b"/") => 0,
                    _ => next.pax.size.unwrap_or(size),
                };
                if kind == EntryType::GNUSparse && block[482] != 0 {
                    self.state = State::SparseHeader { data: size };
                } else {
                    self.enter_data(behind, size);
                }
            }
        }
    }

    fn enter_data(&mut self, start: u64, size: u64) {
        self.state = State::Data;
        let end = size
            .checked_next_multiple_of(BLOCK as u64)
            .and_then(|padded| start.checked_add(padded));
        match end {
            Some(end) => {
                self.padding = end - start - size;
                self.data_end = end;
            }
            None => self.damaged(start - BLOCK as u64, "its size is larger than any file"),
        }
    }

    fn leave_data(&mut self) {
        let extension = std::mem::take(&mut self.extension);
        let was = std::mem::replace(&mut self.state, State::Header);
        if was != State::Extension {
            return;
        }
        let mut bytes = extension.bytes;
        if extension.kind == Some(EntryType::GNULongName) {
            let end = bytes.iter().position(|byte| *byte == 0);
            bytes.truncate(end.unwrap_or(bytes.len()));
            self.next.long_name = Some(bytes);
        } else if let Err(reason) = self.next.take_records(extension.kind, &bytes) {
            self.damaged(extension.at, &reason);
        }
    }
}

fn is_extension(kind: EntryType) -> bool {
    use EntryType::{GNULongLink, GNULongName, XGlobalHeader, XHeader};
    matches!(kind, GNULongLink | GNULongName | XGlobalHeader | XHeader)
}

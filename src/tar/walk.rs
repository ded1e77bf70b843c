//! One walk through the headers of a tar, for archives and layers. It follows Go's `archive/tar`
//! (<https://github.com/golang/go/blob/go1.25.0/src/archive/tar/reader.go>), which container engines use.
//!
//! The walk does no I/O: it tells its caller which bytes it needs next and which can be skipped.

use super::extensions::Extensions;
use super::header::{BLOCK, Dialect, Header};
use super::member::Member;
use super::readers;
use super::sparse::{self, MapInData, MapPlace};
use crate::error::{Error, Result};
use crate::limits;

/// What the caller does with the next bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Pass this many to [`Walk::take`].
    Take(usize),
    /// Skip up to this many with [`Walk::pass`].
    Pass(u64),
    /// Nothing: the end-of-archive marker was read.
    End,
}

/// How a tar ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an end-of-archive marker.
    Marked,
    /// The members are complete, but the marker is missing. Go accepts this, even without the last padding.
    Unmarked,
    WithinHeader,
    WithinData {
        missing: u64,
    },
}

pub(crate) struct Walk {
    state: WalkState,
    /// Offset of the next byte.
    offset: u64,
    /// The extension headers read so far, for the next member.
    extensions: Extensions,
    member: Member,
}

enum WalkState {
    Header,
    /// After one zero block, at this offset.
    ZeroBlock(u64),
    /// In the data of an extension header at offset `at`.
    Extension {
        kind: u8,
        at: u64,
        size: usize,
    },
    /// In the blocks that continue a sparse map of GNU's old format.
    OldMap,
    /// In the sparse map before the data.
    DataMap(MapInData),
    /// In data. The number of bytes left includes the padding.
    Data(u64),
    End,
}

impl Walk {
    pub fn new() -> Walk {
        Walk {
            state: WalkState::Header,
            offset: 0,
            extensions: Extensions::default(),
            member: Member::default(),
        }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The last member that was read.
    pub fn member(&self) -> &Member {
        &self.member
    }

    pub fn next(&self) -> Next {
        match self.state {
            WalkState::Extension { size, .. } => Next::Take(size.next_multiple_of(BLOCK)),
            WalkState::Data(left) => Next::Pass(left),
            WalkState::End => Next::End,
            _ => Next::Take(BLOCK),
        }
    }

    /// Skips data, or bytes after the end.
    pub fn pass(&mut self, count: u64) {
        self.offset += count;
        if let WalkState::Data(left) = &mut self.state {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.state = WalkState::Header;
            }
        }
    }

    /// Reads as many bytes as [`Walk::next`] asked for. Returns whether [`Walk::member`] is now a new member, whose data follows.
    ///
    /// # Errors
    /// [`Error::TarHeader`] and [`Error::Limit`]. The walk cannot continue after an error.
    pub fn take(&mut self, bytes: &[u8]) -> Result<bool> {
        let at = self.offset;
        self.offset += bytes.len() as u64;
        match std::mem::replace(&mut self.state, WalkState::Header) {
            WalkState::Header if is_zero(bytes) => self.state = WalkState::ZeroBlock(at),
            WalkState::ZeroBlock(_) if is_zero(bytes) => self.state = WalkState::End,
            // The marker is two zero blocks. A single one looks like an archive that is cut short.
            WalkState::ZeroBlock(at) => return Err(damaged(at, "a single zero block")),
            WalkState::Extension { kind, at, size } => {
                let taken = self.extensions.take(kind, size, bytes);
                taken.map_err(|reason| damaged(at, reason))?;
            }
            WalkState::OldMap => {
                return self
                    .old_map(bytes, bytes[504] != 0)
                    .map(|()| self.is_complete());
            }
            WalkState::DataMap(map) => {
                return self.data_map(map, bytes).map(|()| self.is_complete());
            }
            WalkState::Header => return self.header(at, bytes),
            WalkState::Data(_) | WalkState::End => {}
        }
        Ok(false)
    }

    /// Whether everything before the member's data was read, including its sparse map.
    fn is_complete(&self) -> bool {
        matches!(self.state, WalkState::Header | WalkState::Data(_))
    }

    /// How the tar ends if no bytes follow the first `partial` bytes of what [`Walk::next`] asked for.
    pub fn ending(&self, partial: u64) -> Ending {
        let data = |missing: u64| match missing {
            0 => Ending::Unmarked,
            missing => Ending::WithinData { missing },
        };
        match &self.state {
            WalkState::End => Ending::Marked,
            WalkState::Header | WalkState::ZeroBlock(_) if partial == 0 => Ending::Unmarked,
            WalkState::Header | WalkState::ZeroBlock(_) | WalkState::OldMap => Ending::WithinHeader,
            WalkState::Extension { size, .. } => data((*size as u64).saturating_sub(partial)),
            WalkState::DataMap(map) => data(self.member.stored - map.used - partial),
            WalkState::Data(left) => data(left.saturating_sub(self.member.padding())),
        }
    }

    /// The current position of the walk, for messages.
    pub fn place(&self) -> String {
        match self.state {
            WalkState::Extension { .. } => "an extension header".to_owned(),
            _ => String::from_utf8_lossy(&self.member.name()).into_owned(),
        }
    }

    fn header(&mut self, at: u64, bytes: &[u8]) -> Result<bool> {
        let Ok(block) = <[u8; BLOCK]>::try_from(bytes) else {
            return Err(damaged(at, "it is not a block"));
        };
        let header = Header::new(&block);
        if !header.checksum_matches() {
            return Err(damaged(at, "checksum mismatch"));
        }
        let Some(size) = header.size() else {
            return Err(damaged(at, "its size is not a number"));
        };
        if let Some(field) = header.not_a_number() {
            return Err(damaged(at, format!("its {field} is not a number")));
        }
        let kind = header.kind();
        if matches!(kind, b'x' | b'g' | b'L' | b'K') {
            let limit = limits::EXTENSION_BYTES;
            if size > limit {
                let reason = format!(
                    "its extension header has {size} bytes, more than the {limit} that engines accept"
                );
                return Err(damaged(at, reason));
            }
            self.extensions.doubt(readers::about_numbers(&header));
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size == 0 {
                let taken = self.extensions.take(kind, 0, &[]);
                taken.map_err(|reason| damaged(at, reason))?;
            } else {
                self.state = WalkState::Extension { kind, at, size };
            }
            return Ok(false);
        }
        self.member = Member::new(at, header, size, std::mem::take(&mut self.extensions));
        self.begin_member().map(|()| self.is_complete())
    }

    fn begin_member(&mut self) -> Result<()> {
        let member = &mut self.member;
        let at = member.at;
        if member.header.kind() == b'S' {
            return self.old_map_in_header();
        }
        let pax = member.extensions.pax.as_ref();
        let Some((pax, place)) = pax.and_then(|pax| Some((pax, sparse::map_place(pax)?))) else {
            return self.begin_data();
        };
        if !member.has_data() {
            return Err(damaged(at, "a sparse member that is not a file"));
        }
        let Some(real_size) = sparse::real_size(pax, member.size) else {
            return Err(damaged(at, "its sparse size is not a number"));
        };
        member.size = real_size;
        match place {
            MapPlace::Records => {
                let fragments = sparse::map_in_records(pax).ok_or_else(|| not_numbers(at))?;
                sparse::check_count(fragments.len() as u64)?;
                member.fragments = Some(fragments);
                self.begin_data()
            }
            MapPlace::Data => self.next_of_data_map(MapInData::default()),
        }
    }

    fn old_map_in_header(&mut self) -> Result<()> {
        let member = &mut self.member;
        let real_size = member
            .header
            .real_size()
            .filter(|_| member.header.dialect() == Dialect::Gnu);
        let Some(real_size) = real_size else {
            return Err(damaged(member.at, "a sparse member without GNU fields"));
        };
        member.size = real_size;
        member.fragments = Some(Vec::new());
        let header = member.header.clone();
        self.old_map(header.sparse_entries(), header.is_extended())
    }

    fn old_map(&mut self, entries: &[u8], more: bool) -> Result<()> {
        let fragments = self.member.fragments.get_or_insert_default();
        sparse::add_old_entries(fragments, entries).ok_or_else(|| not_numbers(self.member.at))?;
        sparse::check_count(fragments.len() as u64)?;
        if more {
            self.state = WalkState::OldMap;
            return Ok(());
        }
        self.begin_data()
    }

    fn data_map(&mut self, mut map: MapInData, block: &[u8]) -> Result<()> {
        let at = self.member.at;
        let complete = map.take(block).ok_or_else(|| not_numbers(at))?;
        sparse::check_count(map.count())?;
        if !complete {
            return self.next_of_data_map(map);
        }
        self.member.stored -= map.used;
        self.member.fragments = Some(map.fragments());
        self.begin_data()
    }

    fn next_of_data_map(&mut self, map: MapInData) -> Result<()> {
        if self.member.stored - map.used < BLOCK as u64 {
            return Err(damaged(self.member.at, "its sparse map is cut short"));
        }
        self.state = WalkState::DataMap(map);
        Ok(())
    }

    fn begin_data(&mut self) -> Result<()> {
        let member = &mut self.member;
        if let Some(fragments) = &member.fragments
            && !sparse::fits(fragments, member.stored, member.size)
        {
            let name = String::from_utf8_lossy(&member.name()).into_owned();
            let reason = format!("the sparse map of {name} does not match its sizes");
            return Err(damaged(member.at, reason));
        }
        let padded = member.stored.checked_add(member.padding());
        let Some(padded) = padded.filter(|padded| self.offset.checked_add(*padded).is_some())
        else {
            return Err(damaged(member.at, "its size is larger than any file"));
        };
        member.data = self.offset;
        self.state = match padded {
            0 => WalkState::Header,
            padded => WalkState::Data(padded),
        };
        Ok(())
    }
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

fn damaged(offset: u64, reason: impl Into<String>) -> Error {
    Error::TarHeader {
        offset,
        reason: reason.into(),
    }
}

fn not_numbers(at: u64) -> Error {
    damaged(at, "its sparse map contains something other than numbers")
}

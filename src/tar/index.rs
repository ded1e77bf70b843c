//! The index of an archive: one walk over the headers, data is passed over, nothing is read twice.
//!
//! The tar crate's iterator reads sparse members only as streams and trusts the sizes of its extension headers, so the
//! walk is our own; header fields and PAX records are parsed by the crate. Formats: POSIX ustar and pax, GNU tar's long
//! names and three kinds of sparse members
//! (<https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html>).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tar::{EntryType, Header};

use super::number::number;
use super::pax;
use super::sparse::{self, SparseMap};
use crate::error::Error;
use crate::error::Result;
use crate::limits;
use crate::source::{Archive, Content, Entry, Extent, OpenArchive, clean_name, link_target};

const BLOCK: u64 = 512;

/// The members of an archive, as far as it can be read.
#[derive(Default)]
pub(crate) struct TarIndex {
    /// By name. A repeated name replaces the one before, as it does when an archive is unpacked.
    pub entries: BTreeMap<String, Entry>,
    /// Names of files that came more than once.
    pub repeated: BTreeSet<String>,
}

/// Indexes an uncompressed tar up to its end or to the first damage.
pub(crate) fn index(archive: &Arc<Archive>) -> (TarIndex, Result<()>) {
    let mut index = TarIndex::default();
    let result = walk(archive, &mut index);
    (index, result)
}

fn walk(archive: &Arc<Archive>, index: &mut TarIndex) -> Result<()> {
    let mut walk = Walk {
        archive,
        file: archive.open()?,
        length: archive.length(),
        offset: 0,
    };
    let mut count = 0;
    let mut kept = 0;
    let mut extensions = Extensions::default();
    while let Some((at, header)) = walk.header()? {
        match header.entry_type() {
            EntryType::XGlobalHeader => walk.skip_data(at, &header)?,
            EntryType::XHeader => {
                let records = walk.extension(at, &header, limits::DOCUMENT_BYTES)?;
                extensions.pax = parse_pax(at, &records)?;
            }
            EntryType::GNULongName => {
                extensions.long_name = Some(walk.long_name(at, &header)?);
            }
            EntryType::GNULongLink => {
                extensions.long_link = Some(walk.long_name(at, &header)?);
            }
            _ => {
                count += 1;
                limits::at_most("the number of members", count, limits::MEMBERS)?;
                let (name, entry) = walk.member(at, &header, &std::mem::take(&mut extensions))?;
                kept += name.len() as u64 + entry.memory();
                limits::at_most(
                    "the size of the archive's index in bytes",
                    kept,
                    limits::INDEX_BYTES,
                )?;
                index.add(name, entry);
            }
        }
    }
    Ok(())
}

impl TarIndex {
    fn add(&mut self, name: String, entry: Entry) {
        let folder = matches!(entry, Entry::Other);
        let before = self.entries.insert(name.clone(), entry);
        if before.is_some_and(|before| !folder || !matches!(before, Entry::Other)) {
            self.repeated.insert(name);
        }
    }
}

/// What the headers before a member say of it.
#[derive(Default)]
pub(crate) struct Extensions {
    long_name: Option<String>,
    long_link: Option<String>,
    pub(crate) pax: Vec<(String, String)>,
}

impl Extensions {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut records = self.pax.iter().rev();
        records
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, at: u64, key: &str) -> Result<Option<u64>> {
        self.get(key)
            .map(|value| {
                value.parse().map_err(|_| Error::TarHeader {
                    offset: at,
                    reason: format!("{key} is {value:?}, a number is expected"),
                })
            })
            .transpose()
    }
}

struct Walk<'a> {
    archive: &'a Arc<Archive>,
    file: OpenArchive,
    length: u64,
    offset: u64,
}

impl Walk<'_> {
    /// The next header and its offset, or `None` at the end-of-archive marker.
    fn header(&mut self) -> Result<Option<(u64, Header)>> {
        let at = self.offset;
        let Some(block) = self.block()? else {
            return Err(Error::NoEndOfArchive { found: self.length });
        };
        if block.iter().all(|byte| *byte == 0) {
            // The marker is two zero blocks; one alone is what an archive cut short looks like.
            return match self.block()? {
                Some(second) if second.iter().all(|byte| *byte == 0) => Ok(None),
                Some(_) => Err(Error::TarHeader {
                    offset: at,
                    reason: "a single zero block".to_owned(),
                }),
                None => Err(Error::NoEndOfArchive { found: self.length }),
            };
        }
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(&block);
        if !checksum_fits(&header) {
            return Err(Error::TarHeader {
                offset: at,
                reason: "its checksum does not fit".to_owned(),
            });
        }
        Ok(Some((at, header)))
    }

    /// The next 512 bytes, or `None` when there are not as many.
    fn block(&mut self) -> Result<Option<[u8; 512]>> {
        let mut block = [0; 512];
        if self.length - self.offset < BLOCK {
            return Ok(None);
        }
        self.file
            .read_exact_at(&mut block, self.offset)
            .map_err(Error::io("read", "the archive"))?;
        self.offset += BLOCK;
        Ok(Some(block))
    }

    /// Claims `size` bytes of data at the current offset and moves behind their padding.
    fn data(&mut self, what: &str, size: u64) -> Result<u64> {
        let start = self.offset;
        let padded = size
            .checked_next_multiple_of(BLOCK)
            .and_then(|size| start.checked_add(size));
        match padded {
            Some(end) if end <= self.length => {
                self.offset = end;
                Ok(start)
            }
            _ => Err(Error::Truncated {
                what: what.to_owned(),
                needed: start.saturating_add(size),
                found: self.length,
            }),
        }
    }

    fn skip_data(&mut self, at: u64, header: &Header) -> Result<()> {
        let size = header_size(at, header)?;
        self.data("a global PAX header", size).map(|_| ())
    }

    /// The data of an extension header, at most `limit` bytes.
    fn extension(&mut self, at: u64, header: &Header, limit: u64) -> Result<Vec<u8>> {
        let size = header_size(at, header)?;
        limits::at_most(
            format!("the extension header at byte {at}, in bytes,"),
            size,
            limit,
        )?;
        let start = self.data("an extension header", size)?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        self.file
            .read_exact_at(&mut bytes, start)
            .map_err(Error::io("read", "the archive"))?;
        Ok(bytes)
    }

    fn long_name(&mut self, at: u64, header: &Header) -> Result<String> {
        let mut bytes = self.extension(at, header, limits::NAME_BYTES)?;
        let end = bytes.iter().position(|byte| *byte == 0);
        bytes.truncate(end.unwrap_or(bytes.len()));
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn member(
        &mut self,
        at: u64,
        header: &Header,
        extensions: &Extensions,
    ) -> Result<(String, Entry)> {
        let raw_name = extensions
            .get("GNU.sparse.name")
            .or(extensions.get("path"))
            .or(extensions.long_name.as_deref())
            .map_or_else(
                || String::from_utf8_lossy(&header.path_bytes()).into_owned(),
                str::to_owned,
            );
        let name = clean_name(&raw_name);
        let size = match extensions.number(at, "size")? {
            Some(size) => size,
            None => header_size(at, header)?,
        };
        let link = || {
            extensions
                .get("linkpath")
                .or(extensions.long_link.as_deref())
                .map_or_else(
                    || {
                        let bytes = header.link_name_bytes().unwrap_or_default();
                        String::from_utf8_lossy(&bytes).into_owned()
                    },
                    str::to_owned,
                )
        };
        let entry = match header.entry_type() {
            EntryType::Symlink => Entry::Link(link_target(&name, &link())),
            // A hard link may carry data of its own in pax archives; only its target counts here.
            EntryType::Link => {
                self.data(&name, size)?;
                Entry::Link(clean_name(&link()))
            }
            EntryType::GNUSparse => self.gnu_sparse(at, header, &name, size)?,
            kind if is_regular(kind, &raw_name) => self.regular(at, &name, size, extensions)?,
            _ => {
                self.data(&name, size)?;
                Entry::Other
            }
        };
        Ok((name, entry))
    }

    fn regular(
        &mut self,
        at: u64,
        name: &str,
        size: u64,
        extensions: &Extensions,
    ) -> Result<Entry> {
        let start = self.data(name, size)?;
        let archive = self.archive.clone();
        if let Some(map) = sparse::pax_map(&self.file, at, start, size, extensions)? {
            return map.content(archive, at, name);
        }
        let whole = Extent {
            position: 0,
            offset: start,
            length: size,
        };
        Ok(Entry::File(Content::in_archive(archive, vec![whole], size)))
    }

    fn gnu_sparse(&mut self, at: u64, header: &Header, name: &str, size: u64) -> Result<Entry> {
        let (fragments, real_size) = sparse::gnu_map(at, header, || {
            self.block()?.ok_or_else(|| Error::Truncated {
                what: name.to_owned(),
                needed: self.offset + BLOCK,
                found: self.length,
            })
        })?;
        let start = self.data(name, size)?;
        let map = SparseMap {
            fragments,
            start,
            stored: size,
            real_size,
        };
        map.content(self.archive.clone(), at, name)
    }
}

fn header_size(at: u64, header: &Header) -> Result<u64> {
    let size = number(&header.as_old().size).and_then(|size| u64::try_from(size).ok());
    size.ok_or_else(|| Error::TarHeader {
        offset: at,
        reason: "its size is not a number".to_owned(),
    })
}

/// Old archives mark folders by a slash at the end alone.
fn is_regular(kind: EntryType, name: &str) -> bool {
    (kind.is_file() || kind.is_contiguous()) && !name.ends_with('/')
}

/// POSIX sums the bytes as unsigned, some old tars as signed; the checksum field itself counts as spaces.
pub(crate) fn checksum_fits(header: &Header) -> bool {
    let Ok(expected) = header.cksum() else {
        return false;
    };
    let bytes = header.as_bytes();
    let unsigned = |bytes: &[u8]| bytes.iter().map(|byte| i32::from(*byte)).sum::<i32>();
    let signed = |bytes: &[u8]| {
        let signed = bytes.iter().map(|byte| i32::from(byte.cast_signed()));
        signed.sum::<i32>()
    };
    // The field itself counts as spaces.
    let spaces = 8 * i32::from(b' ');
    let field = &bytes[148..156];
    i32::try_from(expected).is_ok_and(|expected| {
        expected == unsigned(bytes) - unsigned(field) + spaces
            || expected == signed(bytes) - signed(field) + spaces
    })
}

fn parse_pax(at: u64, bytes: &[u8]) -> Result<Vec<(String, String)>> {
    let records = pax::records(bytes).ok_or_else(|| Error::TarHeader {
        offset: at,
        reason: "its PAX records are damaged".to_owned(),
    })?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    // Times, owners and attributes are of no interest, however many there are.
    let records = records.into_iter().filter(|(key, _)| {
        matches!(*key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.")
    });
    Ok(records
        .map(|(key, value)| (text(key), text(value)))
        .collect())
}

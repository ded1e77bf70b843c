//! The maps of sparse members: which parts of a file an archive stores, the rest being zeros.
//!
//! Four encodings, all of GNU tar: <https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html>.

use std::sync::Arc;

use tar::Header;

use super::index::Extensions;
use crate::error::Error;
use crate::error::Result;
use crate::limits;
use crate::source::{Archive, Content, Entry, Extent, OpenArchive};

/// A file of `real_size` bytes whose fragments are stored one after the other from `start` on, `stored` bytes in all.
pub(crate) struct SparseMap {
    /// Position in the file and length, ascending.
    pub fragments: Vec<(u64, u64)>,
    pub start: u64,
    pub stored: u64,
    pub real_size: u64,
}

impl SparseMap {
    pub fn content(&self, archive: Arc<Archive>, at: u64, name: &str) -> Result<Entry> {
        check_fragments(self.fragments.len())?;
        let mut extents = Vec::with_capacity(self.fragments.len());
        let mut used = 0_u64;
        let mut end = 0;
        for &(position, length) in &self.fragments {
            let offset = self.start + used;
            used = used.saturating_add(length);
            match position.checked_add(length) {
                Some(reached)
                    if position >= end && reached <= self.real_size && used <= self.stored =>
                {
                    end = reached;
                }
                _ => {
                    return Err(damaged(
                        at,
                        &format!("the sparse map of {name} does not fit its sizes"),
                    ));
                }
            }
            if length > 0 {
                extents.push(Extent {
                    position,
                    offset,
                    length,
                });
            }
        }
        Ok(Entry::File(Content::in_archive(
            archive,
            extents,
            self.real_size,
        )))
    }
}

fn damaged(at: u64, reason: &str) -> Error {
    Error::TarHeader {
        offset: at,
        reason: reason.to_owned(),
    }
}

fn check_fragments(count: usize) -> Result<()> {
    limits::at_most(
        "the number of fragments of a sparse member",
        count,
        limits::SPARSE_FRAGMENTS,
    )
}

/// The old GNU format: four fragments in the header, 21 in each block behind it. Gives the fragments and the real size.
pub(crate) fn gnu_map(
    at: u64,
    header: &Header,
    mut next_block: impl FnMut() -> Result<[u8; 512]>,
) -> Result<(Vec<(u64, u64)>, u64)> {
    let not_numbers = |_| damaged(at, "its sparse map is not numbers");
    let gnu = header
        .as_gnu()
        .ok_or_else(|| damaged(at, "a sparse member without GNU fields"))?;
    let mut fragments = Vec::new();
    let mut push = |fragment: &tar::GnuSparseHeader| -> Result<()> {
        if !fragment.is_empty() {
            let offset = fragment.offset().map_err(not_numbers)?;
            fragments.push((offset, fragment.length().map_err(not_numbers)?));
        }
        check_fragments(fragments.len())
    };
    gnu.sparse.iter().try_for_each(&mut push)?;
    let mut extended = gnu.is_extended();
    while extended {
        let mut extension = tar::GnuExtSparseHeader::new();
        extension.as_mut_bytes().copy_from_slice(&next_block()?);
        extension.sparse.iter().try_for_each(&mut push)?;
        extended = extension.is_extended();
    }
    let real_size = gnu.real_size().map_err(not_numbers)?;
    Ok((fragments, real_size))
}

/// The three PAX formats: 0.0 (a record for each number), 0.1 (one record) and 1.0 (in front of the data).
pub(crate) fn pax_map(
    file: &OpenArchive,
    at: u64,
    start: u64,
    size: u64,
    extensions: &Extensions,
) -> Result<Option<SparseMap>> {
    let required = |key| {
        extensions
            .number(at, key)?
            .ok_or_else(|| damaged(at, &format!("a sparse member without {key}")))
    };
    if extensions.get("GNU.sparse.major") == Some("1") {
        let (fragments, used) = map_in_data(file, at, start, size)?;
        return Ok(Some(SparseMap {
            fragments,
            start: start + used,
            stored: size - used,
            real_size: required("GNU.sparse.realsize")?,
        }));
    }
    let mut numbers = Vec::new();
    if let Some(list) = extensions.get("GNU.sparse.map") {
        numbers.extend(list.split(','));
    } else if extensions.get("GNU.sparse.numblocks").is_some() {
        let is_number = |key: &str| matches!(key, "GNU.sparse.offset" | "GNU.sparse.numbytes");
        let records = extensions.pax.iter();
        numbers.extend(
            records
                .filter(|(key, _)| is_number(key))
                .map(|(_, value)| value.as_str()),
        );
    } else {
        return Ok(None);
    }
    let numbers: Vec<u64> = numbers
        .into_iter()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| damaged(at, "its sparse map is not numbers"))?;
    Ok(Some(SparseMap {
        fragments: pairs(&numbers),
        start,
        stored: size,
        real_size: required("GNU.sparse.size")?,
    }))
}

fn pairs(numbers: &[u64]) -> Vec<(u64, u64)> {
    let pairs = numbers.chunks_exact(2);
    pairs.map(|pair| (pair[0], pair[1])).collect()
}

/// Format 1.0: decimal numbers in lines, their count first, padded to a block. Gives the fragments and the bytes used.
fn map_in_data(
    file: &OpenArchive,
    at: u64,
    start: u64,
    size: u64,
) -> Result<(Vec<(u64, u64)>, u64)> {
    const BLOCK: u64 = 512;
    let not_numbers = || damaged(at, "its sparse map is not numbers");
    let mut used = 0;
    let mut wanted = 1;
    let mut numbers: Vec<u64> = Vec::new();
    let mut digits = String::new();
    while numbers.len() < wanted {
        if size - used < BLOCK {
            return Err(damaged(at, "its sparse map is cut short"));
        }
        let mut block = [0; 512];
        file.read_exact_at(&mut block, start + used)
            .map_err(Error::io("read", "the archive"))?;
        used += BLOCK;
        for byte in block {
            if numbers.len() == wanted {
                break;
            }
            match byte {
                b'0'..=b'9' if digits.len() < 20 => digits.push(char::from(byte)),
                b'\n' => {
                    let number = digits.parse().map_err(|_| not_numbers())?;
                    digits.clear();
                    if numbers.is_empty() {
                        let count = usize::try_from(number).unwrap_or(usize::MAX);
                        check_fragments(count)?;
                        wanted = 1 + 2 * count;
                    }
                    numbers.push(number);
                }
                _ => return Err(not_numbers()),
            }
        }
    }
    Ok((pairs(&numbers[1..]), used))
}

//! The maps of sparse members. A map lists the parts of a file that the archive stores; the rest is zeros.
//!
//! GNU tar has four encodings: <https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html>.

use super::header::BLOCK;
use super::number::number;
use super::pax::Pax;
use crate::error::Result;
use crate::limits;

/// A stored part of a file: position in the file and length.
pub(crate) type Fragment = (u64, u64);

/// Location of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapPlace {
    /// In the records themselves: formats 0.0 and 0.1.
    Records,
    /// Before the data: format 1.0.
    Data,
}

/// Where the map of a member is, if Go treats the member as a sparse file.
pub(crate) fn map_place(pax: &Pax) -> Option<MapPlace> {
    match (pax.sparse("major"), pax.sparse("minor")) {
        (b"0", b"0" | b"1") => Some(MapPlace::Records),
        (b"1", b"0") => Some(MapPlace::Data),
        (b"", b"") if !pax.sparse("map").is_empty() => Some(MapPlace::Records),
        _ => None,
    }
}

/// The size of a sparse file including its holes, or `otherwise` if the records lack it. `None` if it is not a number.
pub(crate) fn real_size(pax: &Pax, otherwise: u64) -> Option<u64> {
    let sizes = [pax.sparse("size"), pax.sparse("realsize")];
    match sizes.into_iter().find(|size| !size.is_empty()) {
        Some(size) => decimal(size),
        None => Some(otherwise),
    }
}

/// The map of formats 0.0 and 0.1. `None` if it contains anything but numbers.
pub(crate) fn map_in_records(pax: &Pax) -> Option<Vec<Fragment>> {
    let list = pax.sparse("map").split(|byte| *byte == b',');
    let numbers: Vec<u64> = list.map(decimal).collect::<Option<_>>()?;
    let count = decimal(pax.sparse("numblocks"))?;
    (Some(numbers.len() as u64) == count.checked_mul(2)).then(|| pairs(&numbers))
}

/// Adds entries of GNU's old format: two numbers of twelve bytes each, followed by empty entries. `None` if they are
/// malformed.
pub(crate) fn add_old_entries(fragments: &mut Vec<Fragment>, entries: &[u8]) -> Option<()> {
    let mut ended = false;
    for entry in entries.chunks_exact(24) {
        let (position, length) = entry.split_at(12);
        if position[0] == 0 && length[0] == 0 {
            ended = true;
            continue;
        }
        // Readers disagree about entries after an empty one, and about half-empty entries.
        if ended || position[0] == 0 || length[0] == 0 {
            return None;
        }
        let number = |field| u64::try_from(number(field)?).ok();
        fragments.push((number(position)?, number(length)?));
    }
    Some(())
}

/// Parser of a map of format 1.0: one decimal number per line, the count first, padded to a block.
#[derive(Debug, Default)]
pub(crate) struct MapInData {
    numbers: Vec<u64>,
    digits: Vec<u8>,
    /// Number of bytes read so far.
    pub used: u64,
}

impl MapInData {
    /// Reads the next block and returns whether it was the last one. `None` if it contains anything but numbers.
    pub fn take(&mut self, block: &[u8]) -> Option<bool> {
        self.used += BLOCK as u64;
        for &byte in block {
            if byte != b'\n' {
                self.digits.push(byte);
                continue;
            }
            self.numbers.push(decimal(&self.digits)?);
            self.digits.clear();
            if self.numbers.len() as u64 == self.count().checked_mul(2)?.checked_add(1)? {
                return Some(true);
            }
        }
        // No number is as long as a block.
        (self.digits.len() < BLOCK).then_some(false)
    }

    /// The number of fragments that the map declares.
    pub fn count(&self) -> u64 {
        self.numbers.first().copied().unwrap_or_default()
    }

    pub fn fragments(&self) -> Vec<Fragment> {
        pairs(&self.numbers[1..])
    }
}

/// Returns [`crate::error::Error::Limit`] if there are too many fragments.
pub(crate) fn check_count(fragments: u64) -> Result<()> {
    limits::at_most(
        "the number of fragments of a sparse member",
        fragments,
        limits::SPARSE_FRAGMENTS as u64,
    )
}

/// Whether the fragments are in order, inside the file, and as long as the stored data.
pub(crate) fn fits(fragments: &[Fragment], stored: u64, real_size: u64) -> bool {
    let mut used = 0_u64;
    let mut end = 0;
    for &(position, length) in fragments {
        match position.checked_add(length) {
            Some(reached) if position >= end && reached <= real_size => end = reached,
            _ => return false,
        }
        // At most `end`, because fragments do not overlap.
        used += length;
    }
    used == stored
}

fn pairs(numbers: &[u64]) -> Vec<Fragment> {
    let pairs = numbers.chunks_exact(2);
    pairs.map(|pair| (pair[0], pair[1])).collect()
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

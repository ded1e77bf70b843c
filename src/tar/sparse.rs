//! The maps of sparse members: which parts of a file an archive stores, the rest being zeros.
//!
//! Four encodings, all of GNU tar: <https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html>.

use super::header::BLOCK;
use super::number::number;
use super::pax::Pax;
use crate::error::Result;
use crate::limits;

/// A part of a file that is stored: its position in the file, and its length.
pub(crate) type Fragment = (u64, u64);

/// Where PAX records say that the map is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapPlace {
    /// In the records themselves: formats 0.0 and 0.1.
    Records,
    /// In front of the data: format 1.0.
    Data,
}

/// What Go takes for a sparse file.
pub(crate) fn map_place(pax: &Pax) -> Option<MapPlace> {
    match (pax.sparse("major"), pax.sparse("minor")) {
        (b"0", b"0" | b"1") => Some(MapPlace::Records),
        (b"1", b"0") => Some(MapPlace::Data),
        (b"", b"") if !pax.sparse("map").is_empty() => Some(MapPlace::Records),
        _ => None,
    }
}

/// The size of a sparse file with its holes, where the records have it; `None` when it is not a number.
pub(crate) fn real_size(pax: &Pax, otherwise: u64) -> Option<u64> {
    let sizes = [pax.sparse("size"), pax.sparse("realsize")];
    match sizes.into_iter().find(|size| !size.is_empty()) {
        Some(size) => decimal(size),
        None => Some(otherwise),
    }
}

/// The map of formats 0.0 and 0.1; `None` when it is not numbers.
pub(crate) fn map_in_records(pax: &Pax) -> Option<Vec<Fragment>> {
    let list = pax.sparse("map").split(|byte| *byte == b',');
    let numbers: Vec<u64> = list.map(decimal).collect::<Option<_>>()?;
    let count = decimal(pax.sparse("numblocks"))?;
    (Some(numbers.len() as u64) == count.checked_mul(2)).then(|| pairs(&numbers))
}

/// Adds entries of GNU's old format: twelve bytes for each number, the rest empty; `None` when they are something else.
pub(crate) fn add_old_entries(fragments: &mut Vec<Fragment>, entries: &[u8]) -> Option<()> {
    let mut ended = false;
    for entry in entries.chunks_exact(24) {
        let (position, length) = entry.split_at(12);
        if position[0] == 0 && length[0] == 0 {
            ended = true;
            continue;
        }
        // Readers disagree about entries behind an empty one, and half empty ones.
        if ended || position[0] == 0 || length[0] == 0 {
            return None;
        }
        let number = |field| u64::try_from(number(field)?).ok();
        fragments.push((number(position)?, number(length)?));
    }
    Some(())
}

/// The map of format 1.0 while it is read: decimal numbers in lines, their count first, padded to a block.
#[derive(Debug, Default)]
pub(crate) struct MapInData {
    numbers: Vec<u64>,
    digits: Vec<u8>,
    /// How many bytes it takes so far.
    pub used: u64,
}

impl MapInData {
    /// Takes the next block and tells whether it is the last one; `None` when it is not numbers.
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

    /// How many fragments it says that there are.
    pub fn count(&self) -> u64 {
        self.numbers.first().copied().unwrap_or_default()
    }

    pub fn fragments(&self) -> Vec<Fragment> {
        pairs(&self.numbers[1..])
    }
}

/// [`crate::error::Error::Limit`] if there are too many fragments.
pub(crate) fn check_count(fragments: u64) -> Result<()> {
    limits::at_most(
        "the number of fragments of a sparse member",
        fragments,
        limits::SPARSE_FRAGMENTS as u64,
    )
}

/// Whether the fragments are in order, within the file, and all that is stored.
pub(crate) fn fits(fragments: &[Fragment], stored: u64, real_size: u64) -> bool {
    let mut used = 0_u64;
    let mut end = 0;
    for &(position, length) in fragments {
        match position.checked_add(length) {
            Some(reached) if position >= end && reached <= real_size => end = reached,
            _ => return false,
        }
        // Not more than the end, as none overlap.
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

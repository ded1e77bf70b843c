//! The bit writer: bits go into bytes from the least significant bit up
//! ([RFC 1951, section 3.1.1](https://www.rfc-editor.org/rfc/rfc1951#section-3.1.1)).
//!
//! Bits are collected in a 64-bit word of which whole bytes are flushed, always eight at once: the bytes behind the
//! last whole one are overwritten by the next flush. So room for them is reserved before, and no branch is needed.

use alloc::vec::Vec;

/// The bytes that one flush writes, whatever the number of bits that it has.
const FLUSH: usize = 8;

/// Appends bits to a byte vector.
pub struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Where the next flush writes; `out` may be longer (reserved), until [`BitWriter::finish`].
    position: usize,
    word: u64,
    /// The bits in `word`, fewer than 8 after a flush.
    count: u32,
}

impl<'a> BitWriter<'a> {
    /// A writer that appends to `out` from its end on.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        let position = out.len();
        Self {
            out,
            position,
            word: 0,
            count: 0,
        }
    }

    /// The number of bits since the last byte boundary, 0 to 7. Only after a flush.
    pub fn unaligned(&self) -> u32 {
        self.count
    }

    /// Makes room for `bits` more bits.
    pub fn reserve(&mut self, bits: u64) {
        let needed = self.position + (bits / 8) as usize + 2 * FLUSH;
        if self.out.len() < needed {
            self.out.resize(needed, 0);
        }
    }

    /// Adds the low `count` bits of `bits`, whose other bits are zero. At most 56 bits fit between two flushes.
    #[inline(always)]
    pub fn add(&mut self, bits: u64, count: u32) {
        debug_assert!(self.count + count < 64 && bits >> count == 0);
        self.word |= bits << (self.count & 63);
        self.count += count;
    }

    /// Writes the whole bytes out, into room that was reserved.
    #[inline(always)]
    pub fn flush(&mut self) {
        if let Some(room) = self.out.get_mut(self.position..self.position + FLUSH) {
            room.copy_from_slice(&self.word.to_le_bytes());
        } else {
            debug_assert!(false, "bits without room reserved for them");
        }
        self.position += (self.count / 8) as usize;
        self.word >>= self.count & !7;
        self.count &= 7;
    }

    /// Fills the last byte with zero bits.
    pub fn align(&mut self) {
        self.reserve(8);
        self.count = self.count.next_multiple_of(8);
        self.flush();
    }

    /// Appends whole bytes at a byte boundary.
    pub fn append(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.count, 0, "bytes only at a byte boundary");
        self.out.truncate(self.position);
        self.out.extend_from_slice(bytes);
        self.position = self.out.len();
    }

    /// Ends at a byte boundary, and gives back what was reserved.
    pub fn finish(mut self) {
        self.align();
        self.out.truncate(self.position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn bits_fill_bytes_from_the_low_end() {
        let mut out = vec![7];
        let mut bits = BitWriter::new(&mut out);
        bits.reserve(20);
        bits.add(0b1, 1);
        bits.add(0b10, 2);
        bits.add(0b1_1111_1111, 9);
        bits.flush();
        bits.align();
        bits.append(&[9, 9]);
        bits.finish();
        assert_eq!(out, [7, 0b1111_1101, 0b0000_1111, 9, 9]);
    }
}

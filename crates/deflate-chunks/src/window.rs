//! What is encoded: the dictionary, the chunk, and zeros behind it, in an array of a fixed size.
//!
//! The size is a power of two and some more, so that the compiler sees that eight bytes at a masked position are always
//! inside and leaves the bounds check out. The zeros matter: the last positions of a chunk are hashed and compared with the
//! bytes behind it, and bytes left by an earlier chunk would make the output depend on it.

use crate::{MAX_CHUNK, WINDOW};
use alloc::boxed::Box;
use alloc::vec;

/// The bits of a position, and so also those of it in a table entry.
pub const POSITION_BITS: u32 = 21;
pub const POSITIONS: usize = 1 << POSITION_BITS;
/// The bytes of a load.
pub const LOAD: usize = 8;
/// The bytes that are zero behind the chunk: more than the longest match, the longest skip, and a load.
const PADDING: usize = 1024;
const _: () = assert!(WINDOW + MAX_CHUNK + PADDING <= POSITIONS);

/// The bytes to encode and those before them.
pub struct Window {
    bytes: Box<[u8; POSITIONS + LOAD]>,
}

impl Window {
    pub fn new() -> Self {
        let bytes = vec![0; POSITIONS + LOAD].into_boxed_slice();
        match bytes.try_into() {
            Ok(bytes) => Self { bytes },
            Err(_) => unreachable!("the vector has the length of the array"),
        }
    }

    /// Takes in a dictionary of at most [`WINDOW`] bytes and a chunk of at most [`MAX_CHUNK`].
    pub fn fill(&mut self, dictionary: &[u8], chunk: &[u8]) {
        let (start, end) = (dictionary.len(), dictionary.len() + chunk.len());
        self.bytes[..start].copy_from_slice(dictionary);
        self.bytes[start..end].copy_from_slice(chunk);
        self.bytes[end..end + PADDING].fill(0);
    }

    /// The bytes of a range of positions.
    pub fn slice(&self, start: usize, end: usize) -> &[u8] {
        &self.bytes[start..end]
    }

    /// Eight bytes as a little-endian number.
    #[inline(always)]
    pub fn load(&self, position: usize) -> u64 {
        let start = position & (POSITIONS - 1);
        let mut bytes = [0; LOAD];
        bytes.copy_from_slice(&self.bytes[start..start + LOAD]);
        u64::from_le_bytes(bytes)
    }

    /// The number of bytes, at most `limit`, that are equal from both positions on.
    #[inline(always)]
    pub fn common(&self, earlier: usize, position: usize, limit: usize) -> usize {
        let mut length = 0;
        while length < limit {
            let difference = self.load(earlier + length) ^ self.load(position + length);
            if difference != 0 {
                return limit.min(length + (difference.trailing_zeros() / 8) as usize);
            }
            length += LOAD;
        }
        limit
    }
}

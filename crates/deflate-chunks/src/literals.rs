//! The literals of a candidate block, one behind the other.
//!
//! They could as well be read from the window, between the matches. Counting them is much faster without the gaps: a run
//! of literals is short, and the end of each costs the CPU a wrong guess.

use crate::window::{LOAD, POSITIONS, Window};
use alloc::boxed::Box;
use alloc::vec;

/// Literals, fewer than the positions of a window.
pub struct Literals {
    bytes: Box<[u8; POSITIONS + LOAD]>,
    length: usize,
}

impl Literals {
    pub fn new() -> Self {
        match vec![0; POSITIONS + LOAD].into_boxed_slice().try_into() {
            Ok(bytes) => Self { bytes, length: 0 },
            Err(_) => unreachable!("the vector has the length of the array"),
        }
    }

    pub fn clear(&mut self) {
        self.length = 0;
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Appends bytes of the window, eight at a time; those too many are overwritten by the next.
    #[inline(always)]
    pub fn append(&mut self, window: &Window, position: usize, count: usize) {
        let mut done = 0;
        loop {
            let start = (self.length + done) & (POSITIONS - 1);
            self.bytes[start..start + LOAD].copy_from_slice(&window.load(position + done).to_le_bytes());
            done += LOAD;
            if done >= count {
                break;
            }
        }
        self.length += count;
    }
}

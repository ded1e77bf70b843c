//! Short matches: of three bytes and more, which pay when they are near.
//!
//! One place for each hash of three bytes. At the lower levels, only positions that are searched are added.

use crate::finder::{MULTIPLIER, Match};
use crate::symbols::MIN_MATCH;
use crate::window::Window;
use alloc::boxed::Box;
use alloc::vec;

const PLACE_BITS: u32 = 14;
const PLACES: usize = 1 << PLACE_BITS;
/// The largest distance; a match of three bytes from farther costs more than three literals.
const FARTHEST: u32 = 8192;

/// The latest position by a hash of three bytes.
pub struct Short {
    places: Box<[u32; PLACES]>,
}

impl Short {
    pub fn new() -> Self {
        match vec![0; PLACES].into_boxed_slice().try_into() {
            Ok(places) => Self { places },
            Err(_) => unreachable!("the vector has the length of the array"),
        }
    }

    pub fn clear(&mut self) {
        self.places.fill(0);
    }

    /// The place of the three low bytes.
    #[inline(always)]
    fn place(&mut self, word: u32) -> &mut u32 {
        let hash = (word << 8).wrapping_mul((MULTIPLIER >> 32) as u32) >> (32 - PLACE_BITS);
        &mut self.places[hash as usize & (PLACES - 1)]
    }

    /// Adds a position.
    #[inline(always)]
    pub fn insert(&mut self, window: &Window, position: usize) {
        *self.place(window.load(position) as u32) = position as u32;
    }

    /// Adds a position, and gives the near match for it.
    #[inline(always)]
    pub fn find(&mut self, window: &Window, position: usize, limit: usize) -> Match {
        let word = window.load(position) as u32;
        let candidate = core::mem::replace(self.place(word), position as u32);
        let distance = (position as u32).wrapping_sub(candidate);
        if distance.wrapping_sub(1) < FARTHEST && (window.load(candidate as usize) as u32 ^ word) << 8 == 0 {
            let length = window.common(candidate as usize, position, limit);
            if length >= MIN_MATCH {
                return Match {
                    length,
                    distance: distance as usize,
                };
            }
        }
        Match::NONE
    }
}

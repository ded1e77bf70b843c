//! A match finder that searches few places, for the lower levels.
//!
//! The table has buckets by a hash of five bytes, each with its latest positions, newest first. An entry holds 21 bits of
//! position and 11 more bits of the hash: one wrapping subtraction from the entry of the position searched gives the
//! distance when these bits are equal, and something far above the window when not.

use crate::WINDOW;
use crate::finder::{Finder, MULTIPLIER, Match};
use crate::window::{POSITION_BITS, Window};
use alloc::boxed::Box;
use alloc::vec;

/// The bits of a word that are not hashed: five of eight bytes are.
const IGNORED_BITS: u32 = 24;

/// The table. `BUCKETS` is a power of two up to 2^21.
pub struct Buckets<const BUCKETS: usize, const WAYS: usize> {
    buckets: Box<[[u32; WAYS]; BUCKETS]>,
}

/// The entries of a bucket, and the entry of the position searched.
#[derive(Clone, Copy)]
pub struct Candidates<const WAYS: usize> {
    entry: u32,
    entries: [u32; WAYS],
}

impl<const BUCKETS: usize, const WAYS: usize> Buckets<BUCKETS, WAYS> {
    const BUCKET_BITS: u32 = BUCKETS.ilog2();

    pub fn new() -> Self {
        match vec![[0; WAYS]; BUCKETS].into_boxed_slice().try_into() {
            Ok(buckets) => Self { buckets },
            Err(_) => unreachable!("the vector has the length of the array"),
        }
    }

    /// The bucket and the entry of a position with these bytes.
    #[inline(always)]
    fn place(word: u64, position: usize) -> (usize, u32) {
        let hash = (word << IGNORED_BITS).wrapping_mul(MULTIPLIER);
        let bucket = hash >> (64 - Self::BUCKET_BITS);
        let tag = (hash >> (32 - Self::BUCKET_BITS)) as u32 >> POSITION_BITS << POSITION_BITS;
        (bucket as usize & (BUCKETS - 1), tag | position as u32)
    }
}

impl<const BUCKETS: usize, const WAYS: usize> Finder for Buckets<BUCKETS, WAYS> {
    type Candidates = Candidates<WAYS>;

    /// What is left looks like position 0 with a hash of 0; a match there is compared as any other, at worst in vain.
    fn clear(&mut self) {
        self.buckets.as_flattened_mut().fill(0);
    }

    #[inline(always)]
    fn insert(&mut self, window: &Window, position: usize) {
        self.look(window, position);
    }

    #[inline(always)]
    fn look(&mut self, window: &Window, position: usize) -> Candidates<WAYS> {
        let (bucket, entry) = Self::place(window.load(position), position);
        let ways = &mut self.buckets[bucket];
        let entries = *ways;
        ways.copy_within(..WAYS - 1, 1);
        ways[0] = entry;
        Candidates { entry, entries }
    }

    #[inline(always)]
    fn longest(
        &self,
        window: &Window,
        position: usize,
        candidates: Candidates<WAYS>,
        beaten: usize,
        limit: usize,
        _less: u32,
    ) -> Match {
        let mut best = Match {
            length: beaten,
            distance: 0,
        };
        for entry in candidates.entries {
            let distance = candidates.entry.wrapping_sub(entry);
            if distance.wrapping_sub(1) < WINDOW as u32 {
                let length = window.common(position - distance as usize, position, limit);
                if length > best.length {
                    best = Match {
                        length,
                        distance: distance as usize,
                    };
                    if length == limit {
                        break;
                    }
                }
            }
        }
        if best.distance == 0 { Match::NONE } else { best }
    }
}

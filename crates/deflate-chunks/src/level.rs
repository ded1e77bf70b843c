//! Levels, and the parser of each.

use crate::buckets::Buckets;
use crate::chains::Chains;
use crate::parse::{Lazy, Parse};
use alloc::boxed::Box;

/// A compression level, 1 (fastest) to 9 (smallest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// The level for most uses.
    pub const DEFAULT: Self = Self(3);

    /// The level of this number, if it is 1 to 9.
    #[must_use]
    pub const fn new(level: u32) -> Option<Self> {
        match level {
            1..=9 => Some(Self(level as u8)),
            _ => None,
        }
    }

    /// The level's number, 1 to 9.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0 as u32
    }

    /// The sequences of a candidate block.
    pub(crate) fn candidate_sequences(self) -> usize {
        if self.0 <= 3 { 1024 } else { 512 }
    }

    pub(crate) fn parser(self) -> Box<dyn Parse> {
        match self.0 {
            1 => Box::new(Lazy::<_, 4, false, 0>::new(Buckets::<{ 1 << 14 }, 1>::new(), 16)),
            2 => Box::new(Lazy::<_, 2, true, 0>::new(Buckets::<{ 1 << 15 }, 1>::new(), 16)),
            3 => Box::new(Lazy::<_, 2, true, 0>::new(Buckets::<{ 1 << 15 }, 2>::new(), 16)),
            4 => Box::new(Lazy::<_, 1, true, 1>::new(Chains::new(8, 24), 24)),
            5 => Box::new(Lazy::<_, 1, true, 1>::new(Chains::new(20, 32), 32)),
            6 => Box::new(Lazy::<_, 1, true, 1>::new(Chains::new(32, 64), 64)),
            7 => Box::new(Lazy::<_, 1, true, 2>::new(Chains::new(32, 64), 64)),
            8 => Box::new(Lazy::<_, 1, true, 2>::new(Chains::new(64, 128), 128)),
            _ => Box::new(Lazy::<_, 1, true, 2>::new(Chains::new(128, 258), 258)),
        }
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::DEFAULT
    }
}

//! What match finders have in common: they give earlier places with the same bytes.

use crate::window::Window;

/// An odd constant with well spread bits, for multiplicative hashing: 2^64 divided by the golden ratio
/// (D. Knuth, The Art of Computer Programming, volume 3, section 6.4).
pub const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A match, or none when the length is 0.
#[derive(Clone, Copy)]
pub struct Match {
    pub length: usize,
    pub distance: usize,
}

impl Match {
    pub const NONE: Self = Self { length: 0, distance: 0 };
}

/// A table of the positions so far.
///
/// A search has two steps, so that the table can be read for the next position while this one is decided.
pub trait Finder: Send {
    /// What the table has for a position.
    type Candidates: Copy;

    /// Forgets all positions.
    fn clear(&mut self);

    /// Adds a position.
    fn insert(&mut self, window: &Window, position: usize);

    /// Adds a position, and gives what the table had for its bytes.
    fn look(&mut self, window: &Window, position: usize) -> Self::Candidates;

    /// The longest match with a candidate that is longer than `beaten`, which is at least 3, and at most `limit`.
    ///
    /// Where there is a match already, `less` is how often the depth of the search is halved.
    fn longest(
        &self,
        window: &Window,
        position: usize,
        candidates: Self::Candidates,
        beaten: usize,
        limit: usize,
        less: u32,
    ) -> Match;
}

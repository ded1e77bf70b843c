//! A match finder that searches many places, for the higher levels.
//!
//! By a hash of four bytes, the table has the latest position; by the position modulo the window, how far back the one
//! before it with the same hash is. So all are on a chain, which is followed to a depth.

use crate::WINDOW;
use crate::finder::{Finder, MULTIPLIER, Match};
use crate::symbols::MIN_MATCH;
use crate::window::Window;
use alloc::boxed::Box;
use alloc::vec;

const HEAD_BITS: u32 = 15;
const HEADS: usize = 1 << HEAD_BITS;

/// The table.
pub struct Chains {
    heads: Box<[u32; HEADS]>,
    /// How far back the position before on the chain is; 0 or too far at the chain's end.
    steps: Box<[u16; WINDOW]>,
    /// How many places are searched.
    depth: usize,
    /// A match this long ends the search.
    nice: usize,
}

impl Chains {
    pub fn new(depth: usize, nice: usize) -> Self {
        let heads = vec![0; HEADS].into_boxed_slice();
        let steps = vec![0; WINDOW].into_boxed_slice();
        match (heads.try_into(), steps.try_into()) {
            (Ok(heads), Ok(steps)) => Self {
                heads,
                steps,
                depth,
                nice,
            },
            _ => unreachable!("the vectors have the lengths of the arrays"),
        }
    }
}

impl Finder for Chains {
    /// The distance of the first position on the chain.
    type Candidates = usize;

    /// Heads left look like position 0. Steps need no clearing: those of positions not added are never read.
    fn clear(&mut self) {
        self.heads.fill(0);
    }

    #[inline(always)]
    fn insert(&mut self, window: &Window, position: usize) {
        self.look(window, position);
    }

    #[inline(always)]
    fn look(&mut self, window: &Window, position: usize) -> usize {
        let word = window.load(position) as u32;
        let hash = word.wrapping_mul((MULTIPLIER >> 32) as u32 | 1) >> (32 - HEAD_BITS);
        let head = &mut self.heads[hash as usize & (HEADS - 1)];
        // Positions skipped are added out of order at times; what is ahead is far above the window then.
        let distance = position.wrapping_sub(*head as usize);
        *head = position as u32;
        self.steps[position & (WINDOW - 1)] = distance.min(0xffff) as u16;
        distance
    }

    #[inline(always)]
    fn longest(&self, window: &Window, position: usize, first: usize, beaten: usize, limit: usize, less: u32) -> Match {
        let mut best = Match {
            length: beaten,
            distance: 0,
        };
        if beaten >= limit {
            return Match::NONE;
        }
        let mut distance = first;
        let farthest = WINDOW.min(position);
        // A longer match has these four bytes: the last of the best match so far and the one behind it.
        let mut end = window.load(position + best.length - MIN_MATCH) as u32;
        for _ in 0..self.depth >> less {
            if distance.wrapping_sub(1) >= farthest {
                break;
            }
            let candidate = position - distance;
            if window.load(candidate + best.length - MIN_MATCH) as u32 == end {
                let length = window.common(candidate, position, limit);
                if length > best.length {
                    best = Match { length, distance };
                    if length >= self.nice || length == limit {
                        break;
                    }
                    end = window.load(position + best.length - MIN_MATCH) as u32;
                }
            }
            let step = usize::from(self.steps[candidate & (WINDOW - 1)]);
            if step == 0 {
                break;
            }
            distance += step;
        }
        if best.distance == 0 { Match::NONE } else { best }
    }
}

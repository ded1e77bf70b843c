//! The parser: which literals and matches stand for the chunk.
//!
//! It is lazy: before a match is taken, the next position is tried, and if its match is better, the byte before it becomes
//! a literal. Matches of the nice length are taken at once. Where nothing matches for long, ever more positions are skipped.

use crate::bits::BitWriter;
use crate::finder::{Finder, Match};
use crate::short::Short;
use crate::split::{CANDIDATE_LITERALS, Splitter};
use crate::symbols::{MAX_MATCH, MIN_MATCH};
use crate::window::Window;

/// Literals, and the match behind them.
#[derive(Clone, Copy)]
pub struct Sequence {
    /// The number of literals.
    pub literals: u32,
    /// The length of the match, 3 to 258, or 0 for none.
    pub length: u16,
    /// The distance of the match, 1 to 32768.
    pub distance: u16,
}

/// After 2^`SKIP_BITS` searches in vain, every second position is searched; after twice as many, every third.
const SKIP_BITS: u32 = 8;

/// A way to find the sequences of a chunk.
pub trait Parse: Send {
    /// Passes the sequences of the window from `start` to `end` to the splitter; what is before `start` is the dictionary.
    fn parse(&mut self, window: &Window, start: usize, end: usize, splitter: &mut Splitter, bits: &mut BitWriter);
}

/// The lazy parser. Of the positions in a match it adds each `STRIDE`-th to the finder. If `SHORT`, it looks for short
/// matches where the finder has none. `EFFORT` is what makes a later match better:
/// - 0: the next position's match is longer;
/// - 1: the same, but a much larger distance speaks against it and a much smaller one for it;
/// - 2: the same, for two positions ahead; positions in matches are also added to the short matches.
pub struct Lazy<F, const STRIDE: usize, const SHORT: bool, const EFFORT: usize> {
    finder: F,
    short: Short,
    /// A match this long is taken without a look at the next position.
    nice: usize,
}

impl<F: Finder, const STRIDE: usize, const SHORT: bool, const EFFORT: usize> Lazy<F, STRIDE, SHORT, EFFORT> {
    pub fn new(finder: F, nice: usize) -> Self {
        Self {
            finder,
            short: Short::new(),
            nice,
        }
    }
}

impl<F: Finder, const STRIDE: usize, const SHORT: bool, const EFFORT: usize> Parse for Lazy<F, STRIDE, SHORT, EFFORT> {
    fn parse(&mut self, window: &Window, start: usize, end: usize, splitter: &mut Splitter, bits: &mut BitWriter) {
        let finder = &mut self.finder;
        finder.clear();
        self.short.clear();
        for position in (0..start).step_by(STRIDE) {
            finder.insert(window, position);
        }
        let mut position = start;
        let mut literals_start = start;
        let mut misses = 0;
        let mut next = finder.look(window, position);
        while position < end {
            let step = 1 + (misses >> SKIP_BITS);
            let limit = MAX_MATCH.min(end - position);
            let candidates = next;
            next = finder.look(window, position + step);
            let mut found = finder.longest(window, position, candidates, MIN_MATCH, limit, 0);
            if SHORT && found.length == 0 && splitter.short_pays() {
                found = self.short.find(window, position, limit);
            }
            if found.length == 0 {
                position += step;
                misses += 1;
                if position - literals_start >= CANDIDATE_LITERALS {
                    let literals_end = position.min(end);
                    push_literals(splitter, literals_start, literals_end, window, bits);
                    literals_start = literals_end;
                }
                continue;
            }
            if step > 1 {
                next = finder.look(window, position + 1);
            }
            misses = 0;
            // `next` is of the position behind, and positions up to it are added.
            let mut looked = position + 1;
            while found.length < self.nice && position + 1 < end {
                let limit = MAX_MATCH.min(end - position - 1);
                let later = finder.longest(window, position + 1, next, beaten::<EFFORT>(found), limit, 1);
                if better::<EFFORT>(later, found, 1) {
                    found = later;
                    position += 1;
                    looked = position + 1;
                    next = finder.look(window, looked);
                    continue;
                }
                if EFFORT < 2 || position + 2 >= end {
                    break;
                }
                looked = position + 2;
                next = finder.look(window, looked);
                let limit = MAX_MATCH.min(end - looked);
                let later = finder.longest(window, looked, next, beaten::<EFFORT>(found), limit, 2);
                if !better::<EFFORT>(later, found, 2) {
                    break;
                }
                found = later;
                position = looked;
                looked = position + 1;
                next = finder.look(window, looked);
            }
            splitter.push(sequence(position - literals_start, found), literals_start, window, bits);
            let behind = position + found.length;
            for position in (looked + 1..behind).step_by(STRIDE) {
                finder.insert(window, position);
                if SHORT && EFFORT == 2 {
                    self.short.insert(window, position);
                }
            }
            position = behind;
            literals_start = position;
            next = finder.look(window, position);
        }
        if literals_start < end {
            push_literals(splitter, literals_start, end, window, bits);
        }
    }
}

/// What a later match must be longer than to be looked at.
#[inline(always)]
fn beaten<const EFFORT: usize>(found: Match) -> usize {
    if EFFORT < 1 {
        found.length.max(MIN_MATCH)
    } else {
        (found.length - 1).max(MIN_MATCH)
    }
}

/// Whether a match `skipped` positions later is better than the one found.
#[inline(always)]
fn better<const EFFORT: usize>(later: Match, found: Match, skipped: usize) -> bool {
    if EFFORT < 1 || later.length == 0 {
        return later.length > 0;
    }
    // In quarters of about what a byte is worth: a distance of twice the length costs a bit more.
    let gain = 4 * later.length + found.distance.ilog2() as usize;
    gain > 4 * found.length + later.distance.ilog2() as usize + if skipped == 1 { 2 } else { 6 }
}

#[cold]
fn push_literals(splitter: &mut Splitter, start: usize, end: usize, window: &Window, bits: &mut BitWriter) {
    splitter.push(sequence(end - start, Match::NONE), start, window, bits);
}

#[inline(always)]
fn sequence(literals: usize, found: Match) -> Sequence {
    Sequence {
        literals: literals as u32,
        length: found.length as u16,
        distance: found.distance as u16,
    }
}

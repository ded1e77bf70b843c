//! The block splitter: where one block ends and the next begins.
//!
//! Sequences are collected into candidates of a fixed number. A candidate joins the block before it when one header and
//! one set of codes for both are cheaper than two of each, by their entropies; else the block before it is written.

use crate::bits::BitWriter;
use crate::block;
use crate::histogram::Histogram;
use crate::literals::Literals;
use crate::parse::Sequence;
use crate::window::Window;
use alloc::vec::Vec;

/// A run of so many literals is a candidate too: it may be best stored.
pub const CANDIDATE_LITERALS: usize = 16 * 1024;

/// Where literals take less, as those of text do, short matches save nothing: 6.4 bits, by measurements, in
/// 2^-[`LITERAL_COST_BITS`](crate::histogram::LITERAL_COST_BITS) bits.
const CHEAP_LITERAL: u32 = 102;

/// The sequences that are not written yet.
pub struct Splitter {
    candidate_sequences: usize,
    sequences: Vec<Sequence>,
    /// The literals of the candidate.
    literals: Literals,
    /// The block that the next candidate may join, its number of sequences, and its cost.
    block: Histogram,
    block_sequences: usize,
    block_cost: u64,
    /// Whether short matches pay at this place.
    short_pays: bool,
    /// Where the block starts in the window.
    start: usize,
}

impl Splitter {
    /// `candidate_sequences`: the sequences of a candidate. Smaller ones cost time, larger ones size.
    pub fn new(candidate_sequences: usize) -> Self {
        Self {
            candidate_sequences,
            sequences: Vec::with_capacity(4 * candidate_sequences),
            literals: Literals::new(),
            block: Histogram::new(),
            block_sequences: 0,
            block_cost: 0,
            short_pays: true,
            start: 0,
        }
    }

    /// Forgets what was, and starts at a position of the window.
    pub fn begin(&mut self, start: usize) {
        self.sequences.clear();
        self.literals.clear();
        self.block = Histogram::new();
        self.block_sequences = 0;
        self.short_pays = true;
        self.start = start;
    }

    /// Whether short matches pay at this place, going by the last candidate.
    #[inline(always)]
    pub fn short_pays(&self) -> bool {
        self.short_pays
    }

    /// Adds a sequence, whose literals are at `position` of the window.
    #[inline(always)]
    pub fn push(&mut self, sequence: Sequence, position: usize, window: &Window, bits: &mut BitWriter) {
        self.literals.append(window, position, sequence.literals as usize);
        self.sequences.push(sequence);
        if self.sequences.len() - self.block_sequences >= self.candidate_sequences
            || sequence.literals as usize >= CANDIDATE_LITERALS
        {
            self.end_candidate(window, bits);
        }
    }

    /// Joins the candidate to the block or writes the block.
    #[inline(never)]
    fn end_candidate(&mut self, window: &Window, bits: &mut BitWriter) {
        let candidate = Histogram::of(self.literals.bytes(), &self.sequences[self.block_sequences..]);
        self.literals.clear();
        self.short_pays = candidate.literal_cost() > CHEAP_LITERAL;
        let candidate_cost = candidate.cost();
        if self.block_sequences > 0 {
            let merged = self.block.merged(&candidate);
            let merged_cost = merged.cost();
            if merged_cost <= self.block_cost + candidate_cost {
                self.block = merged;
                self.block_cost = merged_cost;
                self.block_sequences = self.sequences.len();
                return;
            }
            self.write_block(window, bits, false);
        }
        self.block = candidate;
        self.block_cost = candidate_cost;
        self.block_sequences = self.sequences.len();
    }

    fn write_block(&mut self, window: &Window, bits: &mut BitWriter, last: bool) {
        let sequences = &self.sequences[..self.block_sequences];
        block::write(bits, sequences, &self.block, window, self.start, last);
        self.start += self.block.bytes;
        self.sequences.drain(..self.block_sequences);
    }

    /// Writes what is left. A chunk without any byte has no block, but for the last one.
    pub fn finish(&mut self, window: &Window, bits: &mut BitWriter, last: bool) {
        if self.sequences.len() > self.block_sequences {
            self.end_candidate(window, bits);
        }
        if last || self.block_sequences > 0 {
            self.write_block(window, bits, last);
        }
    }
}

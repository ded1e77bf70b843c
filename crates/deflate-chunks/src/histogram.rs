//! Counts of the symbols of a block, and what a block of such counts costs.
//!
//! The cost is the entropy, in integers: floating point rounds differently on different CPUs and compilers, and where a
//! block ends decides the output's bytes.

use crate::parse::Sequence;
use crate::symbols::{
    DISTANCE_SYMBOLS, END_OF_BLOCK, LENGTH_EXTRA, LENGTH_INDEX, LITERAL_LENGTH_SYMBOLS, MIN_MATCH, distance_extra,
    distance_symbol,
};

/// How often each symbol occurs in a block.
#[derive(Clone)]
pub struct Histogram {
    /// Literals, the end of the block, and lengths.
    pub literal_lengths: [u32; LITERAL_LENGTH_SYMBOLS],
    pub distances: [u32; DISTANCE_SYMBOLS],
    /// The bytes that the block stands for.
    pub bytes: usize,
}

impl Histogram {
    /// The counts of an empty block: its end alone.
    pub fn new() -> Self {
        let mut literal_lengths = [0; LITERAL_LENGTH_SYMBOLS];
        literal_lengths[END_OF_BLOCK] = 1;
        Self {
            literal_lengths,
            distances: [0; DISTANCE_SYMBOLS],
            bytes: 0,
        }
    }

    /// The counts of these literals and of the matches of these sequences.
    pub fn of(literals: &[u8], sequences: &[Sequence]) -> Self {
        let mut histogram = Self::new();
        // Neighbours are counted apart, here and below: adding to a count that was just written waits for that write.
        let mut counts = [[0u32; 256]; 4];
        let quads = literals.chunks_exact(4);
        for &literal in quads.remainder() {
            counts[0][usize::from(literal)] += 1;
        }
        for quad in quads {
            for (counts, &literal) in counts.iter_mut().zip(quad) {
                counts[usize::from(literal)] += 1;
            }
        }
        for (symbol, count) in histogram.literal_lengths[..256].iter_mut().enumerate() {
            *count = counts.iter().map(|counts| counts[symbol]).sum();
        }
        let mut matches = [Matches::new(); 2];
        let pairs = sequences.chunks_exact(2);
        if let [sequence] = pairs.remainder() {
            matches[0].count(*sequence);
        }
        for pair in pairs {
            for (matches, sequence) in matches.iter_mut().zip(pair) {
                matches.count(*sequence);
            }
        }
        let [even, odd] = &matches;
        histogram.bytes = literals.len() + even.bytes + odd.bytes;
        for (symbol, count) in histogram.literal_lengths[END_OF_BLOCK + 1..].iter_mut().enumerate() {
            *count = even.lengths[symbol] + odd.lengths[symbol];
        }
        for (symbol, count) in histogram.distances.iter_mut().enumerate() {
            *count = even.distances[symbol] + odd.distances[symbol];
        }
        histogram
    }

    /// The counts of this block and the next as one.
    pub fn merged(&self, next: &Self) -> Self {
        let mut both = self.clone();
        for (count, more) in both.literal_lengths.iter_mut().zip(&next.literal_lengths) {
            *count += more;
        }
        // One of the two ends of a block goes.
        both.literal_lengths[END_OF_BLOCK] = 1;
        for (count, more) in both.distances.iter_mut().zip(&next.distances) {
            *count += more;
        }
        both.bytes += next.bytes;
        both
    }

    /// The extra bits behind lengths and distances.
    pub fn extra_bits(&self) -> u64 {
        let lengths = self.literal_lengths[END_OF_BLOCK + 1..].iter().zip(LENGTH_EXTRA);
        let distances = self.distances.iter().enumerate();
        lengths
            .map(|(&count, extra)| u64::from(count) * u64::from(extra))
            .sum::<u64>()
            + distances
                .map(|(symbol, &count)| u64::from(count) * u64::from(distance_extra(symbol)))
                .sum::<u64>()
    }

    /// About what a literal takes, in 2^-[`LITERAL_COST_BITS`] bits.
    pub fn literal_cost(&self) -> u32 {
        let literals: u32 = self.literal_lengths[..256].iter().sum();
        let symbols: u32 = self.literal_lengths.iter().sum();
        let (entropy, _) = entropy(&self.literal_lengths[..256]);
        let rarity = logarithm(symbols) - logarithm(literals);
        ((entropy / u64::from(literals.max(1))) as u32 + rarity) >> (FRACTION_BITS - LITERAL_COST_BITS)
    }

    /// About what the block takes in the cheapest of its forms, in bits.
    pub fn cost(&self) -> u64 {
        let (literal_lengths, used_literal_lengths) = entropy(&self.literal_lengths);
        let (distances, used_distances) = entropy(&self.distances);
        let header = HEADER_BITS + HEADER_BITS_OF_SYMBOL * (used_literal_lengths + used_distances);
        let coded = ((literal_lengths + distances) >> FRACTION_BITS) + self.extra_bits() + header;
        let stored = 8 * (self.bytes as u64 + STORED_HEADER_BYTES);
        coded.min(stored)
    }
}

/// Counts of some matches.
#[derive(Clone, Copy)]
struct Matches {
    /// By the index of the length symbol.
    lengths: [u32; 32],
    distances: [u32; 32],
    bytes: usize,
}

impl Matches {
    fn new() -> Self {
        Self {
            lengths: [0; 32],
            distances: [0; 32],
            bytes: 0,
        }
    }

    #[inline(always)]
    fn count(&mut self, sequence: Sequence) {
        if sequence.length > 0 {
            let (length, distance) = (usize::from(sequence.length), usize::from(sequence.distance));
            self.bytes += length;
            self.lengths[usize::from(LENGTH_INDEX[(length - MIN_MATCH) & 255]) & 31] += 1;
            self.distances[distance_symbol(distance) & 31] += 1;
        }
    }
}

/// Fraction bits of the cost of a literal.
pub const LITERAL_COST_BITS: u32 = 4;

/// What the header of a block with its own codes takes whatever the symbols, and for each symbol used. Measured.
const HEADER_BITS: u64 = 60;
const HEADER_BITS_OF_SYMBOL: u64 = 3;
const STORED_HEADER_BYTES: u64 = 5;

/// Fraction bits of costs.
const FRACTION_BITS: u32 = 12;
/// Bits of a count, below its highest, that its logarithm looks at.
const MANTISSA_BITS: u32 = 9;

/// The entropy of the symbols in 2^-[`FRACTION_BITS`] bits, and how many of them are used.
fn entropy(counts: &[u32]) -> (u64, u64) {
    let (mut total, mut weighted, mut used) = (0, 0, 0);
    for &count in counts {
        total += count;
        weighted += weight(count);
        used += u64::from(count > 0);
    }
    (
        (u64::from(total) * u64::from(logarithm(total))).saturating_sub(weighted),
        used,
    )
}

/// A count times its logarithm, in 2^-[`FRACTION_BITS`].
#[inline(always)]
fn weight(count: u32) -> u64 {
    match WEIGHTS.get(count as usize) {
        Some(&weight) => u64::from(weight),
        None => u64::from(count) * u64::from(logarithm(count)),
    }
}

/// The weights of small counts, which most are.
const WEIGHTS: [u32; 512] = weights();

const fn weights() -> [u32; 512] {
    let mut table = [0; 512];
    let mut count = 1;
    while count < table.len() {
        table[count] = count as u32 * logarithm(count as u32);
        count += 1;
    }
    table
}

/// The binary logarithm in 2^-[`FRACTION_BITS`]; 0 for 0.
#[inline]
const fn logarithm(count: u32) -> u32 {
    let count = if count == 0 { 1 } else { count };
    let high = count.ilog2();
    let mantissa = ((count as u64) << MANTISSA_BITS >> high) as usize & (LOGARITHMS.len() - 1);
    (high << FRACTION_BITS) + LOGARITHMS[mantissa] as u32
}

/// The fraction of the logarithm of 1 + i / 2^[`MANTISSA_BITS`].
const LOGARITHMS: [u16; 1 << MANTISSA_BITS] = logarithms();

/// Digit by digit: squaring doubles the logarithm, and a result of 2 or more gives a digit 1.
const fn logarithms() -> [u16; 1 << MANTISSA_BITS] {
    let mut table = [0; 1 << MANTISSA_BITS];
    let mut index = 0;
    while index < table.len() {
        let one = 1u64 << 30;
        let mut value = one + ((index as u64) << (30 - MANTISSA_BITS));
        let mut digit = 0;
        while digit < FRACTION_BITS {
            value = (value * value) >> 30;
            table[index] <<= 1;
            if value >= 2 * one {
                value >>= 1;
                table[index] |= 1;
            }
            digit += 1;
        }
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_floating_point_within_the_precision() {
        for count in (1..5000).chain([1 << 20, (1 << 20) - 1, u32::MAX]) {
            let expected = f64::from(count).log2();
            let found = f64::from(logarithm(count)) / f64::from(1 << FRACTION_BITS);
            assert!(
                (expected - found).abs() < 0.004,
                "{count}: expected {expected}, found {found}"
            );
        }
        assert_eq!(logarithm(0), 0);
    }

    #[test]
    fn blocks_alike_are_cheaper_together_and_blocks_unlike_apart() {
        let block = |symbols: core::ops::Range<usize>| {
            let mut histogram = Histogram::new();
            for symbol in symbols {
                histogram.literal_lengths[symbol] = 200;
                histogram.bytes += 200;
            }
            histogram
        };
        let (low, high) = (block(0..16), block(128..144));
        assert!(low.merged(&low).cost() < 2 * low.cost());
        assert!(low.merged(&high).cost() > low.cost() + high.cost());
    }

    #[test]
    fn noise_costs_what_it_takes_stored() {
        let mut histogram = Histogram::new();
        histogram.literal_lengths[..256].fill(64);
        histogram.bytes = 256 * 64;
        assert_eq!(histogram.cost(), 8 * (256 * 64 + 5));
    }
}

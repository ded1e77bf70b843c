//! The header of a block with codes of its own: their lengths, run-length encoded and themselves Huffman coded
//! ([RFC 1951, section 3.2.7](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.7)).

use crate::bits::BitWriter;
use crate::block::Lengths;
use crate::huffman;
use crate::symbols::{DISTANCE_SYMBOLS, LITERAL_LENGTH_SYMBOLS};

/// Lengths 0 to 15, and three kinds of repetition.
const SYMBOLS: usize = 19;
/// Repeats the length before 3 to 6 times.
const REPEAT: usize = 16;
/// Stands for 3 to 10 zeros.
const ZEROS: usize = 17;
/// Stands for 11 to 138 zeros.
const MANY_ZEROS: usize = 18;
/// Extra bits of the repetitions.
const EXTRA: [u32; SYMBOLS] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7];
/// The order in which the lengths of the codes for the symbols are sent.
const ORDER: [usize; SYMBOLS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The longest code for such a symbol.
const LIMIT: usize = 7;
const MOST_TOKENS: usize = LITERAL_LENGTH_SYMBOLS + DISTANCE_SYMBOLS;

/// A block's header, ready to be measured or written.
pub struct Header {
    literal_lengths: usize,
    distances: usize,
    sent: usize,
    lengths: [u8; SYMBOLS],
    counts: [u32; SYMBOLS],
    /// Symbols with the values of their extra bits.
    tokens: [(u8, u8); MOST_TOKENS],
    token_count: usize,
}

impl Header {
    pub fn new(lengths: &Lengths) -> Self {
        let used = |lengths: &[u8], least: usize| {
            lengths
                .iter()
                .rposition(|&length| length > 0)
                .map_or(least, |last| least.max(last + 1))
        };
        let mut header = Self {
            literal_lengths: used(&lengths.literal_lengths, 257),
            distances: used(&lengths.distances, 1),
            sent: 4,
            lengths: [0; SYMBOLS],
            counts: [0; SYMBOLS],
            tokens: [(0, 0); MOST_TOKENS],
            token_count: 0,
        };
        // Runs may go on from the literal and length codes into the distance codes.
        let mut all = [0; MOST_TOKENS];
        let count = header.literal_lengths + header.distances;
        all[..header.literal_lengths].copy_from_slice(&lengths.literal_lengths[..header.literal_lengths]);
        all[header.literal_lengths..count].copy_from_slice(&lengths.distances[..header.distances]);
        for run in all[..count].chunk_by(|a, b| a == b) {
            header.add_run(run[0], run.len());
        }
        huffman::code_lengths(&header.counts, LIMIT, &mut header.lengths);
        if let Some(last) = ORDER.iter().rposition(|&symbol| header.lengths[symbol] > 0) {
            header.sent = header.sent.max(last + 1);
        }
        header
    }

    fn add_run(&mut self, length: u8, mut run: usize) {
        if length == 0 {
            while run >= 11 {
                let part = run.min(138);
                self.add(MANY_ZEROS, part - 11);
                run -= part;
            }
            if run >= 3 {
                self.add(ZEROS, run - 3);
                run = 0;
            }
        } else if run >= 4 {
            self.add(usize::from(length), 0);
            run -= 1;
            while run >= 3 {
                let part = run.min(6);
                self.add(REPEAT, part - 3);
                run -= part;
            }
        }
        for _ in 0..run {
            self.add(usize::from(length), 0);
        }
    }

    fn add(&mut self, symbol: usize, extra: usize) {
        self.counts[symbol] += 1;
        self.tokens[self.token_count] = (symbol as u8, extra as u8);
        self.token_count += 1;
    }

    /// The number of bits that [`Header::write`] writes.
    pub fn bits(&self) -> u64 {
        let tokens = (0..SYMBOLS)
            .map(|symbol| u64::from(self.counts[symbol]) * u64::from(u32::from(self.lengths[symbol]) + EXTRA[symbol]));
        5 + 5 + 4 + 3 * self.sent as u64 + tokens.sum::<u64>()
    }

    /// Writes the header, for which room is reserved.
    pub fn write(&self, bits: &mut BitWriter) {
        bits.add(self.literal_lengths as u64 - 257, 5);
        bits.add(self.distances as u64 - 1, 5);
        bits.add(self.sent as u64 - 4, 4);
        bits.flush();
        for &symbol in &ORDER[..self.sent] {
            bits.add(u64::from(self.lengths[symbol]), 3);
            bits.flush();
        }
        let mut codes = [0; SYMBOLS];
        huffman::codes(&self.lengths, &mut codes);
        for &(symbol, extra) in &self.tokens[..self.token_count] {
            let symbol = usize::from(symbol);
            bits.add(u64::from(codes[symbol]), u32::from(self.lengths[symbol]));
            bits.add(u64::from(extra), EXTRA[symbol]);
            bits.flush();
        }
    }
}

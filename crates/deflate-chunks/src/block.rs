//! One block: the cheapest of its three forms, and its bits
//! ([RFC 1951, section 3.2.3 to 3.2.7](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.3)).

use crate::bits::BitWriter;
use crate::header::Header;
use crate::histogram::Histogram;
use crate::huffman;
use crate::parse::Sequence;
use crate::symbols::{
    DISTANCE_SYMBOLS, END_OF_BLOCK, LENGTH_BASE, LENGTH_EXTRA, LENGTH_INDEX, LITERAL_LENGTH_SYMBOLS, MIN_MATCH,
    distance_extra, distance_symbol,
};
use crate::window::Window;

/// The longest code of a literal or length. Deflate allows 15 bits; with 14, four literals fit between two flushes.
const LITERAL_LENGTH_LIMIT: usize = 14;
const DISTANCE_LIMIT: usize = 15;
/// The most bytes of a stored block.
const STORED_LIMIT: usize = 0xffff;
/// The bits before the length of a stored block: the last-block bit and two of the type.
const TYPE_BITS: u32 = 3;

/// The lengths of the codes of a block.
pub struct Lengths {
    pub literal_lengths: [u8; 288],
    pub distances: [u8; 32],
}

impl Lengths {
    /// The best lengths for a block of these counts.
    fn of(histogram: &Histogram) -> Self {
        let mut lengths = Self {
            literal_lengths: [0; 288],
            distances: [0; 32],
        };
        huffman::code_lengths(
            &histogram.literal_lengths,
            LITERAL_LENGTH_LIMIT,
            &mut lengths.literal_lengths[..LITERAL_LENGTH_SYMBOLS],
        );
        huffman::code_lengths(
            &histogram.distances,
            DISTANCE_LIMIT,
            &mut lengths.distances[..DISTANCE_SYMBOLS],
        );
        lengths
    }

    /// The lengths of [section 3.2.6](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.6), which need no header.
    fn fixed() -> Self {
        let mut literal_lengths = [8; 288];
        literal_lengths[144..256].fill(9);
        literal_lengths[256..280].fill(7);
        Self {
            literal_lengths,
            distances: [5; 32],
        }
    }

    /// The bits of the block's symbols without their extra bits.
    fn bits(&self, histogram: &Histogram) -> u64 {
        let product = |(&count, &length): (&u32, &u8)| u64::from(count) * u64::from(length);
        histogram
            .literal_lengths
            .iter()
            .zip(&self.literal_lengths)
            .map(product)
            .sum::<u64>()
            + histogram
                .distances
                .iter()
                .zip(&self.distances)
                .map(product)
                .sum::<u64>()
    }
}

/// Bits to write: the low 24 are the bits, the high 8 their number.
#[derive(Clone, Copy)]
struct Code(u32);

impl Code {
    fn new(bits: u32, count: u32) -> Self {
        Self(bits | count << 24)
    }

    #[inline(always)]
    fn bits(self) -> u64 {
        u64::from(self.0 & 0x00ff_ffff)
    }

    #[inline(always)]
    fn count(self) -> u32 {
        self.0 >> 24
    }

    /// The code for a mask of ones, no bits for one of zeros.
    #[inline(always)]
    fn masked(self, mask: u32) -> Self {
        Self(self.0 & mask)
    }

    #[inline(always)]
    fn write(self, bits: &mut BitWriter) {
        bits.add(self.bits(), self.count());
    }
}

/// What is written for each literal, length, and distance symbol.
struct Codes {
    literals: [Code; 256],
    end_of_block: Code,
    /// By length less 3, the extra bits included.
    lengths: [Code; 256],
    distances: [Code; 32],
}

impl Codes {
    fn new(lengths: &Lengths) -> Self {
        let mut literal_lengths = [0; 288];
        huffman::codes(&lengths.literal_lengths, &mut literal_lengths);
        let mut distances = [0; 32];
        huffman::codes(&lengths.distances, &mut distances);
        let literal_length = |symbol: usize| {
            Code::new(
                u32::from(literal_lengths[symbol]),
                u32::from(lengths.literal_lengths[symbol]),
            )
        };
        Self {
            literals: core::array::from_fn(literal_length),
            end_of_block: literal_length(END_OF_BLOCK),
            lengths: core::array::from_fn(|offset| {
                let index = usize::from(LENGTH_INDEX[offset]);
                let code = literal_length(END_OF_BLOCK + 1 + index);
                let extra = (offset + MIN_MATCH) as u32 - u32::from(LENGTH_BASE[index]);
                Code::new(
                    code.0 & 0xffff | extra << code.count(),
                    code.count() + u32::from(LENGTH_EXTRA[index]),
                )
            }),
            distances: core::array::from_fn(|symbol| {
                Code::new(u32::from(distances[symbol]), u32::from(lengths.distances[symbol]))
            }),
        }
    }
}

/// Writes the block of these sequences, which starts at `start` of the window and has these counts.
pub fn write(
    bits: &mut BitWriter,
    sequences: &[Sequence],
    histogram: &Histogram,
    window: &Window,
    start: usize,
    last: bool,
) {
    let lengths = Lengths::of(histogram);
    let header = Header::new(&lengths);
    let extra = u64::from(TYPE_BITS) + histogram.extra_bits();
    let dynamic_bits = extra + header.bits() + lengths.bits(histogram);
    let fixed = Lengths::fixed();
    let fixed_bits = extra + fixed.bits(histogram);
    let stored_bits = stored_bits(histogram.bytes, bits.unaligned());

    if stored_bits <= dynamic_bits && stored_bits <= fixed_bits {
        write_stored(bits, window.slice(start, start + histogram.bytes), last);
        return;
    }
    bits.reserve(dynamic_bits.min(fixed_bits));
    if fixed_bits <= dynamic_bits {
        bits.add(u64::from(last) | 0b01 << 1, TYPE_BITS);
        write_symbols(bits, sequences, &Codes::new(&fixed), window, start);
    } else {
        bits.add(u64::from(last) | 0b10 << 1, TYPE_BITS);
        header.write(bits);
        write_symbols(bits, sequences, &Codes::new(&lengths), window, start);
    }
}

/// The bits of stored blocks for so many bytes, from `unaligned` bits after a byte boundary on.
fn stored_bits(bytes: usize, unaligned: u32) -> u64 {
    let blocks = bytes.div_ceil(STORED_LIMIT).max(1) as u64;
    let first = (unaligned + TYPE_BITS).next_multiple_of(8) - unaligned;
    u64::from(first) + 32 + (blocks - 1) * 40 + 8 * bytes as u64
}

/// Writes stored blocks, at least one.
pub fn write_stored(bits: &mut BitWriter, bytes: &[u8], last: bool) {
    let mut rest = bytes;
    loop {
        let (block, next) = rest.split_at(rest.len().min(STORED_LIMIT));
        bits.reserve(u64::from(TYPE_BITS));
        bits.add(u64::from(last && next.is_empty()), TYPE_BITS);
        bits.align();
        let length = block.len() as u16;
        bits.append(&length.to_le_bytes());
        bits.append(&(!length).to_le_bytes());
        bits.append(block);
        rest = next;
        if rest.is_empty() {
            return;
        }
    }
}

/// For 0 to 3 literals, masks that keep so many codes of three. A table, as compilers make branches of comparisons.
const KEEP: [[u32; 3]; 4] = [[0, 0, 0], [u32::MAX, 0, 0], [u32::MAX, u32::MAX, 0], [u32::MAX; 3]];

/// Writes the symbols of the sequences and the end of the block.
fn write_symbols(bits: &mut BitWriter, sequences: &[Sequence], codes: &Codes, window: &Window, start: usize) {
    bits.flush();
    let mut position = start;
    for sequence in sequences {
        let mut literals = sequence.literals as usize;
        while literals >= 4 {
            let word = window.load(position);
            codes.literals[(word & 255) as usize].write(bits);
            codes.literals[(word >> 8 & 255) as usize].write(bits);
            codes.literals[(word >> 16 & 255) as usize].write(bits);
            codes.literals[(word >> 24 & 255) as usize].write(bits);
            bits.flush();
            position += 4;
            literals -= 4;
        }
        // Up to three more: all are looked up and those too many written as no bits, as a branch would often go wrong.
        let word = window.load(position);
        position += literals;
        let keep = &KEEP[literals & 3];
        codes.literals[(word & 255) as usize].masked(keep[0]).write(bits);
        codes.literals[(word >> 8 & 255) as usize].masked(keep[1]).write(bits);
        codes.literals[(word >> 16 & 255) as usize].masked(keep[2]).write(bits);
        bits.flush();
        if sequence.length > 0 {
            let length = usize::from(sequence.length);
            let distance = usize::from(sequence.distance);
            codes.lengths[(length - MIN_MATCH) & 255].write(bits);
            let symbol = distance_symbol(distance);
            let extra = distance_extra(symbol);
            codes.distances[symbol & 31].write(bits);
            bits.add((distance as u64 - 1) & ((1 << extra) - 1), extra);
            bits.flush();
            position += length;
        }
    }
    codes.end_of_block.write(bits);
    bits.flush();
}

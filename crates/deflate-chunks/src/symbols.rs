//! The alphabets of deflate and the way from lengths and distances to symbols and extra bits
//! ([RFC 1951, section 3.2.5](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.5)).

/// The shortest match that deflate can name, in bytes.
pub const MIN_MATCH: usize = 3;
/// The longest match that deflate can name, in bytes.
pub const MAX_MATCH: usize = 258;
/// The symbol that ends a block.
pub const END_OF_BLOCK: usize = 256;
/// The size of the literal/length alphabet; 286 and 287 exist in the fixed code only.
pub const LITERAL_LENGTH_SYMBOLS: usize = 286;
/// The size of the distance alphabet.
pub const DISTANCE_SYMBOLS: usize = 30;

/// The number of length symbols, which follow [`END_OF_BLOCK`].
pub const LENGTH_SYMBOLS: usize = LITERAL_LENGTH_SYMBOLS - END_OF_BLOCK - 1;

/// The shortest length of each length symbol.
pub const LENGTH_BASE: [u16; LENGTH_SYMBOLS] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
/// The number of extra bits of each length symbol.
pub const LENGTH_EXTRA: [u8; LENGTH_SYMBOLS] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];

/// For each length less [`MIN_MATCH`], its length symbol less 257.
pub const LENGTH_INDEX: [u8; 256] = length_index();

const fn length_index() -> [u8; 256] {
    let mut table = [0; 256];
    let mut symbol = 0;
    while symbol < LENGTH_SYMBOLS {
        let first = LENGTH_BASE[symbol] as usize - MIN_MATCH;
        let mut offset = 0;
        while offset < 1 << LENGTH_EXTRA[symbol] && first + offset < table.len() {
            table[first + offset] = symbol as u8;
            offset += 1;
        }
        symbol += 1;
    }
    table
}

/// The symbol of a distance of 1 to 32768.
#[inline]
pub fn distance_symbol(distance: usize) -> usize {
    let offset = distance - 1;
    let place = if offset < NEAR {
        offset
    } else {
        NEAR + offset / FAR_STEP
    };
    usize::from(DISTANCE_SYMBOLS_OF[place % DISTANCE_SYMBOLS_OF.len()])
}

/// Up to here, each distance has a place of its own in the table. From there on all of a step have the same symbol,
/// as symbols of 256 and more have 7 extra bits and more.
const NEAR: usize = 256;
const FAR_STEP: usize = 128;
/// The symbols of distances less 1. A table, as the place of the highest bit takes long to find on older CPUs.
const DISTANCE_SYMBOLS_OF: [u8; 512] = distance_symbols();

/// Two symbols for each power of two: of the distance less 1, the place of the highest bit and the bit below it.
const fn distance_symbols() -> [u8; 512] {
    let mut table = [0; 512];
    let mut place = 0;
    while place < table.len() {
        let offset = if place < NEAR { place } else { (place - NEAR) * FAR_STEP };
        table[place] = if offset < 2 {
            offset as u8
        } else {
            let high = offset.ilog2();
            (2 * high + (offset >> (high - 1) & 1) as u32) as u8
        };
        place += 1;
    }
    table
}

/// The number of extra bits of a distance symbol.
#[inline]
pub const fn distance_extra(symbol: usize) -> u32 {
    (symbol as u32 / 2).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_symbols_follow_the_table_of_the_rfc() {
        for (length, symbol) in [
            (3, 257),
            (10, 264),
            (11, 265),
            (12, 265),
            (13, 266),
            (130, 280),
            (257, 284),
            (258, 285),
        ] {
            let found = END_OF_BLOCK + 1 + usize::from(LENGTH_INDEX[length - MIN_MATCH]);
            assert_eq!(found, symbol, "length {length}");
        }
    }

    #[test]
    fn distance_symbols_follow_the_table_of_the_rfc() {
        for (distance, symbol, extra) in [
            (1, 0, 0),
            (2, 1, 0),
            (3, 2, 0),
            (4, 3, 0),
            (5, 4, 1),
            (6, 4, 1),
            (7, 5, 1),
            (192, 14, 6),
            (193, 15, 6),
            (24576, 28, 13),
            (24577, 29, 13),
            (32768, 29, 13),
        ] {
            assert_eq!(distance_symbol(distance), symbol, "distance {distance}");
            assert_eq!(distance_extra(symbol), extra, "symbol {symbol}");
        }
    }

    #[test]
    fn each_distance_is_within_its_symbol() {
        // The shortest distance of each symbol, from the table of RFC 1951, section 3.2.5.
        let bases = [
            1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
            4097, 6145, 8193, 12289, 16385, 24577,
        ];
        for distance in 1..=32768 {
            let expected = bases.iter().rposition(|&base| base <= distance).unwrap();
            assert_eq!(distance_symbol(distance), expected, "distance {distance}");
        }
    }
}

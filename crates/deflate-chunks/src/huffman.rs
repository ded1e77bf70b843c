//! The Huffman builder: from counts of symbols to the lengths of their codes, and from lengths to codes.
//!
//! The lengths are found in place, as A. Moffat and J. Katajainen describe in *In-place calculation of minimum-redundancy
//! codes* (WADS 1995). Codes longer than the limit are cut to it, and the Kraft sum that they then exceed is repaired by
//! lengthening other codes. The codes are the canonical ones of
//! [RFC 1951, section 3.2.2](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.2).

/// The largest alphabet, with room for the two symbols of the fixed code that are never used.
const MAX_SYMBOLS: usize = 288;
/// The longest code that deflate allows.
const MAX_LENGTH: usize = 15;

/// Sets the lengths, in bits, of the codes for symbols of these counts; unused symbols get 0, none is above `limit`.
///
/// The code is always complete and has at least two symbols: where fewer are used, unused ones get a code as well, for
/// not every decoder accepts incomplete codes. The counts' sum must be below 2^32, and 2^`limit` at least the number of
/// symbols.
pub fn code_lengths(counts: &[u32], limit: usize, lengths: &mut [u8]) {
    debug_assert!(counts.len() <= MAX_SYMBOLS && counts.len() == lengths.len() && limit <= MAX_LENGTH);
    lengths.fill(0);
    let mut sorted = [0u64; MAX_SYMBOLS];
    let mut used = 0;
    for (symbol, &count) in counts.iter().enumerate() {
        if count > 0 {
            sorted[used] = u64::from(count) << 16 | symbol as u64;
            used += 1;
        }
    }
    if used < 2 {
        let only = (sorted[0] & 0xffff) as usize;
        lengths[0] = 1;
        lengths[only.max(1)] = 1;
        return;
    }
    let sorted = &mut sorted[..used];
    sorted.sort_unstable();

    let mut nodes = [0u32; MAX_SYMBOLS];
    let nodes = &mut nodes[..used];
    for (node, &entry) in nodes.iter_mut().zip(sorted.iter()) {
        *node = (entry >> 16) as u32;
    }
    minimum_redundancy(nodes);

    let mut of_length = [0u32; MAX_LENGTH + 1];
    for &length in nodes.iter() {
        of_length[(length as usize).min(limit)] += 1;
    }
    repair(&mut of_length, limit);

    // The rarest symbols come first, and get the longest codes.
    let mut length = limit;
    for &entry in sorted.iter() {
        while of_length[length] == 0 {
            length -= 1;
        }
        of_length[length] -= 1;
        lengths[(entry & 0xffff) as usize] = length as u8;
    }
}

/// Replaces ascending weights by the lengths of their codes, which descend. At least two weights.
fn minimum_redundancy(nodes: &mut [u32]) {
    let count = nodes.len();
    // From the left: weights of inner nodes replace leaves, and parents replace inner nodes that are merged.
    let (mut leaf, mut root) = (0, 0);
    for next in 0..count - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            if leaf >= count || (root < next && nodes[root] < nodes[leaf]) {
                weight += nodes[root];
                nodes[root] = next as u32;
                root += 1;
            } else {
                weight += nodes[leaf];
                leaf += 1;
            }
        }
        nodes[next] = weight;
    }
    // From the right: depths replace parents.
    nodes[count - 2] = 0;
    for node in (0..count - 2).rev() {
        nodes[node] = nodes[nodes[node] as usize] + 1;
    }
    // From the right: depths of leaves replace depths of inner nodes.
    let (mut available, mut depth) = (1, 0);
    let mut inner = count - 1;
    let mut next = count;
    while available > 0 {
        let mut used = 0;
        while inner > 0 && nodes[inner - 1] == depth {
            used += 1;
            inner -= 1;
        }
        while available > used {
            next -= 1;
            nodes[next] = depth;
            available -= 1;
        }
        available = 2 * used;
        depth += 1;
    }
}

/// Lengthens codes until the Kraft sum is one again.
fn repair(of_length: &mut [u32; MAX_LENGTH + 1], limit: usize) {
    let sum = |of_length: &[u32]| {
        (1..=limit)
            .map(|length| of_length[length] << (limit - length))
            .sum::<u32>()
    };
    let mut excess = sum(of_length).saturating_sub(1 << limit);
    while excess > 0 {
        // A code of the limit moves below a shorter one, which is lengthened by a bit: one unit less.
        let Some(shorter) = (1..limit).rev().find(|&length| of_length[length] > 0) else {
            return;
        };
        of_length[shorter] -= 1;
        of_length[shorter + 1] += 2;
        of_length[limit] -= 1;
        excess -= 1;
    }
}

/// Sets the canonical codes for these lengths, the first bit of a code lowest, as deflate sends them.
pub fn codes(lengths: &[u8], codes: &mut [u16]) {
    let mut next = [0u16; MAX_LENGTH + 2];
    for &length in lengths {
        next[usize::from(length) + 1] += 1;
    }
    // Symbols without a code do not count.
    next[1] = 0;
    for length in 1..=MAX_LENGTH {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    for (code, &length) in codes.iter_mut().zip(lengths) {
        if length > 0 {
            let value = &mut next[usize::from(length)];
            *code = value.reverse_bits() >> (16 - u32::from(length));
            *value = value.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn lengths_of(counts: &[u32], limit: usize) -> Vec<u8> {
        let mut lengths = vec![0; counts.len()];
        code_lengths(counts, limit, &mut lengths);
        lengths
    }

    /// The Kraft sum in units of 2^-15: 2^15 for a complete code.
    fn kraft(lengths: &[u8]) -> u32 {
        lengths
            .iter()
            .filter(|&&length| length > 0)
            .map(|&length| 1 << (15 - length))
            .sum()
    }

    #[test]
    fn no_symbol_and_one_symbol_get_a_complete_code_of_two() {
        assert_eq!(lengths_of(&[0, 0, 0], 15), [1, 1, 0]);
        assert_eq!(lengths_of(&[5, 0, 0], 15), [1, 1, 0]);
        assert_eq!(lengths_of(&[0, 0, 5], 15), [1, 0, 1]);
    }

    #[test]
    fn frequent_symbols_get_shorter_codes() {
        assert_eq!(lengths_of(&[1, 1, 2, 4, 0, 8], 15), [4, 4, 3, 2, 0, 1]);
    }

    #[test]
    fn fibonacci_counts_stay_within_the_limit() {
        let mut counts = vec![1, 1];
        while counts.len() < 30 {
            counts.push(counts[counts.len() - 1] + counts[counts.len() - 2]);
        }
        for limit in [5, 7, 14, 15] {
            let lengths = lengths_of(&counts, limit);
            assert_eq!(lengths.iter().copied().max(), Some(limit as u8));
            assert_eq!(kraft(&lengths), 1 << 15, "limit {limit}");
        }
    }

    #[test]
    fn canonical_codes_are_those_of_the_rfc() {
        // The example of section 3.2.2; codes there are written with the first bit highest.
        let lengths = [3, 3, 3, 3, 3, 2, 4, 4];
        let mut found = [0; 8];
        codes(&lengths, &mut found);
        let expected = [0b010, 0b011, 0b100, 0b101, 0b110, 0b00, 0b1110, 0b1111u16];
        for symbol in 0..8 {
            assert_eq!(
                found[symbol],
                expected[symbol].reverse_bits() >> (16 - lengths[symbol]),
                "symbol {symbol}"
            );
        }
    }

    /// The cost of an optimal code by merging the two least, without any code.
    fn optimal_cost(counts: &[u32]) -> u64 {
        let mut weights: Vec<u64> = counts
            .iter()
            .filter(|&&count| count > 0)
            .map(|&count| u64::from(count))
            .collect();
        let mut cost = 0;
        while weights.len() > 1 {
            weights.sort_unstable_by(|a, b| b.cmp(a));
            let merged = weights.pop().unwrap() + weights.pop().unwrap();
            cost += merged;
            weights.push(merged);
        }
        cost
    }

    proptest! {
        #[test]
        fn any_counts_give_a_complete_code_within_the_limit(
            counts in proptest::collection::vec(prop_oneof![Just(0u32), 0u32..9, 0u32..1_000_000], 2..286),
            limit in 9usize..=15,
        ) {
            let lengths = lengths_of(&counts, limit);
            prop_assert_eq!(kraft(&lengths), 1 << 15);
            prop_assert!(lengths.iter().all(|&length| usize::from(length) <= limit));
            let used = counts.iter().filter(|&&count| count > 0).count();
            if used >= 2 {
                prop_assert!(counts.iter().zip(&lengths).all(|(&count, &length)| (count > 0) == (length > 0)));
            }
        }

        #[test]
        fn within_reach_of_the_limit_the_code_is_optimal(
            counts in proptest::collection::vec(0u32..200, 2..60),
        ) {
            let lengths = lengths_of(&counts, 15);
            if counts.iter().filter(|&&count| count > 0).count() >= 2 && lengths.iter().all(|&length| length < 15) {
                let cost: u64 = counts.iter().zip(&lengths).map(|(&count, &length)| u64::from(count) * u64::from(length)).sum();
                prop_assert_eq!(cost, optimal_cost(&counts));
            }
        }
    }
}

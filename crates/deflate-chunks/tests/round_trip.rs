//! What is encoded decodes to itself, by decoders of others.

mod common;

use common::decoders::{decode_all, decode_raw};
use common::inputs::{Random, noise, prose, sparse, table};
use deflate_chunks::{Encoder, Level, MAX_CHUNK, WINDOW, bound};
use proptest::prelude::*;

fn levels() -> impl Iterator<Item = Level> {
    (1..=9).filter_map(Level::new)
}

/// Encodes `input` in chunks of `size` bytes, and checks the stream and each chunk's length.
fn check(level: Level, input: &[u8], size: usize) {
    let mut encoder = Encoder::new(level);
    check_with(&mut encoder, input, size);
}

fn check_with(encoder: &mut Encoder, input: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut start = 0;
    loop {
        let end = input.len().min(start + size);
        let before = out.len();
        encoder.encode(&input[..start], &input[start..end], end == input.len(), &mut out);
        assert!(
            out.len() - before <= bound(end - start),
            "{:?}: {} bytes",
            encoder.level(),
            end - start
        );
        start = end;
        if start == input.len() {
            break;
        }
    }
    decode_all(&out, input);
    out
}

#[test]
fn only_levels_1_to_9_exist() {
    assert_eq!(Level::new(0), None);
    assert_eq!(Level::new(10), None);
    assert_eq!(
        levels().map(Level::get).collect::<Vec<_>>(),
        (1..=9).collect::<Vec<_>>()
    );
    assert_eq!(Level::default(), Level::DEFAULT);
}

#[test]
fn an_encoder_can_be_sent_to_a_thread() {
    fn sent<T: Send>(_: &T) {}
    sent(&Encoder::new(Level::DEFAULT));
}

#[test]
fn chunks_of_0_to_9_bytes() {
    for level in levels() {
        for length in 0..=9 {
            check(level, &b"aaaaaaaaa"[..length], 9);
            check(level, &b"abcabcabc"[..length], 9);
            check(level, &[0; 9][..length], 9);
            check(level, &b"abcdefghi"[..length], 9);
        }
        check(level, b"abcabcabcabcabcabcabc", 1);
        check(level, b"abcabcabcabcabcabcabc", 2);
    }
}

#[test]
fn an_empty_chunk_in_the_middle_is_an_empty_stored_block() {
    for level in levels() {
        let mut out = vec![1, 2];
        Encoder::new(level).encode(b"before", b"", false, &mut out);
        assert_eq!(out, [1, 2, 0, 0, 0, 0xff, 0xff]);
    }
}

#[test]
fn every_chunk_but_the_last_ends_as_a_flush_of_zlib_does() {
    let input = prose(300_000);
    for level in levels() {
        let mut out = Vec::new();
        Encoder::new(level).encode(&[], &input, false, &mut out);
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    }
}

#[test]
fn long_runs_become_matches_of_258_bytes_at_distance_1() {
    let input = vec![b'x'; 1_000_000];
    for level in levels() {
        let mut encoder = Encoder::new(level);
        let out = check_with(&mut encoder, &input, 1_000_000);
        // 3876 matches of 2 bits at best, as a code has at least a bit: 970 bytes and the header.
        assert!(out.len() < 1_100, "{level:?}: {} bytes", out.len());
    }
}

#[test]
fn matches_reach_the_farthest_byte_of_the_dictionary_and_no_farther() {
    let mut random = Random::new(5);
    let dictionary = noise(&mut random, WINDOW);
    for level in levels() {
        let mut out = Vec::new();
        Encoder::new(level).encode(&dictionary, &dictionary[..258], true, &mut out);
        assert!(
            out.len() < 20,
            "{level:?}: {} bytes for a match at distance 32768",
            out.len()
        );
        let decoded = decode_raw(&out, &dictionary, 258);
        assert_eq!(decoded, &dictionary[..258]);

        // The same bytes one byte before the window's reach.
        let mut far = dictionary.clone();
        far.push(b'!');
        let mut out = Vec::new();
        Encoder::new(level).encode(&far, &dictionary[..1], true, &mut out);
        assert_eq!(decode_raw(&out, &far[1..], 1), &dictionary[..1]);
    }
}

#[test]
fn a_near_match_of_3_bytes_is_found() {
    // Noise, then pairs of the same three bytes with noise between.
    let mut random = Random::new(9);
    let mut input = Vec::new();
    let mut three = 0;
    for _ in 0..400 {
        let bytes = [
            random.below(256) as u8,
            random.below(256) as u8,
            random.below(256) as u8,
        ];
        input.extend_from_slice(&bytes);
        input.push(random.below(256) as u8);
        input.extend_from_slice(&bytes);
        three += 3;
    }
    for level in levels().filter(|level| level.get() >= 2) {
        let mut out = Vec::new();
        Encoder::new(level).encode(&[], &input, true, &mut out);
        decode_all(&out, &input);
        assert!(
            out.len() < input.len() - three / 3,
            "{level:?}: {} of {}",
            out.len(),
            input.len()
        );
    }
}

#[test]
fn longer_dictionaries_count_with_their_last_32_kib() {
    let input = prose(200_000);
    for level in levels() {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        let mut encoder = Encoder::new(level);
        encoder.encode(&input[..100_000], &input[100_000..], true, &mut long);
        encoder.encode(&input[100_000 - WINDOW..100_000], &input[100_000..], true, &mut short);
        assert!(long == short, "{level:?}");
    }
}

#[test]
fn chunks_above_the_limit_are_split() {
    let input = table(2 * MAX_CHUNK + 77);
    for level in [1, 3, 6].into_iter().filter_map(Level::new) {
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        let mut encoder = Encoder::new(level);
        encoder.encode(&[], &input, true, &mut whole);
        for start in (0..input.len()).step_by(MAX_CHUNK) {
            let end = input.len().min(start + MAX_CHUNK);
            encoder.encode(&input[..start], &input[start..end], end == input.len(), &mut parts);
        }
        assert!(whole == parts, "{level:?}");
        decode_all(&whole, &input);
    }
}

#[test]
fn noise_grows_by_at_most_5_bytes_in_16_kib() {
    let mut random = Random::new(3);
    for length in [16 * 1024, 100_000, MAX_CHUNK, 3 * MAX_CHUNK] {
        let input = noise(&mut random, length);
        for level in levels() {
            let mut out = Vec::new();
            Encoder::new(level).encode(&[], &input, true, &mut out);
            assert!(
                out.len() <= length + 5 * (length / (16 * 1024)),
                "{level:?}: {} of {length}",
                out.len()
            );
        }
    }
}

#[test]
fn a_used_encoder_gives_what_a_fresh_one_gives() {
    let mut random = Random::new(11);
    let inputs = [
        prose(150_000),
        noise(&mut random, 120_000),
        table(99_999),
        vec![0; 70_000],
        sparse(&mut random, 130_000),
    ];
    for level in levels() {
        let mut used = Encoder::new(level);
        for first in &inputs {
            for second in &inputs {
                used.encode(&[], first, true, &mut Vec::new());
                for length in [0, 1, 5, 300, second.len() / 2] {
                    let (mut a, mut b) = (Vec::new(), Vec::new());
                    used.encode(&first[..40_000], &second[..length], false, &mut a);
                    Encoder::new(level).encode(&first[..40_000], &second[..length], false, &mut b);
                    assert!(a == b, "{level:?}, {length} bytes");
                }
            }
        }
    }
}

#[test]
fn higher_levels_are_not_larger_on_text() {
    let input = prose(800_000);
    let sizes: Vec<usize> = levels()
        .map(|level| {
            let mut out = Vec::new();
            Encoder::new(level).encode(&[], &input, true, &mut out);
            out.len()
        })
        .collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
}

#[test]
fn kinds_of_input_in_chunks_of_many_sizes() {
    let mut random = Random::new(1);
    let inputs = [
        prose(250_000),
        noise(&mut random, 250_000),
        table(250_000),
        sparse(&mut random, 250_000),
    ];
    for level in levels() {
        let mut encoder = Encoder::new(level);
        for input in &inputs {
            for size in [1_000, 32_768, 65_535, 100_001, 250_000] {
                check_with(&mut encoder, input, size);
            }
        }
    }
}

/// Inputs with repetitions at all distances and of all lengths.
fn repetitive() -> impl Strategy<Value = Vec<u8>> {
    let step = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| (bytes, 0, 0)),
        (1usize..40_000, 1usize..700).prop_map(|(distance, length)| (Vec::new(), distance, length)),
        (1usize..5, 1usize..5_000).prop_map(|(distance, length)| (Vec::new(), distance, length)),
    ];
    proptest::collection::vec(step, 0..200).prop_map(|steps| {
        let mut input: Vec<u8> = Vec::new();
        for (bytes, distance, length) in steps {
            input.extend_from_slice(&bytes);
            if distance > 0 && distance <= input.len() {
                for _ in 0..length {
                    input.push(input[input.len() - distance]);
                }
            }
        }
        input
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_repetitive_input(input in repetitive(), size in 1usize..60_000, level in 1u32..=9) {
        // Few chunks: each takes time to begin, whatever its length.
        let size = size.max(input.len() / 20);
        check(Level::new(level).unwrap(), &input, size);
    }

    #[test]
    fn any_bytes(input in proptest::collection::vec(any::<u8>(), 0..3_000), size in 200usize..3_000, level in 1u32..=9) {
        check(Level::new(level).unwrap(), &input, size);
    }

    #[test]
    fn any_bytes_of_few(input in proptest::collection::vec(0u8..3, 0..3_000), size in 200usize..3_000, level in 1u32..=9) {
        check(Level::new(level).unwrap(), &input, size);
    }
}

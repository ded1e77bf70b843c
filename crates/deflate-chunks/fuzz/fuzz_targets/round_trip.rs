//! What is encoded decodes to itself by three decoders, whatever the input, its chunks and the level; a used encoder
//! gives what a fresh one gives; and no chunk exceeds the bound.
//!
//! The first bytes of an input choose the level and the size of the chunks, and whether the rest is the content or a
//! description of one: copies from earlier make contents that are larger and more repetitive than a fuzzer would find.

#![no_main]

use deflate_chunks::{Encoder, Level, bound};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

/// The longest content that a description may make.
const LONGEST: usize = 200_000;

thread_local! {
    /// Encoders used for all inputs.
    static USED: RefCell<Vec<Encoder>> = RefCell::new((1..=9).filter_map(Level::new).map(Encoder::new).collect());
}

/// Makes a content of literals and copies, each from a control byte: below 128 so many literals, else a copy.
fn described(mut description: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some((&control, rest)) = description.split_first() {
        description = rest;
        if control < 128 {
            let (literals, rest) = description.split_at(description.len().min(usize::from(control) + 1));
            content.extend_from_slice(literals);
            description = rest;
        } else {
            let Some((&[low, high, factor], rest)) = description.split_first_chunk() else {
                break;
            };
            description = rest;
            let distance = usize::from(u16::from_le_bytes([low, high])) + 1;
            let length = usize::from(control - 127) * (usize::from(factor) / 8 + 1);
            if distance <= content.len() {
                for _ in 0..length.min(LONGEST - content.len().min(LONGEST)) {
                    content.push(content[content.len() - distance]);
                }
            }
        }
    }
    content
}

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, size_low, size_high], rest)) = data.split_first_chunk() else {
        return;
    };
    let content = if choice & 128 == 0 {
        rest.to_vec()
    } else {
        described(rest)
    };
    let index = usize::from(choice % 9);
    // At most about ten chunks, as each clears tables whatever its length.
    let size = usize::from(u16::from_le_bytes([size_low, size_high]))
        .max(1)
        .max(content.len() / 10);

    let mut stream = Vec::new();
    USED.with_borrow_mut(|encoders| {
        let encoder = &mut encoders[index];
        let mut start = 0;
        loop {
            let end = content.len().min(start + size);
            let before = stream.len();
            encoder.encode(
                &content[..start],
                &content[start..end],
                end == content.len(),
                &mut stream,
            );
            assert!(stream.len() - before <= bound(end - start), "beyond the bound");
            if choice & 64 != 0 && start > 0 {
                let mut again = Vec::new();
                let mut fresh = Encoder::new(encoder.level());
                fresh.encode(
                    &content[..start],
                    &content[start..end],
                    end == content.len(),
                    &mut again,
                );
                assert!(again == stream[before..], "a fresh encoder gives something else");
            }
            start = end;
            if start == content.len() {
                break;
            }
        }
    });

    let mut decoded = Vec::with_capacity(content.len() + 1);
    let mut decoder = flate2::Decompress::new(false);
    let status = decoder
        .decompress_vec(&stream, &mut decoded, flate2::FlushDecompress::Finish)
        .expect("zlib-rs");
    assert!(
        status == flate2::Status::StreamEnd && decoder.total_in() == stream.len() as u64,
        "zlib-rs: no end"
    );
    assert!(decoded == content, "zlib-rs decodes something else");

    let mut decoded = vec![0; content.len()];
    let length = libdeflater::Decompressor::new()
        .deflate_decompress(&stream, &mut decoded)
        .expect("libdeflate");
    assert!(
        length == content.len() && decoded == content,
        "libdeflate decodes something else"
    );

    let decoded = miniz_oxide::inflate::decompress_to_vec_with_limit(&stream, content.len()).expect("miniz_oxide");
    assert!(decoded == content, "miniz_oxide decodes something else");
});

//! All levels against zlib-rs at the same number, on inputs made by code: a quick look at what a change does.
//!
//! `cargo bench` prints MB/s of the best of some rounds, and sizes. For real data see `scripts/bench-gzip.sh`.

#[path = "../tests/common/inputs.rs"]
#[allow(dead_code, reason = "a part is used")]
mod inputs;

use deflate_chunks::{Encoder, Level};
use flate2::{Compress, Compression, FlushCompress, Status};
use std::time::Instant;

const LENGTH: usize = 4 << 20;
const CHUNK: usize = 1 << 20;
const ROUNDS: usize = 3;

fn ours(level: Level, input: &[u8]) -> usize {
    let mut encoder = Encoder::new(level);
    let mut out = Vec::new();
    for start in (0..input.len()).step_by(CHUNK) {
        let end = input.len().min(start + CHUNK);
        encoder.encode(&input[..start], &input[start..end], end == input.len(), &mut out);
    }
    out.len()
}

fn zlib_rs(level: Level, input: &[u8]) -> usize {
    let mut encoder = Compress::new(Compression::new(level.get()), false);
    let mut out = Vec::with_capacity(input.len() + CHUNK);
    let status = encoder.compress_vec(input, &mut out, FlushCompress::Finish);
    assert!(matches!(status, Ok(Status::StreamEnd)), "zlib-rs has room for all");
    out.len()
}

/// MB/s of the best round, and the size.
fn measure(input: &[u8], encode: impl Fn(&[u8]) -> usize) -> (f64, usize) {
    let mut best = f64::INFINITY;
    let mut size = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        size = encode(input);
        best = best.min(start.elapsed().as_secs_f64());
    }
    (f64::from(input.len() as u32) / 1e6 / best, size)
}

fn main() {
    let mut random = inputs::Random::new(6);
    let kinds = [
        ("prose", inputs::prose(LENGTH)),
        ("table", inputs::table(LENGTH)),
        ("sparse", inputs::sparse(&mut random, LENGTH)),
        ("noise", inputs::noise(&mut random, LENGTH)),
    ];
    println!("input   level   deflate-chunks            zlib-rs");
    for (name, input) in &kinds {
        for level in (1..=9).filter_map(Level::new) {
            let (speed, size) = measure(input, |input| ours(level, input));
            let (other_speed, other_size) = measure(input, |input| zlib_rs(level, input));
            let number = level.get();
            println!("{name:7} {number}  {speed:7.1} MB/s {size:8} B  {other_speed:7.1} MB/s {other_size:8} B");
        }
    }
}

//! Digests of the output for the inputs made by code.

use super::inputs;
use deflate_chunks::{Encoder, Level};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A chunk's length that divides neither the inputs nor a window.
const CHUNK: usize = 123_457;

/// For each level and input, a line of the level, the input's name, and the SHA-256 of the output in chunks.
pub fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    for level in (1..=9).filter_map(Level::new) {
        let mut encoder = Encoder::new(level);
        for (name, input) in inputs::all() {
            let mut out = Vec::new();
            for start in (0..input.len()).step_by(CHUNK) {
                let end = input.len().min(start + CHUNK);
                encoder.encode(&input[..start], &input[start..end], end == input.len(), &mut out);
            }
            let mut line = format!("{} {name} ", level.get());
            for byte in Sha256::digest(&out) {
                let _ = write!(line, "{byte:02x}");
            }
            lines.push(line);
        }
    }
    lines
}

//! Small synthetic layers.

use super::tar::{self, Member};
use super::{sha256, sha256_hex};

/// A layer as the uncompressed tar that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub tar: Vec<u8>,
}

impl Layer {
    /// A layer of one small text file that is unlike any other seed's.
    pub fn new(seed: &str) -> Layer {
        Layer::of(&[Member::file(
            &format!("etc/{seed}"),
            format!("This is {seed}.\n").repeat(9),
        )])
    }

    pub fn of(members: &[Member]) -> Layer {
        Layer {
            tar: tar::tar(members),
        }
    }

    /// A layer with a file of `size` bytes that look random but are always the same, with runs that compress.
    pub fn noise(seed: u64, size: usize) -> Layer {
        Layer::of(&[Member::file("var/noise", noise(seed, size))])
    }

    /// The tar of no files.
    pub fn empty() -> Layer {
        Layer {
            tar: tar::END.to_vec(),
        }
    }

    /// The digest of no bytes at all is this layer's `diff_id`.
    pub fn zero_bytes() -> Layer {
        Layer { tar: Vec::new() }
    }

    pub fn diff_id(&self) -> String {
        sha256(&self.tar)
    }

    pub fn hex(&self) -> String {
        sha256_hex(&self.tar)
    }
}

/// `size` bytes of a xorshift generator, every other KiB a run of one byte.
pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = state.to_le_bytes();
        if bytes.len() / 1024 % 2 == 0 {
            bytes.extend(word);
        } else {
            bytes.extend([word[0]; 64]);
        }
    }
    bytes.truncate(size);
    bytes
}

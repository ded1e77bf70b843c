//! Small synthetic layers.

use super::tar::{self, Member};
use super::{sha256, sha256_hex};

/// An uncompressed layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub tar: Vec<u8>,
}

impl Layer {
    /// A layer with one small text file that depends on the seed.
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

    /// A layer with a file of `size` pseudorandom bytes, partly compressible.
    pub fn noise(seed: u64, size: usize) -> Layer {
        Layer::of(&[Member::file("var/noise", noise(seed, size))])
    }

    /// An empty tar.
    pub fn empty() -> Layer {
        Layer {
            tar: tar::END.to_vec(),
        }
    }

    /// A layer without any bytes.
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

/// `size` bytes from a xorshift generator. Every other KiB repeats one byte.
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

/// The layers of an image: one that all images share, and one of its own.
pub fn layers(seed: &str) -> [Layer; 2] {
    [Layer::new("base"), Layer::new(seed)]
}

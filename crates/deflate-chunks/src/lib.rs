#![no_std]
#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod bits;
mod block;
mod buckets;
mod chains;
mod encoder;
mod finder;
mod header;
mod histogram;
mod huffman;
mod level;
mod literals;
mod parse;
mod short;
mod split;
mod symbols;
mod window;

pub use encoder::{Encoder, bound};
pub use level::Level;

/// The version of this crate. The same version gives the same bytes; another one may give others.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How far back a match can reach, and so the most that a dictionary is good for: 32 KiB.
pub const WINDOW: usize = 32 * 1024;

/// The longest chunk that is encoded as one: 1 MiB.
pub const MAX_CHUNK: usize = 1024 * 1024;

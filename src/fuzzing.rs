//! What the fuzz targets reach that nobody else does. Only there under `--cfg fuzzing`, which cargo-fuzz sets.

use std::io::{self, Read};

use crate::compression::Codec;
use crate::compression::Decoder;

/// Decodes up to `most` bytes and gives their number.
///
/// # Errors
/// Those of the decoder.
pub fn decode(codec: Codec, bytes: &[u8], most: u64) -> io::Result<u64> {
    let decoder = Decoder::new(codec, bytes)?;
    io::copy(&mut decoder.take(most), &mut io::sink())
}

//! What the fuzz targets reach that nobody else does. Only there under `--cfg fuzzing`, which cargo-fuzz sets.

use std::io;

use crate::compression::{Codec, Decoder};

/// Decodes `most` bytes, or somewhat more, and gives their number.
///
/// # Errors
/// Those of the decoder.
pub fn decode(codec: Codec, bytes: &[u8], most: u64) -> io::Result<u64> {
    let mut decoder = Decoder::new(codec, bytes)?;
    let (mut buffer, mut length) = (Vec::new(), 0);
    while length < most {
        decoder.read_chunk(&mut buffer, 64 << 10)?;
        if buffer.is_empty() {
            break;
        }
        length += buffer.len() as u64;
    }
    Ok(length)
}

//! Finds out with which encoding the encoders of this program make a given stream.

use std::io::{self, BufRead, BufReader, Read};

use super::{ChunkEncoder, Codec, Decoder, Encoding, Framing};

/// The encoding that makes exactly the bytes of a stream from its decoded bytes, if there is one.
///
/// `open` begins to read the stream. Each level is tried until the first chunk that differs, which in the work of another encoder
/// is the first one. zstd's levels above 19 are not tried, because they may take seconds for a chunk. A stream of more than `max_bytes`
/// decoded bytes is given up. `stopped` is asked before each chunk; if it says so, the answer is `None`.
///
/// # Errors
/// The stream cannot be read or decoded.
pub(crate) fn reproduce<R: Read>(
    codec: Codec,
    open: impl Fn() -> io::Result<R>,
    max_bytes: u64,
    stopped: impl Fn() -> bool,
) -> io::Result<Option<Encoding>> {
    for encoding in encodings(codec) {
        let comparison = Comparison {
            stream: BufReader::new(open()?),
            decoder: Decoder::usual(codec, BufReader::new(open()?))?,
            encoding,
        };
        if comparison.matches(max_bytes, &stopped)? {
            return Ok(Some(encoding));
        }
    }
    Ok(None)
}

/// All encodings of a codec, the most likely first.
fn encodings(codec: Codec) -> Vec<Encoding> {
    let (first, all): (_, Vec<Encoding>) = match codec {
        Codec::Gzip => (Encoding::GZIP, (1..=9).map(Encoding::Gzip).collect()),
        Codec::Zstd => (Encoding::ZSTD, (1..=19).map(Encoding::Zstd).collect()),
        Codec::None | Codec::Bzip2 | Codec::Xz => return Vec::new(),
    };
    let others = all.into_iter().filter(|encoding| *encoding != first);
    [first].into_iter().chain(others).collect()
}

/// A stream, and its decoded bytes, which are encoded again.
struct Comparison<R: Read> {
    stream: BufReader<R>,
    decoder: Decoder<BufReader<R>>,
    encoding: Encoding,
}

impl<R: Read> Comparison<R> {
    fn matches(mut self, max_bytes: u64, stopped: &impl Fn() -> bool) -> io::Result<bool> {
        let size = self.encoding.chunk_size();
        let mut encoder = ChunkEncoder::new(self.encoding)?;
        let mut framing = Framing::new(self.encoding);
        if !self.goes_on_with(framing.header())? {
            return Ok(false);
        }
        let (mut before, mut chunk, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
        let mut length = 0;
        loop {
            self.decoder.read_chunk(&mut chunk, size)?;
            length += chunk.len() as u64;
            if length > max_bytes || stopped() {
                return Ok(false);
            }
            if chunk.is_empty() {
                break;
            }
            if !self.may_be_frame_of(&chunk)? {
                return Ok(false);
            }
            let encoded = encoder.encode(&before, &chunk, buffer)?;
            framing.add(&encoded, chunk.len());
            if !self.goes_on_with(&encoded.bytes)? {
                return Ok(false);
            }
            buffer = encoded.bytes;
            let is_last = chunk.len() < size;
            std::mem::swap(&mut before, &mut chunk);
            if is_last {
                break;
            }
        }
        Ok(self.goes_on_with(&framing.trailer()?)? && self.stream.fill_buf()?.is_empty())
    }

    /// Whether the next bytes of the stream are these, which are then consumed.
    fn goes_on_with(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            let next = self.stream.fill_buf()?;
            let count = next.len().min(bytes.len());
            if count == 0 || next[..count] != bytes[..count] {
                return Ok(false);
            }
            self.stream.consume(count);
            bytes = &bytes[count..];
        }
        Ok(true)
    }

    /// Encoding a chunk at a high level takes long. A zstd frame of this program says how large its chunk is; those of most other
    /// encoders say nothing, or the size of the whole layer.
    fn may_be_frame_of(&mut self, chunk: &[u8]) -> io::Result<bool> {
        let Encoding::Zstd(_) = self.encoding else {
            return Ok(true);
        };
        let next = self.stream.fill_buf()?;
        // The buffer may end within the header of the frame.
        if next.len() < MAX_FRAME_HEADER {
            return Ok(true);
        }
        let size = zstd::zstd_safe::get_frame_content_size(next).ok().flatten();
        Ok(size == Some(chunk.len() as u64))
    }
}

/// Maximum size of a zstd frame's header, in bytes, with its magic number: RFC 8878, section 3.1.1.1.
const MAX_FRAME_HEADER: usize = 18;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::compression::encode::tests::encode_all;

    fn encoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        encode_all(encoding, bytes, encoding.chunk_size())
    }

    fn found(codec: Codec, stream: &[u8], max_bytes: u64) -> Option<Encoding> {
        reproduce(codec, || Ok(stream), max_bytes, || false).unwrap()
    }

    /// Numbers, which each level compresses in another way.
    fn text(lines: u64) -> Vec<u8> {
        let lines = (0..lines).map(|line| format!("{} {}\n", line % 977, line * line % 10_007));
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn the_own_work_is_recognised_at_every_level() {
        let check = |encoding: Encoding, bytes: &[u8]| {
            let stream = encoded(encoding, bytes);
            let found = found(encoding.codec(), &stream, u64::MAX).unwrap();
            // Levels may give the same bytes.
            let made = encoded(found, bytes);
            assert_eq!(made, stream, "{encoding:?}, {}", bytes.len());
        };
        for bytes in [text(2000), Vec::new()] {
            for encoding in (1..=9).map(Encoding::Gzip) {
                check(encoding, &bytes);
            }
            for encoding in (1..=19).map(Encoding::Zstd) {
                check(encoding, &bytes);
            }
        }
        // More than a chunk.
        check(Encoding::Gzip(4), &text(150_000));
        check(Encoding::ZSTD, &text(600_000));
    }

    #[test]
    fn nothing_else_is() {
        let bytes = text(150_000);
        for encoding in [Encoding::GZIP, Encoding::ZSTD] {
            let codec = encoding.codec();
            let stream = encoded(encoding, &bytes);
            assert_eq!(found(codec, &stream, bytes.len() as u64), Some(encoding));
            assert_eq!(found(codec, &stream, bytes.len() as u64 - 1), None);
            assert_eq!(
                reproduce(codec, || Ok(&*stream), u64::MAX, || true).unwrap(),
                None
            );
            // Two streams in one decode to the same bytes.
            let half = bytes.len() / 2;
            let two = [
                encoded(encoding, &bytes[..half]),
                encoded(encoding, &bytes[half..]),
            ]
            .concat();
            assert_eq!(found(codec, &two, u64::MAX), None);
            let cut = &stream[..stream.len() - 1];
            assert!(matches!(
                reproduce(codec, || Ok(cut), u64::MAX, || false),
                Err(_) | Ok(None)
            ));
        }
        let mut other = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        other.write_all(&bytes).unwrap();
        assert_eq!(found(Codec::Gzip, &other.finish().unwrap(), u64::MAX), None);
        let other = zstd::encode_all(&*bytes, 3).unwrap();
        assert_eq!(found(Codec::Zstd, &other, u64::MAX), None);
    }
}

//! Encoders for chunks of a layer. A chunk is encoded by itself, so the result depends neither on threads nor on time.
//!
//! - gzip: one member, because some readers stop after the first. Each chunk becomes deflate blocks that may refer to the
//!   32 KiB before it and end at a byte boundary. They are joined between one header and one trailer.
//! - zstd: one frame for each chunk, which every decoder must accept (RFC 8878, section 3.1). With chunks of 4 MiB the result
//!   is about 0.5 % larger than one frame.

use std::io;

use deflate_chunks::{Encoder as Deflate, Level};
use zstd::zstd_safe::CParameter;

use super::Encoding;

impl Encoding {
    /// Number of uncompressed bytes that are encoded at a time. Changing it changes the digests of outputs.
    #[must_use]
    pub fn chunk_size(self) -> usize {
        match self {
            Encoding::None | Encoding::Gzip(_) => 1 << 20,
            Encoding::Zstd(_) => ZSTD_CHUNK,
        }
    }

    /// Maximum size of an encoded chunk, at least that of the plain chunk.
    #[must_use]
    pub fn chunk_bound(self) -> usize {
        let chunk = self.chunk_size();
        match self {
            Encoding::None => chunk,
            Encoding::Gzip(_) => deflate_chunks::bound(chunk),
            Encoding::Zstd(_) => zstd::zstd_safe::compress_bound(chunk),
        }
    }
}

/// Within the 8 MiB of window that every decoder should support (RFC 8878, section 3.1.1.1.2).
const ZSTD_CHUNK: usize = 4 << 20;

/// libzstd's level 3 has 2^16 slots for short matches. Fewer slots stay in the CPU's first-level cache: 5 % faster for a root
/// file system, and 0.7 % larger.
const SHORT_MATCH_LOG: u32 = 14;

/// Encodes chunks, one at a time. Can be reused for chunks of any layer.
pub struct ChunkEncoder(Encoder);

enum Encoder {
    None,
    Gzip(Box<Deflate>),
    Zstd(zstd::bulk::Compressor<'static>),
}

/// An encoded chunk.
pub struct EncodedChunk {
    /// Written after the previous chunk.
    pub bytes: Vec<u8>,
    /// CRC-32 of the uncompressed bytes, which gzip's trailer needs.
    crc: Option<crc32fast::Hasher>,
}

impl ChunkEncoder {
    /// Creates an encoder.
    ///
    /// # Errors
    /// An unknown level, or not enough memory.
    pub fn new(encoding: Encoding) -> io::Result<ChunkEncoder> {
        Ok(ChunkEncoder(match encoding {
            Encoding::None => Encoder::None,
            Encoding::Gzip(level) => {
                let level = Level::new(level).ok_or_else(|| io::Error::other("unknown level"))?;
                Encoder::Gzip(Box::new(Deflate::new(level)))
            }
            Encoding::Zstd(level) => {
                let level = i32::try_from(level).map_err(io::Error::other)?;
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                // All of a chunk can be referred to, not only the 2 MiB of the usual levels: 1.3 % smaller.
                compressor.set_parameter(CParameter::WindowLog(ZSTD_CHUNK.ilog2()))?;
                if encoding == Encoding::ZSTD {
                    compressor.set_parameter(CParameter::ChainLog(SHORT_MATCH_LOG))?;
                }
                Encoder::Zstd(compressor)
            }
        }))
    }

    /// Encodes `chunk` into `output`, which is cleared first. `before` precedes the chunk in the layer; only its last 32 KiB
    /// are used.
    pub fn encode(
        &mut self,
        before: &[u8],
        chunk: &[u8],
        mut output: Vec<u8>,
    ) -> io::Result<EncodedChunk> {
        output.clear();
        match &mut self.0 {
            Encoder::None => output.extend_from_slice(chunk),
            Encoder::Gzip(deflate) => {
                output.reserve(deflate_chunks::bound(chunk.len()));
                deflate.encode(before, chunk, false, &mut output);
            }
            Encoder::Zstd(compressor) => {
                output.reserve(zstd::zstd_safe::compress_bound(chunk.len()));
                compressor.compress_to_buffer(chunk, &mut output)?;
            }
        }
        let crc = matches!(self.0, Encoder::Gzip(_)).then(|| {
            let mut crc = crc32fast::Hasher::new();
            crc.update(chunk);
            crc
        });
        Ok(EncodedChunk { bytes: output, crc })
    }
}

/// The bytes before the first and after the last chunk.
pub struct Framing {
    encoding: Encoding,
    crc: crc32fast::Hasher,
    length: u64,
    chunks: u64,
}

impl Framing {
    /// Starts the framing of a layer.
    #[must_use]
    pub fn new(encoding: Encoding) -> Framing {
        Framing {
            encoding,
            crc: crc32fast::Hasher::new(),
            length: 0,
            chunks: 0,
        }
    }

    /// Written before the first chunk. It has no name and no modification time, because the same input must give the same
    /// bytes (RFC 1952, section 2.3: XFL 0, OS 255 "unknown").
    #[must_use]
    pub fn header(&self) -> &'static [u8] {
        match self.encoding {
            Encoding::Gzip(_) => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
            Encoding::None | Encoding::Zstd(_) => &[],
        }
    }

    /// Adds a chunk. Called in order.
    pub fn add(&mut self, chunk: &EncodedChunk, length: usize) {
        self.chunks += 1;
        self.length += length as u64;
        if let Some(crc) = &chunk.crc {
            self.crc.combine(crc);
        }
    }

    /// Written after the last chunk.
    pub fn trailer(self) -> io::Result<Vec<u8>> {
        match self.encoding {
            Encoding::Gzip(_) => {
                // An empty last block: fixed Huffman codes, end of block (RFC 1951, section 3.2.3).
                let mut trailer = vec![3, 0];
                trailer.extend(self.crc.finalize().to_le_bytes());
                // RFC 1952: the length modulo 2^32.
                let length = u32::try_from(self.length & u64::from(u32::MAX)).unwrap_or_default();
                trailer.extend(length.to_le_bytes());
                Ok(trailer)
            }
            // An empty layer has no chunk, but zstd needs at least one frame.
            Encoding::Zstd(level) if self.chunks == 0 => {
                zstd::bulk::compress(&[], i32::try_from(level).map_err(io::Error::other)?)
            }
            Encoding::None | Encoding::Zstd(_) => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use super::*;
    use crate::compression::Decoder;

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let step = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..length).map(step).collect()
    }

    pub fn encode_all(encoding: Encoding, bytes: &[u8], chunk_size: usize) -> Vec<u8> {
        let mut encoder = ChunkEncoder::new(encoding).unwrap();
        let mut framing = Framing::new(encoding);
        let mut all = framing.header().to_vec();
        let mut before: &[u8] = &[];
        for chunk in bytes.chunks(chunk_size) {
            let encoded = encoder.encode(before, chunk, Vec::new()).unwrap();
            framing.add(&encoded, chunk.len());
            all.extend(&encoded.bytes);
            before = chunk;
        }
        all.extend(framing.trailer().unwrap());
        all
    }

    #[test]
    fn joined_chunks_decode_to_the_input() {
        let text = b"the quick brown fox jumps over the lazy dog. ".repeat(5000);
        let inputs = [Vec::new(), vec![7], text, noise(300_000), vec![0; 200_000]];
        let encodings = [
            Encoding::None,
            Encoding::Gzip(1),
            Encoding::Gzip(4),
            Encoding::Gzip(9),
            Encoding::Zstd(3),
            Encoding::Zstd(19),
        ];
        for encoding in encodings {
            for input in &inputs {
                for chunk_size in [1000, 65_536, 1 << 20] {
                    let encoded = encode_all(encoding, input, chunk_size);
                    let mut decoded = Vec::new();
                    let mut decoder = Decoder::new(encoding.codec(), &encoded[..]).unwrap();
                    let size = input.len() + 1;
                    decoder.read_chunk(&mut decoded, size).unwrap();
                    assert!(&decoded == input, "{encoding:?}, {}", input.len());
                }
            }
        }
    }

    #[test]
    fn gzip_is_one_member() {
        let encoded = encode_all(Encoding::GZIP, &noise(100_000), 10_000);
        let mut decoder = flate2::bufread::GzDecoder::new(&encoded[..]);
        decoder.read_to_end(&mut Vec::new()).unwrap();
        assert!(decoder.into_inner().is_empty());
    }

    #[test]
    fn a_chunk_refers_to_what_is_before_it() {
        let noise = noise(16_000);
        let twice = [&noise[..], &noise[..]].concat();
        let encoded = encode_all(Encoding::GZIP, &twice, noise.len());
        assert!(encoded.len() < noise.len() + 1000, "{}", encoded.len());
    }
}

//! The reading end of a layer: raw bytes are hashed and, where they are kept, captured on their way into the decoder.

use std::io::{self, BufRead, Read};

use super::{Action, Job};
use crate::compression::{Codec, Decoder};
use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::input::ContentReader;

/// How many raw bytes are read at a time.
const BUFFER: usize = 256 << 10;

/// How many bytes of a layer that is not encoded are decoded at a time.
const KEPT_CHUNK: usize = 1 << 20;

/// A piece of a layer.
pub(super) struct Piece {
    /// Decoded bytes: to be hashed, and encoded if the layer is.
    pub decoded: Vec<u8>,
    /// The raw bytes that were read meanwhile, if they are kept.
    pub raw: Vec<u8>,
}

/// Reads a job's content piece by piece.
pub(super) struct Source {
    decoder: Decoder<Tap>,
    codec: Codec,
    chunk_size: usize,
    ended: bool,
    /// How many decoded bytes there have been, and may be.
    length: u64,
    limit: u64,
}

impl Source {
    /// `limit` is the largest the layer may be when it is decoded, in bytes.
    pub fn new(job: &Job, limit: u64) -> Result<Source> {
        if job.content.size() > limit {
            return Err(Error::LayerTooLarge { limit });
        }
        // Without decoding, the raw bytes are all there is: they pass as if they were plain.
        let decodes = job.action != Action::Keep { decode: false };
        let codec = if decodes { job.codec } else { Codec::None };
        let kept = matches!(job.action, Action::Keep { .. });
        // The decoded bytes of a plain layer are its raw bytes: they are hashed once, as decoded ones, unless the two
        // digests are of different algorithms.
        let algorithm =
            |digest: Option<Digest>| digest.map_or("sha256", |digest| digest.algorithm());
        let two_algorithms = decodes
            && job.digest.is_some()
            && algorithm(job.digest) != algorithm(job.diff_id.map(|diff_id| diff_id.0));
        let hasher = (codec != Codec::None || two_algorithms).then(|| match &job.digest {
            Some(digest) => digest.hasher(),
            None => Hasher::sha256(),
        });
        let tap = Tap {
            reader: job.content.reader()?,
            buffer: vec![0; BUFFER],
            position: 0,
            filled: 0,
            capture: (kept && codec != Codec::None).then(Vec::new),
            hasher,
            consumed: 0,
        };
        let chunk_size = match job.action {
            Action::Encode(encoding) => encoding.chunk_size(),
            Action::Keep { .. } | Action::Check => KEPT_CHUNK,
        };
        Ok(Source {
            decoder: Decoder::new(codec, tap).map_err(|source| Error::Decode {
                codec: codec.name(),
                source,
            })?,
            codec,
            chunk_size,
            ended: false,
            length: 0,
            limit,
        })
    }

    /// The next piece, in a buffer of the caller; `None` behind the last.
    pub fn next(&mut self, buffer: Vec<u8>) -> Result<Option<Piece>> {
        if self.ended {
            return Ok(None);
        }
        let mut decoded = buffer;
        self.decoder
            .read_chunk(&mut decoded, self.chunk_size)
            .map_err(|source| match self.codec {
                Codec::None => Error::Io {
                    action: "read",
                    path: "the layer".into(),
                    source,
                },
                codec => Error::Decode {
                    codec: codec.name(),
                    source,
                },
            })?;
        self.ended = decoded.len() < self.chunk_size;
        self.length += decoded.len() as u64;
        if self.length > self.limit {
            return Err(Error::LayerTooLarge { limit: self.limit });
        }
        let capture = self.decoder.get_mut().capture.as_mut();
        let raw = capture.map(std::mem::take).unwrap_or_default();
        if decoded.is_empty() && raw.is_empty() {
            return Ok(None);
        }
        Ok(Some(Piece { decoded, raw }))
    }

    /// How many raw bytes have been read.
    pub fn consumed(&mut self) -> u64 {
        self.decoder.get_mut().consumed
    }

    /// The digest of the raw bytes; `None` where they were not compressed.
    pub fn finish(mut self) -> Option<Digest> {
        self.decoder.get_mut().hasher.take().map(Hasher::finish)
    }
}

/// Sees every raw byte once, on its way into the decoder.
struct Tap {
    reader: ContentReader,
    buffer: Vec<u8>,
    position: usize,
    filled: usize,
    capture: Option<Vec<u8>>,
    hasher: Option<Hasher>,
    consumed: u64,
}

impl Tap {
    fn saw(&mut self, count: usize) {
        let bytes = &self.buffer[self.position..self.position + count];
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        if let Some(capture) = &mut self.capture {
            capture.extend_from_slice(bytes);
        }
        self.position += count;
        self.consumed += count as u64;
    }
}

impl Read for Tap {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Plain layers need neither a digest nor a copy of their raw bytes, so they need no buffer either.
        if self.position == self.filled && self.hasher.is_none() && self.capture.is_none() {
            let count = self.reader.read(into)?;
            self.consumed += count as u64;
            return Ok(count);
        }
        let available = self.fill_buf()?;
        let count = available.len().min(into.len());
        into[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Tap {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.filled {
            self.filled = self.reader.read(&mut self.buffer)?;
            self.position = 0;
        }
        Ok(&self.buffer[self.position..self.filled])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.filled - self.position);
        self.saw(count);
    }
}

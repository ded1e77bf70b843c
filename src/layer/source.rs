//! The reading end of a layer: raw bytes are hashed and, where they are kept, captured on their way into the decoder.

use std::io::{self, BufRead, Read};

use super::{Action, Job};
use crate::compression::Codec;
use crate::compression::DecodeError;
use crate::compression::Decoder;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::error::Error;
use crate::error::Result;
use crate::source::Content;
use crate::source::ContentReader;

/// How many raw bytes are read at a time.
const BUFFER: usize = 256 << 10;

/// How many raw bytes may be captured before they are handed on, even if nothing came out of the decoder: a stream of
/// empty gzip members or skippable zstd frames has any length.
const CAPTURE: usize = 1 << 20;

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
    /// `content` is the job's or a clone of it; `limit` is the largest the layer may be when it is decoded, in bytes.
    pub fn new(job: &Job, content: &Content, limit: u64) -> Result<Source> {
        if content.size() > limit {
            return Err(Error::LayerTooLarge { limit });
        }
        // Without decoding, the raw bytes are all there is: they pass as if they were plain.
        let decodes = job.action != Action::Keep { decode: false };
        let codec = if decodes { job.codec } else { Codec::None };
        // The decoded bytes of a plain layer are its raw bytes: they are hashed once, as decoded ones, unless the two
        // digests are of different algorithms.
        let algorithm =
            |digest: Option<Digest>| digest.map_or("sha256", |digest| digest.algorithm());
        let two_algorithms = decodes
            && job.digest.is_some()
            && algorithm(job.digest) != algorithm(job.diff_id.map(|diff_id| diff_id.0));
        // What is captured is hashed when it is written, while the next is being decoded.
        let capture = job.captures();
        let hashes = !capture && (codec != Codec::None || two_algorithms);
        let tap = Tap {
            reader: content.reader()?,
            buffer: vec![0; BUFFER],
            position: 0,
            filled: 0,
            capture: capture.then(Vec::new),
            hasher: hashes.then(|| job.source_hasher()),
            consumed: 0,
        };
        Ok(Source {
            decoder: Decoder::new(codec, tap).map_err(|error| damaged(codec, error))?,
            codec,
            chunk_size: job.action.chunk_size(),
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
        match self.decoder.read_chunk(&mut decoded, self.chunk_size) {
            Ok(()) => self.ended = decoded.len() < self.chunk_size,
            // The capture is full.
            Err(DecodeError::Read(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(damaged(self.codec, error)),
        }
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

    /// The digest of the raw bytes, unless they were captured or are the decoded ones.
    pub fn finish(mut self) -> Option<Digest> {
        self.decoder.get_mut().hasher.take().map(Hasher::finish)
    }
}

fn damaged(codec: Codec, error: DecodeError) -> Error {
    match error {
        DecodeError::Read(source) => Error::io("read", "the layer")(source),
        error => Error::Decode {
            codec: codec.name(),
            source: error.into(),
        },
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
    /// Fails with [`io::ErrorKind::WouldBlock`] while the capture is full; decoders go on from where they were.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self
            .capture
            .as_ref()
            .is_some_and(|raw| raw.len() >= CAPTURE)
        {
            return Err(io::ErrorKind::WouldBlock.into());
        }
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

//! Hashes and captures the raw bytes of a blob on their way to the decoder.

use std::io::{self, BufRead, Read};

use crate::digest::{Digest, Hasher};
use crate::source::ContentReader;

/// Number of bytes that are read at a time.
const BUFFER: usize = 256 << 10;

/// A reader that sees every raw byte once.
pub(super) struct Tap {
    reader: ContentReader,
    buffer: Vec<u8>,
    position: usize,
    filled: usize,
    capture: Option<Vec<u8>>,
    hasher: Option<Hasher>,
    consumed: u64,
    /// Position at which reading pauses.
    pause: u64,
}

impl Tap {
    pub fn new(reader: ContentReader, capture: bool, hasher: Option<Hasher>) -> Tap {
        Tap {
            reader,
            buffer: vec![0; BUFFER],
            position: 0,
            filled: 0,
            capture: capture.then(Vec::new),
            hasher,
            consumed: 0,
            pause: u64::MAX,
        }
    }

    /// Pauses after about `count` more bytes.
    pub fn pause_after(&mut self, count: u64) {
        self.pause = self.consumed.saturating_add(count);
    }

    /// Returns the bytes captured since the last call.
    pub fn take_captured(&mut self) -> Vec<u8> {
        self.capture
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Number of bytes read.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The digest of all bytes, if it was requested.
    pub fn finish(&mut self) -> Option<Digest> {
        self.hasher.take().map(Hasher::finish)
    }

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
        // Plain layers need neither a digest nor a copy of their raw bytes, and therefore no buffer.
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
    /// Fails with [`io::ErrorKind::WouldBlock`] during a pause. Decoders then continue where they were.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed >= self.pause {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.position == self.filled {
            self.filled = 0;
            self.position = 0;
            self.filled = self.reader.read(&mut self.buffer)?;
        }
        Ok(&self.buffer[self.position..self.filled])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.filled - self.position);
        self.saw(count);
    }
}

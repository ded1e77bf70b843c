//! The raw bytes of a blob, hashed on their way to whoever reads them.

use std::io::{self, BufRead, Read};

use crate::digest::Digest;
use crate::digest::Hasher;
use crate::interrupt::Interrupt;
use crate::source::ContentReader;

/// How many bytes are read at a time.
const BUFFER: usize = 256 << 10;

/// Computes the digests of bytes by all algorithms that are asked for.
#[derive(Default)]
pub(super) struct Hashers(Vec<Hasher>);

impl Hashers {
    /// One for each algorithm of `digests`.
    pub fn like<'a>(digests: impl Iterator<Item = &'a Digest>) -> Hashers {
        let mut algorithms = Vec::new();
        let mut hashers = Vec::new();
        for digest in digests {
            if !algorithms.contains(&digest.algorithm()) {
                algorithms.push(digest.algorithm());
                hashers.push(digest.hasher());
            }
        }
        Hashers(hashers)
    }

    pub fn update(&mut self, bytes: &[u8]) {
        for hasher in &mut self.0 {
            hasher.update(bytes);
        }
    }

    pub fn finish(self) -> Vec<Digest> {
        self.0.into_iter().map(Hasher::finish).collect()
    }
}

/// A buffered reader that hashes what is taken from it.
pub(super) struct Tap<'a> {
    reader: ContentReader,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
    hashers: Hashers,
    advance: &'a dyn Fn(u64),
    interrupt: &'a Interrupt,
    failure: Option<io::Error>,
}

impl<'a> Tap<'a> {
    pub fn new(
        reader: ContentReader,
        hashers: Hashers,
        advance: &'a dyn Fn(u64),
        interrupt: &'a Interrupt,
    ) -> Tap<'a> {
        Tap {
            reader,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            position: 0,
            hashers,
            advance,
            interrupt,
            failure: None,
        }
    }

    /// How many bytes have been taken.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next `count` bytes (at most 64) without taking them; fewer only at the end.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.read_more()? == 0 {
                break;
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + count)])
    }

    /// Takes all that is left. The digests are those of the whole, or the error is that of the system.
    pub fn finish(mut self) -> io::Result<Vec<Digest>> {
        loop {
            // A decoder has had the error before, and has made another one of it.
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let count = match self.fill_buf() {
                Ok(bytes) => bytes.len(),
                Err(_) => continue,
            };
            if count == 0 {
                return Ok(self.hashers.finish());
            }
            self.consume(count);
        }
    }

    fn read_more(&mut self) -> io::Result<usize> {
        if self.interrupt.is_requested() {
            self.failure = Some(io::Error::other("interrupted"));
        }
        if let Some(failure) = &self.failure {
            return Err(io::Error::new(failure.kind(), failure.to_string()));
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let copy = io::Error::new(error.kind(), error.to_string());
                    self.failure = Some(error);
                    return Err(copy);
                }
            }
        }
    }
}

impl Read for Tap<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(into.len());
        into[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Tap<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.read_more()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.hashers
            .update(&self.buffer[self.start..self.start + count]);
        self.start += count;
        self.position += count as u64;
        (self.advance)(count as u64);
    }
}

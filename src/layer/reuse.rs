//! Buffers and encoders that are used again, since fresh memory costs as much as hashing it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use crate::compression::{ChunkEncoder, EncodedChunk, Encoding};
use crate::mutex::lock;

pub(super) struct Reuse {
    /// How many buffers are kept.
    most: usize,
    /// What each has room for: a chunk, be it decoded or encoded, so that none ever grows.
    capacity: usize,
    buffers: Mutex<Vec<Vec<u8>>>,
    encoders: Mutex<HashMap<Encoding, Vec<ChunkEncoder>>>,
}

impl Reuse {
    pub fn new(most: usize, capacity: usize) -> Reuse {
        Reuse {
            most,
            capacity,
            buffers: Mutex::default(),
            encoders: Mutex::default(),
        }
    }

    /// A buffer with anything in it.
    pub fn buffer(&self) -> Vec<u8> {
        let used = lock(&self.buffers).pop();
        used.unwrap_or_else(|| Vec::with_capacity(self.capacity))
    }

    /// Takes a buffer back when nobody else has it any more, and tells whether that is so.
    pub fn give_back(&self, buffer: Arc<Vec<u8>>) -> bool {
        let Some(buffer) = Arc::into_inner(buffer) else {
            return false;
        };
        let mut buffers = lock(&self.buffers);
        if buffers.len() < self.most {
            buffers.push(buffer);
        }
        true
    }

    /// Encodes a chunk with an encoder that is idle, or a new one.
    pub fn encode(
        &self,
        encoding: Encoding,
        before: Option<&Vec<u8>>,
        chunk: &[u8],
    ) -> io::Result<EncodedChunk> {
        let idle = lock(&self.encoders).get_mut(&encoding).and_then(Vec::pop);
        let mut encoder = match idle {
            Some(encoder) => encoder,
            None => ChunkEncoder::new(encoding)?,
        };
        let before = before.map(Vec::as_slice).unwrap_or_default();
        let encoded = encoder.encode(before, chunk, self.buffer())?;
        lock(&self.encoders)
            .entry(encoding)
            .or_default()
            .push(encoder);
        Ok(encoded)
    }
}

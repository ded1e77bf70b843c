//! Reuses buffers and encoders, because fresh memory costs as much time as hashing it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use crate::compression::{ChunkEncoder, EncodedChunk, Encoding};
use crate::mutex::lock;

pub(super) struct Reuse {
    /// Maximum number of buffers to keep.
    max_buffers: usize,
    /// Capacity of each: a decoded or an encoded chunk, so that buffers never grow.
    capacity: usize,
    buffers: Mutex<Vec<Vec<u8>>>,
    encoders: Mutex<HashMap<Encoding, Vec<ChunkEncoder>>>,
}

impl Reuse {
    pub fn new(max_buffers: usize, capacity: usize) -> Reuse {
        Reuse {
            max_buffers,
            capacity,
            buffers: Mutex::default(),
            encoders: Mutex::default(),
        }
    }

    /// A buffer with arbitrary content.
    pub fn buffer(&self) -> Vec<u8> {
        let used = lock(&self.buffers).pop();
        used.unwrap_or_else(|| Vec::with_capacity(self.capacity))
    }

    /// Takes a buffer back if no other task holds it, and returns whether that was so.
    pub fn give_back(&self, buffer: Arc<Vec<u8>>) -> bool {
        let Some(buffer) = Arc::into_inner(buffer) else {
            return false;
        };
        let mut buffers = lock(&self.buffers);
        if buffers.len() < self.max_buffers {
            buffers.push(buffer);
        }
        true
    }

    /// Encodes a chunk with an idle or a new encoder.
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

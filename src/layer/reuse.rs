//! Buffers and encoders that are used again, since fresh memory costs as much as hashing it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::state::lock;
use crate::compression::{ChunkEncoder, EncodedChunk, Encoding};

pub(super) struct Reuse {
    /// How many buffers are kept.
    most: usize,
    buffers: Mutex<Vec<Vec<u8>>>,
    encoders: Mutex<HashMap<Encoding, Vec<ChunkEncoder>>>,
}

impl Reuse {
    pub fn new(most: usize) -> Reuse {
        Reuse {
            most,
            buffers: Mutex::default(),
            encoders: Mutex::default(),
        }
    }

    /// A buffer with anything in it.
    pub fn buffer(&self) -> Vec<u8> {
        lock(&self.buffers).pop().unwrap_or_default()
    }

    /// Takes a buffer back when nobody else has it any more.
    pub fn give_back(&self, buffer: Arc<Vec<u8>>) {
        if let Some(buffer) = Arc::into_inner(buffer) {
            let mut buffers = lock(&self.buffers);
            if buffers.len() < self.most {
                buffers.push(buffer);
            }
        }
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

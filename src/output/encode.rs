//! Compresses a complete tar: chunks are encoded in parallel and joined in order, so that the bytes do not depend on threads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rayon::prelude::*;

use crate::compression::{ChunkEncoder, EncodedChunk, Encoding, Framing};
use crate::error::Error;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// Number of bytes before a chunk that gzip may refer to.
const WINDOW: usize = 32 << 10;

/// Maximum number of chunks in memory.
const MAX_CHUNKS: usize = 32;

/// Interrupt and progress.
pub(super) struct EncodeWork<'a> {
    pub interrupt: &'a Interrupt,
    pub progress: &'a dyn Progress,
}

/// Encodes the first `length` bytes of `file` on rayon's current threads.
pub(super) fn encode(
    file: &File,
    length: u64,
    encoding: Encoding,
    work: &EncodeWork<'_>,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let failed = || Error::io("compress", "the tar");
    let size = encoding.chunk_size();
    // Two for each thread, so that no thread waits long for others, but only as many as fit into 256 MiB with their results.
    let batch = size * (2 * rayon::current_num_threads()).min(MAX_CHUNKS);
    let mut framing = Framing::new(encoding);
    write(framing.header())?;
    // The end of the previous batch, then the batch.
    let mut buffer = vec![0; WINDOW + batch];
    let mut before = 0;
    let mut position = 0;
    while position < length {
        work.interrupt.check()?;
        work.progress.reached(position);
        let count = usize::try_from(length - position).map_or(batch, |left| left.min(batch));
        let end = WINDOW + count;
        file.read_exact_at(&mut buffer[WINDOW..end], position)
            .map_err(Error::io("read", "a temporary file"))?;
        position += count as u64;
        let starts: Vec<usize> = (WINDOW..end).step_by(size).collect();
        let encode = |encoder: &mut io::Result<ChunkEncoder>, &start: &usize| {
            let first = start.saturating_sub(WINDOW).max(WINDOW - before);
            let chunk = &buffer[start..end.min(start + size)];
            match encoder {
                Ok(encoder) => encoder.encode(&buffer[first..start], chunk, Vec::new()),
                Err(error) => Err(io::Error::other(error.to_string())),
            }
        };
        let chunks: Vec<EncodedChunk> = starts
            .par_iter()
            .map_init(|| ChunkEncoder::new(encoding), encode)
            .collect::<io::Result<_>>()
            .map_err(failed())?;
        for (chunk, start) in chunks.iter().zip(starts) {
            framing.add(chunk, size.min(end - start));
            write(&chunk.bytes)?;
        }
        before = WINDOW.min(count);
        buffer.copy_within(end - WINDOW..end, 0);
    }
    write(&framing.trailer().map_err(failed())?)
}

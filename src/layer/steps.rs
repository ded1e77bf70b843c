//! The steps of a layer: reading and decoding, encoding, hashing, writing.

use std::sync::Arc;

use super::Action;
use super::examination::Examination;
use super::pipeline::{Run, Scope};
use super::source::{Next, Piece};
use super::state::Reader;
use super::writer::ToWrite;
use crate::compression::Encoding;
use crate::error::Error;

/// A chunk on its way to an encoder.
struct ToEncode {
    number: u64,
    /// The chunk before it.
    before: Option<Arc<Vec<u8>>>,
    chunk: Arc<Vec<u8>>,
    /// How many raw bytes were read for it.
    read: u64,
}

impl Run<'_> {
    /// Reads one chunk, passes it to the next steps, and schedules the next read.
    pub(super) fn read<'s>(&'s self, scope: &Scope<'s>, layer: usize, mut reader: Box<Reader>) {
        if self.stopped() {
            return;
        }
        let consumed = reader.source.consumed();
        let buffer = reader.partial.take();
        let buffer = buffer.unwrap_or_else(|| self.reuse.buffer());
        let next = reader.source.next(buffer);
        let advanced = reader.source.consumed() - consumed;
        let job = &self.jobs[layer];
        // Progress of a layer that is encoded counts encoded bytes, because reading runs far ahead of slow levels.
        if matches!(next, Next::End) || !job.is_compressed() {
            self.pipeline.progress.advance(layer, advanced);
        }
        if let Some(flaw) = reader.source.flaw()
            && self.stops_at_damage(job)
        {
            return self.fail_at_flaw(layer, flaw);
        }
        let Piece { decoded, raw } = match next {
            Next::Piece(piece) => piece,
            Next::Large(buffer) => {
                reader.partial = Some(buffer);
                let mut state = self.state();
                state.release(layer, job.buffers());
                state.layers[layer].is_large = true;
                state.layers[layer].parked = Some(reader);
                return self.wake(scope, &mut state);
            }
            Next::End => return self.end_reading(scope, layer, *reader),
        };
        let chunk = Arc::new(decoded);
        let action = self.jobs[layer].action;
        let mut state = self.state();
        let track = &mut state.layers[layer];
        let number = track.chunks_read;
        track.chunks_read += 1;
        // Every holder of a chunk must free it, because the last one returns it to the budget. Chunks are never dropped here.
        match action {
            Action::Check { .. } => track.to_hash.push_back(chunk),
            Action::Encode(encoding) if encoding != Encoding::None => {
                track.to_hash.push_back(chunk.clone());
                let before = reader.before.replace(chunk.clone());
                let piece = ToEncode {
                    number,
                    before,
                    chunk,
                    read: advanced,
                };
                scope.spawn_fifo(move |scope| self.encode(scope, layer, encoding, piece));
            }
            _ if self.jobs[layer].captures() => {
                track.to_hash.push_back(chunk);
                track.to_write.insert(number, ToWrite::Raw(raw));
            }
            _ => {
                track.to_hash.push_back(chunk.clone());
                track.to_write.insert(number, ToWrite::Plain(chunk));
            }
        }
        self.read_or_park(scope, layer, reader, &mut state);
        drop(state);
        self.schedule(scope, layer);
    }

    /// Releases what reading a layer needed.
    fn end_reading<'s>(&'s self, scope: &Scope<'s>, layer: usize, reader: Reader) {
        let read = reader.source.finish();
        if let Some(before) = reader.before {
            self.free(scope, layer, before);
        }
        let mut state = self.state();
        state.layers[layer].read = Some(read);
        state.large.take_if(|large| *large == layer);
        state.release(layer, self.jobs[layer].buffers());
        self.wake(scope, &mut state);
        drop(state);
        self.schedule(scope, layer);
    }

    fn encode<'s>(
        &'s self,
        scope: &Scope<'s>,
        layer: usize,
        encoding: Encoding,
        ToEncode {
            number,
            before,
            chunk,
            read,
        }: ToEncode,
    ) {
        if self.stopped() {
            return;
        }
        match self.reuse.encode(encoding, before.as_deref(), &chunk) {
            Ok(encoded) => {
                let piece = ToWrite::Encoded {
                    chunk: encoded,
                    length: chunk.len(),
                };
                self.pipeline.progress.advance(layer, read);
                self.state().layers[layer].to_write.insert(number, piece);
                self.free(scope, layer, chunk);
                if let Some(before) = before {
                    self.free(scope, layer, before);
                }
                self.schedule(scope, layer);
            }
            Err(source) => self.fail(
                layer,
                Error::Io {
                    action: "encode",
                    path: "the layer".into(),
                    source,
                },
            ),
        }
    }

    /// Hashes all available chunks in order.
    pub(super) fn hash<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
        let examination = self.state().layers[layer].examination.take();
        let mut examination = examination.unwrap_or_else(|| Examination::new(&self.jobs[layer]));
        loop {
            if self.stopped() {
                return;
            }
            let mut state = self.state();
            let track = &mut state.layers[layer];
            let Some(chunk) = track.to_hash.pop_front() else {
                track.examination = Some(examination);
                track.hashing = false;
                break;
            };
            drop(state);
            examination.update(&chunk);
            self.free(scope, layer, chunk);
        }
        self.schedule(scope, layer);
    }

    /// Writes all available chunks in order.
    pub(super) fn write<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
        let writer = self.state().layers[layer].writer.take();
        let job = &self.jobs[layer];
        let mut writer = match writer.map_or_else(|| self.new_writer(job), |one| Ok(Some(one))) {
            Ok(Some(writer)) => writer,
            // Nothing is written for a check.
            Ok(None) => return,
            Err(error) => return self.fail(layer, error),
        };
        loop {
            if self.stopped() {
                return;
            }
            let mut state = self.state();
            let track = &mut state.layers[layer];
            let Some(piece) = track.to_write.remove(&track.next_write) else {
                track.writer = Some(writer);
                track.writing = false;
                break;
            };
            track.next_write += 1;
            drop(state);
            match writer.write_piece(piece) {
                Ok(Some(buffer)) => self.free(scope, layer, buffer),
                Ok(None) => self.release_buffer(scope, layer),
                Err(error) => return self.fail(layer, error),
            }
        }
        self.schedule(scope, layer);
    }
}

//! Processes all layers at once, each in chunks: read and decode → hash → encode → hash and write.
//!
//! Every step is a task on rayon's pool that never waits for another task. A step that cannot continue is parked and resumed
//! by the task that makes it possible. One thread is enough, and the bytes are the same for any number of threads.
//!
//! - Reading (with decoding) and hashing process a layer in order, encoding processes chunks in any order, and writing restores
//!   the order. The four steps overlap, so one large layer uses several threads.
//! - A budget limits the buffers in use. A reader without budget is parked.
//! - Blobs in a folder are written in any order. Blobs in a tar are written one after the other: only the first unfinished
//!   layer writes, and the others use at most half of the budget, so that it can always continue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::ScopeFifo;

use super::ends::Opened;
use super::examination::Examination;
use super::reuse::Reuse;
use super::source::{Piece, ReadToEnd};
use super::state::{Reader, State, Track, budget};
use super::writer::ToWrite;
use super::{Action, Examined, Job, Known, OnDamage, Outcome, Pipeline};
use crate::cache::Cache;
use crate::compression::Encoding;
use crate::error::{Error, Result};
use crate::mutex::lock;
use crate::output::Output;

/// Where blobs are written.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub output: &'a Output,
    /// Where encoded layers are stored for the next run.
    pub cache: Option<&'a Cache>,
    /// What is left out.
    pub known: &'a Known,
}

/// Runs all jobs and returns the result of each in order, and what was written if there is a target.
///
/// # Errors
/// The error of the first job that fails. The other jobs are abandoned. Damage is not an error if there is no target, or if it
/// is recorded.
pub(super) fn run(
    pipeline: &Pipeline<'_>,
    target: Option<Target<'_>>,
    jobs: &[Job],
) -> Result<Vec<(Examined, Option<Outcome>)>> {
    let threads = pipeline.pool.current_num_threads();
    let ordered = target.is_some_and(|target| target.output.is_ordered());
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    if !ordered {
        // The largest layer first, so that the others do not have to wait for it at the end.
        order.sort_by_key(|&layer| std::cmp::Reverse(jobs[layer].content.size()));
    }
    let largest = jobs.iter().map(|job| job.action.buffer_size()).max();
    let largest = largest.unwrap_or(1);
    let budget = budget(largest, threads);
    let run = Run {
        pipeline,
        target,
        jobs,
        order,
        ordered,
        max_active: threads + 1,
        budget,
        state: Mutex::new(State {
            layers: jobs.iter().map(|_| Track::default()).collect(),
            ..State::default()
        }),
        reuse: Reuse::new(budget, largest),
    };
    pipeline.pool.scope_fifo(|scope| run.start_layers(scope));
    let state = run
        .state
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = state.error {
        return Err(error);
    }
    let done: Option<Vec<_>> = state.layers.into_iter().map(|layer| layer.done).collect();
    Ok(done.expect("every layer is done or there is an error"))
}

type Scope<'s> = ScopeFifo<'s>;

/// A chunk on its way to an encoder.
struct ToEncode {
    number: u64,
    /// The chunk before it.
    before: Option<Arc<Vec<u8>>>,
    chunk: Arc<Vec<u8>>,
    /// How many raw bytes were read for it.
    read: u64,
}

pub(super) struct Run<'a> {
    pub pipeline: &'a Pipeline<'a>,
    /// `None` if layers are only checked.
    pub target: Option<Target<'a>>,
    pub jobs: &'a [Job],
    /// The order in which layers are started and, in a tar, written.
    pub order: Vec<usize>,
    pub ordered: bool,
    max_active: usize,
    /// Maximum number of buffers in use.
    pub budget: usize,
    state: Mutex<State<'a>>,
    reuse: Reuse,
}

impl<'a> Run<'a> {
    pub fn state(&self) -> MutexGuard<'_, State<'a>> {
        lock(&self.state)
    }

    fn fail(&self, layer: usize, error: Error) {
        let error = match error {
            Error::Interrupted => error,
            error => error.at(self.jobs[layer].place.clone()),
        };
        self.state().error.get_or_insert(error);
    }

    /// Whether damage to the blob of a job ends the run.
    pub fn stops_at_damage(&self, job: &Job) -> bool {
        let of_input = job.entry.is_none();
        let is_recorded = of_input && self.pipeline.on_damage == OnDamage::Record;
        self.target.is_some() && !is_recorded
    }

    fn stopped(&self) -> bool {
        let mut state = self.state();
        if self.pipeline.interrupt.is_requested() {
            state.error.get_or_insert(Error::Interrupted);
        }
        state.error.is_some()
    }

    fn start_layers<'s>(&'s self, scope: &Scope<'s>) {
        loop {
            let layer = {
                let mut state = self.state();
                if state.active >= self.max_active || state.started == self.order.len() {
                    return;
                }
                let layer = self.order[state.started];
                state.started += 1;
                state.active += 1;
                layer
            };
            let job = &self.jobs[layer];
            self.pipeline.progress.start(layer, job.content.size());
            match self.open(job) {
                Ok(Opened {
                    source: Ok(source),
                    writer,
                }) => {
                    let reader = Box::new(Reader {
                        source,
                        before: None,
                    });
                    let mut state = self.state();
                    state.layers[layer].writer = writer;
                    self.read_or_park(scope, layer, reader, &mut state);
                }
                Ok(Opened {
                    source: Err(flaw), ..
                }) if !self.stops_at_damage(job) => {
                    self.state().layers[layer].read = Some(ReadToEnd {
                        raw_digest: None,
                        flaw: Some(flaw),
                    });
                    self.schedule(scope, layer);
                }
                Ok(Opened {
                    source: Err(flaw), ..
                }) => {
                    return self.fail(layer, job.error(&flaw.at(&job.place)));
                }
                Err(error) => return self.fail(layer, error),
            }
        }
    }

    /// Reads one chunk, passes it to the next steps, and schedules the next read.
    fn read<'s>(&'s self, scope: &Scope<'s>, layer: usize, mut reader: Box<Reader>) {
        if self.stopped() {
            return;
        }
        let consumed = reader.source.consumed();
        let buffer = self.reuse.buffer();
        let piece = reader.source.next(buffer);
        let advanced = reader.source.consumed() - consumed;
        let job = &self.jobs[layer];
        // What is to be encoded is not done when it has been read: reading runs far ahead of slow levels.
        let is_done = piece.is_none() || !job.is_compressed();
        if is_done {
            self.pipeline.progress.advance(layer, advanced);
        }
        if let Some(flaw) = reader.source.flaw()
            && self.stops_at_damage(job)
        {
            return self.fail(layer, job.error(&flaw.at(&job.place)));
        }
        let Some(Piece { decoded, raw }) = piece else {
            let read = reader.source.finish();
            if let Some(before) = reader.before {
                self.free(scope, layer, before);
            }
            let mut state = self.state();
            state.layers[layer].read = Some(read);
            state.release(layer, self.jobs[layer].buffers());
            self.wake(scope, &mut state);
            drop(state);
            self.schedule(scope, layer);
            return;
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

    /// Schedules the next read, or parks the reader until there is budget for it.
    fn read_or_park<'s>(
        &'s self,
        scope: &Scope<'s>,
        layer: usize,
        reader: Box<Reader>,
        state: &mut State<'_>,
    ) {
        if state.may_read(self, layer) {
            state.acquire(layer, self.jobs[layer].buffers());
            scope.spawn_fifo(move |scope| self.read(scope, layer, reader));
        } else {
            state.layers[layer].parked = Some(reader);
        }
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

    /// Starts the steps of a layer that can run and are not running.
    fn schedule<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
        let mut state = self.state();
        let turn = !self.ordered || state.is_head(self, layer);
        let track = &mut state.layers[layer];
        if !track.hashing && !track.to_hash.is_empty() {
            track.hashing = true;
            scope.spawn_fifo(move |scope| self.hash(scope, layer));
        }
        if turn && !track.writing && track.to_write.contains_key(&track.next_write) {
            track.writing = true;
            scope.spawn_fifo(move |scope| self.write(scope, layer));
        }
        let idle = track.in_flight == 0 && !track.hashing && !track.writing;
        if turn && idle && track.read.is_some() && !track.finishing {
            track.finishing = true;
            scope.spawn_fifo(move |scope| self.finish(scope, layer));
        }
    }

    /// Hashes all available chunks in order.
    fn hash<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
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
    fn write<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
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

    /// Frees a buffer that other tasks may still hold.
    fn free<'s>(&'s self, scope: &Scope<'s>, layer: usize, buffer: Arc<Vec<u8>>) {
        if self.reuse.give_back(buffer) {
            self.release_buffer(scope, layer);
        }
    }

    /// Returns one buffer to the budget and resumes parked readers.
    fn release_buffer<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
        let mut state = self.state();
        state.release(layer, 1);
        self.wake(scope, &mut state);
    }

    fn wake<'s>(&'s self, scope: &Scope<'s>, state: &mut State<'_>) {
        for &layer in &self.order[..state.started] {
            if let Some(reader) = state.layers[layer].parked.take() {
                self.read_or_park(scope, layer, reader, state);
            }
        }
    }

    /// Checks the digests after all chunks were hashed and written, and starts the next layer.
    fn finish<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
        match self.finish_layer(layer) {
            Ok(done) => {
                let next = {
                    let mut state = self.state();
                    state.layers[layer].done = Some(done);
                    state.active -= 1;
                    state.finished += 1;
                    self.wake(scope, &mut state);
                    self.order.get(state.finished).copied()
                };
                self.pipeline.progress.finish(layer);
                self.start_layers(scope);
                if let (true, Some(next)) = (self.ordered, next) {
                    self.schedule(scope, next);
                }
            }
            Err(error) => self.fail(layer, error),
        }
    }
}

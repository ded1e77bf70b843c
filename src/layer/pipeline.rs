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

use super::budget::{self, Budget};
use super::ends::OpenedLayer;
use super::reuse::Reuse;
use super::source::{Flaw, ReadToEnd};
use super::state::{Reader, RunState, Track, budget};
use super::{Examined, Job, Known, OnDamage, Outcome, Pipeline};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::mutex::lock;
use crate::output::Output;

/// Where blobs are written.
#[derive(Clone, Copy)]
pub(super) struct WriteTarget<'a> {
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
    target: Option<WriteTarget<'_>>,
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
        // A user who sets a limit knows how large the layers are.
        budgets: match pipeline.layer_bytes {
            None => budget::of_inputs(jobs),
            Some(_) => vec![None; jobs.len()],
        },
        order,
        ordered,
        max_active: threads + 1,
        budget,
        state: Mutex::new(RunState {
            layers: jobs.iter().map(|_| Track::default()).collect(),
            ..RunState::default()
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

pub(super) type Scope<'s> = ScopeFifo<'s>;

pub(super) struct Run<'a> {
    pub pipeline: &'a Pipeline<'a>,
    /// `None` if layers are only checked.
    pub target: Option<WriteTarget<'a>>,
    pub jobs: &'a [Job],
    /// The budget of each job.
    pub budgets: Vec<Option<Arc<Budget>>>,
    /// The order in which layers are started and, in a tar, written.
    pub order: Vec<usize>,
    pub ordered: bool,
    max_active: usize,
    /// Maximum number of buffers in use.
    pub budget: usize,
    state: Mutex<RunState<'a>>,
    pub(super) reuse: Reuse,
}

impl<'a> Run<'a> {
    pub fn state(&self) -> MutexGuard<'_, RunState<'a>> {
        lock(&self.state)
    }

    pub(super) fn fail(&self, layer: usize, error: Error) {
        let error = match error {
            Error::Interrupted => error,
            error => error.at(self.jobs[layer].place.clone()),
        };
        self.state().error.get_or_insert(error);
    }

    /// Fails because of damage to the stream of a layer.
    pub(super) fn fail_at_flaw(&self, layer: usize, flaw: &Flaw) {
        let job = &self.jobs[layer];
        let finding = flaw.at(&job.place);
        let error = job.error(&finding).at(finding.place);
        self.state().error.get_or_insert(error);
    }

    /// Whether damage to the blob of a job ends the run.
    pub fn stops_at_damage(&self, job: &Job) -> bool {
        let of_input = job.entry.is_none();
        let is_recorded = of_input && self.pipeline.on_damage == OnDamage::Record;
        self.target.is_some() && !is_recorded
    }

    pub(super) fn stopped(&self) -> bool {
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
                if state.running.len() >= self.max_active || state.started == self.order.len() {
                    return;
                }
                let layer = self.order[state.started];
                state.started += 1;
                state.running.push(layer);
                layer
            };
            let job = &self.jobs[layer];
            self.pipeline.progress.start(layer, job.content.size());
            match self.open(layer) {
                Ok(OpenedLayer {
                    source: Ok(source),
                    writer,
                }) => {
                    let reader = Box::new(Reader {
                        source,
                        before: None,
                        partial: None,
                    });
                    let mut state = self.state();
                    state.layers[layer].writer = writer;
                    self.read_or_park(scope, layer, reader, &mut state);
                }
                Ok(OpenedLayer {
                    source: Err(flaw), ..
                }) if !self.stops_at_damage(job) => {
                    self.state().layers[layer].read = Some(ReadToEnd {
                        raw_digest: None,
                        flaw: Some(flaw),
                    });
                    self.schedule(scope, layer);
                }
                Ok(OpenedLayer {
                    source: Err(flaw), ..
                }) => return self.fail_at_flaw(layer, &flaw),
                Err(error) => return self.fail(layer, error),
            }
        }
    }

    /// Schedules the next read, or parks the reader until there is budget for it.
    pub(super) fn read_or_park<'s>(
        &'s self,
        scope: &Scope<'s>,
        layer: usize,
        mut reader: Box<Reader>,
        state: &mut RunState<'_>,
    ) {
        if state.may_read(self, layer) {
            if state.layers[layer].is_large && state.large.is_none() {
                state.large = Some(layer);
                reader.source.allow_large();
            }
            state.acquire(layer, self.jobs[layer].buffers());
            scope.spawn_fifo(move |scope| self.read(scope, layer, reader));
        } else {
            state.layers[layer].parked = Some(reader);
        }
    }

    /// Starts the steps of a layer that can run and are not running.
    pub(super) fn schedule<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
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

    /// Frees a buffer that other tasks may still hold.
    pub(super) fn free<'s>(&'s self, scope: &Scope<'s>, layer: usize, buffer: Arc<Vec<u8>>) {
        if self.reuse.give_back(buffer) {
            self.release_buffer(scope, layer);
        }
    }

    /// Returns one buffer to the budget and resumes parked readers.
    pub(super) fn release_buffer<'s>(&'s self, scope: &Scope<'s>, layer: usize) {
        let mut state = self.state();
        state.release(layer, 1);
        self.wake(scope, &mut state);
    }

    pub(super) fn wake<'s>(&'s self, scope: &Scope<'s>, state: &mut RunState<'_>) {
        for position in 0..state.running.len() {
            let layer = state.running[position];
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
                    state.running.retain(|&running| running != layer);
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

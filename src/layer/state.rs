//! How far the layers are, and who may go on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::examination::Examination;
use super::pipeline::Run;
use super::source::{ReadToEnd, Source};
use super::writer::{ToWrite, Writer};
use super::{Examined, Outcome};
use crate::error::Error;

#[derive(Default)]
pub(super) struct State<'a> {
    pub layers: Vec<Track<'a>>,
    /// How many of `order` have been started.
    pub started: usize,
    pub active: usize,
    /// How many layers are done. Into a tar, the next one of `order` is whose turn it is to write.
    pub finished: usize,
    /// Buffers that are in use or about to be: see [`super::Job::buffers`].
    pub in_flight: usize,
    pub error: Option<Error>,
}

/// How far a layer is.
#[derive(Default)]
pub(super) struct Track<'a> {
    pub in_flight: usize,
    pub chunks_read: u64,
    pub parked: Option<Box<Reader>>,
    /// Set when all has been read.
    pub read: Option<ReadToEnd>,
    pub to_hash: VecDeque<Arc<Vec<u8>>>,
    pub hashing: bool,
    pub examination: Option<Examination>,
    pub to_write: BTreeMap<u64, ToWrite>,
    pub next_write: u64,
    pub writing: bool,
    pub writer: Option<Box<Writer<'a>>>,
    pub finishing: bool,
    /// Set when the layer is done.
    pub done: Option<(Examined, Option<Outcome>)>,
}

pub(super) struct Reader {
    pub source: Source,
    /// The chunk before the next one, which gzip may refer to.
    pub before: Option<Arc<Vec<u8>>>,
}

impl State<'_> {
    pub fn acquire(&mut self, layer: usize, buffers: usize) {
        self.in_flight += buffers;
        self.layers[layer].in_flight += buffers;
    }

    pub fn release(&mut self, layer: usize, buffers: usize) {
        self.in_flight -= buffers;
        self.layers[layer].in_flight -= buffers;
    }

    pub fn is_head(&self, run: &Run<'_>, layer: usize) -> bool {
        run.order.get(self.finished) == Some(&layer)
    }

    pub fn may_read(&self, run: &Run<'_>, layer: usize) -> bool {
        let head = self.is_head(run, layer);
        if !run.ordered || head {
            // The head can always have one chunk, whatever the others hold.
            let needed = run.ordered && self.layers[layer].in_flight == 0;
            return needed || self.in_flight < run.budget;
        }
        let of_head = run
            .order
            .get(self.finished)
            .map_or(0, |&head| self.layers[head].in_flight);
        self.in_flight - of_head < run.budget / 2
    }
}

/// How many buffers of `size` bytes may be in use: enough that no thread waits, but no more than there is memory for.
pub(super) fn budget(size: usize, threads: usize) -> usize {
    let fitting = (MEMORY + threads * MEMORY_OF_THREAD) / size;
    fitting.min(4 * threads + 4)
}

/// The most bytes of chunks in memory, and how many more for each thread. With an encoder for each thread, and what else
/// a process needs, that is within 64 MiB and 8 MiB for each thread.
const MEMORY: usize = 48 << 20;
const MEMORY_OF_THREAD: usize = 6 << 20;

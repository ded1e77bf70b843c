//! The progress of all layers, and which of them may continue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::examination::Examination;
use super::pipeline::Run;
use super::source::{LayerSource, ReadToEnd};
use super::writer::{ToWrite, Writer};
use super::{Examined, Outcome};
use crate::error::Error;

#[derive(Default)]
pub(super) struct RunState<'a> {
    pub layers: Vec<Track<'a>>,
    /// Number of layers that were started, in the run's order.
    pub started: usize,
    /// The layers that were started and are not finished, in the run's order.
    pub running: Vec<usize>,
    /// Number of finished layers. In a tar, the next layer of the run's order writes.
    pub finished: usize,
    /// Buffers in use or reserved: see [`super::Job::buffers`].
    pub in_flight: usize,
    /// The layer that decodes with more memory than usual: one at a time, and in a tar only the one that writes, so that it can
    /// always continue.
    pub large: Option<usize>,
    pub error: Option<Error>,
}

/// The progress of a layer.
#[derive(Default)]
pub(super) struct Track<'a> {
    pub in_flight: usize,
    pub chunks_read: u64,
    pub parked: Option<Box<Reader>>,
    /// Whether decoding needs more memory than usual.
    pub is_large: bool,
    /// Set after the last byte was read.
    pub read: Option<ReadToEnd>,
    pub to_hash: VecDeque<Arc<Vec<u8>>>,
    pub hashing: bool,
    pub examination: Option<Examination>,
    pub to_write: BTreeMap<u64, ToWrite>,
    pub next_write: u64,
    pub writing: bool,
    pub writer: Option<Box<Writer<'a>>>,
    pub finishing: bool,
    /// Set when the layer is finished.
    pub done: Option<(Examined, Option<Outcome>)>,
}

pub(super) struct Reader {
    pub source: LayerSource,
    /// The previous chunk, which gzip may refer to.
    pub before: Option<Arc<Vec<u8>>>,
    /// A chunk of which a part is decoded. It does not count towards the budget.
    pub partial: Option<Vec<u8>>,
}

impl RunState<'_> {
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
        let is_large = self.layers[layer].is_large;
        if is_large && (run.ordered && !head || self.large.is_some_and(|large| large != layer)) {
            return false;
        }
        if !run.ordered || head {
            // The first layer may always have one chunk, whatever the others hold.
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

/// Maximum number of buffers of `size` bytes in use: enough that no thread waits, but no more than fit into memory.
pub(super) fn budget(size: usize, threads: usize) -> usize {
    let fitting = (MEMORY + threads * MEMORY_OF_THREAD) / size;
    fitting.min(4 * threads + 4)
}

/// Maximum memory for chunks, and the additional memory for each thread. With the encoders and the rest of the process, the
/// total is 64 MiB and 8 MiB for each thread.
const MEMORY: usize = 48 << 20;
const MEMORY_OF_THREAD: usize = 6 << 20;

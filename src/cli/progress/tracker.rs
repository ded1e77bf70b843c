//! The state of a run, from its progress calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ocify::{Progress, Step};

use super::lines::{Amount, LineParts, fit, labelled, sentence};
use super::rate::Rate;
use super::screen::Size;
use crate::cli::counted;

/// Keeps the state and formats it as lines.
pub struct Tracker {
    start: Instant,
    state: Mutex<Totals>,
}

#[derive(Default)]
struct Totals {
    /// The current step, if it is not layers.
    step: Option<Shown>,
    layers: LayerCount,
    running: BTreeMap<usize, LayerCount>,
    rate: Rate,
}

/// A step as it is shown.
struct Shown {
    verb: &'static str,
    name: String,
    amount: Amount,
}

#[derive(Default)]
struct LayerCount {
    done: usize,
    of: usize,
    bytes_done: u64,
    bytes: u64,
}

impl LayerCount {
    fn amount(&self) -> Amount {
        Amount {
            done: self.bytes_done,
            of: Some(self.bytes),
        }
    }
}

/// Maximum number of layers with a line of their own.
const MAX_LAYERS: usize = 4;

impl Tracker {
    pub fn new() -> Tracker {
        Tracker {
            start: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Time since the start of the run.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, Totals> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines for a screen of this size. The last line is about the whole run.
    pub fn lines(&self, size: Size) -> Vec<String> {
        let now = self.elapsed();
        let state = self.state();
        // A line as wide as the screen may take two rows.
        let width = size.columns.saturating_sub(1);
        let Some(whole) = state.whole(now, width / 2) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        if state.step.is_none() && state.layers.of > 1 {
            let rows = size.rows.saturating_sub(2).min(MAX_LAYERS);
            for (number, layer) in state.running.iter().take(rows) {
                let parts = LineParts {
                    label: format!("  layer {}", number + 1),
                    short: format!("{}", number + 1),
                    amount: layer.amount(),
                    rate: None,
                    left: None,
                };
                lines.push(fit(&parts, width));
            }
        }
        lines.push(fit(&whole, width));
        lines
    }

    /// The line for a log. `None` before anything has started.
    pub fn line(&self) -> Option<String> {
        let now = self.elapsed();
        let whole = self.state().whole(now, usize::MAX)?;
        Some(sentence(&whole))
    }
}

impl Totals {
    fn whole(&self, now: Duration, name_width: usize) -> Option<LineParts> {
        if let Some(step) = &self.step {
            return Some(LineParts {
                label: match &*step.name {
                    "" => step.verb.to_owned(),
                    name => labelled(step.verb, name, name_width),
                },
                short: String::new(),
                amount: step.amount,
                rate: self.rate.per_second(now),
                left: self.time_left(now, step.amount),
            });
        }
        let layers = &self.layers;
        if layers.of == 0 {
            return None;
        }
        Some(LineParts {
            label: format!("{} of {}", layers.done, counted(layers.of, "layer")),
            short: format!("{}/{}", layers.done, layers.of),
            amount: layers.amount(),
            rate: self.rate.per_second(now),
            left: self.time_left(now, layers.amount()),
        })
    }

    fn time_left(&self, now: Duration, amount: Amount) -> Option<Duration> {
        self.rate
            .time_left(now, amount.of?.saturating_sub(amount.done))
    }

    fn begin(&mut self, now: Duration) {
        self.running.clear();
        self.rate = Rate::default();
        self.rate.note(now, 0);
    }
}

impl Progress for Tracker {
    fn step(&self, step: &Step<'_>) {
        let (verb, name, bytes) = match *step {
            Step::Read { input, bytes } => ("reading", input, bytes),
            Step::Index { input, bytes } => ("indexing", input, Some(bytes)),
            Step::Compress { bytes } => ("compressing the tar", "", Some(bytes)),
            Step::Publish => ("completing the output", "", None),
            _ => ("working", "", None),
        };
        let mut state = self.state();
        state.begin(self.elapsed());
        state.step = Some(Shown {
            verb,
            name: name.to_owned(),
            amount: Amount { done: 0, of: bytes },
        });
    }

    fn reached(&self, bytes: u64) {
        let now = self.elapsed();
        let mut state = self.state();
        if let Some(step) = &mut state.step {
            step.amount.done = bytes;
            state.rate.note(now, bytes);
        }
    }

    fn total(&self, layers: usize, bytes: u64) {
        let mut state = self.state();
        state.begin(self.elapsed());
        state.step = None;
        state.layers = LayerCount {
            of: layers,
            bytes,
            ..LayerCount::default()
        };
    }

    fn start(&self, number: usize, bytes: u64) {
        let layer = LayerCount {
            bytes,
            ..LayerCount::default()
        };
        self.state().running.insert(number, layer);
    }

    fn advance(&self, number: usize, bytes: u64) {
        let now = self.elapsed();
        let mut state = self.state();
        state.layers.bytes_done += bytes;
        let done = state.layers.bytes_done;
        state.rate.note(now, done);
        if let Some(layer) = state.running.get_mut(&number) {
            layer.bytes_done += bytes;
        }
    }

    fn finish(&self, number: usize) {
        let mut state = self.state();
        state.layers.done += 1;
        state.running.remove(&number);
    }
}

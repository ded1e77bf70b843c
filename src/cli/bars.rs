//! Progress on a terminal: a bar for each running layer and one for the whole.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use ocify::Progress;

pub struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    layers: Mutex<HashMap<usize, ProgressBar>>,
}

const LAYER: &str = "{prefix:>12} {bar:24} {bytes:>10} of {total_bytes:<10}";
const TOTAL: &str =
    "{prefix:>12} {bar:24} {bytes:>10} of {total_bytes:<10} {bytes_per_sec:>12}, {eta} left";

impl Bars {
    pub fn new() -> Bars {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(0).with_style(style(TOTAL)));
        Bars {
            all,
            total,
            layers: Mutex::default(),
        }
    }

    /// Takes all bars off the screen.
    pub fn clear(&self) {
        self.total.finish_and_clear();
        // The screen may be gone.
        let _ = self.all.clear();
    }

    fn with_layers<T>(&self, act: impl FnOnce(&mut HashMap<usize, ProgressBar>) -> T) -> T {
        act(&mut self.layers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for Bars {
    fn total(&self, layers: usize, bytes: u64) {
        let given_up: Vec<ProgressBar> =
            self.with_layers(|layers| layers.drain().map(|(_, bar)| bar).collect());
        for bar in given_up {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        self.total.set_position(0);
        self.total.set_length(bytes);
        self.total.set_prefix(match layers {
            1 => "1 layer".to_owned(),
            layers => format!("{layers} layers"),
        });
    }

    fn start(&self, number: usize, bytes: u64) {
        let bar = ProgressBar::new(bytes)
            .with_style(style(LAYER))
            .with_prefix(format!("layer {}", number + 1));
        let bar = self.all.insert_before(&self.total, bar);
        self.with_layers(|layers| layers.insert(number, bar));
    }

    fn advance(&self, number: usize, bytes: u64) {
        self.total.inc(bytes);
        self.with_layers(|layers| {
            if let Some(bar) = layers.get(&number) {
                bar.inc(bytes);
            }
        });
    }

    fn finish(&self, number: usize) {
        if let Some(bar) = self.with_layers(|layers| layers.remove(&number)) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

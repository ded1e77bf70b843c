//! Progress of a run: bars on a terminal, otherwise a line every few seconds.

mod lines;
mod rate;
mod screen;
mod tracker;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::ValueEnum;

pub use lines::{bytes, duration};
pub use screen::{close as close_screen, size_of as terminal_size};
pub use tracker::Tracker;

/// The values of `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Show {
    /// Bars on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// Lines.
    Plain,
    /// Nothing.
    None,
}

/// Interval of drawing bars.
const FRAME: Duration = Duration::from_millis(100);

/// Interval of printing lines. CI systems stop commands that print nothing for minutes.
const LINE: Duration = Duration::from_secs(10);

/// Shows progress until it is dropped.
pub struct Display {
    pub tracker: Arc<Tracker>,
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Shows nothing if no progress was requested.
    pub fn new(show: Show, quiet: bool) -> Display {
        let tracker = Arc::new(Tracker::new());
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let is_drawn = io::stderr().is_terminal() && screen::is_capable();
        let shown = (!quiet && show != Show::None).then(|| {
            let (tracker, stop) = (tracker.clone(), stop.clone());
            let show = move || {
                if show == Show::Auto && is_drawn {
                    every(FRAME, &stop, || screen::draw(|size| tracker.lines(size)));
                    screen::erase();
                } else {
                    every(LINE, &stop, || print(&tracker));
                }
            };
            let builder = thread::Builder::new().name("progress".to_owned());
            // Without a thread, no progress is shown, and the run continues.
            builder.stack_size(STACK).spawn(show).ok()
        });
        Display {
            tracker,
            stop,
            thread: shown.flatten(),
        }
    }
}

/// Stack size: enough for formatting, and small for processes with little memory.
const STACK: usize = 256 << 10;

fn print(tracker: &Tracker) {
    if let Some(line) = tracker.line() {
        // Whoever closed standard error does not want to know.
        let _ = writeln!(io::stderr(), "ocify: progress: {line}");
    }
}

/// Calls a function repeatedly until it is stopped.
fn every(period: Duration, (stop, changed): &(Mutex<bool>, Condvar), mut act: impl FnMut()) {
    let mut stopped = stop.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let waited = changed.wait_timeout_while(stopped, period, |stopped| !*stopped);
        stopped = waited.unwrap_or_else(PoisonError::into_inner).0;
        if *stopped {
            return;
        }
        act();
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let (stop, changed) = &*self.stop;
        *stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic. If it did, the run would continue.
            let _ = thread.join();
        }
    }
}

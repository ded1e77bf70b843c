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
                let wait = |period| stops_within(period, &stop);
                if show == Show::Auto && is_drawn {
                    every(FRAME, wait, || screen::draw(|size| tracker.lines(size)));
                    screen::erase();
                } else {
                    every(LINE, wait, || print(&tracker));
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

/// Calls a function after each period. `wait` waits for as long and says whether to stop.
fn every(period: Duration, mut wait: impl FnMut(Duration) -> bool, mut act: impl FnMut()) {
    while !wait(period) {
        act();
    }
}

/// Waits for `period`, or less if it is to stop. Returns whether it is.
fn stops_within(period: Duration, (stop, changed): &(Mutex<bool>, Condvar)) -> bool {
    let stopped = stop.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = changed.wait_timeout_while(stopped, period, |stopped| !*stopped);
    *waited.unwrap_or_else(PoisonError::into_inner).0
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn a_line_is_printed_every_ten_seconds_until_the_end() {
        // The clock goes on when somebody waits.
        let clock = Cell::new(Duration::ZERO);
        let end = Duration::from_secs(35);
        let wait = |period: Duration| {
            clock.set(end.min(clock.get() + period));
            clock.get() == end
        };
        let printed = RefCell::new(Vec::new());
        every(LINE, wait, || printed.borrow_mut().push(clock.get()));
        let expected = [10, 20, 30].map(Duration::from_secs);
        assert_eq!(*printed.borrow(), expected);
    }

    #[test]
    fn a_wait_ends_when_it_is_to_stop() {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        assert!(!stops_within(Duration::ZERO, &stop));
        let waiting = thread::spawn({
            let stop = stop.clone();
            move || stops_within(Duration::MAX, &stop)
        });
        *stop.0.lock().unwrap() = true;
        stop.1.notify_all();
        assert!(waiting.join().unwrap());
    }
}

//! SIGINT, SIGTERM and SIGHUP: staged files are removed, then the process ends with the signal.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ocify::Interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level};

use super::progress::close_screen;

/// The signal that was caught, if any.
#[derive(Clone)]
pub struct Signals {
    caught: Arc<AtomicUsize>,
    /// Held by the thread that ends the process.
    ending: Arc<Mutex<()>>,
}

/// Interval of checking for signals, because a handler can only set a flag.
const POLL: Duration = Duration::from_millis(25);

/// Time for the command to end by itself after a signal. Encoding a chunk takes seconds at the highest levels.
const GRACE: Duration = Duration::from_millis(250);

/// Passes signals on to `interrupt`.
pub fn catch(interrupt: &Interrupt) -> Signals {
    let signals = Signals {
        caught: Arc::default(),
        ending: Arc::default(),
    };
    let again = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (signals, interrupt, again) = (signals.clone(), interrupt.clone(), again.clone());
        let builder = thread::Builder::new().name("signals".to_owned());
        builder
            .stack_size(64 << 10)
            .spawn(move || signals.watch(&interrupt, &again))
    };
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // These fail for signals that cannot be caught, which these are not.
        let number = signal.unsigned_abs() as usize;
        if watcher.is_err() {
            // Commands that stage nothing then still end at once.
            let _ = flag::register_conditional_default(signal, interrupt.nothing_staged());
        }
        let _ = flag::register_usize(signal, signals.caught.clone(), number);
        let _ = flag::register(signal, again.clone());
        let _ = flag::register(signal, interrupt.flag());
    }
    // This signal would end the process when a file exceeds `ulimit -f`, and leave staged files. If it is caught, the
    // write fails as on a full disk.
    let _ = flag::register(SIGXFSZ, Arc::default());
    signals
}

impl Signals {
    /// Ends the process after a signal if the command does not. `again` is set by each signal.
    fn watch(&self, interrupt: &Interrupt, again: &AtomicBool) {
        let nothing_staged = interrupt.nothing_staged();
        while !again.swap(false, Ordering::SeqCst) {
            thread::sleep(POLL);
        }
        let deadline = Instant::now() + GRACE;
        // After a second signal the user does not want to wait.
        while !nothing_staged.load(Ordering::SeqCst)
            && Instant::now() < deadline
            && !again.load(Ordering::SeqCst)
        {
            thread::sleep(POLL);
        }
        interrupt.abandon(|| self.end());
    }

    /// Ends the process by the signal that was caught, so that a shell or make sees why, and says that it was interrupted.
    /// Returns if there was no signal.
    pub fn end(&self) {
        let signal = self.caught.load(Ordering::SeqCst);
        if let Ok(signal) = i32::try_from(signal)
            && signal != 0
        {
            let _ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
            close_screen();
            // Whoever closed standard error does not want to know.
            let _ = writeln!(io::stderr(), "ocify: interrupted");
            let _ = low_level::emulate_default_handler(signal);
        }
    }
}

//! SIGINT, SIGTERM and SIGHUP: what is staged is removed first, then the process ends by the signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ocify::Interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level};

/// Which signal came, if any.
pub struct Signals {
    caught: Arc<AtomicUsize>,
}

/// Passes signals on to `interrupt`.
pub fn catch(interrupt: &Interrupt) -> Signals {
    let caught = Arc::new(AtomicUsize::new(0));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // These fail for signals that cannot be caught, which these are not. The actions run in this order: end at
        // once if there is nothing to clean up (or at the second signal), else remember the signal and ask to stop.
        let number = signal.unsigned_abs() as usize;
        let _ = flag::register_conditional_default(signal, interrupt.nothing_staged());
        let _ = flag::register_conditional_default(signal, interrupt.flag());
        let _ = flag::register_usize(signal, caught.clone(), number);
        let _ = flag::register(signal, interrupt.flag());
    }
    // Where a file grows over `ulimit -f`, this signal would end the process with its staged files left behind. Once it
    // is caught, the write fails as on a full disk.
    let _ = flag::register(SIGXFSZ, Arc::default());
    Signals { caught }
}

impl Signals {
    /// Ends the process by the signal that was caught, so that a shell or make sees why. Returns if there was none.
    pub fn end(&self) {
        let signal = self.caught.load(Ordering::SeqCst);
        if let Ok(signal) = i32::try_from(signal)
            && signal != 0
        {
            let _ = low_level::emulate_default_handler(signal);
        }
    }
}

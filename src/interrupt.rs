//! Stopping a conversion from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// A request to stop, shared between a conversion and whoever may want to stop it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
    /// How many outputs are staged.
    staged: Arc<AtomicUsize>,
    /// Whether stopping at once, without the conversion's help, would leave nothing behind.
    nothing_staged: Arc<AtomicBool>,
}

impl Interrupt {
    /// No request yet, nothing staged yet.
    #[must_use]
    pub fn new() -> Interrupt {
        let interrupt = Interrupt::default();
        interrupt.nothing_staged.store(true, Ordering::SeqCst);
        interrupt
    }

    /// Asks the conversion to stop: it removes what it has staged and fails with [`Error::Interrupted`].
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// The flag that a signal handler sets.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.requested.clone()
    }

    /// True while the process can be ended at once: there is nothing staged that would stay behind.
    #[must_use]
    pub fn nothing_staged(&self) -> Arc<AtomicBool> {
        self.nothing_staged.clone()
    }

    /// Something is about to be staged, or is staged no more.
    pub(crate) fn set_staged(&self, staged: bool) {
        let before = if staged {
            self.staged.fetch_add(1, Ordering::SeqCst)
        } else {
            self.staged.fetch_sub(1, Ordering::SeqCst)
        };
        let last = !staged && before == 1;
        self.nothing_staged.store(last, Ordering::SeqCst);
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.is_requested() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}

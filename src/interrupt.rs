//! Stopping a conversion from outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::mutex::lock;

/// A request to stop, shared between a conversion and whoever may want to stop it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
    /// How many outputs are staged.
    staged: Arc<Mutex<usize>>,
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

    /// Something is about to be staged, and is for as long as what this gives lives.
    pub(crate) fn count_staged(&self) -> StagedCount {
        self.set_staged(true);
        StagedCount(self.clone())
    }

    fn set_staged(&self, staged: bool) {
        let mut count = lock(&self.staged);
        if staged {
            *count += 1;
        } else {
            *count -= 1;
        }
        // Under the lock, or a thread that comes late would overwrite what another has found since.
        self.nothing_staged.store(*count == 0, Ordering::SeqCst);
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

/// Something is staged for as long as this lives.
pub(crate) struct StagedCount(Interrupt);

impl Drop for StagedCount {
    fn drop(&mut self) {
        self.0.set_staged(false);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    /// One thread unstages what it has while another stages something.
    #[test]
    fn what_is_staged_is_never_taken_for_nothing() {
        const ROUNDS: usize = 20_000;
        let interrupt = Interrupt::new();
        let barrier = Barrier::new(2);
        let wrong = AtomicUsize::new(0);
        interrupt.set_staged(true);
        let work = |first: usize| {
            for round in 0..ROUNDS {
                barrier.wait();
                interrupt.set_staged(round % 2 == first);
                barrier.wait();
                if first == 0 && interrupt.nothing_staged.load(Ordering::SeqCst) {
                    wrong.fetch_add(1, Ordering::SeqCst);
                }
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| work(0));
            scope.spawn(|| work(1));
        });
        assert_eq!(wrong.into_inner(), 0);
    }
}

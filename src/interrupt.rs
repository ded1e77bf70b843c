//! Stopping a conversion from outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::mutex::lock;

/// A request to stop, shared between a conversion and its caller.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
    staged: Arc<Mutex<AllStaged>>,
    /// Whether the process can end at once without leaving staged files.
    nothing_staged: Arc<AtomicBool>,
    /// Held while an output is published.
    publishing: Arc<Mutex<()>>,
}

/// What is staged at the moment.
#[derive(Default)]
struct AllStaged {
    next: u64,
    /// How to remove each staged file that already exists.
    removals: BTreeMap<u64, Option<Removal>>,
}

type Removal = Box<dyn Fn() + Send>;

impl std::fmt::Debug for AllStaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.removals.keys()).finish()
    }
}

impl Interrupt {
    /// No request yet, nothing staged yet.
    #[must_use]
    pub fn new() -> Interrupt {
        let interrupt = Interrupt::default();
        interrupt.nothing_staged.store(true, Ordering::SeqCst);
        interrupt
    }

    /// Asks the conversion to stop. It removes staged files and fails with [`Error::Interrupted`].
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// The flag that a signal handler sets.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.requested.clone()
    }

    /// True while the process can end at once, because nothing is staged.
    #[must_use]
    pub fn nothing_staged(&self) -> Arc<AtomicBool> {
        self.nothing_staged.clone()
    }

    /// Removes everything staged on behalf of the conversion, which may be busy, and then calls `end`, which ends the process.
    /// An output that is being published is completed first.
    pub fn abandon(&self, end: impl FnOnce()) {
        let publishing = lock(&self.publishing);
        // From here on nothing is staged, and nothing staged is dropped.
        let staged = lock(&self.staged);
        for remove in staged.removals.values().flatten() {
            remove();
        }
        end();
        drop((staged, publishing));
    }

    /// Until the result is dropped, several steps are completed together.
    ///
    /// # Errors
    /// After a request to stop.
    pub(crate) fn publishing(&self) -> Result<MutexGuard<'_, ()>> {
        let publishing = lock(&self.publishing);
        self.check()?;
        Ok(publishing)
    }

    /// Counts something that is about to be staged, until the result is dropped.
    pub(crate) fn count_staged(&self) -> StagedCount {
        let mut staged = lock(&self.staged);
        let number = staged.next;
        staged.next += 1;
        staged.removals.insert(number, None);
        // Under the lock, so that a late thread does not overwrite a newer value.
        self.nothing_staged.store(false, Ordering::SeqCst);
        StagedCount {
            interrupt: self.clone(),
            number,
        }
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

/// Counts something staged until it is dropped.
pub(crate) struct StagedCount {
    interrupt: Interrupt,
    number: u64,
}

impl StagedCount {
    /// Sets the function that removes it. The function may be called while other threads use the staged file.
    pub fn remove_with(&self, removal: impl Fn() + Send + 'static) {
        let mut staged = lock(&self.interrupt.staged);
        staged.removals.insert(self.number, Some(Box::new(removal)));
    }
}

impl Drop for StagedCount {
    fn drop(&mut self) {
        let mut staged = lock(&self.interrupt.staged);
        staged.removals.remove(&self.number);
        let is_empty = staged.removals.is_empty();
        self.interrupt
            .nothing_staged
            .store(is_empty, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    /// One thread removes its staged file while another stages one.
    #[test]
    fn what_is_staged_is_never_taken_for_nothing() {
        const ROUNDS: usize = 20_000;
        let interrupt = Interrupt::new();
        let barrier = Barrier::new(2);
        let wrong = AtomicUsize::new(0);
        let work = |first: usize| {
            let mut staged = (first == 1).then(|| interrupt.count_staged());
            for round in 0..ROUNDS {
                barrier.wait();
                staged = (round % 2 == first).then(|| interrupt.count_staged());
                barrier.wait();
                if first == 0 && interrupt.nothing_staged.load(Ordering::SeqCst) {
                    wrong.fetch_add(1, Ordering::SeqCst);
                }
            }
            // The other thread may still be looking.
            barrier.wait();
            drop(staged);
        };
        thread::scope(|scope| {
            scope.spawn(|| work(0));
            scope.spawn(|| work(1));
        });
        assert_eq!(wrong.into_inner(), 0);
        assert!(interrupt.nothing_staged.load(Ordering::SeqCst));
    }

    #[test]
    fn what_is_abandoned_is_removed_before_the_end() {
        let interrupt = Interrupt::new();
        let removed = Arc::new(AtomicUsize::new(0));
        let kept = interrupt.count_staged();
        let given_up = interrupt.count_staged();
        for count in [&kept, &given_up] {
            let removed = removed.clone();
            count.remove_with(move || {
                removed.fetch_add(1, Ordering::SeqCst);
            });
        }
        drop(given_up);
        interrupt.abandon(|| assert_eq!(removed.load(Ordering::SeqCst), 1));
    }

    #[test]
    fn nothing_is_published_after_a_request_to_stop() {
        let interrupt = Interrupt::new();
        assert!(interrupt.publishing().is_ok());
        interrupt.request();
        assert!(matches!(interrupt.publishing(), Err(Error::Interrupted)));
    }
}

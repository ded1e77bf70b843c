//! Locking in a program whose panics end it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. A task that panics poisons nothing that others rely on: rayon hands the panic on to the caller.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

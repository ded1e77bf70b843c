//! Waiting for a lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// Takes an exclusive lock, and waits while others hold it.
pub(crate) fn lock(file: &File, path: &Path, interrupt: &Interrupt) -> Result<()> {
    // Polls, because a wait in the kernel would not notice an interrupt.
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {
                interrupt.check()?;
                sleep(Duration::from_millis(10));
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(());
            }
            Err(TryLockError::Error(error)) => {
                return Err(Error::io("lock", path)(error));
            }
        }
    }
}

//! Waiting for a lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::mounts;
use crate::error::{Error, OutputError, Result};
use crate::interrupt::Interrupt;

/// What happens where a lock would not keep all other runs away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locking {
    /// An error, for changes that build on what is there, such as an addition to index.json: two of them at the same time lose
    /// one.
    Required,
    /// The run goes on, for changes that replace everything with one rename: without a lock, they still take effect one after
    /// the other.
    IfSupported,
}

/// Takes an exclusive lock, and waits while others hold it.
pub(crate) fn lock(
    file: &File,
    path: &Path,
    locking: Locking,
    interrupt: &Interrupt,
) -> Result<()> {
    if locking == Locking::Required
        && let Some(option) = mounts::option_for_local_locks(file)
    {
        return Err(OutputError::LocalLocks { option }.into());
    }
    // Polls, because a wait in the kernel would not notice an interrupt.
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {
                interrupt.check()?;
                sleep(Duration::from_millis(10));
            }
            Err(TryLockError::Error(error)) => return without_lock(error, path, locking),
        }
    }
}

/// What follows from an error of `flock`. NFS without its lock daemon reports another error than Lustre without `-o flock`.
fn without_lock(error: io::Error, path: &Path, locking: Locking) -> Result<()> {
    match (error.kind(), locking) {
        (io::ErrorKind::Unsupported, Locking::IfSupported) => Ok(()),
        (io::ErrorKind::Unsupported, Locking::Required) => Err(OutputError::NoLocks.into()),
        _ => Err(Error::io("lock", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    /// Whether the result is an error, and that of the program, not that of the system.
    fn refused(errno: Errno, locking: Locking) -> Option<bool> {
        let result = without_lock(errno.into(), Path::new("out/oci-layout"), locking);
        result
            .err()
            .map(|error| matches!(error, Error::Output(OutputError::NoLocks)))
    }

    #[test]
    fn only_replacing_goes_on_without_locks() {
        // Lustre without `-o flock`, other file systems.
        for errno in [Errno::NOSYS, Errno::OPNOTSUPP] {
            assert_eq!(refused(errno, Locking::Required), Some(true));
            assert_eq!(refused(errno, Locking::IfSupported), None);
        }
        // NFS without its lock daemon: another machine may have the lock.
        for errno in [Errno::NOLCK, Errno::IO] {
            assert_eq!(refused(errno, Locking::Required), Some(false));
            assert_eq!(refused(errno, Locking::IfSupported), Some(false));
        }
    }
}

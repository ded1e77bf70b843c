//! Locks of staged files and folders, and removal of those that killed runs left.
//!
//! A run locks what it stages. A staged file or folder without a lock was left by a killed run, and the next run removes it.
//! After locking, a run checks that no other run has removed its file or folder in between.
//!
//! A folder is locked together with a file in it, because NFS locks folders only on one machine, and files on all.

use std::fs::{File, TryLockError};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FileType;

use crate::error::{Error, Result};
use crate::fs::{Dir, mounts};

/// The file in a staged folder that is locked. Every layout has this file.
pub(crate) const LOCK: &str = "oci-layout";

/// The prefix of staged names for `name`.
pub(crate) fn prefix(name: &str) -> String {
    // File names have at most 255 bytes. The unique part makes up for the part that is cut off.
    let end = name.floor_char_boundary(180);
    format!(".{}.ocify-", &name[..end])
}

/// Creates a folder in `parent`. The folder and the file [`LOCK`] in it are locked as long as they are open.
pub(super) fn make_folder(parent: &Dir, prefix: &str) -> Result<(String, Dir, File)> {
    loop {
        let name = unique(prefix);
        parent.make_folder(&name)?;
        let locked = lock_folder(parent, &name).inspect_err(|_| {
            // The first error is the one to report.
            let _: Result<()> = parent.remove_folder(&name);
        })?;
        if let Some((folder, lock)) = locked {
            return Ok((name, folder, lock));
        }
    }
}

/// Locks a folder that was just created. `None` if another run has removed it as stale in between.
fn lock_folder(parent: &Dir, name: &str) -> Result<Option<(Dir, File)>> {
    let Some(folder) = parent.folder(name)? else {
        return Ok(None);
    };
    if !lock_new(parent, name, folder.file())? {
        return Ok(None);
    }
    let lock = match folder.create(LOCK) {
        Ok(Some(lock)) => lock,
        // No other run creates one.
        Ok(None) => return Ok(None),
        Err(error) => {
            let gone = parent.identity(name)?.is_none();
            return if gone { Ok(None) } else { Err(error) };
        }
    };
    let locked = lock_new(&folder, LOCK, &lock)?;
    Ok(locked.then_some((folder, lock)))
}

/// Creates a file in `parent`, which is locked as long as it is open.
pub(super) fn make_file(parent: &Dir, prefix: &str) -> Result<(String, File)> {
    loop {
        let name = unique(prefix);
        let Some(file) = parent.create(&name)? else {
            continue;
        };
        let locked = lock_new(parent, &name, &file).inspect_err(|_| {
            let _: Result<()> = parent.remove_file(&name);
        })?;
        if locked {
            return Ok((name, file));
        }
    }
}

/// Locks a file or folder that was just created. `false` if another run has removed it as stale in between.
fn lock_new(parent: &Dir, name: &str, file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(parent.identity(name)?.is_some()),
        Err(TryLockError::WouldBlock) => Ok(false),
        // If it cannot be locked, no other run can lock it either, and none takes it for stale.
        Err(TryLockError::Error(_)) => Ok(true),
    }
}

/// A unique name.
fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |now| now.subsec_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{:x}-{nanoseconds:x}-{count:x}", std::process::id())
}

/// Removes what killed runs have left under `prefix`. `before` is called with each folder before it is removed. Failures are
/// ignored, because another run may be removing the same, or it may belong to another user.
pub(crate) fn remove_stale(folder: &Dir, prefix: &str, before: impl Fn(&Dir) -> Result<()>) {
    let Ok(mut names) = folder.names() else {
        return;
    };
    names.retain(|(name, _)| name.starts_with(prefix));
    // A run on another machine may be using it, and its lock is not visible here.
    if !names.is_empty() && mounts::option_for_local_locks(folder.file()).is_some() {
        return;
    }
    for (name, kind) in names {
        let _: Result<(), Error> = remove_if_stale(folder, &name, kind, &before);
    }
}

/// Whether a staged folder is locked by its run. A folder that cannot be opened counts as locked.
pub(crate) fn is_in_use(folder: &Dir, name: &str) -> bool {
    let Ok(Some(inner)) = folder.folder(name) else {
        return true;
    };
    if inner.file().try_lock().is_err() {
        return true;
    }
    match inner.open_file(LOCK) {
        Ok(Some(lock)) => lock.try_lock().is_err(),
        Ok(None) => false,
        Err(_) => true,
    }
}

fn remove_if_stale(
    folder: &Dir,
    name: &str,
    kind: FileType,
    before: impl Fn(&Dir) -> Result<()>,
) -> Result<()> {
    if kind == FileType::Directory {
        let Some(inner) = folder.folder(name)? else {
            return Ok(());
        };
        // Locked until the folder is removed.
        if inner.file().try_lock().is_err() {
            return Ok(());
        }
        if let Some(lock) = inner.open_file(LOCK)? {
            if lock.try_lock().is_err() {
                return Ok(());
            }
            before(&inner)?;
            // Closed before removal, because NFS keeps open files, and their folder, under another name.
        } else {
            let names = inner.names()?;
            if names.is_empty() {
                // A run on another machine may be creating the lock, and the folder is then not empty.
                return folder.remove_empty_folder(name);
            }
            if names.iter().any(|(name, _)| name == LOCK) {
                return Ok(());
            }
            // Another run has begun to remove it.
            before(&inner)?;
        }
        folder.remove_folder(name)?;
    } else if let Some(file) = folder.open_file(name)?
        && file.try_lock().is_ok()
    {
        folder.remove_file(name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn scratch() -> (tempfile::TempDir, Dir) {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Dir::open(scratch.path()).unwrap();
        (scratch, folder)
    }

    /// A run notices that another run has removed, or is removing, what it has just created.
    #[test]
    fn what_is_taken_for_left_behind_is_not_used() {
        let (_scratch, parent) = scratch();
        let file = parent.create("a").unwrap().unwrap();
        let other = parent.open_file("a").unwrap().unwrap();
        other.try_lock().unwrap();
        assert!(!lock_new(&parent, "a", &file).unwrap());
        parent.remove_file("a").unwrap();
        drop(other);
        assert!(!lock_new(&parent, "a", &file).unwrap());

        parent.make_folder("b").unwrap();
        let other = parent.folder("b").unwrap().unwrap();
        other.file().try_lock().unwrap();
        assert!(lock_folder(&parent, "b").unwrap().is_none());
        drop(other);
        parent.remove_empty_folder("b").unwrap();
        assert!(lock_folder(&parent, "b").unwrap().is_none());
    }

    /// Locks on folders are not visible on other machines. Here only the file is locked.
    #[test]
    fn the_lock_in_a_folder_is_enough() {
        let (_scratch, parent) = scratch();
        let (name, folder, lock) = make_folder(&parent, "x-").unwrap();
        drop(folder);
        remove_stale(&parent, "x-", |_| Ok(()));
        assert!(parent.identity(&name).unwrap().is_some());
        drop(lock);
        remove_stale(&parent, "x-", |_| Ok(()));
        assert_eq!(parent.identity(&name).unwrap(), None);
    }

    /// Files and folders that are created while other runs remove stale ones stay, and stay locked.
    #[test]
    fn making_and_removing_at_the_same_time() {
        let (_scratch, parent) = scratch();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        remove_stale(&parent, "x-", |_| Ok(()));
                    }
                });
            }
            let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                for _ in 0..300 {
                    let (folder_name, folder, _lock) = make_folder(&parent, "x-").unwrap();
                    let (name, _locked) = make_file(&parent, "x-").unwrap();
                    folder.create("content").unwrap().unwrap();
                    assert!(parent.identity(&name).unwrap().is_some());
                    let found = parent.folder(&folder_name).unwrap().unwrap();
                    assert!(found.identity("content").unwrap().is_some());
                }
            }));
            done.store(true, Ordering::Relaxed);
            made.unwrap();
        });
        remove_stale(&parent, "x-", |_| Ok(()));
        assert_eq!(parent.names().unwrap(), []);
    }
}

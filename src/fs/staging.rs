//! The locks of staged files and folders, and what becomes of those whose maker died.
//!
//! The maker holds its file or folder locked. What has one of our names and is not locked was left behind by a run that
//! was killed; whoever comes next removes it. A maker checks after locking that it was not taken for such.
//!
//! A folder is locked itself, and a file in it is too: NFS locks folders for the one machine only, and files for all.

use std::fs::{File, TryLockError};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FileType;

use crate::error::{Error, Result};
use crate::fs::Dir;

/// The file in a staged folder that is locked. A layout has this file anyway.
pub(crate) const LOCK: &str = "oci-layout";

/// What the staged form of `name` begins with.
pub(crate) fn prefix(name: &str) -> String {
    // The longest name a file can have is 255 bytes; the unique part makes up for what is cut off.
    let end = name.floor_char_boundary(180);
    format!(".{}.ocify-", &name[..end])
}

/// Makes a folder in `parent`. It and the file [`LOCK`] in it are locked for as long as they are open.
pub(super) fn make_folder(parent: &Dir, prefix: &str) -> Result<(String, Dir, File)> {
    loop {
        let name = unique(prefix);
        parent.make_folder(&name)?;
        let locked = lock_folder(parent, &name).inspect_err(|_| {
            // That it cannot be removed either is not the error to report.
            let _: Result<()> = parent.remove_folder(&name);
        })?;
        if let Some((folder, lock)) = locked {
            return Ok((name, folder, lock));
        }
    }
}

/// Locks a folder that was just made; `None` when somebody took it for left behind meanwhile.
fn lock_folder(parent: &Dir, name: &str) -> Result<Option<(Dir, File)>> {
    let Some(folder) = parent.folder(name)? else {
        return Ok(None);
    };
    if !lock_new(parent, name, folder.file())? {
        return Ok(None);
    }
    let lock = match folder.create(LOCK) {
        Ok(Some(lock)) => lock,
        // Nobody else makes one.
        Ok(None) => return Ok(None),
        Err(error) => {
            let gone = parent.identity(name)?.is_none();
            return if gone { Ok(None) } else { Err(error) };
        }
    };
    let locked = lock_new(&folder, LOCK, &lock)?;
    Ok(locked.then_some((folder, lock)))
}

/// Makes a file in `parent`, locked for as long as it is open.
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

/// Locks what was just made; `false` when somebody took it for left behind meanwhile.
fn lock_new(parent: &Dir, name: &str, file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(parent.identity(name)?.is_some()),
        Err(TryLockError::WouldBlock) => Ok(false),
        // Where this cannot be locked, nobody else can lock it either, so nobody takes it for left behind.
        Err(TryLockError::Error(_)) => Ok(true),
    }
}

/// A name nobody else uses.
fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |now| now.subsec_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{:x}-{nanoseconds:x}-{count:x}", std::process::id())
}

/// Removes what earlier runs that were killed have left under `prefix`; `before` is called with a folder that is about
/// to go. Failing to is no reason not to go on: somebody else may be removing it too, or it may not be ours to remove.
pub(crate) fn remove_stale(folder: &Dir, prefix: &str, before: impl Fn(&Dir) -> Result<()>) {
    let Ok(names) = folder.names() else { return };
    for (name, kind) in names {
        if name.starts_with(prefix) {
            let _: Result<(), Error> = remove_if_stale(folder, &name, kind, &before);
        }
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
        // Held until the folder is gone.
        if inner.file().try_lock().is_err() {
            return Ok(());
        }
        if let Some(lock) = inner.open_file(LOCK)? {
            if lock.try_lock().is_err() {
                return Ok(());
            }
            before(&inner)?;
            // Closed before it is removed: NFS keeps what is open under another name, and the folder with it.
        } else {
            let names = inner.names()?;
            if names.is_empty() {
                // On another machine it may be getting its lock right now, and is then not empty.
                return folder.remove_empty_folder(name);
            }
            if names.iter().any(|(name, _)| name == LOCK) {
                return Ok(());
            }
            // Somebody began to remove it.
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

    /// Somebody has removed what was just made, or is about to, and its maker notices.
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

    /// Locks of folders do not reach other machines: here nobody sees that of the folder, and the file's alone counts.
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

    /// What is made while others look for what was left behind is there, and is locked until the end.
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

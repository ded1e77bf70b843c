//! Files and folders in the making, and what becomes of those whose maker died.
//!
//! The maker holds its file or folder locked. What has one of our names and is not locked was left behind by a run that
//! was killed; whoever comes next removes it. A maker checks after locking that it was not taken for such.

use std::fs::{File, TryLockError};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FileType;

use super::at::Folder;
use crate::error::{Error, Result};

/// Makes a folder in `parent`, locked for as long as the returned file is open.
pub(crate) fn make_folder(parent: &Folder, prefix: &str) -> Result<(String, Folder, File)> {
    loop {
        let name = unique(prefix);
        parent.make_folder(&name)?;
        let open = || {
            // Before it is locked, another run may take it for left behind.
            let Some(folder) = parent.folder(&name)? else {
                return Ok(None);
            };
            let handle = folder.handle()?;
            let locked = lock_new(parent, &name, &handle)?;
            Ok(locked.then_some((folder, handle)))
        };
        let opened = open().inspect_err(|_| {
            // Nothing is in it yet. That it cannot be removed either is not the error to tell.
            let _: Result<()> = parent.remove_folder(&name);
        })?;
        if let Some((folder, handle)) = opened {
            return Ok((name, folder, handle));
        }
    }
}

/// Makes a file in `parent`, locked for as long as it is open.
pub(crate) fn make_file(parent: &Folder, prefix: &str) -> Result<(String, File)> {
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
fn lock_new(parent: &Folder, name: &str, file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(parent.identity(name)?.is_some()),
        Err(TryLockError::WouldBlock) => Ok(false),
        // NFS does not lock folders. Nobody else can lock it there either, so nobody takes it for left behind.
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
pub(crate) fn remove_stale(folder: &Folder, prefix: &str, before: impl Fn(&Folder) -> Result<()>) {
    let Ok(names) = folder.names() else { return };
    for (name, kind) in names {
        if name.starts_with(prefix) {
            let _: Result<(), Error> = remove_if_stale(folder, &name, kind, &before);
        }
    }
}

fn remove_if_stale(
    folder: &Folder,
    name: &str,
    kind: FileType,
    before: impl Fn(&Folder) -> Result<()>,
) -> Result<()> {
    if kind == FileType::Directory {
        let Some(inner) = folder.folder(name)? else {
            return Ok(());
        };
        // Held until the folder is gone.
        let handle = inner.handle()?;
        if handle.try_lock().is_ok() {
            before(&inner)?;
            folder.remove_folder(name)?;
        }
    } else if let Some(file) = folder.open_file(name)?
        && file.try_lock().is_ok()
    {
        folder.remove_file(name)?;
    }
    Ok(())
}

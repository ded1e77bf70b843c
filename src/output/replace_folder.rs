//! Replaces a folder with another one.
//!
//! If the system can swap two names, the path always exists. Otherwise the old folder is renamed first, and if the run is
//! killed before the second rename, the next run restores it.

use std::fs::File;
use std::sync::Arc;

use super::folder::INSIDE;
use crate::error::Result;
use crate::fs::{Dir, StagedDir, staging};
use crate::interrupt::Interrupt;

/// Replaces the folder `name` with the staged folder. The old folder is removed when `staged` is dropped. `lock` opens and
/// locks the old folder, and returns `None` if it was removed. Staging folders of other runs are moved to the new folder.
pub(super) fn replace(
    staged: &mut StagedDir,
    parent: &Dir,
    name: &str,
    lock: impl Fn() -> Result<Option<(Dir, File)>>,
    interrupt: &Interrupt,
) -> Result<()> {
    loop {
        // Other runs may replace the folder again and again.
        interrupt.check()?;
        if parent.kind(name)?.is_none() && staged.publish(name)? {
            return Ok(());
        }
        let Some((old, lock)) = lock()? else {
            continue;
        };
        let old = Arc::new(old);
        if !staged.exchange(name, &aside(name), &old)? {
            continue;
        }
        for (inner, _) in old.names()? {
            if inner.starts_with(INSIDE) && staging::is_in_use(&old, &inner) {
                // Staging folders of finished runs are stale, and are removed with the old folder.
                let _: Result<bool> = old.rename(&inner, &staged.dir, &inner);
            }
        }
        drop(lock);
        return Ok(());
    }
}

/// Restores a layout that a killed run has renamed. Failures are ignored.
pub(super) fn recover(parent: &Dir, name: &str) {
    let aside = aside(name);
    if matches!(parent.kind(name), Ok(None))
        && matches!(parent.kind(&aside), Ok(Some(_)))
        && !staging::is_in_use(parent, &aside)
    {
        let _: Result<bool> = parent.rename(&aside, parent, name);
    }
}

/// The temporary name of the old layout. It is stale if the new layout exists.
fn aside(name: &str) -> String {
    format!("{}replaced", staging::prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn stops_while_others_replace_the_folder_too() {
        let scratch = tempfile::tempdir().unwrap();
        let parent = Arc::new(Dir::open(scratch.path()).unwrap());
        parent.make_folder("out").unwrap();
        let interrupt = Interrupt::new();
        let mut staged = StagedDir::new(&parent, "x-", &interrupt).unwrap();
        let always_gone = || {
            interrupt.request();
            Ok(None)
        };
        let replaced = replace(&mut staged, &parent, "out", always_gone, &interrupt);
        assert!(matches!(replaced, Err(Error::Interrupted)));
    }

    /// A run was killed between its two renames, or is between them.
    #[test]
    fn what_was_set_aside_is_put_back() {
        let scratch = tempfile::tempdir().unwrap();
        let parent = Dir::open(scratch.path()).unwrap();
        let old = parent.ensure_folder(&aside("out")).unwrap();
        old.write("index.json", b"old", false).unwrap();
        let lock = old.create(staging::LOCK).unwrap().unwrap();
        lock.try_lock().unwrap();
        recover(&parent, "out");
        assert!(parent.folder("out").unwrap().is_none());
        drop(lock);
        recover(&parent, "out");
        let back = parent.folder("out").unwrap().unwrap();
        assert_eq!(back.read("index.json").unwrap().unwrap(), b"old");
        // If the new layout exists, the old one is stale.
        parent.ensure_folder(&aside("out")).unwrap();
        recover(&parent, "out");
        assert_eq!(back.read("index.json").unwrap().unwrap(), b"old");
        staging::remove_stale(&parent, &staging::prefix("out"), |_| Ok(()));
        assert_eq!(parent.names().unwrap().len(), 1);
    }
}

//! A folder that takes the place of another one.
//!
//! Where the system can swap two names, one of the two is there at any moment. Elsewhere the old folder is set aside for
//! a moment, and if the run dies in it, the next one puts it back.

use std::fs::File;
use std::sync::Arc;

use super::folder::INSIDE;
use crate::error::Result;
use crate::fs::{Dir, StagedDir, staging};

/// Puts the staged folder in the place of the folder `name`, which is removed when `staged` is dropped. `lock` opens and locks
/// that, and gives `None` where it is gone. What others stage in the old one is moved to the new one.
pub(super) fn replace(
    staged: &mut StagedDir,
    parent: &Dir,
    name: &str,
    lock: impl Fn() -> Result<Option<(Dir, File)>>,
) -> Result<()> {
    loop {
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
                // What was staged in it by a run that was faster is stale, and goes with it.
                let _: Result<bool> = old.rename(&inner, &staged.dir, &inner);
            }
        }
        drop(lock);
        return Ok(());
    }
}

/// Puts back a layout that a run that died had set aside. Failing to is no reason not to go on.
pub(super) fn recover(parent: &Dir, name: &str) {
    let aside = aside(name);
    if matches!(parent.kind(name), Ok(None))
        && matches!(parent.kind(&aside), Ok(Some(_)))
        && !staging::is_in_use(parent, &aside)
    {
        let _: Result<bool> = parent.rename(&aside, parent, name);
    }
}

/// What an old layout is called while it has no place. Stale when the new one is there.
fn aside(name: &str) -> String {
    format!("{}replaced", staging::prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run died between its two renames, or is between them right now.
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
        // Where the new one is in its place, the old one is only left behind.
        parent.ensure_folder(&aside("out")).unwrap();
        recover(&parent, "out");
        assert_eq!(back.read("index.json").unwrap().unwrap(), b"old");
        staging::remove_stale(&parent, &staging::prefix("out"), |_| Ok(()));
        assert_eq!(parent.names().unwrap().len(), 1);
    }
}

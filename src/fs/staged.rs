//! Staged files and folders: made under a name of their own, counted for signals, removed when dropped, and renamed to
//! their place when they are published.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Dir, staging};
use crate::error::Result;
use crate::interrupt::{Interrupt, StagedCount};
use crate::mutex::lock;

/// Removes what was not published. Nothing can be done about a failure here; the next run tries again.
struct Guard {
    staged: Arc<Mutex<Staged>>,
    /// Dropped last, so that a signal does not end the process before the removal.
    _count: StagedCount,
}

/// Where something is staged. Locked while it is published or removed, so that only one of the two happens.
struct Staged {
    parent: Arc<Dir>,
    name: String,
    /// The folder itself; `None` if it is a file. Open, and so locked, until it is removed.
    dir: Option<Arc<Dir>>,
    published: bool,
}

impl Guard {
    fn new(parent: &Arc<Dir>, name: String, dir: Option<Arc<Dir>>, count: StagedCount) -> Guard {
        let staged = Arc::new(Mutex::new(Staged {
            parent: parent.clone(),
            name,
            dir,
            published: false,
        }));
        let shared = staged.clone();
        count.remove_with(move || lock(&shared).remove());
        Guard {
            staged,
            _count: count,
        }
    }

    fn staged(&self) -> MutexGuard<'_, Staged> {
        lock(&self.staged)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.staged().remove();
    }
}

impl Staged {
    fn remove(&mut self) {
        if self.published {
            return;
        }
        let _: Result<()> = match &self.dir {
            None => self.parent.remove_file(&self.name),
            Some(dir) => dir
                .remove_contents()
                .and_then(|()| self.parent.remove_empty_folder(&self.name)),
        };
    }

    fn exchange_in_steps(&mut self, name: &str, aside: &str, old: &Arc<Dir>) -> Result<bool> {
        let parent = &self.parent;
        if !parent.rename(name, parent, aside)? {
            return Ok(false);
        }
        let renamed = parent.rename(&self.name, parent, name);
        if !matches!(renamed, Ok(true)) {
            // Back, if its place is still free.
            let _: Result<bool> = parent.rename(aside, parent, name);
            return renamed;
        }
        aside.clone_into(&mut self.name);
        self.dir = Some(old.clone());
        Ok(true)
    }
}

/// A staged file, locked until it is dropped.
pub(crate) struct StagedFile {
    guard: Guard,
    pub file: File,
}

impl StagedFile {
    /// Makes an empty file in `parent`, whose name begins with `prefix`.
    pub fn new(parent: &Arc<Dir>, prefix: &str, interrupt: &Interrupt) -> Result<StagedFile> {
        let count = interrupt.count_staged();
        let (name, file) = staging::make_file(parent, prefix)?;
        Ok(StagedFile {
            guard: Guard::new(parent, name, None, count),
            file,
        })
    }

    /// For messages that nobody can avoid: the staged name means nothing to a user.
    pub fn path(&self) -> PathBuf {
        let staged = self.guard.staged();
        staged.parent.path(&staged.name)
    }

    /// Puts the file at `name` in `dir`. A file that is there is replaced and hands on its mode; where there is a folder
    /// the answer is `false`.
    pub fn publish(&mut self, dir: &Dir, name: &str) -> Result<bool> {
        dir.copy_mode(name, &self.file)?;
        let mut staged = self.guard.staged();
        let published = staged.parent.rename(&staged.name, dir, name)?;
        staged.published |= published;
        Ok(published)
    }

    /// Puts the file at `name` in its own folder; `false` if that is taken.
    pub fn publish_to_free(&mut self, name: &str) -> Result<bool> {
        let mut staged = self.guard.staged();
        let published = staged.parent.rename_to_free(&staged.name, name)?;
        staged.published |= published;
        Ok(published)
    }
}

/// A staged folder, locked until it is dropped.
pub(crate) struct StagedDir {
    /// The file [`staging::LOCK`] in it, empty at first. Closed before the folder is removed: NFS does not remove what is
    /// open.
    pub lock: File,
    pub dir: Arc<Dir>,
    guard: Guard,
}

impl StagedDir {
    /// Makes a folder in `parent`, whose name begins with `prefix`.
    pub fn new(parent: &Arc<Dir>, prefix: &str, interrupt: &Interrupt) -> Result<StagedDir> {
        let count = interrupt.count_staged();
        let (name, dir, lock) = staging::make_folder(parent, prefix)?;
        let dir = Arc::new(dir);
        Ok(StagedDir {
            lock,
            guard: Guard::new(parent, name, Some(dir.clone()), count),
            dir,
        })
    }

    /// Renames the folder to `name`; `false` if something is there that is not an empty folder.
    pub fn publish(&mut self, name: &str) -> Result<bool> {
        let mut staged = self.guard.staged();
        let published = staged.parent.rename(&staged.name, &staged.parent, name)?;
        staged.published |= published;
        Ok(published)
    }

    /// Somebody has moved the folder to another parent: it is to be removed there.
    pub fn was_moved_to(&mut self, parent: &Arc<Dir>) {
        self.guard.staged().parent = parent.clone();
    }

    /// Puts the folder in the place of the folder `name`, which is `old` and is removed when this is dropped. Where names
    /// cannot be swapped, `old` is called `aside` for a moment. `false` if somebody else has put a folder there meanwhile.
    pub fn exchange(&mut self, name: &str, aside: &str, old: &Arc<Dir>) -> Result<bool> {
        let mut staged = self.guard.staged();
        if staged.parent.exchange(&staged.name, name)? {
            staged.dir = Some(old.clone());
            return Ok(true);
        }
        staged.exchange_in_steps(name, aside, old)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn what_is_dropped_is_removed_and_no_longer_counted() {
        let scratch = tempfile::tempdir().unwrap();
        let parent = Arc::new(Dir::open(scratch.path()).unwrap());
        let interrupt = Interrupt::new();
        let nothing_staged = interrupt.nothing_staged();
        let mut file = StagedFile::new(&parent, "x-", &interrupt).unwrap();
        let mut dir = StagedDir::new(&parent, "x-", &interrupt).unwrap();
        dir.dir.make_folder("inner").unwrap();
        assert!(!nothing_staged.load(Ordering::SeqCst));
        assert!(file.publish(&parent, "file").unwrap());
        assert!(dir.publish("dir").unwrap());
        drop((file, dir));
        assert!(nothing_staged.load(Ordering::SeqCst));
        let published = || {
            let names = parent.names().unwrap().into_iter();
            let mut names: Vec<String> = names.map(|(name, _)| name).collect();
            names.sort();
            names
        };
        assert_eq!(published(), ["dir", "file"]);

        // What is replaced is removed, whether names can be swapped or not.
        for inner in ["one", "two", "three"] {
            let mut dir = StagedDir::new(&parent, "x-", &interrupt).unwrap();
            dir.dir.make_folder(inner).unwrap();
            let old = Arc::new(parent.folder("dir").unwrap().unwrap());
            let exchanged = if inner == "one" {
                dir.exchange("dir", "aside", &old)
            } else {
                let mut staged = dir.guard.staged();
                staged.exchange_in_steps("dir", "aside", &old)
            };
            assert!(exchanged.unwrap());
            drop(dir);
            assert!(nothing_staged.load(Ordering::SeqCst));
            assert_eq!(published(), ["dir", "file"]);
            let found = parent.folder("dir").unwrap().unwrap();
            assert!(found.folder(inner).unwrap().is_some());
        }

        let mut file = StagedFile::new(&parent, "x-", &interrupt).unwrap();
        let mut dir = StagedDir::new(&parent, "x-", &interrupt).unwrap();
        dir.dir.make_folder("inner").unwrap();
        // Neither place is free.
        assert!(!file.publish_to_free("file").unwrap());
        assert!(!dir.publish("dir").unwrap());
        drop((file, dir));
        assert!(nothing_staged.load(Ordering::SeqCst));
        assert_eq!(published(), ["dir", "file"]);
    }
}

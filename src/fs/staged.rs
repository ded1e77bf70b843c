//! Staged files and folders: created under a temporary name, counted for signals, removed when dropped, and renamed when
//! published.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Dir, staging};
use crate::error::Result;
use crate::interrupt::{Interrupt, StagedCount};
use crate::mutex::lock;

/// Removes what was not published. A failure is ignored, and the next run tries again.
struct Guard {
    staged: Arc<Mutex<Staged>>,
    /// Dropped last, so that a signal does not end the process before the removal.
    _count: StagedCount,
}

/// Where something is staged. Locked while it is published or removed, so that only one of the two happens.
struct Staged {
    parent: Arc<Dir>,
    name: String,
    /// The folder itself. `None` for a file. It stays open, and therefore locked, until it is removed.
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
            // Restores the old folder if its name is still free.
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
    /// Creates an empty file in `parent` with a name that starts with `prefix`.
    pub fn new(parent: &Arc<Dir>, prefix: &str, interrupt: &Interrupt) -> Result<StagedFile> {
        let count = interrupt.count_staged();
        let (name, file) = staging::make_file(parent, prefix)?;
        Ok(StagedFile {
            guard: Guard::new(parent, name, None, count),
            file,
        })
    }

    /// The staged path, only for messages that cannot name the final path.
    pub fn path(&self) -> PathBuf {
        let staged = self.guard.staged();
        staged.parent.path(&staged.name)
    }

    /// Renames the file to `name` in `dir`. An existing file is replaced and its mode is kept. `false` if `name` is a folder.
    pub fn publish(&mut self, dir: &Dir, name: &str) -> Result<bool> {
        dir.copy_mode(name, &self.file)?;
        let mut staged = self.guard.staged();
        let published = staged.parent.rename(&staged.name, dir, name)?;
        staged.published |= published;
        Ok(published)
    }

    /// Renames the file to `name` in its own folder. `false` if that exists.
    pub fn publish_to_free(&mut self, name: &str) -> Result<bool> {
        let mut staged = self.guard.staged();
        let published = staged.parent.rename_to_free(&staged.name, name)?;
        staged.published |= published;
        Ok(published)
    }
}

/// A staged folder, locked until it is dropped.
pub(crate) struct StagedDir {
    /// The file [`staging::LOCK`] in the folder, empty at first. It is closed before the folder is removed, because NFS does
    /// not remove open files.
    pub lock: File,
    pub dir: Arc<Dir>,
    guard: Guard,
}

impl StagedDir {
    /// Creates a folder in `parent` with a name that starts with `prefix`.
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

    /// Renames the folder to `name`. `false` if that exists and is not an empty folder.
    pub fn publish(&mut self, name: &str) -> Result<bool> {
        let mut staged = self.guard.staged();
        let published = staged.parent.rename(&staged.name, &staged.parent, name)?;
        staged.published |= published;
        Ok(published)
    }

    /// Records that another run has moved the folder to another parent, where it must be removed.
    pub fn was_moved_to(&mut self, parent: &Arc<Dir>) {
        self.guard.staged().parent = parent.clone();
    }

    /// Replaces the folder `name`, which is `old` and is removed when this is dropped. If the file system cannot swap names,
    /// `old` is named `aside` in between. `false` if another run has created a folder there in between.
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

        // A replaced folder is removed, whether or not names can be swapped.
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
        // Both names exist.
        assert!(!file.publish_to_free("file").unwrap());
        assert!(!dir.publish("dir").unwrap());
        drop((file, dir));
        assert!(nothing_staged.load(Ordering::SeqCst));
        assert_eq!(published(), ["dir", "file"]);
    }
}

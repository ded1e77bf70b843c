//! Staged files and folders: made under a name of their own, counted for signals, removed when dropped, and renamed to
//! their place when they are published.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Dir, staging};
use crate::error::Result;
use crate::interrupt::{Interrupt, StagedCount};

/// Removes what was not published. Nothing can be done about a failure here; the next run tries again.
struct Guard {
    parent: Arc<Dir>,
    name: String,
    /// The folder itself; `None` if it is a file. Open, and so locked, until it is removed.
    dir: Option<Arc<Dir>>,
    published: bool,
    /// Dropped last, so that a signal does not end the process before the removal.
    _count: StagedCount,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.published {
            let _: Result<()> = match &self.dir {
                None => self.parent.remove_file(&self.name),
                Some(dir) => dir
                    .remove_contents()
                    .and_then(|()| self.parent.remove_empty_folder(&self.name)),
            };
        }
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
            guard: Guard {
                parent: parent.clone(),
                name,
                dir: None,
                published: false,
                _count: count,
            },
            file,
        })
    }

    /// For messages that nobody can avoid: the staged name means nothing to a user.
    pub fn path(&self) -> PathBuf {
        self.guard.parent.path(&self.guard.name)
    }

    /// Puts the file at `name` in `dir`. A file that is there is replaced and hands on its mode; where there is a folder
    /// the answer is `false`.
    pub fn publish(&mut self, dir: &Dir, name: &str) -> Result<bool> {
        dir.copy_mode(name, &self.file)?;
        let published = self.guard.parent.rename(&self.guard.name, dir, name)?;
        self.guard.published |= published;
        Ok(published)
    }

    /// Puts the file at `name` in its own folder; `false` if that is taken.
    pub fn publish_to_free(&mut self, name: &str) -> Result<bool> {
        let published = self.guard.parent.rename_to_free(&self.guard.name, name)?;
        self.guard.published |= published;
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
            guard: Guard {
                parent: parent.clone(),
                name,
                dir: Some(dir.clone()),
                published: false,
                _count: count,
            },
            dir,
        })
    }

    /// Renames the folder to `name`; `false` if something is there that is not an empty folder.
    pub fn publish(&mut self, name: &str) -> Result<bool> {
        let parent = &self.guard.parent;
        let published = parent.rename(&self.guard.name, parent, name)?;
        self.guard.published |= published;
        Ok(published)
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

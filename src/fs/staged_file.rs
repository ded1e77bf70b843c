//! A file that is published together with a layout.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::staging;
use crate::error::Error;
use crate::error::Result;
use crate::fs::Dir;
use crate::interrupt::Interrupt;

/// A file in the making. It is staged beside its place from the beginning, so that a folder that cannot be written to is
/// found out before the work is done, not after.
pub(crate) struct StagedFile {
    parent: Dir,
    name: String,
    staged_name: String,
    file: File,
    path: PathBuf,
    fsync: bool,
    interrupt: Interrupt,
    published: bool,
}

impl StagedFile {
    pub fn stage(path: &Path, fsync: bool, interrupt: &Interrupt) -> Result<StagedFile> {
        let (parent, name) = crate::output::split(path)?;
        if parent.kind(&name)? == Some(FileType::Directory) {
            return Err(Error::NotAFile { name });
        }
        let prefix = crate::output::staged_prefix(&name);
        staging::remove_stale(&parent, &prefix, |_| Ok(()));
        interrupt.set_staged(true);
        let (staged_name, file) =
            staging::make_file(&parent, &prefix).inspect_err(|_| interrupt.set_staged(false))?;
        Ok(StagedFile {
            parent,
            name,
            staged_name,
            file,
            path: path.to_owned(),
            fsync,
            interrupt: interrupt.clone(),
            published: false,
        })
    }

    /// Writes the content, all of it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(Error::io("write", &self.path))?;
        if self.fsync {
            self.file
                .sync_all()
                .map_err(Error::io("sync", &self.path))?;
        }
        Ok(())
    }

    /// Puts the file in its place, where it replaces what is there.
    pub fn publish(mut self) -> Result<()> {
        let renamed = self
            .parent
            .rename(&self.staged_name, &self.parent, &self.name)?;
        if !renamed {
            return Err(Error::NotAFile {
                name: self.name.clone(),
            });
        }
        self.published = true;
        if self.fsync {
            self.parent.sync()?;
        }
        Ok(())
    }
}

impl Drop for StagedFile {
    /// Removes what was not published. Nothing can be done about a failure here; the next run tries again.
    fn drop(&mut self) {
        if !self.published {
            let _: Result<()> = self.parent.remove_file(&self.staged_name);
        }
        self.interrupt.set_staged(false);
    }
}

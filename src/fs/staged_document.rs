//! A file that is published together with an output.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;

use super::{Dir, StagedFile, staging};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// A document that is staged in its folder from the start, so that a folder that cannot be written to is an error before the
/// work is done.
pub(crate) struct StagedDocument {
    staged: StagedFile,
    parent: Arc<Dir>,
    name: String,
    path: PathBuf,
    fsync: bool,
}

impl StagedDocument {
    pub fn new(path: &Path, fsync: bool, interrupt: &Interrupt) -> Result<StagedDocument> {
        let (parent, name) = Dir::parent_of(path)?;
        if parent.kind(&name)? == Some(FileType::Directory) {
            return Err(Error::NotAFile { name });
        }
        let prefix = staging::prefix(&name);
        staging::remove_stale(&parent, &prefix, |_| Ok(()));
        let parent = Arc::new(parent);
        let staged = StagedFile::new(&parent, &prefix, interrupt)?;
        parent.copy_mode(&name, &staged.file)?;
        Ok(StagedDocument {
            staged,
            parent,
            name,
            path: path.to_owned(),
            fsync,
        })
    }

    /// Writes the whole content.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let file = &mut self.staged.file;
        file.write_all(bytes)
            .map_err(Error::io("write", &self.path))?;
        if self.fsync {
            file.sync_all().map_err(Error::io("sync", &self.path))?;
        }
        Ok(())
    }

    /// Renames the document to its final name, and replaces an existing file.
    pub fn publish(mut self) -> Result<()> {
        if !self.staged.publish(&self.parent, &self.name)? {
            return Err(Error::NotAFile { name: self.name });
        }
        if self.fsync {
            self.parent.sync()?;
        }
        Ok(())
    }
}

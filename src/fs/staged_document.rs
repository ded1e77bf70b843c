//! A file that is published together with an output.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;

use super::{Dir, StagedFile, staging};
use crate::error::{Error, OutputError, Result};
use crate::interrupt::Interrupt;

/// A document that is staged in its folder from the start, so that a folder that cannot be written to is an error before the
/// work is done.
pub(crate) struct StagedDocument {
    path: PathBuf,
    fsync: bool,
    medium: Medium,
}

enum Medium {
    File {
        staged: StagedFile,
        parent: Arc<Dir>,
        name: String,
    },
    /// A device or a pipe, such as `/dev/stderr` or what a shell passes for `>(program)`. It is written to, never replaced.
    Stream { content: Vec<u8> },
}

impl StagedDocument {
    pub fn new(path: &Path, fsync: bool, interrupt: &Interrupt) -> Result<StagedDocument> {
        let (parent, name) = Dir::parent_of(path)?;
        let medium = match parent.kind(&name)? {
            None | Some(FileType::RegularFile) => {
                let prefix = staging::prefix(&name);
                staging::remove_stale(&parent, &prefix, |_| Ok(()));
                let parent = Arc::new(parent);
                let staged = StagedFile::new(&parent, &prefix, interrupt)?;
                parent.copy_mode(&name, &staged.file)?;
                Medium::File {
                    staged,
                    parent,
                    name,
                }
            }
            Some(_) if is_stream(path) => Medium::Stream {
                content: Vec::new(),
            },
            Some(FileType::Symlink) => {
                let path = path.to_owned();
                return Err(OutputError::IsLink { path }.into());
            }
            Some(_) => return Err(Error::NotAFile { name }),
        };
        Ok(StagedDocument {
            path: path.to_owned(),
            fsync,
            medium,
        })
    }

    /// Writes the whole content.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.medium {
            Medium::File { staged, .. } => {
                let file = &mut staged.file;
                file.write_all(bytes)
                    .map_err(Error::io("write", &self.path))?;
                if self.fsync {
                    file.sync_all().map_err(Error::io("sync", &self.path))?;
                }
            }
            Medium::Stream { content } => content.extend_from_slice(bytes),
        }
        Ok(())
    }

    /// Renames the document to its final name, and replaces an existing file; or writes it to the device or pipe.
    pub fn publish(self) -> Result<()> {
        match self.medium {
            Medium::File {
                mut staged,
                parent,
                name,
            } => {
                if !staged.publish(&parent, &name)? {
                    return Err(Error::NotAFile { name });
                }
                if self.fsync {
                    parent.sync()?;
                }
                Ok(())
            }
            Medium::Stream { content } => {
                let file = OpenOptions::new().write(true).open(&self.path);
                let written = file.and_then(|mut file| file.write_all(&content));
                written.map_err(Error::io("write", &self.path))
            }
        }
    }
}

/// Whether the path leads to a device or a pipe.
fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_char_device() || kind.is_fifo()
    })
}

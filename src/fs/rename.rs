//! Renames and hard links within an open folder, and from one to another. File systems support different kinds of them.

use std::io;

use rustix::fs::{AtFlags, FileType, RenameFlags};
use rustix::io::Errno;

use super::Dir;
use crate::error::Result;

impl Dir {
    /// Moves `name` to `other_name` in another folder of the same file system, and replaces what is there. A file can replace
    /// only a file, a folder only an empty folder; otherwise the result is `false`.
    pub fn rename(&self, name: &str, other: &Dir, other_name: &str) -> Result<bool> {
        match rustix::fs::renameat(&self.file, name, &other.file, other_name) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR | Errno::ISDIR) => Ok(false),
            // SFTP does not report the reason.
            Err(Errno::PERM) if other.kind(other_name)? == Some(FileType::Directory) => Ok(false),
            Err(errno) => other.failed("rename a staged file to", other_name, Err(errno)),
        }
    }

    /// Swaps two names. `false` if the file system does not support it.
    pub fn exchange(&self, name: &str, other_name: &str) -> Result<bool> {
        let flags = RenameFlags::EXCHANGE;
        match rustix::fs::renameat_with(&self.file, name, &self.file, other_name, flags) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => self.failed("rename a staged folder to", other_name, Err(errno)),
        }
    }

    /// Creates a hard link to `name` in another folder. `false` if the name exists there, or the file system has no links.
    pub fn link(&self, name: &str, other: &Dir, other_name: &str) -> Result<bool> {
        match rustix::fs::linkat(&self.file, name, &other.file, other_name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                Ok(false)
            }
            Err(errno) => other.failed("link a staged file to", other_name, Err(errno)),
        }
    }

    /// Moves `name` to `new_name` if that does not exist.
    pub fn rename_to_free(&self, name: &str, new_name: &str) -> Result<bool> {
        // NFS lacks this kind of rename, FAT lacks links.
        if self.link(name, self, new_name)? {
            self.remove_file(name)?;
            return Ok(true);
        }
        if self.kind(new_name)?.is_some() {
            return Ok(false);
        }
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.file, name, &self.file, new_name, flags) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            // SFTP lacks both.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.rename_locked(name, new_name)
            }
            Err(errno) => self.failed("rename a staged file to", new_name, Err(errno)),
        }
    }

    /// The same in two steps, under a lock that other runs on this machine respect.
    fn rename_locked(&self, name: &str, new_name: &str) -> Result<bool> {
        // Without support for locks on folders, the lock is left out.
        let _: io::Result<()> = self.file.lock();
        let renamed = match self.kind(new_name) {
            Ok(None) => self.rename(name, self, new_name),
            taken => taken.map(|_| false),
        };
        let _: io::Result<()> = self.file.unlock();
        renamed
    }
}

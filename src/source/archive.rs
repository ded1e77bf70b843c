//! The bytes of an uncompressed archive, in a file that may be closed between reads.
//!
//! A run may have thousands of inputs, but a process may open only so many files. Some inputs stay open; the others are
//! reopened for each read.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, getrlimit};

use crate::error::{Error, Result};

/// An archive: a whole file or a part of one.
#[derive(Debug)]
pub(crate) struct Archive {
    file: Handle,
    /// Offset in the file.
    start: u64,
    length: u64,
    /// Size of the file or stream that contains it or that it was decoded from, in bytes.
    pub on_disk: u64,
}

#[derive(Debug)]
enum Handle {
    Open(Arc<File>),
    /// Like `Open`, and counted.
    Kept(Arc<File>, Kept),
    Closed {
        path: PathBuf,
        identity: Identity,
    },
}

/// Shows whether a file is still the same and unchanged.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Identity {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Archive {
    /// A whole file. If too many files are open, it is closed and later reopened by its path.
    pub fn at(path: &Path, file: File, metadata: &Metadata) -> Archive {
        let file = match Kept::count() {
            Some(kept) => Handle::Kept(Arc::new(file), kept),
            None => Handle::Closed {
                path: path.to_owned(),
                identity: Identity::of(metadata),
            },
        };
        Archive {
            file,
            start: 0,
            length: metadata.len(),
            on_disk: metadata.len(),
        }
    }

    /// A part of a file that stays open because it has no path.
    pub fn in_open_file(file: Arc<File>, start: u64, length: u64) -> Archive {
        Archive {
            file: Handle::Open(file),
            start,
            length,
            on_disk: length,
        }
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Opens the file again if it was closed.
    ///
    /// # Errors
    /// The file cannot be opened, or has changed.
    pub fn open(&self) -> Result<OpenArchive> {
        let file = match &self.file {
            Handle::Open(file) | Handle::Kept(file, _) => file.clone(),
            Handle::Closed { path, identity } => {
                let file = File::open(path).map_err(Error::io("open", path))?;
                let metadata = file.metadata().map_err(Error::io("look at", path))?;
                if Identity::of(&metadata) != *identity {
                    return Err(Error::Changed { path: path.clone() });
                }
                Arc::new(file)
            }
        };
        Ok(OpenArchive {
            file,
            start: self.start,
        })
    }
}

/// An archive whose file is open.
#[derive(Debug, Clone)]
pub(crate) struct OpenArchive {
    file: Arc<File>,
    start: u64,
}

impl OpenArchive {
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, self.offset(offset)?)
    }

    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, self.offset(offset)?)
    }

    /// The file, and the position in it of an offset of the archive.
    pub fn position(&self, offset: u64) -> (&File, u64) {
        (&self.file, self.start.saturating_add(offset))
    }

    fn offset(&self, offset: u64) -> io::Result<u64> {
        let sum = self.start.checked_add(offset);
        sum.ok_or_else(|| io::Error::other("the offset is too large"))
    }
}

/// One of the files that stay open.
#[derive(Debug)]
struct Kept;

/// Number of files that stay open, for all inputs of the process.
static KEPT: AtomicU64 = AtomicU64::new(0);

/// Inputs that stay open may use one in this many of the files that the process may open. The rest is for reading and
/// writing, and for the program that uses this library.
const SHARE: u64 = 8;

impl Kept {
    /// `None` if enough files are open.
    fn count() -> Option<Kept> {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let more = |kept: u64| (kept < limit / SHARE).then_some(kept + 1);
        let counted = KEPT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.ok().map(|_| Kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_closed_archive_is_the_same_or_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("archive");
        fs::write(&path, "bytes").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let archive = || Archive {
            file: Handle::Closed {
                path: path.clone(),
                identity: Identity::of(&metadata),
            },
            start: 1,
            length: 4,
            on_disk: 4,
        };
        let mut buffer = [0; 4];
        let open = archive().open().unwrap();
        open.read_exact_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"ytes");

        let changed = || {
            let result = archive().open();
            matches!(result, Err(Error::Changed { path: found }) if found == path)
        };
        // Longer; of the same length, but written later; another file of the same length and time.
        fs::write(&path, "longer").unwrap();
        assert!(changed());
        fs::write(&path, "other").unwrap();
        let modified = metadata.modified().unwrap() + std::time::Duration::from_micros(1);
        let set = |time| {
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(time)
        };
        set(modified).unwrap();
        assert!(changed());
        set(metadata.modified().unwrap()).unwrap();
        assert!(!changed());
        let copy = scratch.path().join("copy");
        fs::copy(&path, &copy).unwrap();
        fs::rename(&copy, &path).unwrap();
        set(metadata.modified().unwrap()).unwrap();
        assert!(changed());
        fs::remove_file(&path).unwrap();
        assert!(matches!(archive().open(), Err(Error::Io { .. })));
    }
}

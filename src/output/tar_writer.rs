//! Writes a tar. Members are written to their final positions one after the other, and headers are filled in afterwards.
//!
//! The tar depends only on its contents: it has no times, no owners and a fixed order.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::FileType;
use tar::{EntryType, Header};

use super::{encode, stdout, target};
use crate::compression::Encoding;
use crate::error::{Error, OutputError, Result};
use crate::fs::{self, Dir, Locking, StagedFile, staging};
use crate::interrupt::Interrupt;
use crate::limits;
use crate::mutex::lock;
use crate::progress::{Progress, Step};
use crate::source::Archive;

const BLOCK_BYTES: usize = 512;
const BLOCK: u64 = BLOCK_BYTES as u64;

pub(super) struct TarWriter {
    medium: Medium,
    path: PathBuf,
    end: Mutex<u64>,
    fsync: bool,
    interrupt: Interrupt,
}

/// The destination of the tar.
enum Medium {
    /// A staged file that will have this name.
    Staged {
        staged: StagedFile,
        parent: Arc<Dir>,
        name: String,
        /// An unlinked file for the plain tar, if the output is compressed.
        plain: Option<File>,
        encoding: Encoding,
    },
    /// An unlinked file, which is copied to standard output.
    Temporary { file: File, stdout: File },
}

impl Medium {
    /// The file for writing the tar, which needs random access.
    fn file(&self) -> &File {
        match self {
            Medium::Staged {
                plain: Some(file), ..
            }
            | Medium::Temporary { file, .. } => file,
            Medium::Staged { staged, .. } => &staged.file,
        }
    }
}

impl TarWriter {
    /// Stages a file next to `path`. `examine` is called with the folder and name of the output, to check an existing file.
    pub fn create(
        path: &Path,
        fsync: bool,
        interrupt: &Interrupt,
        examine: impl FnOnce(&Dir, &str) -> Result<()>,
    ) -> Result<TarWriter> {
        let (parent, name) = Dir::parent_of(path)?;
        let kind = parent.kind(&name)?;
        super::refuse_link(kind, path)?;
        match kind {
            None => {}
            Some(FileType::RegularFile) => examine(&parent, &name)?,
            Some(_) => {
                return Err(OutputError::not_a_layout(path));
            }
        }
        let prefix = staging::prefix(&name);
        staging::remove_stale(&parent, &prefix, |_| Ok(()));
        let parent = Arc::new(parent);
        let staged = StagedFile::new(&parent, &prefix, interrupt)?;
        // The new tar gets the mode of the existing one before anything is written.
        parent.copy_mode(&name, &staged.file)?;
        let encoding = target::encoding(path).unwrap_or(Encoding::None);
        let plain = if encoding == Encoding::None {
            None
        } else {
            let folder = parent.own_path();
            let file = tempfile::tempfile_in(folder);
            Some(file.map_err(Error::io("create a temporary file in", folder))?)
        };
        let medium = Medium::Staged {
            staged,
            parent,
            name,
            plain,
            encoding,
        };
        Ok(TarWriter::new(medium, path, fsync, interrupt))
    }

    pub fn stdout(interrupt: &Interrupt) -> Result<TarWriter> {
        let stdout = stdout::open()?;
        let folder = std::env::temp_dir();
        let file = tempfile::tempfile_in(&folder)
            .map_err(Error::io("create a temporary file in", folder))?;
        let path = Path::new("standard output");
        let medium = Medium::Temporary { file, stdout };
        Ok(TarWriter::new(medium, path, false, interrupt))
    }

    fn new(medium: Medium, path: &Path, fsync: bool, interrupt: &Interrupt) -> TarWriter {
        TarWriter {
            medium,
            path: path.to_owned(),
            end: Mutex::new(0),
            fsync,
            interrupt: interrupt.clone(),
        }
    }

    /// The offset of the next member.
    pub fn end(&self) -> u64 {
        *lock(&self.end)
    }

    /// Discards everything after an offset.
    pub fn rewind(&self, end: u64) {
        *lock(&self.end) = end;
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.medium
            .file()
            .write_all_at(bytes, offset)
            .map_err(Error::io("write", &self.path))
    }

    /// Adds a small file.
    pub fn append(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut member = self.begin(name.len());
        member.write(bytes)?;
        member.close(name)
    }

    /// Adds a folder, whose name ends with a slash.
    pub fn folder(&self, name: &str) -> Result<()> {
        self.append_header(&header(name, EntryType::Directory, 0))
    }

    /// Adds a symbolic link. Both names are short, unless a `diff_id` is SHA-512, which no engine makes.
    pub fn link(&self, name: &str, to: &str) -> Result<()> {
        let length = name.len().max(to.len());
        limits::at_most(
            "the length of the name of a layer in bytes",
            length,
            MAX_NAME,
        )?;
        let mut link = Header::new_gnu();
        link.as_mut_bytes()
            .copy_from_slice(&header(name, EntryType::Symlink, 0));
        link.set_mode(0o777);
        link.set_link_name_literal(to)
            .map_err(Error::io("write", &self.path))?;
        link.set_cksum();
        self.append_header(link.as_bytes())
    }

    fn append_header(&self, header: &[u8; BLOCK_BYTES]) -> Result<()> {
        let end = self.end();
        self.write_at(header, end)?;
        self.rewind(end + BLOCK);
        Ok(())
    }

    /// Begins a member at the end. Its name, which may be too long for a header, has as many bytes. Only one member is open at a
    /// time, and one that is not closed is overwritten.
    pub fn begin(&self, name_length: usize) -> TarMember<'_> {
        let start = self.end();
        let has_long_name = name_length > MAX_NAME;
        TarMember {
            tar: self,
            start,
            data: start + if has_long_name { 3 * BLOCK } else { BLOCK },
            size: 0,
        }
    }

    /// Writes zeros up to the next block and returns its offset.
    fn pad(&self, end: u64) -> Result<u64> {
        let padded = end.next_multiple_of(BLOCK);
        let zeros = [0; BLOCK_BYTES];
        let count = usize::try_from(padded - end)
            .map_err(|error| Error::io("write", &self.path)(io::Error::other(error)))?;
        self.write_at(&zeros[..count], end)?;
        Ok(padded)
    }

    /// Checks that a tar in the folder of the output can be locked, so that an error appears before any work is done.
    pub fn check_locks(&self) -> Result<()> {
        match &self.medium {
            Medium::Staged { staged, .. } => {
                let file = &staged.file;
                fs::lock(file, &self.path, Locking::Required, &self.interrupt)
            }
            Medium::Temporary { .. } => Ok(()),
        }
    }

    /// Locks the existing tar at the path of the output. If it was replaced while waiting for the lock, the new one is locked.
    pub fn lock_existing(&self, locking: Locking) -> Result<Option<ExistingTar<'_>>> {
        let Medium::Staged { parent, name, .. } = &self.medium else {
            return Ok(None);
        };
        loop {
            self.interrupt.check()?;
            let Some(file) = parent.open_file(name)? else {
                return Ok(None);
            };
            fs::lock(&file, &self.path, locking, &self.interrupt)?;
            let metadata = file.metadata().map_err(Error::io("examine", &self.path))?;
            let locked = (metadata.dev(), metadata.ino());
            if parent.identity(name)? == Some(locked) {
                return Ok(Some(ExistingTar {
                    lock: file,
                    parent,
                    name,
                }));
            }
        }
    }

    /// Ends the archive and returns its length.
    pub fn close(&self) -> Result<u64> {
        let end = self.end();
        self.write_at(&[0; 2 * BLOCK_BYTES], end)?;
        let length = end + 2 * BLOCK;
        let file = self.medium.file();
        let cut = file.set_len(length);
        cut.map_err(Error::io("write", &self.path))?;
        Ok(length)
    }

    /// Publishes a tar that is closed and compressed. Returns `false` if another run has published a tar since, which is not
    /// replaced unless `replace` is set.
    pub fn publish(&mut self, replace: bool) -> Result<bool> {
        self.sync()?;
        if let Medium::Temporary { file, stdout } = &mut self.medium {
            io::Seek::rewind(file).map_err(Error::io("read", &self.path))?;
            io::copy(file, stdout).map_err(Error::io("write", &self.path))?;
            return Ok(true);
        }
        let interrupt = self.interrupt.clone();
        let _publishing = interrupt.publishing()?;
        let published = self.rename(replace)?;
        if let Medium::Staged { parent, .. } = &self.medium
            && published
            && self.fsync
        {
            parent.sync()?;
        }
        Ok(published)
    }

    /// Ensures that the staged tar survives a power failure.
    pub fn sync(&self) -> Result<()> {
        match &self.medium {
            Medium::Staged { staged, .. } if self.fsync => {
                let synced = staged.file.sync_all();
                synced.map_err(Error::io("sync", &self.path))
            }
            _ => Ok(()),
        }
    }

    /// Gives a staged tar its name, which is one of several steps of publishing. `false` as in [`Self::publish`].
    pub fn rename(&mut self, replace: bool) -> Result<bool> {
        match &mut self.medium {
            Medium::Staged {
                staged,
                parent,
                name,
                ..
            } if replace => staged.publish(parent, name),
            Medium::Staged { staged, name, .. } => staged.publish_to_free(name),
            Medium::Temporary { .. } => Ok(true),
        }
    }

    /// Compresses a closed tar of `length` bytes into the staged file, if its name says so. Returns the archive as a reader
    /// finds it after decompressing it.
    pub fn compress(&self, length: u64, progress: &dyn Progress) -> Result<Option<Archive>> {
        let Medium::Staged {
            staged,
            plain: Some(plain),
            encoding,
            ..
        } = &self.medium
        else {
            return Ok(None);
        };
        progress.step(&Step::Compress { bytes: length });
        let mut position = 0;
        let work = encode::EncodeWork {
            interrupt: &self.interrupt,
            progress,
        };
        encode::encode(plain, length, *encoding, &work, |bytes| {
            let written = staged.file.write_all_at(bytes, position);
            position += bytes.len() as u64;
            written.map_err(Error::io("write", &self.path))
        })?;
        // An earlier attempt may have written more.
        let cut = staged.file.set_len(position);
        cut.map_err(Error::io("write", &self.path))?;
        let plain = plain.try_clone().map_err(Error::io("read", &self.path))?;
        let mut archive = Archive::in_open_file(Arc::new(plain), 0, length);
        archive.on_disk = position;
        Ok(Some(archive))
    }
}

/// An existing tar, locked.
pub(super) struct ExistingTar<'a> {
    lock: File,
    pub parent: &'a Dir,
    pub name: &'a str,
}

impl ExistingTar<'_> {
    /// The lock, which is held as long as the file is open.
    pub fn into_lock(self) -> File {
        self.lock
    }
}

/// The longest name that a header has space for.
const MAX_NAME: usize = 100;

/// A header with only name, type and size.
fn header(name: &str, kind: EntryType, size: u64) -> [u8; BLOCK_BYTES] {
    let mut header = Header::new_gnu();
    // A name that does not fit goes into a long-name member before it.
    let bytes = name.as_bytes();
    let length = bytes.len().min(MAX_NAME);
    header.as_mut_bytes()[..length].copy_from_slice(&bytes[..length]);
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory {
        0o755
    } else {
        0o644
    });
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    *header.as_bytes()
}

/// An unfinished member.
pub(super) struct TarMember<'a> {
    tar: &'a TarWriter,
    /// Offset of the header.
    start: u64,
    /// Offset of the data.
    data: u64,
    size: u64,
}

impl TarMember<'_> {
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.tar.write_at(bytes, self.data + self.size)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    pub fn close(self, name: &str) -> Result<()> {
        let end = self.tar.pad(self.data + self.size)?;
        let own = header(name, EntryType::Regular, self.size);
        self.tar.write_at(&own, self.data - BLOCK)?;
        if self.data - self.start > BLOCK {
            let length = name.len() as u64 + 1;
            let long = header("././@LongLink", EntryType::GNULongName, length);
            let mut block = [0; BLOCK_BYTES];
            block[..name.len()].copy_from_slice(name.as_bytes());
            self.tar.write_at(&long, self.start)?;
            self.tar.write_at(&block, self.start + BLOCK)?;
        }
        self.tar.rewind(end);
        Ok(())
    }
}

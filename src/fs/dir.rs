//! Files relative to an open folder, so that nobody can swap a component of their path. Symbolic links are never followed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::limits;

/// An open folder, with its path for messages.
#[derive(Debug)]
pub(crate) struct Dir {
    pub(super) file: File,
    path: PathBuf,
}

/// Modes of files and folders before umask.
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);

impl Dir {
    /// Opens a folder by the path that the user gave.
    pub fn open(path: &Path) -> Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| Error::io("open", path)(errno.into()))?;
        Ok(Dir {
            file: fd.into(),
            path: path.to_owned(),
        })
    }

    /// Opens the folder that contains `path`, and returns the name of `path` in it.
    pub fn parent_of(path: &Path) -> Result<(Dir, String)> {
        // "." and ".." are not names in a folder.
        let resolved;
        let path = if path.file_name().is_some() {
            path
        } else {
            resolved = path.canonicalize().map_err(Error::io("open", path))?;
            &resolved
        };
        let unusable = |reason| Error::io("write to", path)(io::Error::other(reason));
        let name = path.file_name();
        let name = name.ok_or_else(|| unusable("it is the root folder"))?;
        let name = name.to_str();
        let name = name.ok_or_else(|| unusable("its name is not valid UTF-8"))?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        Ok((Dir::open(parent)?, name.to_owned()))
    }

    /// The handle of the folder, for locking.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The path of the folder, for messages.
    pub fn own_path(&self) -> &Path {
        &self.path
    }

    /// The device and inode of the folder, to check whether a name still refers to it.
    pub fn own_identity(&self) -> Result<(u64, u64)> {
        let status = rustix::fs::fstat(&self.file)
            .map_err(|errno| Error::io("examine", &self.path)(errno.into()))?;
        Ok((status.st_dev, status.st_ino))
    }

    /// The path of a name in the folder, for messages.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn failed<T>(
        &self,
        action: &'static str,
        name: impl AsRef<Path>,
        result: rustix::io::Result<T>,
    ) -> Result<T> {
        result.map_err(|errno| Error::io(action, self.path(name))(errno.into()))
    }

    /// The same folder by a handle of its own.
    pub fn reopen(&self) -> Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.file, ".", flags, Mode::empty());
        let fd = opened.map_err(|errno| Error::io("open", &self.path)(errno.into()))?;
        Ok(Dir {
            file: fd.into(),
            path: self.path.clone(),
        })
    }

    /// Opens the folder `name`. `None` if it does not exist.
    pub fn folder(&self, name: impl AsRef<Path>) -> Result<Option<Dir>> {
        let name = name.as_ref();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.file, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Dir {
                file: fd.into(),
                path: self.path(name),
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => self.failed("open the folder", name, Err(errno)),
        }
    }

    /// Creates the folder `name`, which must not exist.
    pub fn make_folder(&self, name: &str) -> Result<()> {
        let made = rustix::fs::mkdirat(&self.file, name, FOLDER_MODE);
        self.failed("create the folder", name, made)
    }

    /// Opens the folder `name`, and creates it if it does not exist.
    pub fn ensure_folder(&self, name: &str) -> Result<Dir> {
        match rustix::fs::mkdirat(&self.file, name, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => self.existing_folder(name),
            Err(errno) => self.failed("create the folder", name, Err(errno)),
        }
    }

    fn existing_folder(&self, name: &str) -> Result<Dir> {
        let folder = self.folder(name)?;
        let missing = || self.failed("open the folder", name, Err(Errno::NOENT));
        folder.map_or_else(missing, Ok)
    }

    /// Creates a file for reading and writing. `None` if the name exists.
    pub fn create(&self, name: &str) -> Result<Option<File>> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.file, name, flags, FILE_MODE) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::EXIST) => Ok(None),
            Err(errno) => self.failed("create", name, Err(errno)),
        }
    }

    /// Opens a file. `None` if it does not exist.
    pub fn open_file(&self, name: &str) -> Result<Option<File>> {
        // NFS locks only files that are open for writing. A read-only folder can still be read.
        let open = |access| {
            let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            rustix::fs::openat(&self.file, name, flags, Mode::empty())
        };
        let opened = match open(OFlags::RDWR) {
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => open(OFlags::RDONLY),
            opened => opened,
        };
        match opened {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => self.failed("open", name, Err(errno)),
        }
    }

    /// Creates a file with these bytes.
    pub fn write(&self, name: &str, bytes: &[u8], fsync: bool) -> Result<File> {
        let taken = || self.failed("create", name, Err(Errno::EXIST));
        let mut file = self.create(name)?.map_or_else(taken, Ok)?;
        file.write_all(bytes)
            .map_err(Error::io("write", self.path(name)))?;
        if fsync {
            file.sync_all()
                .map_err(Error::io("sync", self.path(name)))?;
        }
        Ok(file)
    }

    /// Reads a document. `None` if it does not exist.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read_within(name, limits::DOCUMENT_BYTES)
    }

    /// The bytes of a layout's index.json; `None` when there is none.
    pub fn read_layout_index(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read_within(name, limits::LAYOUT_INDEX_BYTES)
    }

    fn read_within(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.open_file(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", self.path(name)))?;
        limits::at_most(
            format!("the size of {} in bytes", self.path(name).display()),
            bytes.len() as u64,
            limit,
        )?;
        Ok(Some(bytes))
    }

    /// The status of a name, without following links. `None` if it does not exist.
    pub fn status(&self, name: impl AsRef<Path>) -> Result<Option<Stat>> {
        let name = name.as_ref();
        match rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => Ok(Some(status)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => self.failed("examine", name, Err(errno)),
        }
    }

    /// The file type of a name, without following links. `None` if it does not exist.
    pub fn kind(&self, name: impl AsRef<Path>) -> Result<Option<FileType>> {
        let status = self.status(name)?;
        Ok(status.map(|status| FileType::from_raw_mode(status.st_mode)))
    }

    /// The device and inode of a name, to check whether it is still the same file.
    pub fn identity(&self, name: &str) -> Result<Option<(u64, u64)>> {
        let status = self.status(name)?;
        Ok(status.map(|status| (status.st_dev, status.st_ino)))
    }

    /// Gives `file` the mode of the file `name`, which it will replace. Does nothing if that does not exist.
    pub fn copy_mode(&self, name: &str, file: &File) -> Result<()> {
        let Some(replaced) = self.status(name)? else {
            return Ok(());
        };
        if FileType::from_raw_mode(replaced.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let permissions = |status: &Stat| {
            let all = Mode::RWXU | Mode::RWXG | Mode::RWXO;
            Mode::from_raw_mode(status.st_mode) & all
        };
        let copy = || {
            let own = rustix::fs::fstat(file)?;
            // Without support for modes, all files of a file system have the same mode, and there is nothing to copy.
            if permissions(&own) != permissions(&replaced) {
                rustix::fs::fchmod(file, permissions(&replaced))?;
            }
            Ok(())
        };
        self.failed("copy the mode of", name, copy())
    }

    /// Free space on the file system, in bytes. `None` if the system does not report it.
    pub fn free(&self) -> Option<u64> {
        let status = rustix::fs::fstatvfs(&self.file).ok()?;
        // Some file systems do not know and report 0.
        (status.f_blocks > 0).then(|| status.f_bavail.saturating_mul(status.f_frsize))
    }

    /// Whether only this user (and root) can create files in it. Access control lists are covered: they allow no more than the
    /// group's bits.
    pub fn is_private(&self) -> bool {
        let others = (Mode::WGRP | Mode::WOTH).as_raw_mode();
        rustix::fs::fstat(&self.file).is_ok_and(|status| {
            status.st_uid == rustix::process::geteuid().as_raw() && status.st_mode & others == 0
        })
    }

    /// All names in the folder, which may be those of a user.
    pub fn all_names(&self) -> Result<Vec<(OsString, FileType)>> {
        let read = || {
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::read_from(&self.file)? {
                let entry = entry?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                if name != "." && name != ".." {
                    names.push((name.to_owned(), entry.file_type()));
                }
            }
            Ok(names)
        };
        let mut names: Vec<(OsString, FileType)> = self.failed("list", "", read())?;
        for (name, kind) in &mut names {
            // Not every file system reports types with the names: SFTP does not, NFS and XFS may not.
            if *kind == FileType::Unknown {
                *kind = self.kind(&*name)?.unwrap_or(FileType::Unknown);
            }
        }
        Ok(names)
    }

    /// The names in the folder that may be our own, which are valid UTF-8.
    pub fn names(&self) -> Result<Vec<(String, FileType)>> {
        let names = self.all_names()?.into_iter();
        Ok(names
            .filter_map(|(name, kind)| Some((name.into_string().ok()?, kind)))
            .collect())
    }

    /// Whether the folder has no names except those that `is_ours` accepts.
    pub fn has_only(&self, is_ours: impl Fn(&str) -> bool) -> Result<bool> {
        let names = self.all_names()?;
        let mut names = names.iter().map(|(name, _)| name.to_str());
        Ok(names.all(|name| name.is_some_and(&is_ours)))
    }

    /// Removes a file.
    pub fn remove_file(&self, name: impl AsRef<Path>) -> Result<()> {
        let removed = rustix::fs::unlinkat(&self.file, name.as_ref(), AtFlags::empty());
        self.failed("remove", name, removed)
    }

    /// Removes an empty folder.
    pub fn remove_empty_folder(&self, name: impl AsRef<Path>) -> Result<()> {
        let removed = rustix::fs::unlinkat(&self.file, name.as_ref(), AtFlags::REMOVEDIR);
        self.failed("remove", name, removed)
    }

    /// Removes a folder and everything in it.
    pub fn remove_folder(&self, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        // An empty folder need not be opened, which would fail if too many files are open.
        if self.remove_empty_folder(name).is_ok() {
            return Ok(());
        }
        if let Some(folder) = self.folder(name)? {
            folder.remove_contents()?;
        }
        self.remove_empty_folder(name)
    }

    /// Removes everything in the folder.
    pub fn remove_contents(&self) -> Result<()> {
        for (name, kind) in self.all_names()? {
            if kind == FileType::Directory {
                self.remove_folder(&name)?;
            } else {
                self.remove_file(&name)?;
            }
        }
        Ok(())
    }

    /// Makes sure that everything on its file system survives a power failure: for many small files that is faster than one by
    /// one.
    pub fn sync_file_system(&self) -> Result<()> {
        match rustix::fs::syncfs(&self.file) {
            Ok(()) | Err(Errno::INVAL | Errno::NOSYS) => Ok(()),
            Err(errno) => self.failed("sync", "", Err(errno)),
        }
    }

    /// Ensures that the names in the folder survive a power failure.
    pub fn sync(&self) -> Result<()> {
        match rustix::fs::fsync(&self.file) {
            // Some file systems cannot sync folders, and do not need to.
            Ok(()) | Err(Errno::INVAL | Errno::BADF) => Ok(()),
            Err(errno) => self.failed("sync", "", Err(errno)),
        }
    }
}

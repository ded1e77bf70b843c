//! Files relative to an open folder, so that nothing a name passes through can be swapped meanwhile. Symbolic links are
//! never followed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::limits;

/// An open folder, with its path for messages.
#[derive(Debug)]
pub(crate) struct Dir {
    file: File,
    path: PathBuf,
}

/// What umask takes its bits from, for files and for folders.
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);

impl Dir {
    /// Opens a folder by a path as the user gave it.
    pub fn open(path: &Path) -> Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| Error::io("open", path)(errno.into()))?;
        Ok(Dir {
            file: fd.into(),
            path: path.to_owned(),
        })
    }

    /// Opens the folder that `path` is in, and gives its name there.
    pub fn parent_of(path: &Path) -> Result<(Dir, String)> {
        // "." and ".." have no name of their own.
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

    /// The open folder itself, to lock it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its own path, for messages.
    pub fn own_path(&self) -> &Path {
        &self.path
    }

    /// Its own device and inode, to tell whether a name still leads to it.
    pub fn own_identity(&self) -> Result<(u64, u64)> {
        let status = rustix::fs::fstat(&self.file)
            .map_err(|errno| Error::io("examine", &self.path)(errno.into()))?;
        Ok((status.st_dev, status.st_ino))
    }

    /// The path of a name in it, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn failed<T>(
        &self,
        action: &'static str,
        name: &str,
        result: rustix::io::Result<T>,
    ) -> Result<T> {
        result.map_err(|errno| Error::io(action, self.path(name))(errno.into()))
    }

    /// The folder `name`, or `None` when there is none.
    pub fn folder(&self, name: &str) -> Result<Option<Dir>> {
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

    /// Makes the folder `name`, which must not be there yet.
    pub fn make_folder(&self, name: &str) -> Result<()> {
        let made = rustix::fs::mkdirat(&self.file, name, FOLDER_MODE);
        self.failed("create the folder", name, made)
    }

    /// The folder `name`, made if need be.
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

    /// A new file, readable and writable; `None` when the name is taken.
    pub fn create(&self, name: &str) -> Result<Option<File>> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.file, name, flags, FILE_MODE) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::EXIST) => Ok(None),
            Err(errno) => self.failed("create", name, Err(errno)),
        }
    }

    /// An existing file; `None` when there is none.
    pub fn open_file(&self, name: &str) -> Result<Option<File>> {
        // NFS locks only what is open for writing; a folder that is only readable can still be looked at.
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

    /// A new file with these bytes.
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

    /// The bytes of a document; `None` when there is none.
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

    /// What the system knows of a name, links not followed; `None` when there is nothing.
    pub fn status(&self, name: &str) -> Result<Option<Stat>> {
        match rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => Ok(Some(status)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => self.failed("examine", name, Err(errno)),
        }
    }

    /// What the name is, links not followed; `None` when there is nothing.
    pub fn kind(&self, name: &str) -> Result<Option<FileType>> {
        let status = self.status(name)?;
        Ok(status.map(|status| FileType::from_raw_mode(status.st_mode)))
    }

    /// The device and inode of a name, to tell whether it is still the same file.
    pub fn identity(&self, name: &str) -> Result<Option<(u64, u64)>> {
        let status = self.status(name)?;
        Ok(status.map(|status| (status.st_dev, status.st_ino)))
    }

    /// Gives `file` the mode of the file `name`, which it is about to replace. Nothing changes where there is none.
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
            // Some file systems have no modes; all files then have the same one, and there is nothing to copy.
            if permissions(&own) != permissions(&replaced) {
                rustix::fs::fchmod(file, permissions(&replaced))?;
            }
            Ok(())
        };
        self.failed("copy the mode of", name, copy())
    }

    /// How many bytes are free where it is; `None` where the system does not say.
    pub fn free(&self) -> Option<u64> {
        let status = rustix::fs::fstatvfs(&self.file).ok()?;
        // Some file systems do not know and say 0.
        (status.f_blocks > 0).then(|| status.f_bavail.saturating_mul(status.f_frsize))
    }

    /// Whether nobody but this user (and root) can put anything into it. Access control lists count: where there are
    /// any, they allow no more than the group's bits.
    pub fn is_private(&self) -> bool {
        let others = (Mode::WGRP | Mode::WOTH).as_raw_mode();
        rustix::fs::fstat(&self.file).is_ok_and(|status| {
            status.st_uid == rustix::process::geteuid().as_raw() && status.st_mode & others == 0
        })
    }

    /// Moves `name` to `other_name` in another folder of the same file system, in place of what is there. A folder
    /// takes only an empty folder's place; the system's answer is then returned as `false`.
    pub fn rename(&self, name: &str, other: &Dir, other_name: &str) -> Result<bool> {
        match rustix::fs::renameat(&self.file, name, &other.file, other_name) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => Ok(false),
            // SFTP has no word for the reason.
            Err(Errno::PERM) if other.kind(other_name)? == Some(FileType::Directory) => Ok(false),
            Err(errno) => other.failed("rename a staged file to", other_name, Err(errno)),
        }
    }

    /// Swaps two names; `false` where the file system cannot.
    pub fn exchange(&self, name: &str, other_name: &str) -> Result<bool> {
        let flags = RenameFlags::EXCHANGE;
        match rustix::fs::renameat_with(&self.file, name, &self.file, other_name, flags) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => self.failed("rename a staged folder to", other_name, Err(errno)),
        }
    }

    /// Gives `name` a second name in another folder; `false` if that is taken, or if this file system has no links.
    pub fn link(&self, name: &str, other: &Dir, other_name: &str) -> Result<bool> {
        match rustix::fs::linkat(&self.file, name, &other.file, other_name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                Ok(false)
            }
            Err(errno) => other.failed("link a staged file to", other_name, Err(errno)),
        }
    }

    /// Moves `name` to `new_name`, if that is free.
    pub fn rename_to_free(&self, name: &str, new_name: &str) -> Result<bool> {
        // NFS has no such rename, FAT has no links.
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
            // SFTP has neither.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.rename_locked(name, new_name)
            }
            Err(errno) => self.failed("rename a staged file to", new_name, Err(errno)),
        }
    }

    /// The same in two steps, which at least nobody on this machine comes between.
    fn rename_locked(&self, name: &str, new_name: &str) -> Result<bool> {
        // Where folders cannot be locked the renaming is tried without.
        let _: io::Result<()> = self.file.lock();
        let renamed = match self.kind(new_name) {
            Ok(None) => self.rename(name, self, new_name),
            taken => taken.map(|_| false),
        };
        let _: io::Result<()> = self.file.unlock();
        renamed
    }

    /// All names in it.
    pub fn names(&self) -> Result<Vec<(String, FileType)>> {
        let read = || {
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::read_from(&self.file)? {
                let entry = entry?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                // Our own names are valid UTF-8.
                if let Some(name) = name.to_str().filter(|name| *name != "." && *name != "..") {
                    names.push((name.to_owned(), entry.file_type()));
                }
            }
            Ok(names)
        };
        let mut names: Vec<(String, FileType)> = self.failed("list", "", read())?;
        for (name, kind) in &mut names {
            // Not every file system tells the kinds with the names: SFTP does not, NFS and XFS need not.
            if *kind == FileType::Unknown {
                *kind = self.kind(name)?.unwrap_or(FileType::Unknown);
            }
        }
        Ok(names)
    }

    /// Removes a file.
    pub fn remove_file(&self, name: &str) -> Result<()> {
        let removed = rustix::fs::unlinkat(&self.file, name, AtFlags::empty());
        self.failed("remove", name, removed)
    }

    /// Removes a folder that has nothing in it.
    pub fn remove_empty_folder(&self, name: &str) -> Result<()> {
        let removed = rustix::fs::unlinkat(&self.file, name, AtFlags::REMOVEDIR);
        self.failed("remove", name, removed)
    }

    /// Removes a folder and all that is in it.
    pub fn remove_folder(&self, name: &str) -> Result<()> {
        // An empty one need not be opened, which fails where too many files are open already.
        if self.remove_empty_folder(name).is_ok() {
            return Ok(());
        }
        if let Some(folder) = self.folder(name)? {
            folder.remove_contents()?;
        }
        self.remove_empty_folder(name)
    }

    /// Removes all that is in it.
    pub fn remove_contents(&self) -> Result<()> {
        for (name, kind) in self.names()? {
            if kind == FileType::Directory {
                self.remove_folder(&name)?;
            } else {
                self.remove_file(&name)?;
            }
        }
        Ok(())
    }

    /// Makes sure that its names survive a power failure.
    pub fn sync(&self) -> Result<()> {
        match rustix::fs::fsync(&self.file) {
            // Some file systems cannot sync folders, and need not.
            Ok(()) | Err(Errno::INVAL | Errno::BADF) => Ok(()),
            Err(errno) => self.failed("sync", "", Err(errno)),
        }
    }
}

/// Takes an exclusive lock, however long others hold it.
pub(crate) fn lock(
    file: &File,
    path: &Path,
    interrupt: &crate::interrupt::Interrupt,
) -> Result<()> {
    // Asked for again and again, since a wait in the kernel would not notice an interrupt.
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) => {
                interrupt.check()?;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            Err(std::fs::TryLockError::Error(error))
                if error.kind() == io::ErrorKind::Unsupported =>
            {
                return Ok(());
            }
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(Error::io("lock", path)(error));
            }
        }
    }
}

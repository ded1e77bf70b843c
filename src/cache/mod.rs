//! A cache of encoded layers for later runs.
//!
//! An entry is a file with exactly the bytes of a blob: `CODEC-LEVEL-VERSION/DIFF_ID-DIGEST-SEAL`. VERSION identifies the
//! encoder, and SEAL is a checksum of the path. Entries are staged under another name and renamed after their digests were
//! checked, so that any number of runs can share a cache. Entries are not synced to disk: each use checks the digest again,
//! and an entry that a power failure has damaged is encoded again.
//!
//! A cache only makes conversions faster. Its problems are warnings.

mod entry;
mod name;
mod trim;

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) use entry::StagedEntry;
use name::Name;

use crate::compression::{Encoding, encoder_version};
use crate::digest::{DiffId, Digest};
use crate::error::{Error, OutputError, Result};
use crate::findings::{Code, Finding, Place};
use crate::fs::{Dir, FreeSpace, staging};
use crate::interrupt::Interrupt;
use crate::mutex::lock;
use crate::source::Content;

/// The prefix of staged entries.
const STAGED: &str = ".ocify-";

/// The folder and size of a cache of encoded layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// The folder. It is created if it does not exist. Other files in it are left alone.
    pub folder: PathBuf,
    /// Maximum size in bytes at the end of a run. Least recently used layers are removed first.
    pub size: u64,
}

/// An open cache.
pub(crate) struct Cache {
    root: Arc<Dir>,
    pub path: PathBuf,
    /// The version of the encoders.
    version: String,
    size: u64,
    free_space: FreeSpace,
    interrupt: Interrupt,
    /// Whether this run has read or written any entry, even if not to the end.
    used: AtomicBool,
    /// Folder and name of each entry that this run has added.
    stored: Mutex<Vec<(String, String)>>,
    /// Set when no more entries are added.
    closed: AtomicBool,
    warnings: Mutex<Vec<Finding>>,
}

/// An existing entry.
pub(crate) struct CacheHit {
    pub content: Content,
    pub digest: Digest,
    pub path: PathBuf,
    /// Whether other users can write to the cache, so that the name proves nothing.
    pub foreign: bool,
}

impl Cache {
    /// Opens the cache for a conversion into the file or folder `output`.
    ///
    /// # Errors
    /// The folder cannot be created or opened, or is inside the output.
    pub fn open(
        options: &CacheOptions,
        output: Option<&Path>,
        interrupt: &Interrupt,
    ) -> Result<Cache> {
        let path = &options.folder;
        if let Some(output) = output {
            refuse_inside(path, output)?;
        }
        std::fs::create_dir_all(path).map_err(Error::io("create the cache", path))?;
        let root = Dir::open(path)?;
        staging::remove_stale(&root, STAGED, |_| Ok(()));
        Ok(Cache {
            root: Arc::new(root),
            path: path.clone(),
            version: encoder_version(),
            size: options.size,
            free_space: FreeSpace::new(path)?,
            interrupt: interrupt.clone(),
            used: AtomicBool::new(false),
            stored: Mutex::default(),
            closed: AtomicBool::new(false),
            warnings: Mutex::default(),
        })
    }

    /// The entries of an encoding, by `diff_id`.
    pub fn folder(&self, encoding: Encoding) -> Option<EntryFolder> {
        let open = || {
            let name = self.folder_name(encoding);
            let Some(folder) = self.root.folder(&name)? else {
                return Ok(None);
            };
            Ok(Some(EntryFolder {
                foreign: !(self.root.is_private() && folder.is_private()),
                entries: self.entries(&folder, &name)?,
                folder: Arc::new(folder),
                name,
            }))
        };
        open().unwrap_or_else(|error: Error| {
            self.warn(format!("cannot read the cache: {}", error.chain()));
            None
        })
    }

    /// The digests of the entries in a folder, by `diff_id`. Entries with a wrong seal are removed.
    fn entries(&self, folder: &Dir, folder_name: &str) -> Result<HashMap<String, Digest>> {
        let mut entries = HashMap::new();
        for (name, _) in folder.names()? {
            let Some(parsed) = Name::parse(&name) else {
                continue;
            };
            if parsed.is_genuine(folder_name) {
                entries.insert(parsed.diff_id, parsed.digest);
            } else {
                self.warn(format!(
                    "removed from the cache: {} was made for another layer or by another encoder",
                    folder.path(&name).display()
                ));
                discard(folder, &name);
            }
        }
        Ok(entries)
    }

    fn folder_name(&self, encoding: Encoding) -> String {
        name::folder(encoding, &self.version)
    }

    /// Finds the entry for a layer, and marks it as used.
    pub fn find(&self, folder: &EntryFolder, diff_id: &DiffId) -> Option<CacheHit> {
        let digest = *folder.entries.get(&diff_id.0.hex())?;
        let name = name::entry(&folder.name, diff_id, &digest);
        let path = folder.folder.path(&name);
        let open = || {
            let Some(file) = folder.folder.open_file(&name)? else {
                // Another run has removed it to free space.
                return Ok(None);
            };
            let metadata = file.metadata().map_err(Error::io("examine", &path))?;
            if !metadata.is_file() {
                return Err(Error::NotAFile {
                    name: path.display().to_string(),
                });
            }
            // Marks the entry as recently used. A failure is ignored, because a read-only cache can be used too.
            let now = std::fs::FileTimes::new().set_modified(std::time::SystemTime::now());
            let _: io::Result<()> = file.set_times(now);
            Ok(Some(metadata.len()))
        };
        match open() {
            Ok(size) => {
                let size = size?;
                self.used.store(true, Ordering::Relaxed);
                Some(CacheHit {
                    content: Content::beneath(folder.folder.clone(), &name, size),
                    digest,
                    foreign: folder.foreign,
                    path,
                })
            }
            Err(error) => {
                self.warn(format!("removed from the cache: {}", error.chain()));
                discard(&folder.folder, &name);
                None
            }
        }
    }

    /// Starts an entry. `None` if no more entries are added.
    pub fn stage(&self, encoding: Encoding) -> Option<StagedEntry<'_>> {
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        StagedEntry::new(self, encoding)
            .inspect_err(|error| self.close(error))
            .ok()
    }

    /// Stops adding entries, and warns once.
    fn close(&self, error: &Error) {
        if !self.closed.swap(true, Ordering::Relaxed) {
            self.warn(format!(
                "no more layers are added to the cache: {}",
                error.chain()
            ));
        }
    }

    fn warn(&self, message: String) {
        lock(&self.warnings).push(Finding::new(Code::Cache, &Place::default(), message));
    }

    /// Returns the warnings so far.
    pub fn take_warnings(&self) -> Vec<Finding> {
        std::mem::take(&mut *lock(&self.warnings))
    }

    /// Whether a failed conversion may succeed without the cache: an entry was damaged, or the disk is full and the cache
    /// uses the same disk. `temporary` is a folder on the file system of the output.
    pub fn can_recover_from(&self, error: &Error, temporary: &Path) -> bool {
        let device = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
        matches!(error.fact(), Error::CacheEntry { .. })
            || is_full(error)
                && self.used.load(Ordering::Relaxed)
                && device(&self.path) == device(temporary)
    }

    /// Removes the damaged entry, or the entries that this run has added to the full disk.
    pub fn recover_from(&self, error: &Error) {
        if let Error::CacheEntry { path, source } = error.fact() {
            self.warn(format!(
                "removed from the cache, and all layers are converted again: {}: {}",
                path.display(),
                source.fact().chain()
            ));
            self.drop_entry(path);
            return;
        }
        self.close(error.fact());
        for (folder, name) in lock(&self.stored).drain(..) {
            if let Ok(Some(folder)) = self.root.folder(&folder) {
                discard(&folder, &name);
            }
        }
    }

    fn drop_entry(&self, path: &Path) {
        let name = |path: Option<&Path>| path?.file_name()?.to_str().map(str::to_owned);
        if let (Some(folder), Some(name)) = (name(path.parent()), name(Some(path)))
            && let Ok(Some(folder)) = self.root.folder(&folder)
        {
            discard(&folder, &name);
        }
    }
}

impl Drop for Cache {
    /// Trims the cache, also after a failed run.
    fn drop(&mut self) {
        trim::trim(&self.root, self.size);
    }
}

/// The entries of one encoding.
pub(crate) struct EntryFolder {
    folder: Arc<Dir>,
    name: String,
    entries: HashMap<String, Digest>,
    pub foreign: bool,
}

/// Whether the error is a full disk, or only the reserve is free.
fn is_full(error: &Error) -> bool {
    match error.fact() {
        Error::InsufficientSpace { .. } => true,
        Error::Io { source, .. } => matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ),
        _ => false,
    }
}

/// Removes an entry of any file type. If that fails, the next run tries again.
fn discard(folder: &Dir, name: &str) {
    if folder.remove_file(name).is_err() {
        let _: Result<()> = folder.remove_folder(name);
    }
}

/// Refuses a cache inside the output, which is not part of a layout and would create the output's folder too early.
fn refuse_inside(cache: &Path, output: &Path) -> Result<()> {
    if resolve(cache).starts_with(resolve(output)) {
        return Err(OutputError::CacheInOutput {
            cache: cache.to_owned(),
            output: output.to_owned(),
        }
        .into());
    }
    Ok(())
}

/// The path without links and `..`. It does not have to exist.
fn resolve(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in path.ancestors() {
        if let (Ok(mut real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            for component in rest.components() {
                if component == Component::ParentDir {
                    real.pop();
                } else {
                    real.push(component);
                }
            }
            return real;
        }
    }
    path
}

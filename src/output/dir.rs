//! Writes skopeo's `dir:` folder of one image or index. It is staged next to its final path and renamed.
//!
//! <https://github.com/containers/image/blob/main/docs/containers-transports.5.md>

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rustix::fs::FileType;

use super::index::Additions;
use super::staged_blob::{BlobPath, StagedBlob};
use super::{OutputOptions, replace_folder};
use crate::digest::Digest;
use crate::error::{Error, OutputError, RequestError, Result};
use crate::fs::{self, Dir, Locking, StagedDir, staging};
use crate::image::{Document, media_type};
use crate::interrupt::Interrupt;

/// The file that marks a `dir:` folder.
const VERSION: &str = "version";
const VERSION_CONTENT: &[u8] = b"Directory Transport Version: 1.1\n";
const MANIFEST: &str = "manifest.json";

pub(super) struct DirOutput {
    staged: StagedDir,
    parent: Arc<Dir>,
    name: String,
    count: AtomicU64,
    fsync: bool,
    interrupt: Interrupt,
}

impl DirOutput {
    pub fn open(path: &Path, options: &OutputOptions, interrupt: &Interrupt) -> Result<DirOutput> {
        let (parent, name) = Dir::parent_of(path)?;
        let parent = Arc::new(parent);
        replace_folder::recover(&parent, &name);
        let kind = parent.kind(&name)?;
        super::refuse_link(kind, path)?;
        match kind {
            None => {}
            Some(FileType::Directory) => check(parent.folder(&name)?.as_ref(), path)?,
            Some(_) => return Err(not_ours(path)),
        }
        let prefix = staging::prefix(&name);
        staging::remove_stale(&parent, &prefix, |_| Ok(()));
        Ok(DirOutput {
            staged: StagedDir::new(&parent, &prefix, interrupt)?,
            parent,
            name,
            count: AtomicU64::new(0),
            fsync: options.fsync,
            interrupt: interrupt.clone(),
        })
    }

    pub fn begin_blob(&self) -> Result<StagedBlob<'_>> {
        StagedBlob::begin(&self.staged.dir, BlobPath::Flat, &self.count, self.fsync)
    }

    pub fn put(&self, document: &Document) -> Result<()> {
        let name = match media_type::kind(&document.media_type) {
            media_type::DocumentKind::Other => document.digest.hex(),
            _ => manifest_name(&document.digest),
        };
        self.write(&name, &document.bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let staged = &self.staged.dir;
        if staged.kind(name)?.is_none() {
            staged.write(name, bytes, self.fsync)?;
        }
        Ok(())
    }

    pub fn commit(mut self, additions: &Additions) -> Result<()> {
        let staged = &self.staged.dir;
        let root = additions.descriptors.first().map(|root| root.digest);
        let root = root.map(|digest| manifest_name(&digest));
        if !root.is_some_and(|root| matches!(staged.rename(&root, staged, MANIFEST), Ok(true))) {
            let what =
                "what is neither a manifest nor an index, and has no place in a dir: folder,";
            return Err(RequestError::Unsupported {
                what: what.to_owned(),
            }
            .into());
        }
        self.write(VERSION, VERSION_CONTENT)?;
        for (name, bytes) in &additions.signatures {
            self.write(name, bytes)?;
        }
        // The lock of the folder itself still shows that it is in use.
        staged.remove_file(staging::LOCK)?;
        if self.fsync {
            staged.sync()?;
        }
        let interrupt = self.interrupt.clone();
        let _publishing = interrupt.publishing()?;
        let path = self.parent.path(&self.name);
        let (parent, name, interrupt) = (&self.parent, &self.name, &interrupt);
        let lock = || lock(parent, name, &path, interrupt);
        replace_folder::replace(&mut self.staged, parent, name, lock, interrupt)?;
        if self.fsync {
            self.parent.sync()?;
        }
        Ok(())
    }
}

/// The name of the manifest of an image in an index.
fn manifest_name(digest: &Digest) -> String {
    format!("{}.manifest.json", digest.hex())
}

/// Checks that a folder may be replaced: a `dir:` folder, or an empty one.
fn check(folder: Option<&Dir>, path: &Path) -> Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    let is_ours = match folder.read(VERSION)? {
        Some(version) => version.starts_with(b"Directory Transport Version:"),
        None => folder.has_only(|_| false)?,
    };
    if is_ours { Ok(()) } else { Err(not_ours(path)) }
}

fn not_ours(path: &Path) -> Error {
    Error::Output(OutputError::NotADirFolder {
        path: path.to_owned(),
    })
}

/// Opens and locks the folder that is replaced. `None` if it was removed.
fn lock(
    parent: &Dir,
    name: &str,
    path: &Path,
    interrupt: &Interrupt,
) -> Result<Option<(Dir, File)>> {
    loop {
        let Some(folder) = parent.folder(name)? else {
            return Ok(None);
        };
        let file = folder.file().try_clone();
        let file = file.map_err(Error::io("open", path))?;
        fs::lock(&file, path, Locking::IfSupported, interrupt)?;
        let checked = check(Some(&folder), path);
        // Errors do not matter if another run is removing the folder.
        if parent.identity(name)? == Some(folder.own_identity()?) {
            return checked.map(|()| Some((folder, file)));
        }
        interrupt.check()?;
    }
}

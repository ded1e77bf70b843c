//! The storage tree of a registry. It is staged as a tree of its own, and then renamed or merged into the existing tree, the
//! tags last.
//!
//! <https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/paths.go>

mod merge;
mod paths;
mod repositories;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use rustix::fs::FileType;

use super::index::{Additions, MovedName};
use super::staged_blob::{BlobPath, StagedBlob};
use super::{OutputOptions, folder::INSIDE};
use crate::digest::Digest;
use crate::error::{Error, OutputError, Result, chain};
use crate::formats::docker::schema1;
use crate::fs::{self, Dir, Locking, StagedDir, staging};
use crate::image::{Document, media_type};
use crate::interrupt::Interrupt;
use crate::mutex::lock;
use crate::source::registry::{BLOBS, REPOSITORIES};
use paths::{existing, made};
use repositories::Repositories;

/// The folders in which distribution creates its tree.
const ROOT: [&str; 3] = ["docker", "registry", "v2"];

pub(super) struct RegistryOutput {
    staged: StagedDir,
    /// Finished blobs by algorithm, until the tree is created.
    blobs: Dir,
    documents: Mutex<HashMap<Digest, Document>>,
    parent: Arc<Dir>,
    name: String,
    /// Whether the folder exists and is added to.
    is_there: bool,
    count: AtomicU64,
    fsync: bool,
    interrupt: Interrupt,
}

impl RegistryOutput {
    pub fn open(
        path: &Path,
        options: &OutputOptions,
        interrupt: &Interrupt,
    ) -> Result<RegistryOutput> {
        let (parent, name) = Dir::parent_of(path)?;
        let parent = Arc::new(parent);
        let kind = parent.kind(&name)?;
        super::refuse_link(kind, path)?;
        let prefix = staging::prefix(&name);
        let folder = match kind {
            None => None,
            Some(FileType::Directory) => parent.folder(&name)?,
            Some(_) => return Err(not_ours(path)),
        };
        let staged = match folder {
            None => {
                staging::remove_stale(&parent, &prefix, |_| Ok(()));
                StagedDir::new(&parent, &prefix, interrupt)?
            }
            Some(folder) => {
                check(&folder, path)?;
                let tree = find(&folder)?;
                let take_back = |staged: &Dir| match &tree {
                    Some(tree) => {
                        let _locked = lock_tree(tree, interrupt)?;
                        merge::take_back(staged, tree)
                    }
                    None => Ok(()),
                };
                staging::remove_stale(&parent, &prefix, take_back);
                staging::remove_stale(&folder, INSIDE, take_back);
                if let Some(tree) = &tree {
                    staging::remove_stale(tree, INSIDE, take_back);
                }
                // On the file system of the tree.
                let tree = Arc::new(tree.unwrap_or(folder));
                let staged = StagedDir::new(&tree, INSIDE, interrupt)?;
                // If the tree cannot be locked, that is an error before any work is done.
                fs::lock(&staged.lock, path, Locking::Required, interrupt)?;
                staged
            }
        };
        let blobs = staged.dir.ensure_folder("staged")?;
        Ok(RegistryOutput {
            blobs,
            staged,
            documents: Mutex::default(),
            parent,
            name,
            is_there: kind.is_some(),
            count: AtomicU64::new(0),
            fsync: options.fsync,
            interrupt: interrupt.clone(),
        })
    }

    pub fn begin_blob(&self) -> Result<StagedBlob<'_>> {
        let folder = BlobPath::ByAlgorithm(&self.blobs);
        StagedBlob::begin(&self.staged.dir, folder, &self.count, self.fsync)
    }

    pub fn put(&self, document: &Document) -> Result<()> {
        let folder = self.blobs.ensure_folder(document.digest.algorithm())?;
        let name = document.digest.hex();
        if folder.kind(&name)?.is_none() {
            let payload;
            let bytes =
                if media_type::kind(&document.media_type) == media_type::DocumentKind::Schema1 {
                    // A registry signs manifests when it serves them.
                    let unsigned = schema1::payload_of(&document.bytes);
                    let failed = |error| Error::document("the manifest", chain(&error));
                    payload = unsigned.map_err(failed)?;
                    &payload
                } else {
                    &*document.bytes
                };
            folder.write(&name, bytes, self.fsync)?;
        }
        lock(&self.documents).insert(document.digest, document.clone());
        Ok(())
    }

    pub fn commit(mut self, additions: &Additions) -> Result<Vec<MovedName>> {
        let repositories = Repositories::new(additions, &lock(&self.documents))?;
        self.stage_tree(&repositories)?;
        let interrupt = self.interrupt.clone();
        // A signal must not remove the staged tree while it is merged.
        let _publishing = interrupt.publishing()?;
        if !self.is_there {
            self.staged.dir.remove_file(staging::LOCK)?;
            if self.staged.publish(&self.name)? {
                if self.fsync {
                    self.parent.sync()?;
                }
                return Ok(Vec::new());
            }
            // Another run has created the tree in between, so this run adds to it.
        }
        let path = self.parent.path(&self.name);
        let folder = self.parent.folder(&self.name)?;
        let folder = folder.ok_or_else(|| not_ours(&path))?;
        check(&folder, &path)?;
        let tree = match find(&folder)? {
            Some(tree) => tree,
            None => made(&folder, ROOT.into_iter())?,
        };
        let _locked = lock_tree(&tree, &interrupt)?;
        let moved = repositories.moved(&tree)?;
        let staged = made(&self.staged.dir, ROOT.into_iter())?;
        merge::put(&self.staged.dir, &staged, &tree, self.fsync)?;
        Ok(moved)
    }

    /// Creates the tree from the staged files, with all links.
    fn stage_tree(&self, repositories: &Repositories) -> Result<()> {
        let tree = made(&self.staged.dir, ROOT.into_iter())?;
        let to = tree.ensure_folder(BLOBS)?;
        for (algorithm, _) in self.blobs.names()? {
            let Some(from) = self.blobs.folder(&algorithm)? else {
                continue;
            };
            let to = to.ensure_folder(&algorithm)?;
            for (hex, _) in from.names()? {
                let folder = to.ensure_folder(&hex[..2])?.ensure_folder(&hex)?;
                from.rename(&hex, &folder, "data")?;
            }
        }
        self.staged.dir.remove_folder("staged")?;
        repositories.write(&tree)?;
        if self.fsync {
            self.staged.dir.sync_file_system()?;
        }
        Ok(())
    }
}

fn not_ours(path: &Path) -> Error {
    Error::Output(OutputError::NotARegistry {
        path: path.to_owned(),
    })
}

/// The tree in a folder. `None` if there is none yet.
fn find(folder: &Dir) -> Result<Option<Dir>> {
    let is_tree = |folder: &Dir| {
        let has = |name| Ok::<bool, Error>(folder.kind(name)? == Some(FileType::Directory));
        Ok::<bool, Error>(has(BLOBS)? || has(REPOSITORIES)?)
    };
    if is_tree(folder)? {
        return folder.reopen().map(Some);
    }
    // The user may have named any of the folders above it.
    for first in 0..ROOT.len() {
        let found = existing(folder, ROOT[first..].iter().copied())?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Refuses a folder that contains anything other than a tree.
pub(super) fn check(folder: &Dir, path: &Path) -> Result<()> {
    // A layout has blobs too.
    if folder.kind(staging::LOCK)?.is_some() {
        return Err(not_ours(path));
    }
    if find(folder)?.is_some() {
        return Ok(());
    }
    let may_be_there =
        |name: &str| name.starts_with(INSIDE) || name == "lost+found" || name == ROOT[0];
    if folder.has_only(may_be_there)? {
        Ok(())
    } else {
        Err(not_ours(path))
    }
}

/// Locks a tree, which every run does before it adds something. The lock ends with the returned handle.
fn lock_tree(tree: &Dir, interrupt: &Interrupt) -> Result<Dir> {
    let locked = tree.reopen()?;
    let path = locked.own_path();
    fs::lock(locked.file(), path, Locking::Required, interrupt)?;
    Ok(locked)
}

//! Pruning: removes unreferenced blobs from a layout.

mod references;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FileType;

use crate::digest::Digest;
use crate::error::{Error, OutputError, Result, ResultExt};
use crate::findings::Place;
use crate::fs::{Dir, Locking};
use crate::interrupt::Interrupt;
use crate::output;

use references::{Kind, References};

/// Options for pruning.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct PruneOptions {
    /// Nothing is removed.
    pub dry_run: bool,
}

/// The removed blobs, or those that would be removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Number of blobs.
    pub blobs: usize,
    /// Size of the blobs in bytes.
    pub size: u64,
}

const INDEX: &str = "index.json";
const BLOBS: &str = "blobs";
/// Files of `docker save` next to a layout, which refer to blobs too.
const DOCKER_MANIFEST: &str = "manifest.json";

/// Removes the blobs of a layout that neither index.json nor the documents below it refer to, and the remains of killed runs.
///
/// Conversions into the same layout may run at the same time, because they publish blobs under the lock of the layout. Other
/// programs do not lock it, and must not write to it.
///
/// # Errors
/// [`OutputError::CannotPrune`] if a document that may refer to other blobs cannot be read, [`OutputError::NoLocks`] or
/// [`OutputError::LocalLocks`] if the layout cannot be locked against others. Nothing is removed then.
pub fn prune(path: &Path, options: PruneOptions, interrupt: &Interrupt) -> Result<Pruned> {
    let place = || Place::input(path.display().to_string());
    match pruned(path, options, interrupt) {
        // Without a lock, a conversion at the same time would lose its blobs, unless there is nothing to remove.
        Err(error @ Error::Output(OutputError::NoLocks | OutputError::LocalLocks { .. })) => {
            let nothing = Pruned::default();
            match pruned(path, PruneOptions { dry_run: true }, interrupt) {
                Ok(found) if found == nothing => Ok(nothing),
                _ => Err(error),
            }
        }
        result => result,
    }
    .at(place)
}

fn pruned(path: &Path, options: PruneOptions, interrupt: &Interrupt) -> Result<Pruned> {
    if !std::fs::metadata(path)
        .map_err(Error::io("open", path))?
        .is_dir()
    {
        return Err(OutputError::NotALayoutFolder.into());
    }
    let resolved = match std::fs::read_link(path) {
        Ok(_) => path.canonicalize().map_err(Error::io("open", path))?,
        Err(_) => path.to_owned(),
    };
    let (parent, name) = Dir::parent_of(&resolved)?;
    let Some(layout) = parent.folder(&name)? else {
        return Err(OutputError::NotALayoutFolder.into());
    };
    if layout.kind(INDEX)?.is_none() {
        return Err(OutputError::NotALayoutFolder.into());
    }
    if !options.dry_run {
        output::remove_stale(&parent, &name, &layout, interrupt);
    }
    let locking = if options.dry_run {
        Locking::IfSupported
    } else {
        Locking::Required
    };
    let locked = output::lock_layout(&parent, &name, locking, interrupt);
    let (layout, lock) = locked.map_err(|error| match error {
        Error::Output(OutputError::NotALayout { .. }) => OutputError::NotALayoutFolder.into(),
        error => error,
    })?;
    let layout = Arc::new(layout);
    let index = layout
        .read_layout_index(INDEX)?
        .ok_or(OutputError::NotALayoutFolder)?;
    let Some(blobs) = layout.folder(BLOBS)? else {
        return Ok(Pruned::default());
    };
    let mut references = References::new(&blobs);
    references.read(INDEX, &index, Kind::IndexJson)?;
    if let Some(manifest) = layout.read(DOCKER_MANIFEST)? {
        references.read(DOCKER_MANIFEST, &manifest, Kind::DockerManifest)?;
    }
    references.follow(interrupt)?;
    if !options.dry_run {
        let is_needed = |digest: &Digest| references.found.contains(digest);
        output::keep_needed(&layout, is_needed, interrupt)?;
    }
    let removed = remove_others(&blobs, &references.found, options, interrupt);
    drop(lock);
    removed
}

/// Removes the blobs that are not `kept`.
fn remove_others(
    blobs: &Dir,
    kept: &BTreeSet<Digest>,
    options: PruneOptions,
    interrupt: &Interrupt,
) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    for algorithm in ["sha256", "sha512"] {
        let Some(folder) = blobs.folder(algorithm)? else {
            continue;
        };
        for (name, kind) in folder.names()? {
            interrupt.check()?;
            // Other files do not belong to the layout.
            let digest = format!("{algorithm}:{name}").parse::<Digest>();
            if kind != FileType::RegularFile || digest.map_or(true, |digest| kept.contains(&digest))
            {
                continue;
            }
            let status = folder.status(&name)?;
            let size = status.and_then(|status| u64::try_from(status.st_size).ok());
            if !options.dry_run {
                folder.remove_file(&name)?;
            }
            pruned.blobs += 1;
            pruned.size += size.unwrap_or_default();
        }
    }
    Ok(pruned)
}

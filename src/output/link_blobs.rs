//! Links blobs from a staging folder into an existing layout, and removes them again if the run fails.
//!
//! Blobs are linked, not moved, so that they are in both folders until the end. If the run fails, or is killed and the next run
//! finds its staging folder, files that are in both are removed from the layout, because no index.json refers to them. All of
//! this happens under the lock of the layout.

use super::not_a_file;
use crate::error::Result;
use crate::fs::Dir;

/// The next index.json in a staging folder. While it exists, the staged blobs do not belong to the layout.
pub(super) const NEXT_INDEX: &str = "index.json.new";

const BLOBS: &str = "blobs";

/// Links the blobs of `staged` into the layout. They replace existing files, because they were just verified. `sync` is called
/// with each changed folder.
pub(super) fn put_blobs(
    staged: &Dir,
    layout: &Dir,
    sync: impl Fn(&Dir) -> Result<()>,
) -> Result<()> {
    let blobs = layout.ensure_folder(BLOBS)?;
    for (algorithm, from) in algorithms(staged)? {
        let to = blobs.ensure_folder(&algorithm)?;
        for (name, _) in from.names()? {
            // Without links, or if the blob exists, it is moved, and stays if the run is killed.
            if !from.link(&name, &to, &name)? && !from.rename(&name, &to, &name)? {
                return Err(not_a_file(&to, &name));
            }
        }
        sync(&to)?;
    }
    sync(&blobs)
}

/// Whether the staged blobs do not belong to the layout.
pub(super) fn is_pending(staged: &Dir) -> Result<bool> {
    Ok(staged.kind(NEXT_INDEX)?.is_some())
}

/// Takes back the blobs of all staging folders under `prefix`, whether or not a run has locked them: no other run is linking
/// blobs while this one has the lock of the layout. One may be waiting for that lock to do the same. Failures are ignored,
/// because a folder may belong to another user, or be removed at the moment.
pub(super) fn take_back_all(folder: &Dir, prefix: &str, layout: &Dir) {
    for (name, _) in folder.names().unwrap_or_default() {
        if name.starts_with(prefix)
            && let Ok(Some(staged)) = folder.folder(&name)
        {
            let _: Result<()> = take_back(&staged, layout);
        }
    }
}

/// Removes the blobs that a run has linked into `layout` without publishing its index.json.
pub(super) fn take_back(staged: &Dir, layout: &Dir) -> Result<()> {
    if !is_pending(staged)? {
        return Ok(());
    }
    let Some(blobs) = layout.folder(BLOBS)? else {
        return Ok(());
    };
    for (algorithm, from) in algorithms(staged)? {
        let Some(to) = blobs.folder(&algorithm)? else {
            continue;
        };
        for (name, _) in from.names()? {
            // A later run may have published another file, or be removing the staged one.
            let staged = from.identity(&name)?;
            if staged.is_some() && staged == to.identity(&name)? {
                to.remove_file(&name)?;
            }
        }
    }
    Ok(())
}

/// The folders of the blobs in a staging folder, by digest algorithm.
fn algorithms(staged: &Dir) -> Result<Vec<(String, Dir)>> {
    let mut folders = Vec::new();
    if let Some(blobs) = staged.folder(BLOBS)? {
        for (algorithm, _) in blobs.names()? {
            if let Some(folder) = blobs.folder(&algorithm)? {
                folders.push((algorithm, folder));
            }
        }
    }
    Ok(folders)
}

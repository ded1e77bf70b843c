//! Blobs on their way from a staging folder into a layout that is there already, and back if they are not wanted.
//!
//! A blob is linked, not moved, so that until the end it is in both places. If the run fails, or dies and the next one
//! finds its staging folder, what is the same file in both is taken out of the layout again: no index.json names it.
//! All of this happens under the layout's lock.

use crate::error::{Error, Result};
use crate::fs::Dir;

/// The next index.json in a staging folder. As long as it is there the staged blobs are not the layout's.
pub(super) const NEXT_INDEX: &str = "index.json.new";

const BLOBS: &str = "blobs";

/// Puts the blobs of `staged` where index.json will look for them. They replace what is there, since they were just
/// verified. `sync` is called with each folder that has changed.
pub(super) fn put_blobs(
    staged: &Dir,
    layout: &Dir,
    sync: impl Fn(&Dir) -> Result<()>,
) -> Result<()> {
    let blobs = layout.ensure_folder(BLOBS)?;
    for (algorithm, from) in algorithms(staged)? {
        let to = blobs.ensure_folder(&algorithm)?;
        for (name, _) in from.names()? {
            // Where links cannot be had, or somebody has the blob already, it moves, and stays if the run dies.
            if !from.link(&name, &to, &name)? && !from.rename(&name, &to, &name)? {
                return Err(Error::NotAFile {
                    name: to.path(&name).display().to_string(),
                });
            }
        }
        sync(&to)?;
    }
    sync(&blobs)
}

/// Removes from `layout` the blobs that a run put there whose index.json never followed.
pub(super) fn take_back(staged: &Dir, layout: &Dir) -> Result<()> {
    if staged.kind(NEXT_INDEX)?.is_none() {
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
            // A run that came later has put a file of its own there.
            if from.identity(&name)? == to.identity(&name)? {
                to.remove_file(&name)?;
            }
        }
    }
    Ok(())
}

/// The folders of a staging folder's blobs, by digest algorithm.
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

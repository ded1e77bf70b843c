//! A staged tree on its way into the one that is there, and back if it is not wanted.
//!
//! First comes all that tags need: files are linked, not moved, so that until the tags move they are in both places. If the run
//! fails, or dies and the next one finds its staging folder, what is the same file in both is taken out again. Then each tag
//! moves by one rename. All of this happens under the tree's lock.

use rustix::fs::FileType;

use super::paths::existing;
use super::repositories::{CURRENT, TAGS};
use crate::error::{Error, Result};
use crate::fs::Dir;
use crate::source::registry::{LINK, MANIFESTS};

/// As long as it is in the staging folder, what is staged is not the tree's.
const PENDING: &str = "pending";

/// Puts the staged tree `from` into `tree`.
pub(super) fn put(staged: &Dir, from: &Dir, tree: &Dir, fsync: bool) -> Result<()> {
    let sync = || {
        if fsync {
            tree.sync_file_system()
        } else {
            Ok(())
        }
    };
    staged.write(PENDING, &[], fsync)?;
    let put = put_content(from, tree, Level::Above)
        .and_then(|()| sync())
        .and_then(|()| staged.remove_file(PENDING));
    if put.is_err() {
        // What cannot be taken back now, the next run takes back.
        let _: Result<()> = take_back(staged, tree);
        return put;
    }
    let mut moved = 0;
    let result = move_tags(from, tree, Level::Above, &mut moved);
    if result.is_err() && moved == 0 {
        let _: Result<()> = remove_same(from, tree);
    }
    result?;
    sync()
}

/// Where in a tree a folder is, as far as it matters for finding the tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Above,
    Manifests,
    Tags,
    Tag,
    Other,
}

impl Level {
    fn below(self, name: &str) -> Level {
        match self {
            Level::Above if name == MANIFESTS => Level::Manifests,
            Level::Above => Level::Above,
            Level::Manifests if name == TAGS => Level::Tags,
            Level::Tags => Level::Tag,
            Level::Manifests | Level::Tag | Level::Other => Level::Other,
        }
    }
}

/// Puts all but the links of the tags where it belongs. Where something is there already it is replaced: what is staged was
/// just verified. The folders of the tags are made, so that nothing is left to do that may need space.
fn put_content(from: &Dir, to: &Dir, level: Level) -> Result<()> {
    let mut names = from.names()?;
    // Blobs before the links to them.
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, kind) in names {
        if kind == FileType::Directory {
            let to = to.ensure_folder(&name)?;
            if level == Level::Tag && name == CURRENT {
                continue;
            }
            if let Some(from) = from.folder(&name)? {
                put_content(&from, &to, level.below(&name))?;
            }
        } else if !from.link(&name, to, &name)? && !from.rename(&name, to, &name)? {
            return Err(Error::NotAFile {
                name: to.path(&name).display().to_string(),
            });
        }
    }
    Ok(())
}

/// Lets the tags lead to their manifests, and counts them.
fn move_tags(from: &Dir, to: &Dir, level: Level, moved: &mut usize) -> Result<()> {
    for (name, kind) in from.names()? {
        if kind != FileType::Directory || level == Level::Other {
            continue;
        }
        let (Some(from), Some(to)) = (from.folder(&name)?, to.folder(&name)?) else {
            continue;
        };
        if level != Level::Tag {
            move_tags(&from, &to, level.below(&name), moved)?;
        } else if name == CURRENT {
            if !from.rename(LINK, &to, LINK)? {
                return Err(Error::NotAFile {
                    name: to.path(LINK).display().to_string(),
                });
            }
            *moved += 1;
        }
    }
    Ok(())
}

/// Removes from `tree` what a run put there whose tags never followed.
pub(super) fn take_back(staged: &Dir, tree: &Dir) -> Result<()> {
    if staged.kind(PENDING)?.is_none() {
        return Ok(());
    }
    match existing(staged, super::ROOT.into_iter())? {
        Some(from) => remove_same(&from, tree),
        None => Ok(()),
    }
}

/// Removes from `to` the files that are the same as in `from`, and the folders that are empty then.
fn remove_same(from: &Dir, to: &Dir) -> Result<()> {
    for (name, kind) in from.names()? {
        if kind != FileType::Directory {
            // A run that came later may have put a file of its own there.
            if from.identity(&name)? == to.identity(&name)? {
                to.remove_file(&name)?;
            }
        } else if let (Some(from), Some(inner)) = (from.folder(&name)?, to.folder(&name)?) {
            remove_same(&from, &inner)?;
            // Not empty where others have put something.
            let _: Result<()> = to.remove_empty_folder(&name);
        }
    }
    Ok(())
}

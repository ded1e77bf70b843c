//! Merges a staged tree into an existing one, and undoes it on failure.
//!
//! First, everything that tags need is added. Files are linked, not moved, so that they are in both trees until the tags
//! change. If the run fails, or dies and the next run finds its staging folder, files that are in both are removed from the
//! existing tree. Then each tag changes by one rename. If one fails, the earlier ones are restored from their old links, which
//! are staged. All of this happens under the lock of the tree.

use rustix::fs::FileType;

use super::super::not_a_file;
use super::paths::existing;
use super::repositories::{CURRENT, TAGS};
use crate::error::Result;
use crate::fs::Dir;
use crate::source::registry::{LINK, MANIFESTS};

/// While it is in the staging folder, the staged files do not belong to the tree.
const PENDING: &str = "pending";

/// The old link of a tag, staged next to the new one.
const OLD: &str = "old";

/// Merges the staged tree `from` into `tree`.
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
        .and_then(|()| for_tags(from, tree, &mut stage_old))
        .and_then(|()| sync())
        .and_then(|()| staged.remove_file(PENDING));
    if put.is_err() {
        // If undoing fails, the next run does it.
        let _: Result<()> = take_back(staged, tree);
        return put;
    }
    let moved = for_tags(from, tree, &mut move_tag);
    if moved.is_err() {
        let mut all_back = true;
        let walked = for_tags(from, tree, &mut |from, to| {
            all_back &= put_back(from, to).is_ok();
            Ok(())
        });
        // A tag that stays where it has moved to needs what it leads to.
        if walked.is_ok() && all_back {
            let _: Result<()> = remove_same(from, tree);
        }
    }
    moved?;
    sync()
}

/// The position of a folder in a tree, as far as it is needed to find the tags.
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

/// Links everything except the links of tags. Existing files are replaced, because the staged ones were just verified. The
/// folders of tags are created too, so that the remaining steps need no disk space.
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
            return Err(not_a_file(to, &name));
        }
    }
    Ok(())
}

/// Calls `step` with the folder of the link of each staged tag, and the one that it belongs into.
fn for_tags(from: &Dir, to: &Dir, step: &mut dyn FnMut(&Dir, &Dir) -> Result<()>) -> Result<()> {
    for_tags_below(from, to, Level::Above, step)
}

fn for_tags_below(
    from: &Dir,
    to: &Dir,
    level: Level,
    step: &mut dyn FnMut(&Dir, &Dir) -> Result<()>,
) -> Result<()> {
    for (name, kind) in from.names()? {
        if kind != FileType::Directory || level == Level::Other {
            continue;
        }
        let (Some(from), Some(to)) = (from.folder(&name)?, to.folder(&name)?) else {
            continue;
        };
        if level != Level::Tag {
            for_tags_below(&from, &to, level.below(&name), step)?;
        } else if name == CURRENT {
            step(&from, &to)?;
        }
    }
    Ok(())
}

/// Stages the link that a tag has.
fn stage_old(from: &Dir, to: &Dir) -> Result<()> {
    match to.kind(LINK)? {
        None => Ok(()),
        Some(FileType::Directory) => Err(not_a_file(to, LINK)),
        Some(_) if to.link(LINK, from, OLD)? => Ok(()),
        // The file system has no links.
        Some(_) => {
            let link = to.read(LINK)?.unwrap_or_default();
            from.write(OLD, &link, false).map(drop)
        }
    }
}

/// Changes a tag.
fn move_tag(from: &Dir, to: &Dir) -> Result<()> {
    move_from(from, LINK, to)
}

fn move_from(from: &Dir, name: &str, to: &Dir) -> Result<()> {
    if from.rename(name, to, LINK)? {
        Ok(())
    } else {
        Err(not_a_file(to, LINK))
    }
}

/// Undoes [`move_tag`], where it was done.
fn put_back(from: &Dir, to: &Dir) -> Result<()> {
    if from.kind(LINK)?.is_some() {
        return Ok(());
    }
    if from.kind(OLD)?.is_none() {
        return to.remove_file(LINK);
    }
    move_from(from, OLD, to)
}

/// Removes from `tree` what a run has added without changing its tags.
pub(super) fn take_back(staged: &Dir, tree: &Dir) -> Result<()> {
    if staged.kind(PENDING)?.is_none() {
        return Ok(());
    }
    match existing(staged, super::ROOT.into_iter())? {
        Some(from) => remove_same(&from, tree),
        None => Ok(()),
    }
}

/// Removes from `to` the files that are the same as in `from`, and folders that are then empty.
fn remove_same(from: &Dir, to: &Dir) -> Result<()> {
    for (name, kind) in from.names()? {
        if kind != FileType::Directory {
            // A later run may have put another file there.
            if from.identity(&name)? == to.identity(&name)? {
                to.remove_file(&name)?;
            }
        } else if let (Some(from), Some(inner)) = (from.folder(&name)?, to.folder(&name)?) {
            remove_same(&from, &inner)?;
            // Not empty if others have put something there.
            let _: Result<()> = to.remove_empty_folder(&name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    fn read(folder: &Path) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(folder).unwrap();
            let content = fs::read_to_string(entry.path()).unwrap_or_default();
            files.push((name.to_str().unwrap().to_owned(), content));
        }
        files
    }

    /// One of several tags cannot move: its link is not even staged.
    #[test]
    fn tags_that_have_moved_are_put_back() {
        let work = tempfile::tempdir().unwrap();
        let tags = |root: &str, tag: &str| {
            format!("{root}/repositories/app/_manifests/tags/{tag}/current/link")
        };
        let staged = work.path().join("staged");
        let from = "docker/registry/v2";
        let new = ["a", "b", "c", "d", "e"].map(|tag| tags(from, tag));
        let new: Vec<(&str, &str)> = new.iter().map(|name| (name.as_str(), "new")).collect();
        write(&staged, &new);
        let blob = format!("{from}/blobs/sha256/00/00/data");
        write(&staged, &[(&blob, "blob")]);
        fs::create_dir_all(staged.join(tags(from, "stuck")).parent().unwrap()).unwrap();
        let tree = work.path().join("tree");
        let old = ["a", "b", "stuck"].map(|tag| tags(".", tag));
        let old: Vec<(&str, &str)> = old.iter().map(|name| (name.as_str(), "old")).collect();
        write(&tree, &old);
        let before = read(&tree);

        let open = |path: &Path| {
            let (parent, name) = Dir::parent_of(path).unwrap();
            parent.folder(&name).unwrap().unwrap()
        };
        let result = put(
            &open(&staged),
            &open(&staged.join(from)),
            &open(&tree),
            false,
        );
        assert!(result.is_err());
        assert_eq!(read(&tree), before);
    }
}

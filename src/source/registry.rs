//! The storage tree of a registry in a folder.
//!
//! A registry has hundreds of thousands of blobs, each in a folder of its own. Therefore only the links in `repositories` are
//! listed, and a blob is looked for when a document refers to it.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::content::Content;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::limits;

pub(crate) const REPOSITORIES: &str = "repositories";
pub(crate) const BLOBS: &str = "blobs";
/// The folder of a repository's manifests and tags. No repository has such a name.
pub(crate) const MANIFESTS: &str = "_manifests";
pub(crate) const LINK: &str = "link";

/// Maximum depth of the links: the names of repositories have at most 255 bytes.
const LINK_DEPTH: usize = 128 + 8;

/// The name of a blob below the root of a tree.
pub(crate) fn blob_name(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{BLOBS}/{}/{}/{hex}/data", digest.algorithm(), &hex[..2])
}

/// The digest of a blob by its name below the root of a tree.
pub(crate) fn digest_of(name: &str) -> Option<Digest> {
    let mut components = name.split('/');
    let (_, algorithm, _, hex) = (
        components.next()?,
        components.next()?,
        components.next()?,
        components.next()?,
    );
    let digest = format!("{algorithm}:{hex}").parse().ok()?;
    (blob_name(&digest) == name).then_some(digest)
}

/// What a search for a tree finds.
pub(super) struct Search {
    /// The path of the tree relative to the folder, with a slash at its end unless it is empty. `None` if there is no tree.
    pub root: Option<String>,
    /// The first folder that cannot be listed.
    pub unread: Option<(PathBuf, io::Error)>,
}

/// Searches for the tree in or below a folder.
///
/// # Errors
/// There are several trees.
pub(super) fn root_below(folder: &Path) -> Result<Search> {
    let mut unread = None;
    let mut roots = Vec::new();
    let mut with_blobs = Vec::new();
    let mut folders = VecDeque::from([(String::new(), 0)]);
    let mut searched = 0;
    while let Some((name, depth)) = folders.pop_front() {
        let path = folder.join(&name);
        let has = |what: &str| path.join(what).is_dir();
        if has(BLOBS) {
            if has(REPOSITORIES) {
                roots.push(name);
                continue;
            }
            if has_blob(&path) {
                with_blobs.push(name);
                continue;
            }
        }
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => {
                unread.get_or_insert((path, error));
                continue;
            }
        };
        let mut below = Vec::new();
        for entry in entries.flatten() {
            searched += 1;
            if searched > limits::SEARCHED_FILES {
                break;
            }
            let entry_name = entry.file_name();
            let Some(entry_name) = entry_name.to_str() else {
                continue;
            };
            if depth < limits::SEARCH_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                below.push((format!("{name}{entry_name}/"), depth + 1));
            }
        }
        below.sort();
        folders.extend(below);
    }
    if roots.is_empty() {
        roots = with_blobs;
    }
    only(&roots)?;
    let root = roots.pop();
    Ok(Search { root, unread })
}

/// Refuses an input with several trees.
pub(crate) fn only(roots: &[String]) -> Result<()> {
    match roots {
        [first, second, ..] => {
            let shown = |root: &String| match root.as_str() {
                "" => ".".to_owned(),
                root => root.to_owned(),
            };
            Err(Error::SeveralTrees {
                first: shown(first),
                second: shown(second),
            })
        }
        _ => Ok(()),
    }
}

/// Whether a folder has a blob at the path that a registry uses.
fn has_blob(folder: &Path) -> bool {
    let first = |path: &Path, length: usize| {
        let entries = fs::read_dir(path)
            .ok()?
            .flatten()
            .take(limits::SEARCHED_FILES);
        let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let is_hex = |name: &String| {
            name.len() == length && name.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        Some(path.join(names.find(is_hex)?))
    };
    let blob = first(&folder.join(BLOBS).join("sha256"), 2).and_then(|path| first(&path, 64));
    blob.is_some_and(|blob| blob.join("data").is_file())
}

/// A part of a folder that cannot be listed.
#[derive(Debug)]
pub(crate) struct Unlisted {
    pub name: String,
    pub error: Error,
}

/// The links of the manifests and tags of a tree.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Each with its name.
    pub links: Vec<(String, Content)>,
    pub unlisted: Vec<Unlisted>,
}

/// The links of the tree at `root` in `folder`.
pub(super) fn links(folder: &Path, root: &str) -> Result<Links> {
    let (mut links, mut unlisted) = (Vec::new(), Vec::new());
    let name_of = |path: &Path| {
        let name = path.strip_prefix(folder).ok().and_then(Path::to_str);
        name.map(str::to_owned)
    };
    let repositories = folder.join(format!("{root}{REPOSITORIES}"));
    if !repositories.exists() {
        return Ok(Links::default());
    }
    let walk = WalkDir::new(repositories)
        .follow_links(true)
        .min_depth(1)
        .max_depth(LINK_DEPTH);
    let mut searched = 0;
    for found in walk.into_iter().filter_entry(may_have_links) {
        searched += 1;
        limits::at_most("the number of files", searched, limits::MEMBERS)?;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                if let Some(name) = error.path().and_then(name_of) {
                    unlisted.push(unlisted_of(name, error));
                }
                continue;
            }
        };
        let is_link = found.file_name() == LINK && found.file_type().is_file();
        let Some(name) = name_of(found.path()).filter(|_| is_link) else {
            continue;
        };
        match found.metadata() {
            Ok(metadata) => {
                let content = Content::in_folder(found.path(), metadata.len());
                links.push((name, content));
            }
            Err(error) => unlisted.push(unlisted_of(name, error)),
        }
    }
    Ok(Links { links, unlisted })
}

fn unlisted_of(name: String, error: walkdir::Error) -> Unlisted {
    let error = if error.loop_ancestor().is_some() {
        Error::LinkCycle { name: name.clone() }
    } else {
        let path = error.path().unwrap_or(Path::new("")).to_owned();
        let source = error.into_io_error();
        let source = source.unwrap_or_else(|| io::Error::other("it cannot be listed"));
        Error::io("list", path)(source)
    };
    Unlisted { name, error }
}

/// Whether it is, or may contain, a link to a manifest. Most links are to layers, uploads, and earlier manifests of tags, which
/// are skipped.
fn may_have_links(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let above = |levels: usize| {
        let folder = entry.path().ancestors().nth(levels)?.file_name()?;
        folder.to_str()
    };
    let is_old = name == "index" && above(2) == Some("tags") && above(3) == Some(MANIFESTS);
    (!name.starts_with('_') || name == MANIFESTS) && !is_old
}

/// The blobs of a tree in a folder.
#[derive(Debug)]
pub(super) struct BlobFolder {
    folder: PathBuf,
    root: String,
}

impl BlobFolder {
    pub fn new(folder: &Path, root: &str) -> BlobFolder {
        BlobFolder {
            folder: folder.to_owned(),
            root: root.to_owned(),
        }
    }

    pub fn root(&self) -> &str {
        &self.root
    }

    /// The blob of a name; links are followed.
    pub fn find(&self, name: &str) -> Result<Option<Content>> {
        let Some(digest) = name.strip_prefix(&self.root).and_then(digest_of) else {
            return Ok(None);
        };
        let path = self.folder.join(&self.root).join(blob_name(&digest));
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                Ok(Some(Content::in_folder(&path, metadata.len())))
            }
            Ok(_) => Err(Error::NotAFile {
                name: name.to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("examine", path)(error)),
        }
    }

    /// The names of all blobs in order, without folders that cannot be listed and other files.
    pub fn names(&self) -> Result<Vec<String>> {
        let walk = WalkDir::new(self.folder.join(&self.root).join(BLOBS))
            .follow_links(true)
            .min_depth(3)
            .max_depth(3);
        let mut names = Vec::new();
        for found in walk.into_iter().flatten() {
            let path = found.path().join("data");
            let name = path.strip_prefix(&self.folder).ok().and_then(Path::to_str);
            let is_blob = |name: &&str| {
                let name = name.strip_prefix(&self.root);
                name.and_then(digest_of).is_some()
            };
            names.extend(name.filter(is_blob).map(str::to_owned));
            limits::at_most("the number of files", names.len(), limits::MEMBERS)?;
        }
        names.sort();
        Ok(names)
    }
}

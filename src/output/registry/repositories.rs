//! The links of a tree: the manifests, blobs and tags of each repository.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::super::index::{Additions, MovedName};
use super::paths::{existing, made};
use crate::digest::Digest;
use crate::error::{Error, OutputError, RequestError, Result};
use crate::fs::Dir;
use crate::image::Document;
use crate::image::media_type::{self, DocumentKind};
use crate::limits;
use crate::source::registry::{BLOBS, LINK, MANIFESTS, REPOSITORIES};

const LAYERS: &str = "_layers";
const REVISIONS: &str = "revisions";
pub(super) const TAGS: &str = "tags";
pub(super) const CURRENT: &str = "current";
const INDEX: &str = "index";

/// By name.
#[derive(Debug, Default)]
pub(super) struct Repositories(BTreeMap<String, Repository>);

#[derive(Debug, Default)]
struct Repository {
    tags: BTreeMap<String, Digest>,
    manifests: BTreeSet<Digest>,
    /// Each with whether the tree may lack it, because it can be obtained elsewhere.
    blobs: BTreeMap<Digest, bool>,
}

impl Repositories {
    /// `documents` are all manifests and indexes of the output.
    ///
    /// # Errors
    /// An image that has no place in a tree: [`OutputError::Unnamed`], [`RequestError::NameConflict`].
    pub fn new(
        additions: &Additions,
        documents: &HashMap<Digest, Document>,
    ) -> Result<Repositories> {
        let mut repositories = Repositories::default();
        let mut placed = HashSet::new();
        for image in &additions.in_registry {
            let (path, digest) = (&image.repository, image.digest);
            placed.insert(digest);
            let repository = repositories.0.entry(path.clone()).or_default();
            repository.add(&digest, documents, 0)?;
            let Some(tag) = &image.tag else {
                continue;
            };
            let tagged = repository.tags.insert(tag.clone(), digest);
            if let Some(first) = tagged.filter(|first| *first != digest) {
                return Err(RequestError::NameConflict {
                    name: format!("{path}:{tag}"),
                    first: first.to_string(),
                    second: digest.to_string(),
                    platforms_differ: false,
                }
                .into());
            }
        }
        for descriptor in &additions.descriptors {
            if !placed.contains(&descriptor.digest) {
                repositories.add_referrer(&descriptor.digest, documents)?;
            }
        }
        Ok(repositories)
    }

    /// Adds a manifest without a name to the repositories of its subject.
    fn add_referrer(
        &mut self,
        digest: &Digest,
        documents: &HashMap<Digest, Document>,
    ) -> Result<()> {
        let document = documents.get(digest).ok_or(OutputError::Unnamed)?;
        let subject = parse(document)?["subject"]["digest"]
            .as_str()
            .map(str::parse);
        let Some(Ok(subject)) = subject else {
            return Err(OutputError::Unnamed.into());
        };
        let mut is_added = false;
        for repository in self.0.values_mut() {
            if repository.manifests.contains(&subject) {
                repository.add(digest, documents, 0)?;
                is_added = true;
            }
        }
        if is_added {
            Ok(())
        } else {
            Err(OutputError::Unnamed.into())
        }
    }

    /// The tags of a tree that belong to other manifests.
    pub fn moved(&self, tree: &Dir) -> Result<Vec<MovedName>> {
        let mut moved = Vec::new();
        for (name, repository) in &self.0 {
            for (tag, digest) in &repository.tags {
                let components = name.split('/').chain([MANIFESTS, TAGS, tag, CURRENT]);
                let components = [REPOSITORIES].into_iter().chain(components);
                let Some(folder) = existing(tree, components)? else {
                    continue;
                };
                let Some(link) = folder.read(LINK)? else {
                    continue;
                };
                let from = String::from_utf8_lossy(&link).into_owned();
                let to = digest.to_string();
                if from != to {
                    let name = format!("{name}:{tag}");
                    moved.push(MovedName { name, from, to });
                }
            }
        }
        Ok(moved)
    }

    /// Writes all links into the tree at `root`.
    pub fn write(&self, root: &Dir) -> Result<()> {
        let all_blobs = root.ensure_folder(BLOBS)?;
        let repositories = root.ensure_folder(REPOSITORIES)?;
        for (name, repository) in &self.0 {
            let folder = made(&repositories, name.split('/'))?;
            let layers = folder.ensure_folder(LAYERS)?;
            for (digest, may_be_missing) in &repository.blobs {
                if !*may_be_missing || is_there(&all_blobs, digest)? {
                    link(&layers, digest)?;
                }
            }
            let manifests = folder.ensure_folder(MANIFESTS)?;
            let revisions = manifests.ensure_folder(REVISIONS)?;
            for digest in &repository.manifests {
                link(&revisions, digest)?;
            }
            let tags = manifests.ensure_folder(TAGS)?;
            for (tag, digest) in &repository.tags {
                let tag = tags.ensure_folder(tag)?;
                link(&tag.ensure_folder(INDEX)?, digest)?;
                write_link(&tag.ensure_folder(CURRENT)?, digest)?;
            }
        }
        Ok(())
    }
}

impl Repository {
    /// Adds a manifest or index with everything that it refers to. `depth` counts the indexes above it.
    fn add(
        &mut self,
        digest: &Digest,
        documents: &HashMap<Digest, Document>,
        depth: usize,
    ) -> Result<()> {
        let what = "the depth of nested indexes";
        limits::at_most(what, depth, limits::INDEX_DEPTH)?;
        if self.manifests.contains(digest) {
            return Ok(());
        }
        let document = documents.get(digest);
        let kind = |document: &Document| media_type::kind(&document.media_type);
        let kind = document.map_or(DocumentKind::Other, kind);
        let value = match document {
            Some(document) if kind != DocumentKind::Other => parse(document)?,
            _ => Value::Null,
        };
        let digests = |key: &str, field: &str| {
            let list = value[key].as_array().map(Vec::as_slice);
            let values = list.unwrap_or_default().iter();
            let found = values.filter_map(|value| {
                let has_urls = value["urls"]
                    .as_array()
                    .is_some_and(|urls| !urls.is_empty());
                Some((value[field].as_str()?.parse().ok()?, has_urls))
            });
            found.collect::<Vec<(Digest, bool)>>()
        };
        match kind {
            DocumentKind::Index => {
                self.manifests.insert(*digest);
                for (child, _) in digests("manifests", "digest") {
                    self.add(&child, documents, depth + 1)?;
                }
            }
            DocumentKind::Manifest => {
                self.manifests.insert(*digest);
                let config = value["config"]["digest"].as_str().map(str::parse);
                self.blobs
                    .extend(config.and_then(Result::ok).map(|config| (config, false)));
                self.blobs.extend(digests("layers", "digest"));
            }
            DocumentKind::Schema1 => {
                self.manifests.insert(*digest);
                self.blobs.extend(digests("fsLayers", "blobSum"));
            }
            DocumentKind::Other if depth == 0 => {
                return Err(RequestError::NotInFormat {
                    what: format!("blob {digest}, which is neither a manifest nor an index,"),
                    format: "a registry tree",
                }
                .into());
            }
            // An index may list blobs, and manifests that the output lacks.
            DocumentKind::Other => {
                self.blobs.entry(*digest).or_insert(true);
            }
        }
        Ok(())
    }
}

fn parse(document: &Document) -> Result<Value> {
    let malformed = |_| Error::document("the manifest", "it is not valid JSON");
    serde_json::from_slice(&document.bytes).map_err(malformed)
}

fn is_there(blobs: &Dir, digest: &Digest) -> Result<bool> {
    let hex = digest.hex();
    let components = [digest.algorithm(), &hex[..2], &hex];
    Ok(existing(blobs, components.into_iter())?.is_some())
}

/// Writes a link to a digest into its folder below `folder`.
fn link(folder: &Dir, digest: &Digest) -> Result<()> {
    let folder = folder.ensure_folder(digest.algorithm())?;
    write_link(&folder.ensure_folder(&digest.hex())?, digest)
}

fn write_link(folder: &Dir, digest: &Digest) -> Result<()> {
    folder.write(LINK, digest.to_string().as_bytes(), false)?;
    Ok(())
}

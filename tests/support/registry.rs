//! The storage tree of a registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::files::Files;
use super::oci::{self, Layout, digest};
use super::sandbox::Sandbox;
use super::sha256;
use super::tar::Dialect;

/// Where a registry puts its tree below the folder that it is told.
pub const ROOT: &str = "docker/registry/v2/";

/// A tree in the making.
#[derive(Debug, Clone)]
pub struct Tree {
    root: &'static str,
    pub files: Files,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::at(ROOT)
    }
}

impl Tree {
    pub fn at(root: &'static str) -> Tree {
        Tree {
            root,
            files: Files::default(),
        }
    }

    /// A tree with all blobs of a layout.
    pub fn of(layout: &Layout) -> Tree {
        let mut tree = Tree::default();
        tree.add_blobs(layout);
        tree
    }

    pub fn add_blobs(&mut self, layout: &Layout) {
        for member in &layout.files().members {
            if member.name.starts_with("blobs/sha256/") {
                self.blob(member.bytes());
            }
        }
    }

    /// Adds a blob; gives its digest.
    pub fn blob(&mut self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        self.files.put(&self.blob_path(&digest), bytes);
        digest
    }

    pub fn blob_path(&self, digest: &str) -> String {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        format!("{}blobs/{algorithm}/{}/{hex}/data", self.root, &hex[..2])
    }

    fn manifests(&self, repository: &str) -> String {
        format!("{}repositories/{repository}/_manifests/", self.root)
    }

    pub fn revision_path(&self, repository: &str, digest: &str) -> String {
        let digest = digest.replace(':', "/");
        format!("{}revisions/{digest}/link", self.manifests(repository))
    }

    pub fn tag_path(&self, repository: &str, tag: &str) -> String {
        format!("{}tags/{tag}/current/link", self.manifests(repository))
    }

    /// Links a manifest in a repository.
    pub fn revision(&mut self, repository: &str, digest: &str) {
        let path = self.revision_path(repository, digest);
        self.files.put(&path, digest);
    }

    /// Lets a tag lead to a manifest, as the registry does it.
    pub fn tag(&mut self, repository: &str, tag: &str, digest: &str) {
        self.revision(repository, digest);
        let path = self.tag_path(repository, tag);
        self.files.put(&path, digest);
        let hex = digest.replace(':', "/");
        let old = path.replace("current/link", &format!("index/{hex}/link"));
        self.files.put(&old, digest);
    }

    /// A tree with one tag, `app:1`.
    pub fn one(layout: &Layout, image: &Value) -> Tree {
        let mut tree = Tree::of(layout);
        tree.tag("app", "1", digest(image));
        tree
    }
}

/// The files as an archive. Its names are too long for plain headers.
pub fn tar(files: &Files) -> Vec<u8> {
    files.clone().in_dialect(Dialect::Pax).tar()
}

/// The files in the folder `app`, and in `app.tar`; each with the name of the input.
pub fn folder_and_archive(files: &Files) -> [(Sandbox, &'static str); 2] {
    let archive = Sandbox::new();
    archive.write("app.tar", &tar(files));
    [(Sandbox::with_folder(files), "app"), (archive, "app.tar")]
}

/// A tree that the program wrote: all tags with their digests, by `repository:tag`. Everything that a registry needs to serve them
/// must be there, and nothing else.
pub fn check(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    read_folder(folder, "", &mut files);
    let mut used = BTreeSet::new();
    let mut tags = BTreeMap::new();
    let mut pending = Vec::new();
    for (name, bytes) in &files {
        if let Some((repository, link)) = split(name) {
            let digest = String::from_utf8(bytes.clone()).unwrap();
            let components: Vec<&str> = link.split('/').collect();
            match *components {
                ["tags", tag, "current", "link"] => {
                    let old = digest.replace(':', "/");
                    let old = format!(
                        "{REPOSITORIES}{repository}/_manifests/tags/{tag}/index/{old}/link"
                    );
                    assert_eq!(files[&old], *bytes, "{old}");
                    tags.insert(format!("{repository}:{tag}"), digest.clone());
                    pending.push((repository.to_owned(), digest));
                    used.insert(name.clone());
                }
                ["tags", _, "index", "sha256", hex, "link"] => {
                    assert_eq!(digest, format!("sha256:{hex}"), "{name}");
                    used.insert(name.clone());
                }
                // Some have no tag any more.
                ["revisions", "sha256", hex, "link"] => {
                    assert_eq!(digest, format!("sha256:{hex}"), "{name}");
                    pending.push((repository.to_owned(), digest));
                }
                _ => panic!("{name}"),
            }
        }
    }
    while let Some((repository, digest)) = pending.pop() {
        let hex = digest.replace(':', "/");
        let link = format!("{REPOSITORIES}{repository}/_manifests/revisions/{hex}/link");
        assert_eq!(files[&link], digest.as_bytes(), "{link}");
        used.insert(link);
        let blob = Tree::default().blob_path(&digest);
        let document: Value = serde_json::from_slice(&files[&blob]).unwrap();
        assert_eq!(sha256(&files[&blob]), digest);
        used.insert(blob);
        let list = |key: &str| document[key].as_array().cloned().unwrap_or_default();
        for child in list("manifests") {
            let child = oci::digest(&child).to_owned();
            if files.contains_key(&Tree::default().blob_path(&child)) {
                pending.push((repository.clone(), child));
            }
        }
        let blobs = list("layers")
            .into_iter()
            .chain(list("fsLayers"))
            .chain(document.get("config").cloned());
        for blob in blobs {
            let digest = blob.get("blobSum").unwrap_or(&blob["digest"]);
            let digest = digest.as_str().unwrap();
            let path = Tree::default().blob_path(digest);
            if blob.get("urls").is_some() && !files.contains_key(&path) {
                continue;
            }
            assert_eq!(sha256(&files[&path]), digest, "{path}");
            let link = format!(
                "{REPOSITORIES}{repository}/_layers/{}/link",
                digest.replace(':', "/")
            );
            assert_eq!(files[&link], digest.as_bytes(), "{link}");
            used.extend([path, link]);
        }
    }
    for name in files.keys() {
        assert!(used.contains(name), "nothing needs {name}");
    }
    tags
}

const REPOSITORIES: &str = "docker/registry/v2/repositories/";

fn split(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(REPOSITORIES)?.split_once("/_manifests/")
}

fn read_folder(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_folder(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

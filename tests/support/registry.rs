//! The storage tree of a registry.

use serde_json::Value;

use super::files::Files;
use super::oci::{Layout, digest};
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

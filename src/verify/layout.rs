//! OCI layouts: `oci-layout`, index.json, the tree below it, and all blobs.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>

use std::collections::HashMap;

use serde_json::Value;

use super::findings::{Findings, Found};
use super::json::text;
use super::shape::{self, Link};
use super::tree::{Presence, Tree};
use crate::digest::Digest;
use crate::findings::Code;
use crate::findings::Place;
use crate::formats::Blobs;
use crate::image::CONTAINERD_NAME;
use crate::image::REF_NAME;
use crate::image::media_type;
use crate::source::Files;

const INDEX: &str = "index.json";
const LAYOUT: &str = "oci-layout";

/// An entry of index.json.
pub(super) struct IndexEntry {
    pub link: Link,
    pub place: Place,
    /// Numbers of the images that it leads to.
    pub images: Vec<usize>,
}

/// Checks a layout. `docker` tells that there is a manifest.json too.
pub(super) fn check(findings: &mut Findings, files: &Files, docker: bool) -> Vec<IndexEntry> {
    version(findings, files);
    if !files.has_folder("blobs") {
        let place = Place::file("blobs");
        findings.problem(Code::LayoutBlobs, &place, "there is no folder blobs");
    }
    let place = Place::file(INDEX);
    let document = match findings.find(files, INDEX, &place) {
        Found::Here(content) => findings.document(content, None, &place),
        Found::Absent => {
            findings.problem(Code::MissingBlob, &place, "index.json is missing");
            None
        }
        Found::Broken => None,
    };
    let entries = document.map(|document| index(findings, files, &document.value, docker));
    let entries = entries.unwrap_or_default();
    names(findings, &entries);
    entries
}

fn version(findings: &mut Findings, files: &Files) {
    let place = Place::file(LAYOUT);
    match findings.find(files, LAYOUT, &place) {
        Found::Here(content) => {
            if let Some(document) = findings.document(content, None, &place)
                && text(&document.value, "imageLayoutVersion") != Some("1.0.0")
            {
                let message = "imageLayoutVersion is not \"1.0.0\"";
                findings.problem(Code::LayoutVersion, &place, message);
            }
        }
        Found::Absent => {
            findings.problem(Code::LayoutVersion, &place, "oci-layout is missing");
        }
        Found::Broken => {}
    }
}

fn index(findings: &mut Findings, files: &Files, value: &Value, docker: bool) -> Vec<IndexEntry> {
    let place = Place::file(INDEX);
    let mut tree = Tree::new(findings, files, &Blobs);
    if tree.form(value, media_type::INDEX, &place).is_none() {
        return Vec::new();
    }
    if docker && value.get("manifests").is_some_and(Value::is_null) {
        let message = "manifests is null";
        tree.findings.problem(Code::NullManifests, &place, message);
        return Vec::new();
    }
    tree.subject(value, &place, 0);
    let links = tree.links(value, "manifests", &place);
    tree.attestations(&links, &place);
    let mut entries: Vec<IndexEntry> = Vec::new();
    for (number, link) in links.into_iter().enumerate() {
        let name = link
            .annotation(REF_NAME)
            .or(link.annotation(CONTAINERD_NAME))
            .map_or_else(|| format!("@{number}"), str::to_owned);
        let image = Place::image(name);
        let images = match tree.node(&link, &image, 0) {
            Presence::Here(images) => images,
            Presence::Absent(problems) => {
                tree.findings.problems.extend(problems);
                Vec::new()
            }
        };
        for &number in &images {
            tree.compare_platform(&link, number, &place);
        }
        entries.push(IndexEntry {
            link,
            place: image.in_file(INDEX),
            images,
        });
    }
    entries
}

/// Names: their grammar, and whether each leads to one image.
fn names(findings: &mut Findings, entries: &[IndexEntry]) {
    let all = entries.iter().map(|IndexEntry { link, .. }| {
        let name = link.annotation(REF_NAME);
        name.or(link.annotation(CONTAINERD_NAME))
            .unwrap_or_default()
    });
    findings.names(all, &Place::file(INDEX));
    let mut known: HashMap<(&str, Option<&str>), Digest> = HashMap::new();
    for IndexEntry { link, place, .. } in entries {
        let Some(name) = link.annotation(REF_NAME) else {
            continue;
        };
        if !shape::is_ref_name(name) {
            let message = format!("{REF_NAME} {name:?} does not fit its grammar");
            findings.problem(Code::RefName, place, message);
        }
        // Docker writes the tag alone, and the whole name beside it.
        let full = link.annotation(CONTAINERD_NAME);
        let first = *known.entry((name, full)).or_insert(link.digest);
        if first != link.digest {
            let message = format!("{name} is the name of {first} and of {}", link.digest);
            findings.problem(Code::RefNameDuplicate, place, message);
        }
    }
}

/// Files below `blobs` that nothing has referred to: their names are digests all the same.
pub(super) fn other_blobs(findings: &mut Findings, files: &Files) {
    for name in files.names() {
        let Some(path) = name.strip_prefix("blobs/") else {
            continue;
        };
        let place = Place::file(name);
        let Ok(Some(content)) = files.find(name) else {
            continue;
        };
        if findings.is_known(content) {
            continue;
        }
        let digest = path.replacen('/', ":", 1);
        match digest.parse::<Digest>() {
            Ok(digest) => {
                let message = "nothing that could be read refers to it";
                findings.problem(Code::UnreferencedBlob, &place, message);
                findings.blob(content, Some(digest), &place);
            }
            Err(_) if is_other_algorithm(&digest) => {
                let message = "its digest is of an unknown algorithm";
                findings.problem(Code::DigestAlgorithm, &place, message);
            }
            Err(_) => {
                let message = "it is not named as a blob is, blobs/<algorithm>/<hex>";
                findings.problem(Code::BlobName, &place, message);
            }
        }
    }
}

fn is_other_algorithm(digest: &str) -> bool {
    let known = digest.starts_with("sha256:") || digest.starts_with("sha512:");
    !known && shape::is_digest(digest)
}

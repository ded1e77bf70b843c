//! OCI image layouts: `oci-layout`, index.json, names, and unreferenced blobs.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::absent;
use super::tree::{LayoutBlobs, Tree};
use crate::digest::Digest;
use crate::findings::{Code, Finding, Place};
use crate::formats::descriptor::{self, Link};
use crate::formats::json::text;
use crate::formats::reading::{Found, MISSING, Reading, UNREFERENCED};
use crate::formats::{Loose, keys};
use crate::image::{
    CONTAINERD_NAME, Descriptor, Entry, Node, REF_NAME, Reference, is_ref_name, is_tag_of,
    media_type,
};
use crate::limits;

const INDEX: &str = "index.json";
const LAYOUT: &str = "oci-layout";

/// Whether the input contains another format besides the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayoutKind {
    Plain,
    /// The manifest.json of a `docker save` archive.
    DockerArchive,
}

/// Reads a layout.
pub(crate) fn read(reading: &mut Reading, kind: LayoutKind) -> Vec<Entry> {
    version(reading);
    if !reading.files.has_folder("blobs") {
        let place = Place::file("blobs");
        reading.note(Code::LayoutBlobs, &place, "the folder is missing");
    }
    reading.absent = absent::read(reading);
    let place = Place::file(INDEX);
    let content = reading.required(INDEX, &place);
    let Some(document) = content.and_then(|content| reading.layout_index(&content, &place)) else {
        return Vec::new();
    };
    index(reading, document.value, kind, &place)
}

fn version(reading: &mut Reading) {
    let place = Place::file(LAYOUT);
    match reading.find(LAYOUT, &place) {
        Found::Here(content) => {
            let Some(document) = reading.document(&content, None, &place) else {
                return;
            };
            if text(&document.value, "imageLayoutVersion") != Some("1.0.0") {
                let found = document.value.get("imageLayoutVersion");
                let found = found.map_or_else(|| "missing".to_owned(), ToString::to_string);
                let message = format!("imageLayoutVersion is {found}, expected \"1.0.0\"");
                reading.note(Code::LayoutVersion, &place, message);
            }
        }
        Found::Absent => reading.note(Code::LayoutVersion, &place, MISSING),
        Found::Broken => {}
    }
}

fn index(reading: &mut Reading, document: Value, kind: LayoutKind, place: &Place) -> Vec<Entry> {
    let read = keys::as_go_reads(reading, &document, keys::DOCUMENT, "the document", place);
    let value = &*read;
    let mut tree = Tree::new(reading, &LayoutBlobs);
    if tree.form(value, media_type::INDEX, place).is_none() {
        return Vec::new();
    }
    // Docker 25.0.0 to 25.0.2 wrote `"manifests": null`.
    let is_null = value.get("manifests").is_some_and(Value::is_null);
    if kind == LayoutKind::DockerArchive && is_null {
        let message = "manifests is null, expected a list";
        tree.reading.note(Code::NullManifests, place, message);
        return Vec::new();
    }
    tree.subject(value, place);
    let max_count = tree.reading.files.max_layout_names();
    let Some(links) = tree.links(value, "manifests", max_count, place) else {
        return Vec::new();
    };
    // It takes as much memory as all that is kept of it.
    drop(read);
    drop(document);
    tree.max_count = tree.max_count.max(links.len() * limits::ENTRY_IMAGES);
    tree.attestations(&links, place);
    let mut entries: Vec<Entry> = Vec::new();
    // Attestations are read differently from images.
    let mut positions: HashMap<(Digest, bool), usize> = HashMap::new();
    // What says the same of the same image counts once. An image may have a hundred thousand names.
    let mut said: HashSet<(usize, Digest)> = HashSet::new();
    for link in links {
        let key = (link.descriptor.digest, link.is_about_another());
        let reference = reference(&link.descriptor);
        let words = words(&link.descriptor);
        if let Some(&position) = positions.get(&key) {
            tree.reading.entry = Some(position);
            let entry = &mut entries[position];
            let image = Place::image(entry.label(position));
            tree.again(&link, &entry.node, &image, place);
            if said.insert((position, words)) {
                entry.references.push(reference);
            }
            continue;
        }
        let position = entries.len();
        tree.reading.entry = Some(position);
        let node = entry_node(&mut tree, &link, &reference, position, place);
        positions.insert(key, position);
        said.insert((position, words));
        entries.push(Entry {
            references: vec![reference],
            node,
        });
    }
    tree.reading.entry = None;
    check_entries(tree.reading, &mut entries, place);
    entries
}

/// Checks what can be told only of all entries: their names, and what they are about.
pub(crate) fn check_entries(reading: &mut Reading, entries: &mut [Entry], place: &Place) {
    let references = entries.iter().flat_map(|entry| &entry.references);
    let longest = |reference: &Reference| {
        let names = [&reference.name, &reference.containerd_name];
        names.into_iter().flatten().map(String::len).max()
    };
    let max_count = reading.files.max_layout_names();
    reading.names(references.filter_map(longest), max_count, place);
    names_lead_to_one(reading, entries, place);
    subject_chains(reading, entries, place);
}

/// Checks the lengths of chains of subjects. If the last manifest of a chain changes, all others change too.
fn subject_chains(reading: &mut Reading, entries: &[Entry], place: &Place) {
    let mut subjects: HashMap<Digest, Digest> = HashMap::new();
    for entry in entries {
        entry.node.walk(&mut |node| {
            if let Node::Manifest(manifest) = node
                && let (Some(digest), Some(subject)) = (node.digest(), manifest.subject)
            {
                subjects.insert(digest, subject);
            }
        });
    }
    let length = |start: &Digest| {
        let mut next = subjects.get(start);
        let mut length = 0;
        while let Some(subject) = next.filter(|_| length <= limits::SUBJECT_DEPTH) {
            length += 1;
            next = subjects.get(subject);
        }
        length
    };
    let longest = subjects.keys().map(length).max().unwrap_or_default();
    let what = "the number of manifests in a chain of subjects";
    reading.at_most(what, longest, limits::SUBJECT_DEPTH, place);
}

/// The target of an entry.
pub(crate) fn entry_node(
    tree: &mut Tree,
    link: &Link,
    reference: &Reference,
    position: usize,
    place: &Place,
) -> Node {
    let label = reference.display_name();
    let label = label.map_or_else(|| format!("@{position}"), str::to_owned);
    let image = Place::image(label);
    let node = tree.node(link, &image, 0);
    if let Some(Node::Absent { missing, .. }) = &node {
        let place = image.in_file(missing);
        tree.reading.note(Code::MissingBlob, &place, MISSING);
    }
    if let Some(node) = &node {
        tree.compare_platform(link, node, &image.in_file_of(place));
    }
    let unreadable = || Node::Absent {
        descriptor: link.descriptor.clone(),
        missing: tree.places.document(&link.descriptor.digest),
    };
    // The reason was noted.
    node.unwrap_or_else(unreadable)
}

/// Checks the grammar of names, and that no two images have the same name.
fn names_lead_to_one(reading: &mut Reading, entries: &mut [Entry], place: &Place) {
    let mut known: HashMap<String, usize> = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        for reference in &entry.references {
            let Some(name) = &reference.name else {
                continue;
            };
            reading.entry = Some(position);
            let place = Place::image(name).in_file_of(place);
            if !is_ref_name(name) {
                let message = format!("the name does not match the grammar of {REF_NAME}");
                reading.note(Code::RefName, &place, message);
            }
            let first = *known.entry(name.clone()).or_insert(position);
            if first != position {
                let digest = |position: usize| entries[position].node.digest();
                let ids = [digest(first), digest(position)].map(|digest| {
                    digest.map_or_else(|| "an image".to_owned(), |digest| digest.to_string())
                });
                let message = format!("two images are named {name}: {} and {}", ids[0], ids[1]);
                reading.add(Finding::new(Code::RefNameDuplicate, &place, message));
            }
        }
    }
    reading.entry = None;
}

/// The digest of what a descriptor says of its image, on which [`reference`] depends.
fn words(descriptor: &Descriptor) -> Digest {
    let mut words = Vec::new();
    // Writing strings to memory cannot fail.
    let _ = serde_json::to_writer(
        &mut words,
        &(&descriptor.annotations, &descriptor.artifact_type),
    );
    Digest::sha256(&words)
}

/// The names of a descriptor of index.json.
///
/// buildx, `ctr` and Docker's containerd store write only the tag as ref.name, and the full name in another annotation, so that
/// several images may be named `latest`. The full name then replaces the tag.
fn reference(descriptor: &Descriptor) -> Reference {
    let mut annotations = descriptor.annotations.clone().unwrap_or_default();
    let mut take = |key| match annotations.shift_remove(key) {
        Some(Value::String(name)) => Some(name),
        _ => None,
    };
    let (name, containerd_name) = (take(REF_NAME), take(CONTAINERD_NAME));
    let name = match (name, &containerd_name) {
        (Some(name), Some(full)) if is_tag_of(&name, full) => Some(full.clone()),
        (name, _) => name,
    };
    Reference {
        name,
        containerd_name,
        annotations,
        artifact_type: descriptor.artifact_type.clone(),
        repository: None,
    }
}

/// Files in `blobs` that no document refers to. Their names are digests too.
pub(crate) fn loose_blobs(reading: &mut Reading) -> Vec<Loose> {
    let mut loose = Vec::new();
    let files = reading.files;
    for name in files.names() {
        let Some(path) = name.strip_prefix("blobs/") else {
            continue;
        };
        let place = Place::file(name);
        let Ok(Some(content)) = files.find(name) else {
            continue;
        };
        if reading.is_known(&content) {
            continue;
        }
        let digest = path.replacen('/', ":", 1);
        match digest.parse::<Digest>() {
            Ok(digest) => {
                reading.note(Code::UnreferencedBlob, &place, UNREFERENCED);
                loose.push(Loose {
                    content,
                    digest,
                    file: name.to_owned(),
                });
            }
            Err(_) if is_other_algorithm(&digest) => {
                let message =
                    "the algorithm of the digest is not supported, expected sha256 or sha512";
                reading.note(Code::BlobAlgorithm, &place, message);
            }
            Err(_) => {
                let message = "not the name of a blob, expected blobs/<algorithm>/<hex>";
                reading.note(Code::BlobName, &place, message);
            }
        }
    }
    loose
}

fn is_other_algorithm(digest: &str) -> bool {
    let known = digest.starts_with("sha256:") || digest.starts_with("sha512:");
    !known && descriptor::is_digest(digest)
}

//! The storage tree of a registry: blobs, and for each repository links to its manifests and tags.
//!
//! <https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/paths.go>

mod listing;
mod peek;

use std::collections::HashSet;

use listing::{ListedImage, Listing};
use peek::{Peeked, peek};

use super::docker::jws::Signature;
use super::docker::schema1;
use super::oci::layout;
use super::oci::tree::{Places, Tree};
use super::reading::{Found, MISSING, Noted, Reading, UNLISTED, UNREFERENCED};
use super::{Format, Input, Loose};
use crate::digest::Digest;
use crate::error::Result;
use crate::findings::{Code, Finding, Place};
use crate::formats::descriptor::Link;
use crate::image::{Descriptor, Entry, Layer, Node};
use crate::limits;
use crate::source::{ContentId, Files, registry};

/// The root of the tree that an input has: its path, with a slash at its end if it is not the whole input. `None` where it has
/// none.
///
/// # Errors
/// It has several.
pub(crate) fn root(files: &Files) -> Result<Option<String>> {
    if let Some(root) = files.registry_root() {
        return Ok(Some(root.to_owned()));
    }
    let mut roots = distinct(files.names().filter_map(listing::root_of_link));
    if roots.is_empty() {
        roots = distinct(files.names().filter_map(root_of_blob));
    }
    registry::only(&roots)?;
    Ok(roots.pop())
}

/// The first two distinct ones.
fn distinct<'a>(roots: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for root in roots {
        if !found.iter().any(|one| one == root) {
            found.push(root.to_owned());
        }
        if found.len() > 1 {
            break;
        }
    }
    found
}

fn root_of_blob(name: &str) -> Option<&str> {
    let blob = name.rfind("blobs/")?;
    let (root, blob) = name.split_at(blob);
    let is_root = root.is_empty() || root.ends_with('/');
    (is_root && registry::digest_of(blob).is_some()).then_some(root)
}

/// The blobs of a tree.
pub(crate) struct RegistryBlobs<'a> {
    pub root: &'a str,
}

impl Places for RegistryBlobs<'_> {
    fn blob(&self, digest: &Digest) -> String {
        format!("{}{}", self.root, registry::blob_name(digest))
    }
}

/// Reads a tree.
///
/// Its tags come first, then the manifests that no tag and no index leads to.
pub(crate) fn read(reading: &mut Reading, root: &str) -> Vec<Entry> {
    let places = RegistryBlobs { root };
    let mut listing = Listing::of_links(reading, root);
    if listing.images.is_empty() && listing.is_complete {
        listing = Listing::of_blobs(reading, root);
    }
    let what = "the number of images";
    let found = listing.images.len();
    if !reading.at_most(what, found, limits::LAYOUT_NAMES, &Place::file(root)) {
        return Vec::new();
    }
    let mut children = HashSet::new();
    let peeked = listing.images.iter().map(|image| {
        let found = reading.files.find(&places.blob(&image.digest));
        let content = found.ok().flatten()?;
        peek(&content, &mut children)
    });
    let peeked: Vec<Option<Peeked>> = peeked.collect();
    let mut entries = Vec::new();
    let mut tree = Tree::new(reading, &places);
    tree.max_count = tree.max_count.max(found * limits::ENTRY_IMAGES);
    for (image, peeked) in listing.images.iter().zip(&peeked) {
        if image.name().is_none() && children.contains(&image.digest) {
            continue;
        }
        if tree.reading.is_over_limit() {
            break;
        }
        let position = entries.len();
        if *peeked == Some(Peeked::Schema1) {
            entries.extend(schema1_image(tree.reading, image, position, &places));
            continue;
        }
        tree.reading.entry = Some(position);
        let link = Link {
            descriptor: Descriptor::new("", image.digest, 0),
            has_size: false,
        };
        let references = image.references.clone();
        let place = Place::file(&image.file);
        let node = layout::entry_node(&mut tree, &link, &references[0], position, &place);
        entries.push(Entry { references, node });
    }
    reading.entry = None;
    layout::check_entries(reading, &mut entries, &Place::file(root));
    entries
}

/// The image of a schema 1 manifest.
fn schema1_image(
    reading: &mut Reading,
    image: &ListedImage,
    position: usize,
    places: &RegistryBlobs,
) -> Option<Entry> {
    let file = places.blob(&image.digest);
    let name = image.name();
    let label = name.map_or_else(|| format!("@{position}"), str::to_owned);
    let place = Place::image(label).in_file(&file);
    reading.entry = Some(position);
    let content = reading.required(&file, &place)?;
    let payload = reading.document(&content, Some(&image.digest), &place)?;
    let signatures = signatures(reading, image, places, &place);
    let signed = match signatures.as_slice() {
        [] => None,
        signatures => {
            let signed = signed(&payload.bytes, signatures);
            if signed.is_none() {
                let message = "the stored signatures do not match the manifest";
                reading.note(Code::Schema1Signature, &place, message);
            }
            signed
        }
    };
    let origin = schema1::Origin {
        position,
        file: &file,
        digest: Some(image.digest),
        name,
        places,
    };
    let bytes = signed.as_deref().unwrap_or(&payload.bytes);
    let entry = schema1::read(reading, &origin, bytes)?;
    let references = image.references.clone();
    Some(Entry {
        references,
        ..entry
    })
}

/// The signatures of a manifest, as registries before 2.5 stored them.
fn signatures(
    reading: &mut Reading,
    image: &ListedImage,
    places: &RegistryBlobs,
    place: &Place,
) -> Vec<Vec<u8>> {
    let mut signatures = Vec::new();
    for digest in &image.signatures {
        let file = places.blob(digest);
        let place = place.in_file(&file);
        let content = match reading.find(&file, &place) {
            Found::Here(content) => content,
            Found::Absent => {
                // The manifest's digest does not depend on its signatures, and later registries have none.
                reading.note(Code::RegistrySignature, &place, MISSING);
                continue;
            }
            Found::Broken => continue,
        };
        if let Some(document) = reading.document(&content, Some(digest), &place) {
            signatures.push(document.bytes.to_vec());
        }
    }
    signatures
}

/// A manifest with its signatures, as it was before a registry took it apart; `None` where they are not of this manifest.
fn signed(payload: &[u8], signatures: &[Vec<u8>]) -> Option<Vec<u8>> {
    let first: Signature = serde_json::from_slice(signatures.first()?).ok()?;
    let (head, tail) = first.parts(payload).ok()?;
    if [head, &tail].concat() != payload {
        return None;
    }
    let signatures = signatures.join(&b","[..]);
    Some([head, b",\"signatures\":[", &signatures, b"]", &tail].concat())
}

/// Looks for the blobs that nothing refers to, and notes them. There may be very many: only what reads everything wants them.
///
/// # Errors
/// There are more than [`limits::MEMBERS`].
pub(crate) fn find_loose_blobs(input: &mut Input) -> Result<()> {
    if input.format != Some(Format::Registry) {
        return Ok(());
    }
    let loose = loose_blobs(&input.files, &input.root, &input.known)?;
    for blob in loose.iter().take(limits::FINDINGS) {
        let place = Place::file(&blob.file);
        let finding = Finding::new(Code::UnreferencedBlob, &place, UNREFERENCED);
        input.noted.push(Noted::of_all(finding));
    }
    input.loose.extend(loose);
    Ok(())
}

/// Leaves out what an error is about, where that is some of the images of a registry tree; gives what they are called. The
/// images of a tree have nothing to do with each other; other inputs are whole or damaged.
pub(crate) fn leave_out(input: &mut Input, place: &Place) -> Vec<String> {
    if input.format != Some(Format::Registry) {
        return Vec::new();
    }
    let Some(image) = &place.image else {
        // What could not even be listed.
        let before = input.noted.len();
        let is_it =
            |noted: &Noted| noted.entry == Some(UNLISTED) && noted.finding.place.file == place.file;
        input.noted.retain(|noted| !is_it(noted));
        let is_found = input.noted.len() < before;
        return place
            .file
            .clone()
            .filter(|_| is_found)
            .into_iter()
            .collect();
    };
    let is_it = |(position, entry): &(usize, &Entry)| {
        let rest = image.strip_prefix(&entry.label(*position));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let entries = || input.entries.iter().enumerate();
    let damaged = entries().find(is_it).and_then(|(_, entry)| {
        // Which of an index's images it is, its layers do not say.
        match (&entry.node, place.layer) {
            (Node::Manifest(manifest), Some(layer)) => match (&manifest.schema1, &place.file) {
                // The number may count empty layers too, which are not among the manifest's layers.
                (Some(_), Some(file)) => manifest.layers.iter().find(|one| is_in(one, file)),
                (Some(_), None) if layer.of != manifest.layers.len() => None,
                _ => manifest.layers.get(layer.number - 1),
            },
            _ => None,
        }
    });
    let has_damaged = |entry: &Entry| {
        let mut manifests = entry.node.manifests().into_iter();
        manifests.any(|manifest| manifest.layers.iter().any(|layer| is_same(layer, damaged)))
    };
    let left_out =
        entries().filter(|(position, entry)| is_it(&(*position, entry)) || has_damaged(entry));
    let left_out: Vec<(usize, String)> = left_out
        .map(|(position, entry)| (position, entry.label(position)))
        .collect();
    let mut labels = Vec::new();
    for (position, label) in left_out {
        if input.left_out.insert(position) {
            labels.push(label);
        }
    }
    labels
}

fn is_in(layer: &Layer, file: &str) -> bool {
    match layer {
        Layer::Tar(layer) => layer.file == file,
        Layer::Other(blob) => blob.file == file,
        Layer::Absent { .. } => false,
    }
}

/// Whether a layer is that which is damaged, and should have the same content.
fn is_same(layer: &Layer, damaged: Option<&Layer>) -> bool {
    match (layer, damaged) {
        (Layer::Tar(layer), Some(Layer::Tar(damaged))) => {
            layer.file == damaged.file && layer.diff_id == damaged.diff_id
        }
        (Layer::Other(blob), Some(Layer::Other(damaged))) => blob.file == damaged.file,
        _ => false,
    }
}

fn loose_blobs(files: &Files, root: &str, known: &HashSet<ContentId>) -> Result<Vec<Loose>> {
    let mut loose = Vec::new();
    let of_folder = files.blob_names()?;
    let prefix = format!("{root}blobs/");
    let names = files.names().filter(|name| name.starts_with(&prefix));
    for name in names.chain(of_folder.iter().map(String::as_str)) {
        let Some(digest) = name.strip_prefix(root).and_then(registry::digest_of) else {
            continue;
        };
        if let Ok(Some(content)) = files.find(name)
            && !known.contains(&content.id())
        {
            loose.push(Loose {
                content,
                digest,
                file: name.to_owned(),
            });
        }
    }
    Ok(loose)
}

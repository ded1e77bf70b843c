//! Archives that are an OCI layout and also have a manifest.json: Docker 25 and later.
//!
//! index.json takes precedence for images that both list, because it has the original manifests. Its names are only tags, so
//! names come from manifest.json, and so do images that the index leaves out (Docker 25.0 to 29 leave out untagged
//! images: <https://github.com/moby/moby/issues/47065>).

use std::collections::{HashMap, HashSet};

use super::save::{self, SavedItem};
use crate::digest::Digest;
use crate::findings::{Code, Finding, Place};
use crate::formats::oci::layout::{self, LayoutKind};
use crate::formats::reading::Reading;
use crate::image::{Entry, Layer, Manifest, Reference, fully_qualified};

/// Reads the images of both lists, and compares the lists.
pub(crate) fn read(reading: &mut Reading) -> Vec<Entry> {
    let mut entries = layout::read(reading, LayoutKind::DockerArchive);
    let before = reading.findings.len();
    let items = save::items(reading);
    let positions = positions(&entries, &items);
    // The items were numbered among themselves.
    for noted in &mut reading.findings[before..] {
        noted.entry = noted.entry.and_then(|item| positions.get(item).copied());
    }
    save::names_lead_to_one(reading, &items);
    super::repositories::beside_manifest(reading);
    compare(reading, &entries, &items, &positions);
    let given: HashMap<String, usize> = items
        .iter()
        .zip(&positions)
        .flat_map(|(item, &position)| {
            let names = item.tags.iter().map(|tag| fully_qualified(tag));
            names.map(move |name| (name, position))
        })
        .collect();
    for (position, entry) in entries.iter_mut().enumerate() {
        // A name that manifest.json gives to another image is that image's.
        entry.references.retain(|reference| {
            full_name(reference)
                .is_none_or(|name| given.get(&name).is_none_or(|&to| to == position))
        });
        if entry.references.is_empty() {
            entry.references.push(Reference::default());
        }
    }
    let listed = entries.len();
    for (item, position) in items.into_iter().zip(positions) {
        if position < listed {
            rename(&mut entries[position], &item);
        } else {
            entries.push(item.into_entry());
        }
    }
    entries
}

/// The position of each item among the entries: that of an entry of the index, or one after them.
fn positions(entries: &[Entry], items: &[SavedItem]) -> Vec<usize> {
    let mut ids: HashMap<Digest, usize> = HashMap::new();
    let mut wholes: HashMap<Whole, usize> = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        for manifest in entry.node.manifests() {
            if let Some(id) = manifest.image_id() {
                ids.entry(id).or_insert(position);
            }
            if let Some(whole) = whole(manifest) {
                wholes.entry(whole).or_insert(position);
            }
        }
    }
    let mut next = entries.len();
    let positions = items.iter().map(|item| {
        let known = whole(&item.manifest).and_then(|whole| wholes.get(&whole));
        let known = known.or_else(|| ids.get(&item.id()?)).copied();
        known.unwrap_or_else(|| {
            next += 1;
            next - 1
        })
    });
    positions.collect()
}

/// The config and layers of an image. An image may be listed twice with layers in two codecs.
type Whole = (Digest, Vec<Digest>);

fn whole(manifest: &Manifest) -> Option<Whole> {
    Some((manifest.image_id()?, layer_digests(manifest)?))
}

fn layer_digests(manifest: &Manifest) -> Option<Vec<Digest>> {
    let layers = manifest.layers.iter().map(|layer| match layer {
        Layer::Tar(layer) => layer.digest,
        Layer::Other(blob) => Some(blob.descriptor.digest),
        Layer::Absent { descriptor, .. } => Some(descriptor.as_ref()?.digest),
    });
    layers.collect()
}

fn ids_of(entry: &Entry) -> impl Iterator<Item = Digest> {
    let manifests = entry.node.manifests().into_iter();
    manifests.filter_map(Manifest::image_id)
}

fn full_name(reference: &Reference) -> Option<String> {
    let name = reference.containerd_name.as_deref();
    name.or(reference.name.as_deref()).map(fully_qualified)
}

/// Gives an entry of the index the names in manifest.json, and keeps names that only the index has.
fn rename(entry: &mut Entry, item: &SavedItem) {
    if item.tags.is_empty() {
        return;
    }
    let named = save::references(&item.tags);
    let old = std::mem::take(&mut entry.references);
    // Layouts of other tools have no containerd names. Their names are full names.
    let is_same = |old: &Reference, new: &Reference| match &old.containerd_name {
        Some(full) => new.containerd_name.as_ref() == Some(full),
        // regctl writes only the tag.
        None => old
            .name
            .as_deref()
            .is_some_and(|name| is_or_has_tag(new, name)),
    };
    let (same, mut other): (Vec<_>, Vec<_>) = old
        .into_iter()
        .partition(|old| old.display_name().is_none() || named.iter().any(|new| is_same(old, new)));
    let with_annotations = named.into_iter().map(|new| {
        let known = same.iter().find(|old| is_same(old, &new));
        if let Some(known) = known.filter(|known| has_name_of_its_own(known, &new)) {
            return known.clone();
        }
        let before = known.or(same.first()).cloned().unwrap_or_default();
        Reference {
            name: new.name,
            containerd_name: new.containerd_name,
            ..before
        }
    });
    entry.references = with_annotations.collect();
    entry.references.append(&mut other);
}

/// Whether a reference has a name, or that name as its tag.
fn is_or_has_tag(reference: &Reference, name: &str) -> bool {
    let own = reference.name.as_deref().unwrap_or_default();
    let before = own.strip_suffix(name);
    before.is_some_and(|before| before.is_empty() || before.ends_with(':'))
}

/// Whether ref.name is a full name in its own spelling, as in our tars and those of other tools. In Docker's tars it is the
/// tag, which the fully qualified name has replaced, and in regctl's only the tag.
fn has_name_of_its_own(reference: &Reference, new: &Reference) -> bool {
    let Some(full) = &reference.containerd_name else {
        return reference.name == new.name;
    };
    let is_own = |name: &String| name != full && fully_qualified(name) == *full;
    reference.name.as_ref().is_some_and(is_own)
}

/// Notes where manifest.json and index.json disagree.
fn compare(reading: &mut Reading, entries: &[Entry], items: &[SavedItem], positions: &[usize]) {
    let mut names: HashMap<String, HashSet<Digest>> = HashMap::new();
    let mut manifests: HashMap<Digest, &Manifest> = HashMap::new();
    let mut wholes: HashMap<Whole, &Manifest> = HashMap::new();
    for entry in entries {
        for reference in &entry.references {
            if let Some(name) = full_name(reference) {
                names.entry(name).or_default().extend(ids_of(entry));
            }
        }
        for manifest in entry.node.manifests() {
            if let Some(id) = manifest.image_id() {
                manifests.entry(id).or_insert(manifest);
            }
            if let Some(whole) = whole(manifest) {
                wholes.entry(whole).or_insert(manifest);
            }
        }
    }
    let listed: HashSet<Digest> = items.iter().filter_map(SavedItem::id).collect();
    for (item, &position) in items.iter().zip(positions) {
        let Some(id) = item.id() else { continue };
        reading.entry = Some(position);
        let indexed = whole(&item.manifest).and_then(|whole| wholes.get(&whole));
        let Some(indexed) = indexed.or_else(|| manifests.get(&id)) else {
            // Docker leaves out images without a name, in every version so far.
            let code = if item.tags.is_empty() {
                Code::DockerManifestUnnamed
            } else {
                Code::DockerManifestUnindexed
            };
            let message = format!(
                "index.json does not lead to image {id}; the images of both files are read"
            );
            reading.note(code, &item.place, message);
            continue;
        };
        layers(reading, item, indexed);
        for tag in &item.tags {
            let (code, message) = match names.get(&fully_qualified(tag)) {
                None => (
                    Code::DockerManifestUnindexed,
                    format!("index.json lacks the name {tag}; manifest.json takes precedence"),
                ),
                Some(ids) if !ids.contains(&id) => (
                    Code::DockerManifestMismatch,
                    format!(
                        "index.json gives the name {tag} to another image; manifest.json takes precedence"
                    ),
                ),
                Some(_) => continue,
            };
            reading.note(code, &item.place, message);
        }
    }
    for (position, entry) in entries.iter().enumerate() {
        let mut ids = ids_of(entry).peekable();
        if ids.peek().is_some() && !ids.any(|id| listed.contains(&id)) {
            reading.entry = Some(position);
            let place = Place::image(entry.label(position)).in_file("index.json");
            let message = "manifest.json does not list this image";
            reading.note(Code::DockerManifestIncomplete, &place, message);
        }
    }
    reading.entry = None;
}

/// Notes if the layers of an item differ from those of the manifest in the index.
fn layers(reading: &mut Reading, item: &SavedItem, indexed: &Manifest) {
    if let (Some(here), Some(there)) = (layer_digests(&item.manifest), layer_digests(indexed))
        && here != there
    {
        let list = |digests: &[Digest]| {
            let texts: Vec<String> = digests.iter().map(ToString::to_string).collect();
            texts.join(" ")
        };
        let message =
            "the layers are not those that index.json leads to; index.json takes precedence";
        reading.add(Finding {
            expected: Some(list(&there)),
            found: Some(list(&here)),
            ..Finding::new(Code::DockerManifestMismatch, &item.place, message)
        });
    }
}

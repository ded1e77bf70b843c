//! `docker save` archives before Docker 1.10: a folder for each layer with its v1 metadata, and `repositories`.
//!
//! As Docker read them: <https://github.com/moby/moby/blob/v28.5.2/image/tarexport/load.go>, `legacyLoad`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::repositories::{self, REPOSITORIES};
use super::view_of_v1;
use crate::findings::{Code, Place};
use crate::formats::json::text;
use crate::formats::reading::Reading;
use crate::image::{Config, Entry, Layer, Manifest, Node, Reference, TarLayer, V1Config, V1Layer};
use crate::limits;
use crate::source::Files;

/// The v1 metadata of a layer.
struct Metadata {
    /// Empty if it cannot be read, which is noted.
    json: Arc<[u8]>,
    parent: Option<String>,
}

/// Whether the input has `repositories`, or a folder with v1 metadata and a layer.
pub(crate) fn is_legacy(files: &Files) -> bool {
    let is_layer = |id: &str| files.has(&format!("{id}/layer.tar"));
    files.has(REPOSITORIES) || ids(files).any(is_layer)
}

/// The folders that have v1 metadata.
fn ids(files: &Files) -> impl Iterator<Item = &str> {
    let ids = files.names().filter_map(|name| name.strip_suffix("/json"));
    ids.filter(|id| !id.contains('/'))
}

/// Reads the images in `repositories`, and those without a name.
pub(crate) fn read(reading: &mut Reading) -> Vec<Entry> {
    let tags = repositories::read(reading);
    let names = tags.iter().map(|(name, _)| name.as_str());
    reading.names(
        names.map(str::len),
        limits::NAMES,
        &Place::file(REPOSITORIES),
    );
    let layers = metadata(reading);
    let mut tops: Vec<(String, Vec<Reference>)> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (name, id) in tags {
        let reference = Reference::of_docker(&name);
        if let Some(&position) = positions.get(&id) {
            tops[position].1.push(reference);
        } else {
            positions.insert(id.clone(), tops.len());
            tops.push((id, vec![reference]));
        }
    }
    let parents: HashSet<&str> = layers
        .values()
        .filter_map(|layer| layer.parent.as_deref())
        .collect();
    let unnamed = layers
        .keys()
        .filter(|id| !parents.contains(id.as_str()) && !positions.contains_key(*id));
    tops.extend(unnamed.map(|id| (id.clone(), vec![Reference::default()])));
    let mut reached = HashSet::new();
    let mut entries = Vec::with_capacity(tops.len());
    for (id, references) in tops {
        if reading.is_over_limit() {
            // Entries would only take memory, because an input over a limit is refused.
            return Vec::new();
        }
        reading.entry = Some(entries.len());
        let label = references[0].name.clone().unwrap_or_else(|| id.clone());
        let node = image(reading, &layers, &label, &id, &mut reached);
        entries.push(Entry { references, node });
    }
    reading.entry = None;
    for id in layers.keys().filter(|id| !reached.contains(*id)) {
        let place = Place::file(format!("{id}/json"));
        reading.note(Code::LegacyChain, &place, CYCLE);
    }
    entries
}

const CYCLE: &str = "the chain of parents leads back to this layer";

/// The metadata of all layers, each read once.
fn metadata(reading: &mut Reading) -> BTreeMap<String, Metadata> {
    let mut layers = BTreeMap::new();
    let files = reading.files;
    for id in ids(files) {
        let name = format!("{id}/json");
        let place = Place::file(&name);
        let Some(content) = reading.required(&name, &place) else {
            continue;
        };
        let what = "the number of layers";
        if !reading.at_most(what, layers.len() + 1, limits::IMAGES, &place) {
            break;
        }
        let mut layer = Metadata {
            json: Arc::default(),
            parent: None,
        };
        if let Some(document) = reading.document(&content, None, &place) {
            let parent = text(&document.value, "parent").filter(|parent| !parent.is_empty());
            layer.parent = parent.map(str::to_owned);
            if text(&document.value, "id").is_some_and(|own| own != id) {
                let message = "id is not the name of the folder";
                reading.note(Code::LegacyId, &place, message);
            }
            layer.json = document.bytes;
        }
        layers.insert(id.to_owned(), layer);
    }
    layers
}

/// The image whose newest layer is `top`. Its layers are added to `reached`.
fn image(
    reading: &mut Reading,
    all: &BTreeMap<String, Metadata>,
    label: &str,
    top: &str,
    reached: &mut HashSet<String>,
) -> Node {
    let place = Place::image(label);
    let (chain, is_whole) = chain(reading, all, &place, top);
    let of = chain.len();
    let mut layers = Vec::with_capacity(of);
    let mut metadata = Vec::with_capacity(of);
    for (position, (id, layer)) in chain.into_iter().rev().enumerate() {
        reached.insert(id.clone());
        let file = format!("{id}/layer.tar");
        let place = place.at_layer(position, of).in_file(&file);
        layers.push(match reading.required(&file, &place) {
            Some(content) => Layer::Tar(TarLayer::new(content, file)),
            None => Layer::Absent {
                descriptor: None,
                diff_id: None,
            },
        });
        metadata.push(V1Layer {
            json: layer.json.clone(),
            empty: false,
        });
    }
    // Metadata that is not JSON was noted.
    let is_readable = is_whole && metadata.iter().all(|layer| !layer.json.is_empty());
    let metadata = V1Config::Docker(metadata);
    let view = if is_readable {
        view_of_v1(reading, &metadata, &place)
    } else {
        None
    };
    Node::Manifest(Arc::new(Manifest {
        layers,
        config: view.map_or(Config::Unreadable, |view| Config::V1 { metadata, view }),
        ..Manifest::default()
    }))
}

/// The layers of an image, the newest first, and whether the chain is complete. A missing parent and a cycle are noted.
fn chain<'a>(
    reading: &mut Reading,
    all: &'a BTreeMap<String, Metadata>,
    place: &Place,
    top: &str,
) -> (Vec<(&'a String, &'a Metadata)>, bool) {
    let mut chain: Vec<(&String, &Metadata)> = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(top);
    while let Some(id) = next {
        let Some((id, layer)) = all.get_key_value(id) else {
            let message = match chain.last() {
                Some((child, _)) => format!("missing from the input: the parent of {child}"),
                None => "missing from the input: listed in repositories".to_owned(),
            };
            let place = place.in_file(format!("{id}/json"));
            reading.note(Code::LegacyChain, &place, message);
            return (chain, false);
        };
        if !seen.insert(id) {
            let place = place.in_file(format!("{id}/json"));
            reading.note(Code::LegacyChain, &place, CYCLE);
            return (chain, false);
        }
        if !reading.charge(0, place) {
            return (chain, false);
        }
        chain.push((id, layer));
        next = layer.parent.as_deref();
    }
    (chain, true)
}

//! `docker save` archives with a manifest.json: Docker 1.10 and later, and the many tools that write the same.
//!
//! Written by <https://github.com/moby/moby/blob/v28.5.2/image/tarexport/save.go>.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use crate::digest::DiffId;
use crate::digest::Digest;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::findings::{Finding, Place};
use crate::formats::oci::layout;
use crate::image::Config;
use crate::image::Entry;
use crate::image::KnownAs;
use crate::image::Layer;
use crate::image::Manifest;
use crate::image::Node;
use crate::image::Reference;
use crate::image::TarLayer;
use crate::limits;
use crate::source::{Files, clean_name};

use crate::formats::{diff_ids, parse_config};
use crate::image::Descriptor;
use crate::image::Document;
use crate::image::ImageConfig;
use crate::image::media_type;

const MANIFEST: &str = "manifest.json";

/// One image of manifest.json.
#[derive(Debug, Deserialize)]
struct Item {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers", default)]
    layers: Option<Vec<String>>,
    /// By `diff_id`; before Docker 25 for foreign layers alone.
    #[serde(rename = "LayerSources", default)]
    sources: Option<BTreeMap<String, Value>>,
}

/// Reads the images that manifest.json lists.
pub(crate) fn read(files: &Files) -> Result<Vec<Entry>> {
    let items = items(files)?;
    if items.is_empty() {
        return Err(Error::NotAnImage {
            found: "manifest.json lists none".to_owned(),
        });
    }
    let entries = items.iter().enumerate();
    entries
        .map(|(number, item)| entry(files, number, item))
        .collect()
}

/// Reads an archive that is an OCI layout too.
///
/// index.json governs where it reaches what manifest.json lists: there are the original manifests. But its names are
/// only tags, so names come from manifest.json, and so do images that the index leaves out (Docker 25.0 to 29 forget
/// untagged ones: <https://github.com/moby/moby/issues/47065>).
pub(crate) fn read_with_layout(files: &Files, warnings: &mut Vec<Finding>) -> Result<Vec<Entry>> {
    let items = items(files)?;
    let mut entries = layout::read(files, warnings)?;
    // One image may be there twice, with layers in two codecs.
    let mut ids: HashMap<Digest, usize> = HashMap::new();
    let mut whole: HashMap<(Digest, Vec<Digest>), usize> = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        for manifest in entry.node.manifests() {
            if let Some(id) = manifest.image_id() {
                ids.entry(id).or_insert(position);
                let layers = manifest.layers.iter().filter_map(|layer| match layer {
                    Layer::Tar(layer) => layer.digest,
                    Layer::Absent { .. } | Layer::Other(_) => None,
                });
                whole.entry((id, layers.collect())).or_insert(position);
            }
        }
    }
    for (number, item) in items.iter().enumerate() {
        let config = config(files, item).at(|| Place::image(label(number, item)))?;
        let layers = item.layers.iter().flatten();
        let layers = layers.filter_map(|name| digest_in_name(name)).collect();
        let position = whole.get(&(config.digest, layers));
        match position.or(ids.get(&config.digest)) {
            Some(position) => rename(&mut entries[*position], item),
            None => entries.push(entry(files, number, item)?),
        }
    }
    Ok(entries)
}

/// Gives an entry of the index the names of manifest.json, and keeps those that only the index has.
fn rename(entry: &mut Entry, item: &Item) {
    let named = references(item);
    if named.iter().all(|reference| reference.name.is_none()) {
        return;
    }
    let old = std::mem::take(&mut entry.references);
    // A layout that is no Docker's own has no containerd names; its names are the whole ones.
    let is_same = |old: &Reference, new: &Reference| match &old.containerd_name {
        Some(full) => new.containerd_name.as_ref() == Some(full),
        None => new.name == old.name,
    };
    let (same, mut other): (Vec<_>, Vec<_>) = old
        .into_iter()
        .partition(|old| old.display_name().is_none() || named.iter().any(|new| is_same(old, new)));
    entry.references = named
        .into_iter()
        .map(|new| {
            let known = same.iter().find(|old| is_same(old, &new));
            if let Some(known) = known.filter(|known| known.containerd_name.is_none()) {
                return known.clone();
            }
            let before = known.or(same.first()).cloned().unwrap_or_default();
            Reference {
                name: new.name,
                containerd_name: new.containerd_name,
                ..before
            }
        })
        .collect();
    entry.references.append(&mut other);
}

fn items(files: &Files) -> Result<Vec<Item>> {
    let bytes = files.document(MANIFEST)?;
    let items: Vec<Item> = crate::formats::parse(MANIFEST, &bytes)?;
    limits::at_most("the number of images", items.len(), limits::IMAGES)?;
    crate::formats::check_name_count(items.iter().flat_map(|item| &item.tags).map(Vec::len).sum())?;
    Ok(items)
}

fn label(number: usize, item: &Item) -> String {
    let mut tags = item.tags.iter().flatten();
    tags.next()
        .map_or_else(|| format!("@{number}"), Clone::clone)
}

fn entry(files: &Files, number: usize, item: &Item) -> Result<Entry> {
    let read = || {
        Ok(Entry {
            references: references(item),
            node: Node::Manifest(Box::new(manifest(files, item)?)),
        })
    };
    read().at(|| Place::image(label(number, item)))
}

/// A reference for each tag; a nameless one when there is none.
fn references(item: &Item) -> Vec<Reference> {
    let named = item.tags.iter().flatten().map(|tag| Reference {
        name: Some(tag.clone()),
        containerd_name: Some(crate::image::fully_qualified(tag)),
        ..Reference::default()
    });
    let named: Vec<Reference> = named.collect();
    if named.is_empty() {
        vec![Reference::default()]
    } else {
        named
    }
}

/// The config's bytes. Most tools name it by its digest; then it must fit.
fn config(files: &Files, item: &Item) -> Result<Document> {
    let name = &item.config;
    let bytes = files.read(files.get(name)?, &format!("config {name}"))?;
    let config = Document::new(media_type::CONFIG, bytes);
    match digest_in_name(name) {
        Some(expected) if expected != config.digest => Err(Error::DigestMismatch {
            what: format!("config {name}"),
            expected,
            found: config.digest,
        }),
        _ => Ok(config),
    }
}

/// `<hex>.json`, `sha256:<hex>`, `blobs/sha256/<hex>`.
pub(crate) fn digest_in_name(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next()?;
    let stem = last.strip_suffix(".json").unwrap_or(last);
    let hex = stem.strip_prefix("sha256:").unwrap_or(stem);
    Digest::from_sha256_hex(hex)
}

fn manifest(files: &Files, item: &Item) -> Result<Manifest> {
    let config = config(files, item)?;
    let view = parse_config(&format!("config {}", item.config), &config.bytes)?;
    let diff_ids = diff_ids(&view)?;
    let names = item.layers.as_deref().unwrap_or_default();
    if names.len() != diff_ids.len() {
        return Err(Error::LayerCount {
            manifest: names.len(),
            config: diff_ids.len(),
        });
    }
    limits::at_most("the number of layers", names.len(), limits::LAYERS)?;
    let layers = names.iter().zip(diff_ids).enumerate();
    let layers = layers.map(|(number, (name, diff_id))| {
        layer(files, item, name, *diff_id).at(|| Place::layer(number + 1, names.len()))
    });
    Ok(Manifest {
        document: None,
        reordered: false,
        layers: layers.collect::<Result<_>>()?,
        subject: None,
        artifact_type: None,
        known_as: KnownAs::default(),
        config: Config::Image(ImageConfig {
            document: config,
            view,
        }),
    })
}

fn layer(files: &Files, item: &Item, name: &str, diff_id: DiffId) -> Result<Layer> {
    files.charge(0)?;
    let source = source(item, diff_id);
    let foreign = source.as_ref().is_some_and(|descriptor| {
        media_type::layer_kind(&descriptor.media_type) == media_type::LayerKind::Foreign
    });
    match files.find(name)? {
        Some(content) => Ok(Layer::Tar(TarLayer {
            content: content.clone(),
            file: name.to_owned(),
            descriptor: None,
            digest: clean_name(name)
                .strip_prefix("blobs/sha256/")
                .and_then(Digest::from_sha256_hex),
            diff_id: Some(diff_id),
            foreign,
        })),
        None => match source {
            // Docker leaves out what its licence forbids to distribute, but tells where it may be had.
            Some(descriptor) if descriptor.is_elsewhere() => Ok(Layer::Absent {
                descriptor: Some(descriptor),
                diff_id: Some(diff_id),
            }),
            _ => Err(Error::Missing {
                name: name.to_owned(),
            }),
        },
    }
}

/// The descriptor that `LayerSources` has for a layer, if it is one.
fn source(item: &Item, diff_id: DiffId) -> Option<Descriptor> {
    let source = item.sources.as_ref()?.get(&diff_id.to_string())?;
    serde_json::from_value(source.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_are_named_by_digest_in_many_ways() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest = Some(Digest::sha256(b""));
        assert_eq!(digest_in_name(&format!("{hex}.json")), digest);
        assert_eq!(digest_in_name(&format!("sha256:{hex}")), digest);
        assert_eq!(digest_in_name(&format!("blobs/sha256/{hex}")), digest);
        assert_eq!(digest_in_name("config.json"), None);
    }
}

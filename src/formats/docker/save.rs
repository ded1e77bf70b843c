//! `docker save` archives with a manifest.json: Docker 1.10 and later, and many other tools.
//!
//! Written by <https://github.com/moby/moby/blob/v28.5.2/image/tarexport/save.go>.

pub(crate) mod write;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::digest::{DiffId, Digest};
use crate::findings::{Code, Finding, Place};
use crate::formats::json::{field, text};
use crate::formats::oci::FOREIGN_ABSENT;
use crate::formats::reading::{Found, MISSING, Reading};
use crate::formats::{config, descriptor, keys};
use crate::image::media_type;
use crate::image::{
    Config, Descriptor, Document, Entry, ImageConfig, Layer, Manifest, Node, Reference, TarLayer,
    fully_qualified, tagged_reference,
};
use crate::limits;
use crate::source::clean_name;

const MANIFEST: &str = "manifest.json";

/// An image of manifest.json.
pub(crate) struct SavedItem {
    pub place: Place,
    pub tags: Vec<String>,
    pub manifest: Manifest,
}

impl SavedItem {
    /// The digest of its config, if it can be read.
    pub fn id(&self) -> Option<Digest> {
        self.manifest.image_id()
    }

    pub fn into_entry(self) -> Entry {
        Entry {
            references: references(&self.tags),
            node: Node::Manifest(Arc::new(self.manifest)),
        }
    }
}

/// Reads the images that manifest.json lists.
pub(crate) fn read(reading: &mut Reading) -> Vec<Entry> {
    let items = items(reading);
    names_lead_to_one(reading, &items);
    super::repositories::beside_manifest(reading);
    unused_files(reading);
    items.into_iter().map(SavedItem::into_entry).collect()
}

/// Reads manifest.json and the images that it lists.
pub(crate) fn items(reading: &mut Reading) -> Vec<SavedItem> {
    let place = Place::file(MANIFEST);
    let Found::Here(content) = reading.find(MANIFEST, &place) else {
        return Vec::new();
    };
    let Some(document) = reading.document(&content, None, &place) else {
        return Vec::new();
    };
    let Some(list) = document.value.as_array() else {
        reading.note(Code::DockerManifest, &place, "not a list of images");
        return Vec::new();
    };
    if !reading.at_most("the number of images", list.len(), limits::IMAGES, &place) {
        return Vec::new();
    }
    let mut items = Vec::with_capacity(list.len());
    for (number, value) in list.iter().enumerate() {
        let before = reading.findings.len();
        reading.entry = Some(items.len());
        match item(reading, number, value) {
            Some(item) => items.push(item),
            // Without an entry, the finding must not disappear when other images are selected.
            None => reading.concerns_all(before),
        }
    }
    reading.entry = None;
    let tags = items.iter().flat_map(|item: &SavedItem| &item.tags);
    reading.names(tags.map(String::len), limits::NAMES, &place);
    items
}

fn item(reading: &mut Reading, number: usize, value: &Value) -> Option<SavedItem> {
    let what = format!("[{number}]");
    let place = Place::file(MANIFEST);
    let value = &*keys::as_go_reads(reading, value, keys::SAVED_IMAGE, &what, &place);
    let tags = texts(reading, value, number, "RepoTags", &place);
    let label = tags
        .first()
        .map_or_else(|| format!("@{number}"), Clone::clone);
    let image = Place::image(label);
    let place = image.in_file(MANIFEST);
    for tag in &tags {
        if tagged_reference(tag).is_none() {
            let message = "the name is malformed or has no tag, so docker load refuses it";
            let place = Place::image(tag).in_file(MANIFEST);
            reading.note(Code::RefName, &place, message);
        }
    }
    let names = texts(reading, value, number, "Layers", &place);
    if !reading.charge_layers(names.len(), &place) {
        return None;
    }
    let sources = sources(reading, number, value, &place);
    let Some(config) = text(value, "Config") else {
        let message = match field(value, "Config") {
            Some(found) => format!("[{number}].Config is {found}, expected a string"),
            None => format!("[{number}] has no Config"),
        };
        reading.note(Code::DockerManifest, &place, message);
        return None;
    };
    let config = read_config(reading, config, &image);
    let diff_ids = config
        .as_ref()
        .and_then(|config| config.view.diff_ids.clone());
    if let Some(diff_ids) = &diff_ids
        && diff_ids.len() != names.len()
    {
        reading.layer_count(diff_ids.len(), names.len(), &place);
    }
    let diff_ids = diff_ids
        .filter(|diff_ids| diff_ids.len() == names.len())
        .unwrap_or_default();
    let layers = names.iter().enumerate().map(|(position, name)| {
        let diff_id = diff_ids.get(position).copied();
        let place = image.at_layer(position, names.len()).in_file(name);
        layer(reading, &sources, name, diff_id, &place)
    });
    let layers = layers.collect();
    Some(SavedItem {
        place,
        tags,
        manifest: Manifest {
            config: config.map_or(Config::Unreadable, Config::Image),
            layers,
            ..Manifest::default()
        },
    })
}

/// A list of strings, or null.
fn texts(
    reading: &mut Reading,
    value: &Value,
    number: usize,
    key: &str,
    place: &Place,
) -> Vec<String> {
    let Some(list) = field(value, key) else {
        return Vec::new();
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts: Option<Vec<String>> = list
        .as_array()
        .and_then(|list| list.iter().map(text).collect());
    texts.unwrap_or_else(|| {
        let message = format!("[{number}].{key} is not a list of strings");
        reading.note(Code::DockerManifest, place, message);
        Vec::new()
    })
}

/// A reference for each tag, or one without a name if there are no tags.
pub(crate) fn references(tags: &[String]) -> Vec<Reference> {
    if tags.is_empty() {
        return vec![Reference::default()];
    }
    tags.iter().map(|tag| Reference::of_docker(tag)).collect()
}

/// The config. If its name is a digest, as from most tools, the digest must match.
fn read_config(reading: &mut Reading, name: &str, image: &Place) -> Option<ImageConfig> {
    let place = image.in_file(name);
    let content = reading.required(name, &place)?;
    let named = digest_in_name(name);
    let read = reading.document_fields(&content, named.as_ref(), &config::KEPT, &place)?;
    Some(ImageConfig {
        view: config::read(reading, &read.value, &place),
        document: Document::new(media_type::CONFIG, read.bytes),
    })
}

/// `<hex>.json`, `sha256:<hex>`, `blobs/sha256/<hex>`.
pub(crate) fn digest_in_name(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next()?;
    let stem = last.strip_suffix(".json").unwrap_or(last);
    let hex = stem.strip_prefix("sha256:").unwrap_or(stem);
    Digest::from_sha256_hex(hex)
}

/// The descriptors of `LayerSources`, by `diff_id`. Before Docker 25 they describe only foreign layers. Blobs with their
/// digests must have their sizes.
fn sources(
    reading: &mut Reading,
    number: usize,
    item: &Value,
    place: &Place,
) -> HashMap<String, Descriptor> {
    let Some(sources) = field(item, "LayerSources") else {
        return HashMap::new();
    };
    if !sources.is_object() {
        let message = format!("[{number}].LayerSources is not an object");
        reading.note(Code::DockerManifest, place, message);
    }
    let mut descriptors = HashMap::new();
    for (key, source) in sources.as_object().into_iter().flatten() {
        let what = format!("[{number}].LayerSources[{key:?}]");
        let Some(link) = descriptor::read(reading, source, &what, place) else {
            continue;
        };
        let path = link.descriptor.digest.blob_path();
        if let Ok(Some(content)) = reading.files.find(&path)
            && link.has_size
            && link.descriptor.size != content.size()
        {
            let what = format!("size of {what}");
            let (expected, found) = (content.size(), link.descriptor.size);
            let code = Code::BlobSize;
            reading.add(Finding::mismatch(code, place, &what, &expected, &found));
        }
        descriptors.insert(key.clone(), link.descriptor);
    }
    descriptors
}

fn layer(
    reading: &mut Reading,
    sources: &HashMap<String, Descriptor>,
    name: &str,
    diff_id: Option<DiffId>,
    place: &Place,
) -> Layer {
    let source = diff_id.and_then(|diff_id| sources.get(&diff_id.to_string()));
    let found = reading.find(name, place);
    let left_out = blob_of(name).and_then(|digest| reading.absent.get(&digest));
    if let (Found::Absent, Some(blob)) = (&found, left_out) {
        let descriptor = Descriptor::new(blob.media_type.clone(), blob.digest, blob.size);
        reading.missing(&descriptor.digest, place);
        return Layer::Absent {
            descriptor: Some(descriptor),
            diff_id,
        };
    }
    match found {
        Found::Here(content) => Layer::Tar(TarLayer {
            digest: blob_of(name),
            diff_id,
            ..TarLayer::new(content, name.to_owned())
        }),
        found => {
            // Docker leaves out layers that must not be distributed, but lists their URLs.
            let elsewhere =
                source.filter(|descriptor| descriptor.is_foreign() && descriptor.has_urls());
            match (&found, elsewhere) {
                (Found::Absent, Some(_)) => {
                    reading.note(Code::ForeignLayerAbsent, place, FOREIGN_ABSENT);
                }
                (Found::Absent, None) => reading.note(Code::MissingBlob, place, MISSING),
                _ => {}
            }
            Layer::Absent {
                descriptor: elsewhere.cloned(),
                diff_id,
            }
        }
    }
}

/// The digest in the name of a blob, where the archive is a layout too.
fn blob_of(name: &str) -> Option<Digest> {
    let hex = clean_name(name);
    Digest::from_sha256_hex(hex.strip_prefix("blobs/sha256/")?)
}

/// Checks that no two images have the same tag.
pub(crate) fn names_lead_to_one(reading: &mut Reading, items: &[SavedItem]) {
    let mut known: HashMap<String, Option<Digest>> = HashMap::new();
    for (position, item) in items.iter().enumerate() {
        for tag in &item.tags {
            if *known.entry(fully_qualified(tag)).or_insert(item.id()) != item.id() {
                let message = format!("two images are named {tag}");
                reading.entry = Some(position);
                reading.note(Code::RefNameDuplicate, &item.place, message);
            }
        }
    }
    reading.entry = None;
}

/// Notes layers and configs that no image uses.
fn unused_files(reading: &mut Reading) {
    let files = reading.files;
    for name in files.names() {
        let config = name
            .strip_suffix(".json")
            .is_some_and(|hex| Digest::from_sha256_hex(hex).is_some());
        let layer = [".tar", ".tar.gz", ".tgz"]
            .iter()
            .any(|end| name.ends_with(end));
        let Ok(Some(content)) = files.find(name) else {
            continue;
        };
        if (config || layer) && !reading.is_known(&content) {
            let place = Place::file(name);
            reading.note(
                Code::UnreferencedBlob,
                &place,
                "no image refers to this file",
            );
        }
    }
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

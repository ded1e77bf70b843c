//! `docker save` archives: each image of manifest.json, and whether index.json beside it says the same.

use std::collections::HashMap;

use serde_json::Value;

use super::config;
use super::findings::{Findings, Found, Image, LayerUse};
use super::json::{field, text};
use super::layout::IndexEntry;
use super::shape;
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::findings::Code;
use crate::findings::{Finding, Place};
use crate::formats::digest_in_name;
use crate::limits;
use crate::source::Files;
use crate::source::clean_name;

use crate::formats::keys;
use crate::image::CONTAINERD_NAME;
use crate::image::REF_NAME;
use crate::image::media_type;
use crate::image::media_type::LayerKind;

const MANIFEST: &str = "manifest.json";

/// An image of manifest.json.
pub(super) struct Item {
    pub place: Place,
    pub tags: Vec<String>,
    /// Its number among all images that were found.
    pub image: usize,
}

/// Checks manifest.json and the images that it lists.
pub(super) fn check(findings: &mut Findings, files: &Files) -> Vec<Item> {
    let place = Place::file(MANIFEST);
    let Found::Here(content) = findings.find(files, MANIFEST, &place) else {
        return Vec::new();
    };
    let Some(document) = findings.document(content, None, &place) else {
        return Vec::new();
    };
    let list = document.value.as_array().map_or(&[][..], Vec::as_slice);
    if list.is_empty() {
        findings.problem(Code::DockerManifest, &place, "it lists no image");
    }
    if list.len() > limits::IMAGES {
        let message = format!(
            "it lists {} images, more than {}",
            list.len(),
            limits::IMAGES
        );
        findings.problem(Code::Limit, &place, message);
    }
    let items = list.iter().take(limits::IMAGES).enumerate();
    let items = items.filter_map(|(number, value)| item(findings, files, number, value));
    let items: Vec<Item> = items.collect();
    let tags = items.iter().flat_map(|item| &item.tags);
    findings.names(tags.map(String::as_str), &place);
    names(findings, &items);
    items
}

fn item(findings: &mut Findings, files: &Files, number: usize, value: &Value) -> Option<Item> {
    let known = keys::SAVED_IMAGE;
    let entry = format!("[{number}]");
    shape::keys(findings, value, known, &entry, &Place::file(MANIFEST));
    let tags = texts(findings, value, number, "RepoTags");
    let label = tags
        .first()
        .map_or_else(|| format!("@{number}"), Clone::clone);
    let image = Place::image(label);
    let place = image.in_file(MANIFEST);
    for tag in &tags {
        if crate::image::tagged_reference(tag).is_none() {
            let message = format!("{tag:?} is no name with a tag that docker load takes");
            findings.problem(Code::RefName, &place, message);
        }
    }
    let names = texts(findings, value, number, "Layers");
    if !findings.charge_layers(names.len(), &place) {
        return None;
    }
    sources(findings, files, number, value, &place);
    let Some(config) = text(value, "Config") else {
        let message = format!("[{number}].Config is missing or no string");
        findings.problem(Code::DockerManifest, &place, message);
        return None;
    };
    let (id, facts) = read_config(findings, files, config, &image);
    let diff_ids = facts.as_ref().and_then(|facts| facts.diff_ids.as_deref());
    if let Some(diff_ids) = diff_ids
        && diff_ids.len() != names.len()
    {
        let what = "the number of layers";
        let problem = Finding::mismatch(
            Code::LayerCount,
            &place,
            what,
            &diff_ids.len(),
            &names.len(),
        );
        findings.add(problem);
    }
    let diff_ids = diff_ids.filter(|diff_ids| diff_ids.len() == names.len());
    let layers = names.iter().enumerate().map(|(position, name)| {
        let diff_id = diff_ids.and_then(|diff_ids| diff_ids[position]);
        let place = image.at_layer(position, names.len()).in_file(name);
        layer(findings, files, value, diff_id, &place, name)
    });
    let layers = layers.collect();
    findings.images.push(Image {
        place: image,
        id,
        platform: facts.map(|facts| facts.platform),
        layers,
    });
    Some(Item {
        place,
        tags,
        image: findings.images.len() - 1,
    })
}

/// A list of strings, or null.
fn texts(findings: &mut Findings, value: &Value, number: usize, key: &str) -> Vec<String> {
    let Some(list) = field(value, key) else {
        return Vec::new();
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts: Option<Vec<String>> = list
        .as_array()
        .and_then(|list| list.iter().map(text).collect());
    texts.unwrap_or_else(|| {
        let message = format!("[{number}].{key} is no list of strings");
        findings.problem(Code::DockerManifest, &Place::file(MANIFEST), message);
        Vec::new()
    })
}

fn read_config(
    findings: &mut Findings,
    files: &Files,
    name: &str,
    image: &Place,
) -> (Option<Digest>, Option<config::ConfigFacts>) {
    let place = image.in_file(name);
    let content = match findings.find(files, name, &place) {
        Found::Here(content) => content,
        Found::Absent => {
            findings.problem(Code::MissingBlob, &place, "it is missing");
            return (None, None);
        }
        Found::Broken => return (None, None),
    };
    let named = digest_in_name(name);
    let Some(document) = findings.document(content, named.as_ref(), &place) else {
        return (None, None);
    };
    let facts = config::check(findings, &document.value, &place);
    (Some(Digest::sha256(&document.bytes)), Some(facts))
}

fn layer(
    findings: &mut Findings,
    files: &Files,
    item: &Value,
    diff_id: Option<DiffId>,
    place: &Place,
    name: &str,
) -> LayerUse {
    let digest = clean_name(name)
        .strip_prefix("blobs/sha256/")
        .and_then(Digest::from_sha256_hex);
    let blob = match findings.find(files, name, place) {
        Found::Here(content) => Some(findings.layer(content, digest, diff_id, place)),
        Found::Absent if is_foreign(item, diff_id) => {
            let message = "the layer is not here, but may be had from its urls";
            findings.problem(Code::ForeignLayerAbsent, place, message);
            None
        }
        Found::Absent => {
            findings.problem(Code::MissingBlob, place, "it is missing");
            None
        }
        Found::Broken => None,
    };
    LayerUse {
        place: place.clone(),
        digest,
        diff_id,
        media_type: None,
        blob,
    }
}

/// Checks the descriptors of `LayerSources`, and the blobs of these digests that are here.
fn sources(findings: &mut Findings, files: &Files, number: usize, item: &Value, place: &Place) {
    let Some(sources) = field(item, "LayerSources") else {
        return;
    };
    if !sources.is_object() {
        let message = format!("[{number}].LayerSources is no object");
        findings.problem(Code::DockerManifest, place, message);
    }
    for (key, source) in sources.as_object().into_iter().flatten() {
        let what = format!("[{number}].LayerSources[{key:?}]");
        let Some(link) = shape::link(findings, source, &what, place) else {
            continue;
        };
        if let Ok(Some(content)) = files.find(&link.digest.blob_path())
            && let Some(size) = link.size
            && size != content.size()
        {
            let what = format!("size of {what}");
            let found = content.size();
            findings.add(Finding::mismatch(
                Code::BlobSize,
                place,
                &what,
                &found,
                &size,
            ));
        }
    }
}

/// Whether `LayerSources` tells where else a layer may be had.
fn is_foreign(item: &Value, diff_id: Option<DiffId>) -> bool {
    let source = diff_id.and_then(|diff_id| item.get("LayerSources")?.get(diff_id.to_string()));
    source.is_some_and(|source| {
        let kind = media_type::layer_kind(text(source, "mediaType").unwrap_or_default());
        let urls = source.get("urls").and_then(Value::as_array);
        kind == LayerKind::Foreign && urls.is_some_and(|urls| !urls.is_empty())
    })
}

/// A tag leads to one image.
fn names(findings: &mut Findings, items: &[Item]) {
    let mut known: HashMap<String, Option<Digest>> = HashMap::new();
    for item in items {
        let id = findings.images[item.image].id;
        for tag in &item.tags {
            if *known
                .entry(crate::image::fully_qualified(tag))
                .or_insert(id)
                != id
            {
                let message = format!("{tag} is the name of two images");
                findings.problem(Code::RefNameDuplicate, &item.place, message);
            }
        }
    }
}

/// Compares manifest.json with index.json. Images from number `own` on are those of manifest.json.
pub(super) fn compare(findings: &mut Findings, entries: &[IndexEntry], items: &[Item]) {
    let ids = |entry: &IndexEntry| -> Vec<Digest> {
        let images = entry.images.iter();
        images
            .filter_map(|&image| findings.images[image].id)
            .collect()
    };
    let entries: Vec<(&IndexEntry, Vec<Digest>)> =
        entries.iter().map(|entry| (entry, ids(entry))).collect();
    let mut problems = Vec::new();
    for item in items {
        let image = &findings.images[item.image];
        let Some(id) = image.id else { continue };
        let indexed = entries
            .iter()
            .flat_map(|(entry, _)| &entry.images)
            .map(|&image| &findings.images[image])
            .find(|image| image.id == Some(id));
        let Some(indexed) = indexed else {
            let message = format!("index.json does not lead to its image {id}");
            problems.push(Finding::new(
                Code::DockerManifestUnindexed,
                &item.place,
                message,
            ));
            continue;
        };
        let digests = |image: &Image| -> Option<Vec<Digest>> {
            image.layers.iter().map(|layer| layer.digest).collect()
        };
        if let (Some(here), Some(there)) = (digests(image), digests(indexed))
            && here != there
        {
            let list = |digests: &[Digest]| {
                let texts: Vec<String> = digests.iter().map(ToString::to_string).collect();
                texts.join(" ")
            };
            problems.push(Finding {
                expected: Some(list(&there)),
                found: Some(list(&here)),
                ..Finding::new(
                    Code::DockerManifestMismatch,
                    &item.place,
                    "its layers are not those that index.json leads to",
                )
            });
        }
        problems.extend(
            item.tags
                .iter()
                .filter_map(|tag| name(item, tag, id, &entries)),
        );
    }
    for (entry, ids) in &entries {
        let listed = |id: &Digest| {
            let mut items = items.iter();
            items.any(|item| findings.images[item.image].id == Some(*id))
        };
        if !ids.is_empty() && !ids.iter().any(listed) {
            let message = "manifest.json does not list it";
            problems.push(Finding::new(
                Code::DockerManifestIncomplete,
                &entry.place,
                message,
            ));
        }
    }
    findings.problems.extend(problems);
}

/// Whether index.json gives a tag of manifest.json to the same image.
fn name(
    item: &Item,
    tag: &str,
    id: Digest,
    entries: &[(&IndexEntry, Vec<Digest>)],
) -> Option<Finding> {
    let full = crate::image::fully_qualified(tag);
    let mut named = entries
        .iter()
        .filter(|(entry, _)| {
            let name = entry
                .link
                .annotation(CONTAINERD_NAME)
                .or(entry.link.annotation(REF_NAME));
            name.is_some_and(|name| crate::image::fully_qualified(name) == full)
        })
        .peekable();
    if named.peek().is_none() {
        let message = format!("index.json does not have the name {tag}");
        return Some(Finding::new(
            Code::DockerManifestUnindexed,
            &item.place,
            message,
        ));
    }
    if named.any(|(_, ids)| ids.contains(&id)) {
        return None;
    }
    let message = format!("index.json gives the name {tag} to another image");
    Some(Finding::new(
        Code::DockerManifestMismatch,
        &item.place,
        message,
    ))
}

/// Layers and configs of an archive that no image has.
pub(super) fn other_files(findings: &mut Findings, files: &Files) {
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
        if (config || layer) && !findings.is_known(content) {
            let message = "no image has it";
            findings.problem(Code::UnreferencedBlob, &Place::file(name), message);
        }
    }
}

/// Checks `repositories`, if there is one. Gives `repository:tag` and the ID of the newest layer of each.
pub(super) fn repositories(findings: &mut Findings, files: &Files) -> Vec<(String, String)> {
    let place = Place::file("repositories");
    let Found::Here(content) = findings.find(files, "repositories", &place) else {
        return Vec::new();
    };
    let Some(document) = findings.document(content, None, &place) else {
        return Vec::new();
    };
    let mut tags = Vec::new();
    let mut well_formed = document.value.is_object();
    for (repository, of_repository) in document.value.as_object().into_iter().flatten() {
        well_formed &= of_repository.is_object();
        for (tag, id) in of_repository.as_object().into_iter().flatten() {
            match id.as_str() {
                Some(id) => tags.push((format!("{repository}:{tag}"), id.to_owned())),
                None => well_formed = false,
            }
        }
    }
    if !well_formed {
        let message = "it is no object of tags and layer IDs";
        findings.problem(Code::DockerManifest, &place, message);
    }
    tags
}

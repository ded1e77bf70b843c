//! The formats before schema 2: archives before Docker 1.10, and schema 1 manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::config;
use super::docker;
use super::findings::{Findings, Found, Image, LayerUse};
use super::json::{self, text};
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::error::Error;
use crate::findings::Code;
use crate::findings::Place;
use crate::formats::Beside;
use crate::formats::docker::jws::Verdict;
use crate::formats::docker::schema1;
use crate::formats::docker::schema1::Emptiness;
use crate::formats::docker::schema1::Schema1;
use crate::formats::docker::schema1::Schema1Layer;
use crate::formats::schema1_content;
use crate::image::V1Config;
use crate::image::V1Layer;
use crate::limits;
use crate::source::Files;

/// A layer of an archive before Docker 1.10.
struct Metadata {
    json: Vec<u8>,
    parent: Option<String>,
}

/// Checks an archive before Docker 1.10.
pub(super) fn check_legacy(findings: &mut Findings, files: &Files) {
    let tags = docker::repositories(findings, files);
    let names = tags.iter().map(|(name, _)| name.as_str());
    findings.names(names, &Place::file("repositories"));
    let layers = metadata(findings, files);
    let parents: BTreeSet<&str> = layers
        .values()
        .filter_map(|layer| layer.parent.as_deref())
        .collect();
    let mut tops: Vec<(String, String)> = Vec::new();
    for (name, id) in tags {
        // A second name of an image is no second image.
        if !tops.iter().any(|(_, top)| *top == id) {
            tops.push((name, id));
        }
    }
    let named: BTreeSet<String> = tops.iter().map(|(_, id)| id.clone()).collect();
    for id in layers.keys() {
        if !parents.contains(id.as_str()) && !named.contains(id) {
            tops.push((id.clone(), id.clone()));
        }
    }
    let mut reached = BTreeSet::new();
    for (label, top) in &tops {
        legacy_image(findings, files, &layers, (label, top), &mut reached);
    }
    for id in layers.keys().filter(|id| !reached.contains(*id)) {
        let place = Place::file(format!("{id}/json"));
        findings.problem(Code::LegacyChain, &place, "its parents lead back to itself");
    }
}

fn metadata(findings: &mut Findings, files: &Files) -> BTreeMap<String, Metadata> {
    let mut layers = BTreeMap::new();
    for name in files.names() {
        let Some(id) = name.strip_suffix("/json").filter(|id| !id.contains('/')) else {
            continue;
        };
        let place = Place::file(name);
        let Found::Here(content) = findings.find(files, name, &place) else {
            continue;
        };
        let mut layer = Metadata {
            json: Vec::new(),
            parent: None,
        };
        if let Some(document) = findings.document(content, None, &place) {
            let parent = text(&document.value, "parent").filter(|parent| !parent.is_empty());
            layer.parent = parent.map(str::to_owned);
            if text(&document.value, "id").is_some_and(|own| own != id) {
                let message = "its id is not the name of its folder";
                findings.problem(Code::LegacyId, &place, message);
            }
            layer.json = document.bytes;
        }
        layers.insert(id.to_owned(), layer);
    }
    layers
}

fn legacy_image(
    findings: &mut Findings,
    files: &Files,
    all: &BTreeMap<String, Metadata>,
    (label, top): (&str, &str),
    reached: &mut BTreeSet<String>,
) {
    let image = Place::image(label);
    let mut chain: Vec<(&String, &Metadata)> = Vec::new();
    let mut next = Some(top);
    let mut whole = true;
    while let Some(id) = next {
        if chain.iter().any(|(other, _)| *other == id) {
            let place = image.in_file(format!("{id}/json"));
            findings.problem(Code::LegacyChain, &place, "its parents lead back to itself");
            whole = false;
            break;
        }
        let Some((id, layer)) = all.get_key_value(id) else {
            let place = image.in_file(format!("{id}/json"));
            findings.problem(Code::LegacyChain, &place, "a layer of the image is missing");
            whole = false;
            break;
        };
        reached.insert(id.clone());
        chain.push((id, layer));
        next = layer.parent.as_deref();
    }
    chain.reverse();
    let of = chain.len();
    let layers = chain.iter().enumerate().map(|(position, (id, _))| {
        let name = format!("{id}/layer.tar");
        let place = image.at_layer(position, of).in_file(&name);
        let blob = match findings.find(files, &name, &place) {
            Found::Here(content) => Some(findings.layer(content, None, None, &place)),
            Found::Absent => {
                findings.problem(Code::MissingBlob, &place, "it is missing");
                None
            }
            Found::Broken => None,
        };
        unnamed(place, blob)
    });
    let layers: Vec<LayerUse> = layers.collect();
    let metadata = chain.iter().map(|(_, layer)| V1Layer {
        json: layer.json.clone(),
        empty: false,
    });
    let config = V1Config::Docker(metadata.collect());
    // Metadata that is no JSON has been reported.
    let readable = chain.iter().all(|(_, layer)| !layer.json.is_empty());
    if whole && readable {
        check_config(findings, &config, of, &image);
    }
    findings.images.push(Image {
        place: image,
        id: None,
        platform: None,
        layers,
    });
}

/// A layer whose digest and `diff_id` nothing says.
fn unnamed(place: Place, blob: Option<super::findings::BlobNumber>) -> LayerUse {
    LayerUse {
        place,
        digest: None,
        diff_id: None,
        media_type: None,
        blob,
    }
}

/// Makes the config that a conversion makes, with any `diff_ids`, and checks it as any other.
fn check_config(findings: &mut Findings, v1: &V1Config, layers: usize, place: &Place) {
    let diff_ids = vec![DiffId(Digest::sha256(b"")); layers];
    let bytes = match crate::formats::docker::config_of_v1(v1, &diff_ids) {
        Ok(bytes) => bytes,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let message = format!("{error}: {}", cause.unwrap_or_default());
            return findings.problem(Code::V1Config, place, message);
        }
    };
    let parsed = json::parse(&bytes);
    if let Some(value) = parsed.value {
        config::check(findings, &value, place);
        return;
    }
    for (_, message) in parsed.problems {
        findings.problem(Code::V1Config, place, message);
    }
}

/// Checks a schema 1 manifest and its blobs. `name` is its file.
pub(super) fn check_schema1(findings: &mut Findings, files: &Files, name: &str, bytes: &[u8]) {
    let file = Place::file(name);
    let manifest = match schema1::parse(bytes, true) {
        Ok(manifest) => manifest,
        Err(error) => return findings.problem(Code::Schema1, &file, error.to_string()),
    };
    for verdict in &manifest.signatures {
        match verdict {
            Verdict::Valid { .. } => {}
            Verdict::Invalid(reason) => {
                findings.problem(Code::Schema1Signature, &file, reason.to_string());
            }
            Verdict::Unsupported(reason) => {
                findings.problem(Code::Schema1Unverified, &file, reason.to_string());
            }
        }
    }
    schema1_image(findings, files, &manifest);
}

fn schema1_image(findings: &mut Findings, files: &Files, manifest: &Schema1) {
    let label = match (&manifest.name, &manifest.tag) {
        (name, _) if name.is_empty() => "@0".to_owned(),
        (name, Some(tag)) => format!("{name}:{tag}"),
        (name, None) => name.clone(),
    };
    findings.names(std::iter::once(label.as_str()), &Place::image("@0"));
    let image = Place::image(label);
    let of = manifest.layers.len();
    let mut layers = Vec::new();
    let mut metadata = Vec::new();
    for (position, layer) in manifest.layers.iter().enumerate() {
        let place = image.at_layer(position, of);
        // Documents in a document: what is wrong with their form is told as of any other.
        for (code, message) in json::parse(layer.v1.as_bytes()).problems {
            findings.problem(code, &place, format!("v1Compatibility: {message}"));
        }
        let (found, empty) = schema1_layer(findings, files, layer, &place);
        layers.push(found);
        metadata.push(V1Layer {
            json: layer.v1.clone().into_bytes(),
            empty,
        });
    }
    let full = metadata.iter().filter(|layer| !layer.empty).count();
    check_config(findings, &V1Config::Schema1(metadata), full, &image);
    findings.images.push(Image {
        place: image,
        id: None,
        platform: None,
        layers,
    });
}

/// Wants a layer's blob to be checked. Tells too whether it is a layer of nothing, which needs no blob.
fn schema1_layer(
    findings: &mut Findings,
    files: &Files,
    layer: &Schema1Layer,
    place: &Place,
) -> (LayerUse, bool) {
    let name = (Beside { files }).blob(&layer.blob);
    let place = place.in_file(name.clone().unwrap_or_else(|| layer.blob.hex()));
    // Where it cannot be decoded, its check says so.
    let empty = match schema1_content(files, layer, limits::LAYER_BYTES) {
        Ok(content) => content.is_none(),
        Err(error) => {
            if matches!(error.fact(), Error::Missing { .. }) {
                findings.problem(Code::MissingBlob, &place, "it is missing");
            }
            false
        }
    };
    let blob = name.and_then(|name| match findings.find(files, &name, &place) {
        Found::Here(content) if layer.emptiness() == Emptiness::Yes => {
            Some(findings.blob(content, Some(layer.blob), &place))
        }
        Found::Here(content) => Some(findings.layer(content, Some(layer.blob), None, &place)),
        Found::Absent | Found::Broken => None,
    });
    (unnamed(place, blob), empty)
}

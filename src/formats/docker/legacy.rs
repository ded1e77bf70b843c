//! `docker save` archives before Docker 1.10: a folder for each layer with its v1 metadata, and `repositories`.
//!
//! As Docker read them: <https://github.com/moby/moby/blob/v28.5.2/image/tarexport/load.go>, `legacyLoad`.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::view_of_v1;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::findings::Place;
use crate::image::Config;
use crate::image::Entry;
use crate::image::KnownAs;
use crate::image::Layer;
use crate::image::Manifest;
use crate::image::Node;
use crate::image::Reference;
use crate::image::TarLayer;
use crate::image::{V1Config, V1Layer};
use crate::limits;
use crate::source::Files;

const REPOSITORIES: &str = "repositories";

/// What matters of a layer's v1 metadata here.
#[derive(Deserialize)]
struct LayerView {
    #[serde(default)]
    parent: Option<String>,
}

/// Whether there is `repositories` or a folder with v1 metadata and a layer.
pub(crate) fn is_legacy(files: &Files) -> bool {
    files.has(REPOSITORIES) || ids(files).next().is_some()
}

/// The layers that are there.
fn ids(files: &Files) -> impl Iterator<Item = &str> {
    files.names().filter_map(|name| {
        let id = name.strip_suffix("/json")?;
        let layer = !id.contains('/') && files.has(&format!("{id}/layer.tar"));
        layer.then_some(id)
    })
}

/// Reads the images that `repositories` names, and those that nothing names.
pub(crate) fn read(files: &Files) -> Result<Vec<Entry>> {
    let parents = parents(files)?;
    let mut entries: Vec<(String, Entry)> = Vec::new();
    let mut reached: HashSet<String> = HashSet::new();
    for (name, id) in tags(files)? {
        let reference = Reference {
            containerd_name: Some(crate::image::fully_qualified(&name)),
            name: Some(name.clone()),
            ..Reference::default()
        };
        if let Some((_, entry)) = entries.iter_mut().find(|(top, _)| *top == id) {
            entry.references.push(reference);
            continue;
        }
        let (chain, node) = image(files, &parents, &id).at(|| Place::image(name))?;
        reached.extend(chain);
        let entry = Entry {
            references: vec![reference],
            node,
        };
        entries.push((id, entry));
    }
    let has_child: HashSet<&String> = parents.values().flatten().collect();
    for id in parents.keys() {
        if has_child.contains(id) || reached.contains(id) {
            continue;
        }
        let (_, node) = image(files, &parents, id).at(|| Place::image(id.clone()))?;
        let entry = Entry {
            references: vec![Reference::default()],
            node,
        };
        entries.push((id.clone(), entry));
    }
    if entries.is_empty() {
        // Every layer is some other's parent.
        return match parents.keys().next() {
            Some(id) => Err(parent_cycle(id)),
            None => Err(Error::NotAnImage {
                found: "repositories lists no images".to_owned(),
            }),
        };
    }
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// `repository:tag` and the newest layer of each, in the order of the file.
fn tags(files: &Files) -> Result<Vec<(String, String)>> {
    if !files.has(REPOSITORIES) {
        return Ok(Vec::new());
    }
    let bytes = files.document(REPOSITORIES)?;
    let repositories: Map<String, Value> = crate::formats::parse(REPOSITORIES, &bytes)?;
    let mut tags = Vec::new();
    for (repository, of_repository) in repositories {
        let malformed = || {
            let reason = format!("{repository} is no object of tags and layer IDs");
            Error::document(REPOSITORIES, reason)
        };
        for (tag, id) in of_repository.as_object().ok_or_else(malformed)? {
            let id = id.as_str().ok_or_else(malformed)?;
            crate::formats::check_name_count(tags.len() + 1)?;
            tags.push((format!("{repository}:{tag}"), id.to_owned()));
        }
    }
    Ok(tags)
}

/// The parent of each layer that is there.
fn parents(files: &Files) -> Result<BTreeMap<String, Option<String>>> {
    let mut parents = BTreeMap::new();
    for id in ids(files) {
        let name = format!("{id}/json");
        let view: LayerView = crate::formats::parse(&name, &files.document(&name)?)?;
        let parent = view.parent.filter(|parent| !parent.is_empty());
        parents.insert(id.to_owned(), parent);
        limits::at_most("the number of layers", parents.len(), limits::IMAGES)?;
    }
    Ok(parents)
}

fn parent_cycle(id: &str) -> Error {
    Error::document(format!("{id}/json"), "its parents lead back to itself")
}

/// What is missing of the last layer of a chain, or who names it if all is.
fn absent(files: &Files, chain: &[String]) -> Error {
    let id = chain.last().map_or("", String::as_str);
    for (there, missing) in [("json", "layer.tar"), ("layer.tar", "json")] {
        if files.has(&format!("{id}/{there}")) {
            return Error::Missing {
                name: format!("{id}/{missing}"),
            };
        }
    }
    match chain {
        [.., child, _] => Error::document(
            format!("{child}/json"),
            format!("its parent {id} is missing"),
        ),
        _ => Error::document(REPOSITORIES, format!("there is no layer {id}")),
    }
}

/// The layers of an image, the newest first, and the image.
fn image(
    files: &Files,
    parents: &BTreeMap<String, Option<String>>,
    top: &str,
) -> Result<(Vec<String>, Node)> {
    let mut chain: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(top);
    while let Some(id) = next {
        if !seen.insert(id) {
            return Err(parent_cycle(id));
        }
        chain.push(id.to_owned());
        next = match parents.get(id) {
            Some(parent) => parent.as_deref(),
            None => return Err(absent(files, &chain)),
        };
    }
    let of = chain.len();
    let mut layers = Vec::with_capacity(of);
    let mut metadata = Vec::with_capacity(of);
    for (position, id) in chain.iter().rev().enumerate() {
        let content = files
            .get(&format!("{id}/layer.tar"))
            .at(|| Place::layer(position + 1, of))?;
        files.charge(0)?;
        layers.push(Layer::Tar(TarLayer {
            content: content.clone(),
            file: format!("{id}/layer.tar"),
            descriptor: None,
            digest: None,
            diff_id: None,
            foreign: false,
        }));
        metadata.push(V1Layer {
            json: files.document(&format!("{id}/json"))?,
            empty: false,
        });
    }
    let config = V1Config::Docker(metadata);
    let manifest = Manifest {
        document: None,
        reordered: false,
        layers,
        subject: None,
        artifact_type: None,
        known_as: KnownAs::default(),
        config: Config::V1 {
            view: view_of_v1(&config)?,
            metadata: config,
        },
    };
    Ok((chain, Node::Manifest(Box::new(manifest))))
}

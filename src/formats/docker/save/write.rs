//! Writes a `docker save` archive for every engine: manifest.json for Docker 1.10 and later, `repositories` and a folder for
//! each layer for earlier versions.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Result, chain};
use crate::formats::docker::{go_json, v1_write};
use crate::formats::to_bytes;
use crate::image::{Document, familiar};

/// An image of an archive.
pub(crate) struct SavedImage<'a> {
    pub config: &'a Document,
    /// The names, as engines accept them.
    pub tags: Vec<String>,
}

/// A member of an archive, except for layers.
#[derive(Debug)]
pub(crate) enum ArchiveMember {
    /// Its name ends with a slash.
    Folder(String),
    File {
        name: String,
        bytes: Vec<u8>,
    },
    Link {
        name: String,
        to: String,
    },
}

/// The name of a layer in an archive.
pub(crate) fn layer_name(digest: &Digest) -> String {
    format!("{}.tar", digest.hex())
}

/// An image in manifest.json.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ManifestItem {
    pub config: String,
    pub repo_tags: Option<Vec<String>>,
    pub layers: Vec<String>,
}

#[derive(Deserialize)]
struct ConfigRootfs {
    rootfs: Option<Rootfs>,
}

#[derive(Deserialize)]
struct Rootfs {
    #[serde(default)]
    diff_ids: Option<Vec<DiffId>>,
}

/// All members except layers, in the order of the archive.
pub(crate) fn members(images: &[SavedImage]) -> Result<Vec<ArchiveMember>> {
    let mut members = Vec::new();
    let mut items = Vec::with_capacity(images.len());
    let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut folders = HashSet::new();
    for image in images {
        let digest = image.config.digest;
        let diff_ids = diff_ids(image.config)?;
        let name = format!("{}.json", digest.hex());
        members.push(ArchiveMember::File {
            name: name.clone(),
            bytes: image.config.bytes.to_vec(),
        });
        let top = add_folders(&mut members, &mut folders, image.config, &diff_ids)?;
        for tag in &image.tags {
            if let (Some((repository, tag)), Some(top)) = (familiar(tag).rsplit_once(':'), &top) {
                let tags = repositories.entry(repository.to_owned()).or_default();
                tags.insert(tag.to_owned(), top.clone());
            }
        }
        items.push(ManifestItem {
            config: name,
            repo_tags: (!image.tags.is_empty()).then(|| image.tags.clone()),
            layers: diff_ids.iter().map(layer_name).collect(),
        });
    }
    let mut add = |name: &str, bytes| {
        members.push(ArchiveMember::File {
            name: name.to_owned(),
            bytes,
        });
    };
    add("manifest.json", to_bytes(&items)?);
    if !repositories.is_empty() {
        add("repositories", to_bytes(&repositories)?);
    }
    Ok(members)
}

fn diff_ids(config: &Document) -> Result<Vec<Digest>> {
    let name = format!("config {}", config.digest);
    let view: ConfigRootfs = crate::formats::parse(&name, &config.bytes)?;
    let diff_ids = view.rootfs.and_then(|rootfs| rootfs.diff_ids);
    let diff_ids = diff_ids.ok_or(Error::NoRootfs)?;
    Ok(diff_ids.into_iter().map(|DiffId(digest)| digest).collect())
}

/// Adds the folder of each layer that has none yet. Returns the ID of the newest layer. `None` if there are no layers.
fn add_folders(
    members: &mut Vec<ArchiveMember>,
    known: &mut HashSet<String>,
    config: &Document,
    diff_ids: &[Digest],
) -> Result<Option<String>> {
    let unreadable = |error| Error::document(format!("config {}", config.digest), chain(&error));
    let value = go_json::document(&config.bytes).map_err(unreadable)?;
    let history = v1_write::layer_history(value, diff_ids.len()).map_err(unreadable)?;
    let layers = v1_write::chain(&config.bytes, &history, diff_ids).map_err(unreadable)?;
    let top = layers.last().map(|layer| layer.id.clone());
    for (layer, diff_id) in layers.into_iter().zip(diff_ids) {
        let id = layer.id;
        if !known.insert(id.clone()) {
            continue;
        }
        members.push(ArchiveMember::Folder(format!("{id}/")));
        for (name, bytes) in [("VERSION", "1.0".to_owned()), ("json", layer.json)] {
            members.push(ArchiveMember::File {
                name: format!("{id}/{name}"),
                bytes: bytes.into_bytes(),
            });
        }
        members.push(ArchiveMember::Link {
            name: format!("{id}/layer.tar"),
            to: format!("../{}", layer_name(diff_id)),
        });
    }
    Ok(top)
}

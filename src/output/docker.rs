//! `manifest.json` over the blobs of a layout, so that one tar is an OCI archive and a `docker save` archive.
//!
//! As Docker 25 and later write it: <https://github.com/moby/moby/blob/v28.5.2/image/tarexport/save.go>.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Result;
use crate::formats::to_bytes;
use crate::image::CONTAINERD_NAME;
use crate::image::Descriptor;
use crate::image::REF_NAME;
use crate::image::REFERENCE_DIGEST;
use crate::image::media_type;
use crate::image::media_type::Kind;
use crate::image::tagged_reference;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct IndexView {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct ManifestView {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// The blobs of a layout.
pub(super) trait Blobs {
    /// The bytes of a manifest or index.
    fn document(&self, digest: &Digest) -> Option<&[u8]>;
    /// Whether the blob is there.
    fn has(&self, digest: &Digest) -> bool;
}

/// The bytes of manifest.json for the images of an index.
pub(super) fn manifest(index: &[u8], blobs: &dyn Blobs) -> Result<Vec<u8>> {
    let index: IndexView = crate::formats::parse("index.json", index)?;
    let mut items: Vec<Item> = Vec::new();
    // By the manifest: an index may be listed, and what is in it too.
    let mut positions: HashMap<Digest, usize> = HashMap::new();
    for descriptor in &index.manifests {
        let Some((manifest, config, layers)) = image(descriptor, blobs, 0) else {
            continue;
        };
        let position = *positions.entry(manifest).or_insert(items.len());
        if position == items.len() {
            items.push(Item {
                config,
                repo_tags: None,
                layers,
            });
        }
        if let Some(tag) = tag(descriptor) {
            let tags = items[position].repo_tags.get_or_insert_default();
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
    to_bytes(&items)
}

/// The name when it is one that Docker takes.
fn tag(descriptor: &Descriptor) -> Option<String> {
    let names = [REF_NAME, CONTAINERD_NAME].into_iter();
    let mut tags = names.filter_map(|key| tagged_reference(descriptor.annotation(key)?));
    tags.next().map(str::to_owned)
}

/// Digest, config and layers of a manifest, or of the one image of an index that stands for it.
fn image(
    descriptor: &Descriptor,
    blobs: &dyn Blobs,
    depth: usize,
) -> Option<(Digest, String, Vec<String>)> {
    let bytes = blobs.document(&descriptor.digest)?;
    match media_type::kind(&descriptor.media_type) {
        Kind::Manifest => {
            let view: ManifestView = serde_json::from_slice(bytes).ok()?;
            let is_image = media_type::is_image_config(&view.config.media_type);
            let complete = view.layers.iter().all(|layer| blobs.has(&layer.digest));
            (is_image && complete && blobs.has(&view.config.digest)).then(|| {
                let paths = view.layers.iter().map(|layer| layer.digest.blob_path());
                let config = view.config.digest.blob_path();
                (descriptor.digest, config, paths.collect())
            })
        }
        // Docker names the image that fits the machine it runs on. The same input must give the same bytes on any
        // machine, so here it is linux/amd64 if that is there, else the first.
        Kind::Index if depth < crate::limits::INDEX_DEPTH => {
            let view: IndexView = serde_json::from_slice(bytes).ok()?;
            let common = |child: &Descriptor| {
                let platform = child.platform.as_ref();
                platform.is_some_and(|p| p.os == "linux" && p.architecture == "amd64")
            };
            let (first, second): (Vec<_>, Vec<_>) = view
                .manifests
                .iter()
                .filter(|child| child.annotation(REFERENCE_DIGEST).is_none())
                .partition(|child| common(child));
            let mut children = first.into_iter().chain(second);
            children.find_map(|child| image(child, blobs, depth + 1))
        }
        _ => None,
    }
}

//! Writes `manifest.json` for the blobs of a layout, so that a tar is both an OCI archive and a `docker save` archive.
//!
//! As in Docker 25 and later: <https://github.com/moby/moby/blob/v28.5.2/image/tarexport/save.go>.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::index::check_size;
use crate::digest::Digest;
use crate::error::Result;
use crate::formats::docker::save::write::ManifestItem;
use crate::formats::to_bytes;
use crate::image::media_type::{self, DocumentKind, LayerKind};
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME, REFERENCE_DIGEST, tagged_reference};
use crate::limits;

#[derive(Deserialize)]
struct IndexView {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct ManifestView {
    config: Descriptor,
    /// Go writes `null` for an empty list.
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
}

/// The blobs of a layout.
pub(super) trait StoredBlobs {
    /// The bytes of a manifest or index.
    fn document(&self, digest: &Digest) -> Option<&[u8]>;
    /// Whether the layout has the blob.
    fn has(&self, digest: &Digest) -> bool;
}

/// The bytes of manifest.json for the images of an index. `None` if there are no images, because Docker refuses an empty list.
pub(super) fn manifest(index: &[u8], blobs: &dyn StoredBlobs) -> Result<Option<Vec<u8>>> {
    let index: IndexView = crate::formats::parse("index.json", index)?;
    let mut items: Vec<ManifestItem> = Vec::new();
    let mut positions: HashMap<Digest, Option<usize>> = HashMap::new();
    // By manifest, because an index and its images may both be listed.
    let mut of_manifests: HashMap<Digest, usize> = HashMap::new();
    let mut tagged: HashSet<(usize, String)> = HashSet::new();
    for descriptor in &index.manifests {
        let known = positions.entry(descriptor.digest).or_insert_with(|| {
            let (manifest, config, layers) = image(descriptor, blobs, 0)?;
            let position = *of_manifests.entry(manifest).or_insert(items.len());
            if position < items.len() {
                return Some(position);
            }
            items.push(ManifestItem {
                config,
                repo_tags: None,
                layers,
            });
            Some(position)
        });
        let Some(position) = *known else { continue };
        if let Some(tag) = tag(descriptor)
            && tagged.insert((position, tag.clone()))
        {
            items[position].repo_tags.get_or_insert_default().push(tag);
        }
    }
    if items.is_empty() {
        return Ok(None);
    }
    let tags = items.iter().flat_map(|item| &item.repo_tags);
    let names = tags.map(Vec::len).sum();
    let what = "the number of images in the new manifest.json";
    limits::at_most(what, items.len(), limits::IMAGES)?;
    let what = "the number of names in the new manifest.json";
    limits::at_most(what, names, limits::NAMES)?;
    let bytes = to_bytes(&items)?;
    check_size("manifest.json", &bytes, limits::DOCUMENT_BYTES)?;
    Ok(Some(bytes))
}

/// The name, if Docker accepts it: the fully qualified name if it is known, as from podman. Docker shortens it again. podman
/// would treat a short name as one of `localhost`, except for images in index.json.
pub(super) fn tag(descriptor: &Descriptor) -> Option<String> {
    let names = [CONTAINERD_NAME, REF_NAME].into_iter();
    let mut tags = names.filter_map(|key| tagged_reference(descriptor.annotation(key)?));
    tags.next().map(str::to_owned)
}

/// Digest, config and layers of a manifest, or of the image that represents an index.
fn image(
    descriptor: &Descriptor,
    blobs: &dyn StoredBlobs,
    depth: usize,
) -> Option<(Digest, String, Vec<String>)> {
    let bytes = blobs.document(&descriptor.digest)?;
    match media_type::kind(&descriptor.media_type) {
        DocumentKind::Manifest => {
            let view: ManifestView = serde_json::from_slice(bytes).ok()?;
            let layers = view.layers.unwrap_or_default();
            // Signatures and attestations may have an image config, but their layers are not file systems.
            let is_image = media_type::is_image_config(&view.config.media_type)
                && layers
                    .iter()
                    .all(|layer| media_type::layer_kind(&layer.media_type) != LayerKind::Other);
            let complete = layers.iter().all(|layer| blobs.has(&layer.digest));
            (is_image && complete && blobs.has(&view.config.digest)).then(|| {
                let paths = layers.iter().map(|layer| layer.digest.blob_path());
                let config = view.config.digest.blob_path();
                (descriptor.digest, config, paths.collect())
            })
        }
        // Docker lists the image for the machine that it runs on. The same input must give the same bytes on any
        // machine, so this lists linux/amd64, otherwise the first image.
        DocumentKind::Index if depth < crate::limits::INDEX_DEPTH => {
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

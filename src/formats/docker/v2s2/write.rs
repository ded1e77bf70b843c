//! Schema 2 manifests and manifest lists of resolved images: kept byte for byte where nothing in them changes, otherwise made
//! as skopeo makes them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{encoded, schema2_manifest, schema2_manifest_of_schema1};
use crate::error::{Error, RequestError, Result};
use crate::formats::docker::go_json::{self, object};
use crate::image::{
    Descriptor, Document, MergedChild, Platform, ResolvedChild, ResolvedConfig, ResolvedImage,
    ResolvedIndex, ResolvedLayer, media_type,
};

/// The manifest of an image.
///
/// # Errors
/// [`RequestError::NotInFormat`] for artifacts, and for layers in a codec that schema 2 lacks.
pub(crate) fn manifest(image: &ResolvedImage) -> Result<Document> {
    if let Some(original) = image.original
        && is_kept(original, image)
    {
        return Ok(original.clone());
    }
    let ResolvedConfig::Image { document, .. } = &image.config else {
        return Err(not_in_format("an artifact".to_owned()));
    };
    let layers: Vec<Descriptor> = image
        .layers
        .iter()
        .map(|layer| descriptor(layer).ok_or_else(|| unsupported(layer)))
        .collect::<Result<_>>()?;
    let config = config(document);
    let original = image.schema1.as_ref();
    let bytes = if original.is_some_and(|original| original.lists(&image.layers)) {
        // skopeo does not look at the blobs, of which schema 1 says nothing.
        let layers = layers.into_iter().map(|layer| Descriptor {
            media_type: media_type::DOCKER_GZIP_LAYER.to_owned(),
            ..layer
        });
        schema2_manifest_of_schema1(&config, &layers.collect::<Vec<_>>())
    } else {
        schema2_manifest(&config, &layers)
    };
    Ok(Document::new(media_type::DOCKER_MANIFEST, bytes))
}

/// Whether the manifest of the input is a schema 2 manifest of exactly these blobs.
fn is_kept(original: &Document, image: &ResolvedImage) -> bool {
    let is_same = |layer: &ResolvedLayer| {
        let own = layer.original.map(|old| old.media_type.as_str());
        !layer.is_new() && own.is_some_and(media_type::is_docker_layer)
    };
    original.media_type == media_type::DOCKER_MANIFEST
        && !image.reordered
        && matches!(image.config, ResolvedConfig::Image { .. })
        && image.layers.iter().all(is_same)
}

fn unsupported(layer: &ResolvedLayer) -> Error {
    not_in_format(match layer.codec {
        Some(codec) => format!("layer {} in {codec}", layer.digest),
        None => format!("layer {}, which is not a file system,", layer.digest),
    })
}

fn not_in_format(what: String) -> Error {
    Error::Request(RequestError::NotInFormat {
        what,
        format: "schema 2",
    })
}

/// The descriptor of a config.
pub(crate) fn config(document: &Document) -> Descriptor {
    Descriptor {
        media_type: media_type::DOCKER_CONFIG.to_owned(),
        ..document.descriptor()
    }
}

/// The descriptor of a layer; `None` where schema 2 has none for it.
pub(crate) fn descriptor(layer: &ResolvedLayer) -> Option<Descriptor> {
    let media_type = media_type::docker_layer(layer.foreign, layer.codec?)?;
    Some(Descriptor {
        urls: Some(layer.urls.to_vec()),
        ..Descriptor::new(media_type, layer.digest, layer.size)
    })
}

/// The manifest list of an index.
pub(crate) fn list(index: &ResolvedIndex) -> Document {
    let original = index.original;
    let is_same = |child: &ResolvedChild| {
        let new = child.new.as_ref();
        new.is_none_or(|new| {
            new.digest == child.original.digest && new.media_type == child.original.media_type
        })
    };
    if original.media_type == media_type::DOCKER_LIST
        && count(&original.bytes) == Some(index.children.len())
        && index.children.iter().all(is_same)
    {
        return original.clone();
    }
    list_of(index.children.iter().map(|child| {
        let platform = child.original.platform.as_ref().or(child.platform);
        (child.new.as_ref().unwrap_or(child.original), platform)
    }))
}

/// A manifest list of images that had none in common.
pub(crate) fn merged(children: &[MergedChild]) -> Document {
    let children = children.iter().map(|child| &child.descriptor);
    list_of(children.map(|child| (child, child.platform.as_ref())))
}

fn list_of<'a>(children: impl Iterator<Item = (&'a Descriptor, Option<&'a Platform>)>) -> Document {
    let list = go_json::list(children.map(|(child, platform)| entry(child, platform)));
    let members = [
        ("schemaVersion", "2".to_owned()),
        ("mediaType", go_json::quoted(media_type::DOCKER_LIST)),
        ("manifests", list),
    ];
    Document::new(media_type::DOCKER_LIST, object(members).into_bytes())
}

/// How many manifests a list has.
fn count(list: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    struct View {
        manifests: Vec<IgnoredAny>,
    }
    let view: View = serde_json::from_slice(list).ok()?;
    Some(view.manifests.len())
}

/// <https://github.com/containers/image/blob/v5.22.1/manifest/docker_schema2_list.go>
fn entry(child: &Descriptor, platform: Option<&Platform>) -> String {
    let mut members = encoded(child);
    members.push(("platform", encoded_platform(platform)));
    object(members)
}

fn encoded_platform(platform: Option<&Platform>) -> String {
    let text = |text: Option<&str>| go_json::quoted(text.unwrap_or_default());
    let architecture = platform.map(|platform| platform.architecture.as_str());
    let os = platform.map(|platform| platform.os.as_str());
    let mut members = vec![("architecture", text(architecture)), ("os", text(os))];
    if let Some(platform) = platform {
        let present = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(version) = present(&platform.os_version) {
            members.push(("os.version", go_json::quoted(&version)));
        }
        let features = platform.os_features.as_deref().unwrap_or_default();
        if !features.is_empty() {
            members.push(("os.features", go_json::list_of_texts(features)));
        }
        if let Some(variant) = present(&platform.variant) {
            members.push(("variant", go_json::quoted(&variant)));
        }
    }
    object(members)
}

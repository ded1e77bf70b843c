//! OCI manifests and indexes of resolved images: kept byte for byte where nothing in them changes, edited in place where
//! something does, composed where the input has none, or one of schema 2 with nothing in it that would be lost.

mod schema2;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::error::{Error, RequestError, Result};
use crate::formats::{json, keys, to_bytes};
use crate::image::{
    Descriptor, Document, MergedChild, Platform, REFERENCE_DIGEST, ResolvedConfig, ResolvedImage,
    ResolvedIndex, ResolvedLayer, media_type,
};

/// The manifest of an image or artifact.
pub(crate) fn manifest(image: &ResolvedImage) -> Result<Document> {
    let config = config_descriptor(&image.config);
    let layers: Vec<Descriptor> = image
        .layers
        .iter()
        .map(layer_descriptor)
        .collect::<Result<_>>()?;
    match image.original {
        Some(original) if !schema2::is_plain(original) => edited(original, image, &config, &layers),
        _ => composed(image, &config, &layers),
    }
}

fn config_descriptor(config: &ResolvedConfig) -> Descriptor {
    match config {
        ResolvedConfig::Image { document, .. } => Descriptor {
            media_type: media_type::CONFIG.to_owned(),
            ..document.descriptor()
        },
        ResolvedConfig::Other(descriptor) => Descriptor::new(
            media_type::to_oci(&descriptor.media_type),
            descriptor.digest,
            descriptor.size,
        ),
    }
}

fn layer_descriptor(layer: &ResolvedLayer) -> Result<Descriptor> {
    let media_type = match (layer.media_type, layer.codec) {
        (Some(own), _) => media_type::to_oci(own),
        (None, codec) => {
            let media_type = codec.and_then(|codec| media_type::layer(layer.foreign, codec));
            media_type.ok_or_else(|| RequestError::Unsupported {
                what: format!("layer {} in a codec that OCI lacks", layer.digest),
            })?
        }
    };
    Ok(Descriptor::new(media_type, layer.digest, layer.size))
}

/// A new manifest, for an image without one.
fn composed(image: &ResolvedImage, config: &Descriptor, layers: &[Descriptor]) -> Result<Document> {
    let layers = image.layers.iter().zip(layers);
    let layers = layers.map(|(layer, descriptor)| Descriptor {
        urls: (!layer.urls.is_empty()).then(|| layer.urls.to_vec()),
        ..descriptor.clone()
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::MANIFEST,
        "config": config,
        "layers": layers.collect::<Vec<_>>(),
    });
    Ok(Document::new(media_type::MANIFEST, as_go(&manifest)?))
}

/// The bytes as Go's encoder writes them: it escapes these characters, which are found only in strings.
fn as_go(document: &Value) -> Result<Vec<u8>> {
    let mut encoded = Vec::new();
    for byte in to_bytes(document)? {
        match byte {
            b'&' | b'<' | b'>' => encoded.extend(format!("\\u{byte:04x}").bytes()),
            _ => encoded.push(byte),
        }
    }
    Ok(encoded)
}

/// The manifest with its descriptors replaced. The same bytes if nothing changes.
fn edited(
    original: &Document,
    image: &ResolvedImage,
    config: &Descriptor,
    layers: &[Descriptor],
) -> Result<Document> {
    let name = format!("manifest {}", original.digest);
    let malformed = || Error::document(&name, "it lacks the fields of a manifest");
    edit(&name, original, |fields| {
        let old_config = fields.get_mut("config").and_then(Value::as_object_mut);
        set_descriptor(old_config.ok_or_else(malformed)?, config);
        if let Some(Value::Array(values)) = fields.get_mut("layers") {
            if image.reordered {
                *values = in_order(values, &image.layers).ok_or_else(malformed)?;
            }
            for ((value, layer), descriptor) in values.iter_mut().zip(&image.layers).zip(layers) {
                let fields = value.as_object_mut().ok_or_else(malformed)?;
                set_descriptor(fields, descriptor);
                if layer.is_new() {
                    replace_details(fields, layer);
                }
            }
        }
        if let Some(subject) = &image.subject {
            let old = fields.get_mut("subject").and_then(Value::as_object_mut);
            set_descriptor(old.ok_or_else(malformed)?, subject);
        }
        Ok(())
    })
}

/// The layers of a manifest in the order of `layers`.
fn in_order(values: &[Value], layers: &[ResolvedLayer]) -> Option<Vec<Value>> {
    let by_digest: HashMap<&str, &Value> = values
        .iter()
        .filter_map(|value| Some((value.get("digest")?.as_str()?, value)))
        .collect();
    let value = |layer: &ResolvedLayer| {
        let digest = layer.original?.digest.to_string();
        by_digest.get(digest.as_str()).map(|value| (*value).clone())
    };
    layers.iter().map(value).collect()
}

/// Keeps the fields of a layer that are still valid for its new bytes.
fn replace_details(fields: &mut Map<String, Value>, layer: &ResolvedLayer) {
    if layer.urls.is_empty() {
        fields.shift_remove("urls");
    }
    if layer.annotations.is_empty() {
        fields.shift_remove("annotations");
    } else {
        let annotations = Value::Object(layer.annotations.clone());
        fields.insert("annotations".to_owned(), annotations);
    }
}

/// The index with new descriptors in place of the old, and without what is left out; the same bytes if that is nothing.
pub(crate) fn index(index: &ResolvedIndex) -> Result<Document> {
    if schema2::is_plain(index.original) {
        return to_index(index.children.iter().map(|child| {
            let entry = child.new.as_ref().unwrap_or(child.original);
            Descriptor {
                platform: child.original.platform.clone(),
                ..Descriptor::new(entry.media_type.clone(), entry.digest, entry.size)
            }
        }));
    }
    let name = format!("index {}", index.original.digest);
    let malformed = || Error::document(&name, "it lacks the manifests of an index");
    let renamed: HashMap<String, Digest> = index
        .children
        .iter()
        .filter_map(|child| {
            Some((
                child.original.digest.to_string(),
                child.new.as_ref()?.digest,
            ))
        })
        .collect();
    edit(&name, index.original, |fields| {
        let Some(Value::Array(old)) = fields.get_mut("manifests") else {
            return Err(malformed());
        };
        let mut old = std::mem::take(old).into_iter();
        let mut new = Vec::with_capacity(index.children.len());
        for child in &index.children {
            let mut value = old
                .find(|value| is_listed_as(value, child.original))
                .ok_or_else(malformed)?;
            let fields = value.as_object_mut().ok_or_else(malformed)?;
            if let Some(descriptor) = &child.new {
                set_descriptor(fields, descriptor);
            }
            let annotations = fields.get_mut("annotations");
            if let Some(about) = annotations.and_then(|all| all.get_mut(REFERENCE_DIGEST))
                && let Some(digest) = about.as_str().and_then(|about| renamed.get(about))
            {
                *about = json!(digest.to_string());
            }
            new.push(value);
        }
        fields.insert("manifests".to_owned(), Value::Array(new));
        Ok(())
    })
}

/// An index of images that had none in common, with what is about them.
pub(crate) fn merged(children: &[MergedChild]) -> Result<Document> {
    let renamed: HashMap<String, Digest> = children
        .iter()
        .filter_map(|child| Some((child.old?.to_string(), child.descriptor.digest)))
        .collect();
    let manifests = children.iter().map(|child| {
        let mut descriptor = child.descriptor.clone();
        if let Some(annotations) = &mut descriptor.annotations
            && let Some(about) = annotations.get_mut(REFERENCE_DIGEST)
            && let Some(digest) = about.as_str().and_then(|about| renamed.get(about))
        {
            *about = json!(digest.to_string());
        }
        descriptor
    });
    to_index(manifests)
}

fn to_index(manifests: impl Iterator<Item = Descriptor>) -> Result<Document> {
    let manifests: Vec<Descriptor> = manifests.collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::INDEX,
        "manifests": manifests,
    });
    Ok(Document::new(media_type::INDEX, as_go(&index)?))
}

/// Whether an entry of an index has this descriptor. An index may list one digest for several platforms.
fn is_listed_as(value: &Value, descriptor: &Descriptor) -> bool {
    let digest = value.get("digest").and_then(Value::as_str);
    let platform = value.get("platform");
    let platform: Option<Platform> =
        platform.and_then(|platform| serde::Deserialize::deserialize(platform).ok());
    // The reader ignores incomplete platforms too.
    let platform = platform.filter(Platform::is_complete);
    platform == descriptor.platform && digest == Some(&descriptor.digest.to_string())
}

/// Edits a document. Returns the same bytes if nothing changes. Docker's media types become OCI's.
fn edit(
    name: &str,
    document: &Document,
    change: impl FnOnce(&mut Map<String, Value>) -> Result<()>,
) -> Result<Document> {
    // Parsed as by the reader, which has reported problems of the syntax.
    let original = json::read(&document.bytes).value;
    let original = original.ok_or_else(|| Error::document(name, "not valid JSON"))?;
    let original = keys::spelt_as_specified(original);
    let mut edited = original.clone();
    let fields = edited.as_object_mut();
    let fields = fields.ok_or_else(|| Error::document(name, "it is not an object"))?;
    let media_type = media_type::to_oci(&document.media_type);
    // The field is optional, so it is not added.
    if fields.contains_key("mediaType") || media_type != document.media_type {
        fields.insert("mediaType".to_owned(), json!(media_type));
    }
    change(fields)?;
    if edited == original {
        return Ok(document.clone());
    }
    if let Some(layers) = edited.get_mut("layers").filter(|layers| layers.is_null()) {
        // Go writes null for an empty list, which other readers refuse.
        *layers = json!([]);
    }
    Ok(Document::new(media_type, to_bytes(&edited)?))
}

/// Sets media type, digest and size of a descriptor, and nothing else.
fn set_descriptor(fields: &mut Map<String, Value>, descriptor: &Descriptor) {
    let digest = json!(descriptor.digest.to_string());
    if fields.get("digest") != Some(&digest) {
        // Embedded data is that of the old blob.
        fields.shift_remove("data");
    }
    fields.insert("mediaType".to_owned(), json!(descriptor.media_type));
    fields.insert("digest".to_owned(), digest);
    fields.insert("size".to_owned(), json!(descriptor.size));
}

//! The JSON of a manifest: made anew, or the old one with new descriptors in their places.

use serde_json::{Map, Value, json};

use super::Built;
use crate::digest::DiffId;
use crate::error::Error;
use crate::error::Result;
use crate::image::Layer;
use crate::image::Manifest;

use crate::image::Descriptor;
use crate::image::Document;
use crate::image::media_type;
use crate::output::to_bytes;
use crate::report::LayerReport;

/// Annotations that describe a layer's compressed bytes, so that they go when the bytes change.
const OF_COMPRESSED_BYTES: [&str; 4] = [
    "io.github.containers.zstd-chunked.",
    "io.containers.estargz.",
    "containerd.io/snapshot/stargz/",
    "com.github.containers.toc",
];

/// A layer with its descriptor in the output.
pub(super) struct RebuiltLayer {
    pub descriptor: Descriptor,
    /// Whether the blob's bytes are others than in the input.
    pub is_new: bool,
    pub diff_id: Option<DiffId>,
    pub urls: Option<Vec<String>>,
    pub report: LayerReport,
}

/// A manifest for an image that had none.
pub(super) fn compose(config: &Descriptor, layers: &[RebuiltLayer]) -> Result<Document> {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| {
            let mut descriptor = descriptor_value(&layer.descriptor);
            if let (Some(urls), Some(fields)) = (&layer.urls, descriptor.as_object_mut()) {
                fields.insert("urls".to_owned(), json!(urls));
            }
            descriptor
        })
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::MANIFEST,
        "config": descriptor_value(config),
        "layers": layers,
    });
    Ok(Document::new(media_type::MANIFEST, to_bytes(&manifest)?))
}

fn descriptor_value(descriptor: &Descriptor) -> Value {
    json!({
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest.to_string(),
        "size": descriptor.size,
    })
}

/// The manifest with new descriptors in place of the old; the same bytes if they are the same.
pub(super) fn edit(
    document: &Document,
    manifest: &Manifest,
    config: &Descriptor,
    layers: &[RebuiltLayer],
    subject: Option<&Built>,
) -> Result<Document> {
    let name = format!("manifest {}", document.digest);
    let malformed = || Error::document(&name, "it lacks fields of a manifest");
    let original: Value = crate::formats::parse(&name, &document.bytes)?;
    let mut edited = original.clone();
    let fields = edited.as_object_mut().ok_or_else(malformed)?;
    let media_type = media_type::to_oci(&document.media_type);
    if fields.contains_key("mediaType") || media_type != document.media_type {
        fields.insert("mediaType".to_owned(), json!(media_type));
    }
    let old_config = fields.get_mut("config").and_then(Value::as_object_mut);
    set_descriptor(old_config.ok_or_else(malformed)?, config);
    if let Some(Value::Array(values)) = fields.get_mut("layers") {
        if manifest.reordered {
            *values = in_order(values, manifest).ok_or_else(malformed)?;
        }
        for (value, layer) in values.iter_mut().zip(layers) {
            let fields = value.as_object_mut().ok_or_else(malformed)?;
            set_descriptor(fields, &layer.descriptor);
            if layer.is_new {
                forget_old_bytes(fields);
            }
        }
    }
    if let Some(built) = subject {
        let subject = fields.get_mut("subject").and_then(Value::as_object_mut);
        set_descriptor(subject.ok_or_else(malformed)?, &built.descriptor());
    }
    if edited == original {
        return Ok(document.clone());
    }
    Ok(Document::new(media_type, to_bytes(&edited)?))
}

/// The descriptors of a manifest's layers in the order of `manifest.layers`.
fn in_order(values: &[Value], manifest: &Manifest) -> Option<Vec<Value>> {
    let find = |layer: &Layer| {
        let digest = match layer {
            Layer::Tar(layer) => layer.digest?,
            Layer::Other(blob) => blob.descriptor.digest,
            Layer::Absent { descriptor, .. } => descriptor.as_ref()?.digest,
        };
        let digest = json!(digest.to_string());
        let mut values = values.iter();
        values
            .find(|value| value.get("digest") == Some(&digest))
            .cloned()
    };
    manifest.layers.iter().map(find).collect()
}

/// Changes what names a blob, and nothing else.
pub(super) fn set_descriptor(fields: &mut Map<String, Value>, descriptor: &Descriptor) {
    let digest = json!(descriptor.digest.to_string());
    if fields.get("digest") != Some(&digest) {
        // Content that is embedded would be the old one.
        fields.shift_remove("data");
    }
    fields.insert("mediaType".to_owned(), json!(descriptor.media_type));
    fields.insert("digest".to_owned(), digest);
    fields.insert("size".to_owned(), json!(descriptor.size));
}

/// Takes away what was true of the old blob only.
fn forget_old_bytes(fields: &mut Map<String, Value>) {
    fields.shift_remove("urls");
    let Some(annotations) = fields.get_mut("annotations").and_then(Value::as_object_mut) else {
        return;
    };
    annotations.retain(|key, _| {
        let mut prefixes = OF_COMPRESSED_BYTES.iter();
        !prefixes.any(|prefix| key.starts_with(prefix))
    });
    if annotations.is_empty() {
        fields.shift_remove("annotations");
    }
}

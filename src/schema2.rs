//! The digests that images have in schema 2 after `skopeo copy --format v2s2`.
//!
//! skopeo copies blobs unchanged to a folder, and gzip blobs to a registry. It compresses plain blobs for a registry, with a
//! digest that cannot be predicted.

use serde::Deserialize;

use crate::digest::Digest;
use crate::formats::docker::schema1::empty_blob;
use crate::formats::docker::v1_config::{V1History, schema2_config};
use crate::formats::docker::v2s2::{schema2_manifest, schema2_manifest_of_schema1, write};
use crate::image::{
    Config, Descriptor, Document, Manifest, ResolvedConfig, ResolvedImage, Schema1Document,
    V1Config, V1Layer, media_type,
};
use crate::report::LayerReport;

/// The digest for an image of the input, computed from its own manifest. `layers` are those of `manifest`.
pub(crate) fn of_input(manifest: &Manifest, layers: &[LayerReport]) -> Option<Digest> {
    if let Some(schema1) = &manifest.schema1 {
        let Config::V1 {
            metadata: V1Config::Schema1(metadata),
            ..
        } = &manifest.config
        else {
            return None;
        };
        return of_schema1(schema1, metadata, layers);
    }
    let document = manifest.document.as_ref()?;
    match document.media_type.as_str() {
        media_type::DOCKER_MANIFEST => Some(document.digest),
        media_type::MANIFEST => of_oci_manifest(&document.bytes),
        _ => None,
    }
}

/// The digest for an image of the output.
pub(crate) fn of_output(image: &ResolvedImage) -> Option<Digest> {
    let ResolvedConfig::Image { document, .. } = &image.config else {
        return None;
    };
    let layers: Option<Vec<_>> = image.layers.iter().map(write::descriptor).collect();
    let manifest = schema2_manifest(&write::config(document), &layers?);
    Some(Digest::sha256(&manifest))
}

fn of_oci_manifest(bytes: &[u8]) -> Option<Digest> {
    #[derive(Deserialize)]
    struct View {
        config: Descriptor,
        layers: Option<Vec<Descriptor>>,
    }
    let view: View = serde_json::from_slice(bytes).ok()?;
    if view.config.media_type != media_type::CONFIG {
        return None;
    }
    let layers: Option<Vec<_>> = view.layers.into_iter().flatten().map(oci_layer).collect();
    let config = Descriptor {
        media_type: media_type::DOCKER_CONFIG.to_owned(),
        urls: None,
        ..view.config
    };
    Some(Digest::sha256(&schema2_manifest(&config, &layers?)))
}

fn oci_layer(descriptor: Descriptor) -> Option<Descriptor> {
    Some(Descriptor {
        media_type: media_type::to_docker_layer(&descriptor.media_type)?,
        ..descriptor
    })
}

/// skopeo only looks at `throwaway`: an empty layer without it becomes a layer.
fn of_schema1(
    document: &Schema1Document,
    metadata: &[V1Layer],
    reports: &[LayerReport],
) -> Option<Digest> {
    let mut reports = reports.iter();
    let mut history = Vec::with_capacity(metadata.len());
    let mut diff_ids = Vec::new();
    let mut layers = Vec::new();
    for (layer, metadata) in document.layers.iter().zip(metadata) {
        history.push(V1History {
            v1: &metadata.json,
            empty: layer.throwaway,
        });
        if layer.throwaway {
            continue;
        }
        let (size, diff_id) = if metadata.empty {
            empty_blob(&layer.blob)?
        } else {
            let report = reports.next()?;
            (report.old_size, report.diff_id?)
        };
        diff_ids.push(diff_id);
        let media_type = media_type::DOCKER_GZIP_LAYER;
        layers.push(Descriptor::new(media_type, layer.blob, size));
    }
    let bytes = schema2_config(&history, &diff_ids).ok()?;
    let config = Document::new(media_type::DOCKER_CONFIG, bytes).descriptor();
    Some(Digest::sha256(&schema2_manifest_of_schema1(
        &config, &layers,
    )))
}

//! The digests that images have in schema 2 after `skopeo copy --format v2s2`.
//!
//! skopeo copies blobs as they are into a folder, and gzip blobs into a registry; plain ones it compresses on the way
//! into a registry, which changes the digest to one that only skopeo can tell.

use serde::Deserialize;

use crate::digest::Digest;
use crate::formats::docker::schema1;
use crate::formats::docker::v1_config::HistoryEntry;
use crate::formats::docker::v1_config::schema2_config;
use crate::formats::docker::v2s2::Schema2Descriptor;
use crate::formats::docker::v2s2::Schema2MediaType;
use crate::formats::docker::v2s2::schema2_manifest;
use crate::image::Config;
use crate::image::Descriptor;
use crate::image::Manifest;
use crate::image::Schema1Document;
use crate::image::media_type;
use crate::image::{V1Config, V1Layer};
use crate::report::LayerReport;

/// Of an image as it was read: from its own manifest, not from the manifest of the output. `layers` are those of
/// `manifest`.
pub(crate) fn of_input(manifest: &Manifest, layers: &[LayerReport]) -> Option<Digest> {
    if let Some(schema1) = &manifest.known_as.schema1 {
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

/// Of an image in the output, by the bytes of its manifest.
pub(crate) fn of_oci_manifest(bytes: &[u8]) -> Option<Digest> {
    #[derive(Deserialize)]
    struct View {
        config: Descriptor,
        #[serde(default)]
        layers: Vec<Descriptor>,
    }
    let View { config, layers } = serde_json::from_slice(bytes).ok()?;
    if config.media_type != media_type::CONFIG {
        return None;
    }
    let config = Schema2Descriptor {
        media_type: Schema2MediaType::Config,
        size: config.size,
        digest: config.digest,
        urls: Vec::new(),
    };
    let layers: Option<Vec<_>> = layers.into_iter().map(layer).collect();
    Some(Digest::sha256(&schema2_manifest(&config, &layers?)))
}

fn layer(descriptor: Descriptor) -> Option<Schema2Descriptor> {
    Some(Schema2Descriptor {
        media_type: Schema2MediaType::of_oci(&descriptor.media_type)?,
        size: descriptor.size,
        digest: descriptor.digest,
        urls: descriptor.urls.unwrap_or_default(),
    })
}

/// skopeo goes by `throwaway` alone: what is empty and does not say so becomes a layer.
fn of_schema1(
    document: &Schema1Document,
    metadata: &[V1Layer],
    reports: &[LayerReport],
) -> Option<Digest> {
    let manifest = schema1::parse(&document.bytes).ok()?;
    let mut reports = reports.iter();
    let mut history = Vec::with_capacity(metadata.len());
    let mut diff_ids = Vec::new();
    let mut layers = Vec::new();
    for (layer, metadata) in manifest.layers.iter().zip(metadata) {
        let throwaway = layer.throwaway == Some(true);
        history.push(HistoryEntry {
            v1: layer.v1.as_bytes(),
            empty: throwaway,
        });
        if throwaway {
            continue;
        }
        let (size, diff_id) = if metadata.empty {
            schema1::empty_blob(&layer.blob)?
        } else {
            let report = reports.next()?;
            (report.old_size, report.diff_id?)
        };
        diff_ids.push(diff_id);
        layers.push(Schema2Descriptor {
            media_type: Schema2MediaType::LayerGzip,
            size,
            digest: layer.blob,
            urls: Vec::new(),
        });
    }
    let config = schema2_config(&history, &diff_ids).ok()?;
    let config = Schema2Descriptor {
        media_type: Schema2MediaType::Config,
        size: config.len() as u64,
        digest: Digest::sha256(&config),
        urls: Vec::new(),
    };
    Some(Digest::sha256(&schema2_manifest(&config, &layers)))
}

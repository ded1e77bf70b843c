//! Resolves a planned image with the results of its layers.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::digest::DiffId;
use crate::error::{Error, RequestError, Result};
use crate::findings::Place;
use crate::formats::docker::{config_of_v1, not_made};
use crate::image::{
    Config, Descriptor, Document, OriginalSchema1, ResolvedConfig, ResolvedImage, ResolvedLayer,
    media_type,
};
use crate::layer::Outcome;
use crate::plan::{PlannedLayer, PlannedManifest};
use crate::report::LayerReport;

/// Prefixes of annotations about the compressed bytes of a layer, which are stale when these change.
const OF_COMPRESSED_BYTES: [&str; 5] = [
    "io.github.containers.zstd-chunked.",
    "io.containers.zstd-chunked.",
    "io.containers.estargz.",
    "containerd.io/snapshot/stargz/",
    "com.github.containers.toc",
];

/// `subject` is the subject of the image in the output.
pub(super) fn resolve<'a>(
    planned: &PlannedManifest<'a>,
    outcomes: &[Outcome],
    subject: Option<Descriptor>,
) -> Result<ResolvedImage<'a>> {
    let manifest = planned.manifest;
    let layers: Vec<ResolvedLayer> = planned
        .layers
        .iter()
        .map(|layer| resolved_layer(layer, outcomes))
        .collect();
    let schema1 = match (&manifest.schema1, &manifest.config) {
        (Some(document), Config::V1 { metadata, .. }) => Some(OriginalSchema1 {
            document,
            metadata: metadata.layers(),
        }),
        _ => None,
    };
    Ok(ResolvedImage {
        original: manifest.document.as_ref(),
        schema1,
        reordered: manifest.reordered,
        config: config(&manifest.config, &layers)?,
        layers,
        subject,
    })
}

/// The config of an image in an archive. All layers must be present, because they are named by their `diff_ids`.
pub(super) fn config_of_saved<'a>(image: &'a ResolvedImage) -> Result<&'a Document> {
    let refuse = |what| {
        Err(RequestError::NotInFormat {
            what,
            format: "a docker-archive",
        }
        .into())
    };
    for layer in &image.layers {
        let digest = layer.digest;
        if !layer.present {
            return refuse(format!("layer {digest}, which is missing from the input,"));
        }
        if layer.diff_id != Some(DiffId(digest)) {
            return refuse(format!(
                "layer {digest}, which is not named by its diff_id,"
            ));
        }
    }
    match &image.config {
        ResolvedConfig::Image { document, .. } => Ok(document),
        ResolvedConfig::Other(_) => refuse("an artifact".to_owned()),
    }
}

fn config<'a>(config: &'a Config, layers: &[ResolvedLayer]) -> Result<ResolvedConfig<'a>> {
    let (document, view) = match config {
        Config::Other(blob) => return Ok(ResolvedConfig::Other(&blob.descriptor)),
        Config::Image(config) => (Cow::Borrowed(&config.document), &config.view),
        Config::V1 { metadata, view } => {
            // Every layer of such an image was decoded.
            let diff_ids: Option<Vec<DiffId>> = layers.iter().map(|layer| layer.diff_id).collect();
            let bytes = config_of_v1(metadata, &diff_ids.ok_or(Error::NoRootfs)?)
                .map_err(|error| Error::finding(not_made(&error, &Place::default())))?;
            let document = Document::new(media_type::DOCKER_CONFIG, bytes);
            (Cow::Owned(document), view)
        }
        Config::Unreadable => {
            return Err(Error::document(
                "the config",
                "it is missing or cannot be read",
            ));
        }
    };
    Ok(ResolvedConfig::Image {
        document,
        platform: view.platform.as_ref(),
    })
}

fn resolved_layer<'a>(planned: &PlannedLayer<'a>, outcomes: &[Outcome]) -> ResolvedLayer<'a> {
    match *planned {
        PlannedLayer::Tar { layer, job } => {
            let outcome = &outcomes[job];
            let original = layer.descriptor.as_ref();
            // The URLs refer to the old bytes, and only those must not be distributed.
            let kept = original.filter(|old| old.digest == outcome.digest);
            ResolvedLayer {
                original,
                digest: outcome.digest,
                size: outcome.size,
                codec: Some(outcome.codec),
                diff_id: layer.diff_id.or(outcome.diff_id),
                foreign: kept.is_some_and(Descriptor::is_foreign),
                present: true,
                urls: kept.map(urls).unwrap_or_default(),
                media_type: None,
                annotations: original
                    .map(|old| annotations(old, kept.is_some()))
                    .unwrap_or_default(),
            }
        }
        PlannedLayer::Other { blob, .. } => ResolvedLayer {
            media_type: Some(&blob.descriptor.media_type),
            ..unchanged(&blob.descriptor)
        },
        PlannedLayer::Absent(descriptor, diff_id) => {
            let own = &descriptor.media_type;
            let codec = media_type::layer_codec(own);
            ResolvedLayer {
                codec,
                diff_id,
                foreign: descriptor.is_foreign(),
                present: false,
                media_type: codec.is_none().then_some(own),
                ..unchanged(descriptor)
            }
        }
    }
}

fn unchanged(descriptor: &Descriptor) -> ResolvedLayer<'_> {
    ResolvedLayer {
        original: Some(descriptor),
        digest: descriptor.digest,
        size: descriptor.size,
        codec: None,
        diff_id: None,
        foreign: false,
        present: true,
        urls: urls(descriptor),
        media_type: None,
        annotations: annotations(descriptor, true),
    }
}

fn urls(descriptor: &Descriptor) -> &[String] {
    descriptor.urls.as_deref().unwrap_or_default()
}

/// The annotations of a layer that are still valid.
fn annotations(descriptor: &Descriptor, kept: bool) -> Map<String, Value> {
    let mut annotations = descriptor.annotations.clone().unwrap_or_default();
    if !kept {
        annotations.retain(|key, _| {
            let mut prefixes = OF_COMPRESSED_BYTES.iter();
            !prefixes.any(|prefix| key.starts_with(prefix))
        });
    }
    annotations
}

/// The reports of the layers of an image.
pub(super) fn reports(planned: &PlannedManifest, resolved: &ResolvedImage) -> Vec<LayerReport> {
    let layers = planned.layers.iter().zip(&resolved.layers);
    let report = |(planned, resolved): (&PlannedLayer, &ResolvedLayer)| {
        let (old_digest, old_size) = match planned {
            PlannedLayer::Tar { layer, .. } => {
                let listed = layer.descriptor.as_ref().map(|old| old.digest);
                (listed.or(layer.digest), layer.content.size())
            }
            PlannedLayer::Other { .. } | PlannedLayer::Absent(..) => {
                (Some(resolved.digest), resolved.size)
            }
        };
        LayerReport {
            old_digest,
            old_size,
            digest: resolved.present.then_some(resolved.digest),
            size: resolved.size,
            diff_id: resolved.diff_id,
            codec: resolved.codec.filter(|_| resolved.present),
        }
    };
    layers.map(report).collect()
}

//! Schema 1 manifests of resolved images: kept byte for byte where nothing in them changes, otherwise made as skopeo makes
//! them, but for the signature.
//!
//! <https://github.com/containers/image/blob/v5.22.1/internal/image/docker_schema2.go>

use std::collections::HashSet;

use serde::Deserialize;

use super::{EMPTY_GZIP, EMPTY_PLAIN};
use crate::digest::{DiffId, Digest};
use crate::error::{Error, RequestError, Result, chain};
use crate::formats::docker::go_json::{self, GoJsonError, object};
use crate::formats::docker::jws_sign;
use crate::formats::docker::v1_config::{V1Error, V1History, schema2_config};
use crate::formats::docker::v1_write::{self, History};
use crate::image::{
    Document, OriginalSchema1, ResolvedConfig, ResolvedImage, ResolvedLayer, media_type,
};
use crate::limits;

/// A tar without entries, two blocks of zeros, as Go's gzip writes it: what engines know as the empty layer.
const EMPTY_GZIP_BLOB: [u8; 32] = [
    31, 139, 8, 0, 0, 9, 110, 136, 0, 255, 98, 24, 5, 163, 96, 20, 140, 88, 0, 8, 0, 0, 255, 255,
    46, 175, 181, 239, 0, 4, 0, 0,
];
const EMPTY_PLAIN_BLOB: [u8; 1024] = [0; 1024];

/// A manifest with what belongs to it.
#[derive(Debug)]
pub(crate) struct WrittenSchema1 {
    /// The signed manifest; its digest is that of the payload.
    pub manifest: Document,
    /// The blobs of empty layers, which are not among the image's layers.
    pub empty_blobs: Vec<Document>,
    /// The digest of the config that engines make of it.
    pub image_id: Digest,
}

/// The manifest of an image. `name` and `tag` may be empty.
///
/// # Errors
/// [`RequestError::NotInFormat`] for what schema 1 lacks; a history that does not fit the layers.
pub(crate) fn manifest(image: &ResolvedImage, name: &str, tag: &str) -> Result<WrittenSchema1> {
    let ResolvedConfig::Image { document, .. } = &image.config else {
        return Err(not_in_format("an artifact".to_owned()));
    };
    if let Some(original) = &image.schema1
        && let Some(empty_blobs) = kept(original, &image.layers)
    {
        return Ok(WrittenSchema1 {
            manifest: Document {
                media_type: original.document.media_type.to_owned(),
                digest: original.document.digest,
                bytes: original.document.bytes.as_slice().into(),
            },
            empty_blobs,
            image_id: document.digest,
        });
    }
    for layer in &image.layers {
        refuse(layer)?;
    }
    let unreadable = |error: GoJsonError| Error::document("the config", chain(&error));
    let config = go_json::document(&document.bytes).map_err(unreadable)?;
    let history = v1_write::history(config).map_err(unreadable)?;
    // What is written can be read again.
    let what = "the number of layers of the new manifest, with empty ones,";
    limits::at_most(what, history.len(), limits::LAYERS)?;
    let blobs = blobs(&history, &image.layers)?;
    let v1 = v1_write::chain(&document.bytes, &history, &blobs).map_err(unreadable)?;
    let v1: Vec<String> = v1.into_iter().map(|layer| layer.json).collect();
    let image_id = image_id(&v1, &history, &image.layers)
        .map_err(|error| Error::document("the config", chain(&error)))?;
    let has_empty = history.iter().any(History::is_empty);
    let architecture = v1_write::text(config, "architecture").map_err(unreadable)?;
    let payload = payload(name, tag, &architecture, &blobs, &v1);
    let created = v1_write::text(config, "created").map_err(unreadable)?;
    let signed = jws_sign::signed(&payload, &created)?.into_bytes();
    let what = "the size of the new manifest in bytes";
    limits::at_most(what, signed.len() as u64, limits::DOCUMENT_BYTES)?;
    Ok(WrittenSchema1 {
        manifest: Document {
            media_type: media_type::DOCKER_SCHEMA1_SIGNED.to_owned(),
            digest: Digest::sha256(payload.as_bytes()),
            bytes: signed.into(),
        },
        empty_blobs: has_empty
            .then(|| empty(&EMPTY_GZIP_BLOB))
            .into_iter()
            .collect(),
        image_id: image_id.unwrap_or(document.digest),
    })
}

fn not_in_format(what: String) -> Error {
    Error::Request(RequestError::NotInFormat {
        what,
        format: "schema 1",
    })
}

fn refuse(layer: &ResolvedLayer) -> Result<()> {
    use crate::compression::Codec;
    let digest = layer.digest;
    match layer.codec {
        None => Err(not_in_format(format!(
            "layer {digest}, which is not a file system,"
        ))),
        Some(codec @ (Codec::Zstd | Codec::Bzip2 | Codec::Xz)) => {
            Err(not_in_format(format!("layer {digest} in {codec}")))
        }
        _ if !layer.present => Err(not_in_format(format!(
            "layer {digest}, which is missing from the input,"
        ))),
        Some(Codec::None | Codec::Gzip) => Ok(()),
    }
}

fn empty(blob: &[u8]) -> Document {
    Document::new("application/octet-stream", blob)
}

/// The empty blobs of the manifest of the input, if it is a manifest of exactly these layers.
fn kept(original: &OriginalSchema1, layers: &[ResolvedLayer]) -> Option<Vec<Document>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct View {
        fs_layers: Vec<serde::de::IgnoredAny>,
    }
    let view: View = serde_json::from_slice(&original.document.bytes).ok()?;
    if view.fs_layers.len() != original.document.layers.len() {
        // Layers that it repeats are read once.
        return None;
    }
    let mut seen = HashSet::new();
    let mut empty_blobs = Vec::new();
    let entries = original.document.layers.iter().zip(original.metadata);
    for (entry, _) in entries.filter(|(_, metadata)| metadata.empty) {
        if seen.insert(entry.blob) {
            empty_blobs.push(match entry.blob.to_string().as_str() {
                EMPTY_GZIP => empty(&EMPTY_GZIP_BLOB),
                EMPTY_PLAIN => empty(&EMPTY_PLAIN_BLOB),
                _ => return None,
            });
        }
    }
    original.lists(layers).then_some(empty_blobs)
}

/// The blob of each entry of the history.
fn blobs(history: &[History], layers: &[ResolvedLayer]) -> Result<Vec<Digest>> {
    let filled = history.iter().filter(|entry| !entry.is_empty()).count();
    if history.is_empty() || filled != layers.len() {
        return Err(RequestError::HistoryMismatch {
            history: filled,
            layers: layers.len(),
        }
        .into());
    }
    let mut layers = layers.iter();
    let blob = |entry: &History| {
        let layer = if entry.is_empty() {
            None
        } else {
            layers.next()
        };
        layer.map_or_else(|| Digest::sha256(&EMPTY_GZIP_BLOB), |layer| layer.digest)
    };
    Ok(history.iter().map(blob).collect())
}

fn payload(name: &str, tag: &str, architecture: &str, blobs: &[Digest], v1: &[String]) -> String {
    let blob = |blob: &Digest| object([("blobSum", go_json::quoted(&blob.to_string()))]);
    let metadata = |v1: &String| object([("v1Compatibility", go_json::quoted(v1))]);
    // The newest first.
    object([
        ("name", go_json::quoted(name)),
        ("tag", go_json::quoted(tag)),
        ("architecture", go_json::quoted(architecture)),
        ("fsLayers", go_json::list(blobs.iter().rev().map(blob))),
        ("history", go_json::list(v1.iter().rev().map(metadata))),
        ("schemaVersion", "1".to_owned()),
    ])
}

/// The digest of the config that engines make of the manifest. `None` if the `diff_ids` are not known.
///
/// # Errors
/// Engines cannot make a config of it, because a field has a value that they do not accept.
fn image_id(
    v1: &[String],
    history: &[History],
    layers: &[ResolvedLayer],
) -> Result<Option<Digest>, V1Error> {
    let entries = v1.iter().zip(history);
    let entries = entries.map(|(v1, entry)| V1History {
        v1: v1.as_bytes(),
        empty: entry.is_empty(),
    });
    let known = layers.iter().all(|layer| layer.diff_id.is_some());
    let any = DiffId(Digest::sha256(b""));
    let diff_ids: Vec<DiffId> = layers
        .iter()
        .map(|layer| layer.diff_id.unwrap_or(any))
        .collect();
    let config = schema2_config(&entries.collect::<Vec<_>>(), &diff_ids)?;
    Ok(known.then(|| Digest::sha256(&config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_blobs_are_the_ones_that_engines_know() {
        assert_eq!(Digest::sha256(&EMPTY_GZIP_BLOB).to_string(), EMPTY_GZIP);
        assert_eq!(Digest::sha256(&EMPTY_PLAIN_BLOB).to_string(), EMPTY_PLAIN);
    }
}

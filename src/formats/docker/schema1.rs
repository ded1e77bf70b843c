//! Docker's image manifest, [version 2 schema 1](https://distribution.github.io/distribution/spec/deprecated-schema-v1/).
use std::collections::HashMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::digest::{DiffId, Digest};
use crate::formats::docker::go_json;
use crate::formats::docker::go_struct::{Field, GoValue, Struct, Type};
use crate::formats::docker::jws::{PayloadError, Signature, Verdict};
use crate::limits;

mod error;
mod read;
pub(crate) mod write;
pub use error::Schema1Error;
pub(crate) use read::{Origin, read, read_listed};

/// A parsed and checked manifest.
#[derive(Debug)]
pub struct Schema1 {
    /// The repository. May be empty.
    pub name: String,
    /// The tag, if there is one.
    pub tag: Option<String>,
    /// Digest of the signed payload, or of the file if it is not signed.
    pub digest: Digest,
    /// The result of checking each signature, in the order of the file.
    pub signatures: Vec<Verdict>,
    /// The layers, the base first. Never empty.
    pub layers: Vec<Schema1Layer>,
}

/// A layer: an entry of `fsLayers` and its entry of `history`.
#[derive(Debug)]
pub struct Schema1Layer {
    /// The v1 ID: 64 lower-case hex digits.
    pub id: String,
    /// The layer's blob.
    pub blob: Digest,
    /// The JSON in `v1Compatibility`.
    pub v1: String,
    /// Whether the layer is empty, if the metadata says so.
    pub throwaway: Option<bool>,
    /// The size of the files in the layer in bytes, if the metadata has it.
    pub size: Option<i64>,
    /// Whether the manifest is by an engine that marks empty layers, so that a layer without a mark is not empty.
    pub marks_empty: bool,
}

/// Whether a layer is empty according to the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emptiness {
    /// It is empty. The blob is not needed.
    Yes,
    /// It is not empty.
    No,
    /// It is empty if its content is only zeros, or if the blob is missing.
    ///
    /// Docker up to 1.9 wrote `Size` 0, the size of the files. Layers that only delete files or create folders have the same.
    IfZerosOrMissing,
    /// It is empty if its content is only zeros.
    IfZeros,
}

/// A tar without entries, two blocks of zeros, compressed by Go's gzip.
const EMPTY_GZIP: &str = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";
/// The same uncompressed, as in manifests of Docker up to 1.8.
const EMPTY_PLAIN: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// The size in bytes and the `diff_id` of one of the two well-known empty blobs, even if the blob is missing.
#[must_use]
pub fn empty_blob(blob: &Digest) -> Option<(u64, DiffId)> {
    let size = match blob.to_string().as_str() {
        EMPTY_GZIP => 32,
        EMPTY_PLAIN => 1024,
        _ => return None,
    };
    Some((size, DiffId(EMPTY_PLAIN.parse().ok()?)))
}

impl Schema1Layer {
    /// Whether the layer is empty. Docker 1.10 and later, and skopeo, mark empty layers: a layer of theirs without a mark is not
    /// empty, even if it is a tar without entries, such as `BuildKit` writes. For earlier versions the content decides.
    #[must_use]
    pub fn emptiness(&self) -> Emptiness {
        let blob = self.blob.to_string();
        match self.throwaway {
            Some(true) => Emptiness::Yes,
            Some(false) => Emptiness::No,
            None if self.marks_empty => Emptiness::No,
            None if blob == EMPTY_GZIP || blob == EMPTY_PLAIN => Emptiness::Yes,
            None if self.size == Some(0) => Emptiness::IfZerosOrMissing,
            None => Emptiness::IfZeros,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestJson {
    schema_version: i64,
    name: Option<String>,
    tag: Option<String>,
    #[serde(default)]
    fs_layers: Vec<FsLayerJson>,
    #[serde(default)]
    history: Vec<HistoryJson>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    manifests: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsLayerJson {
    blob_sum: String,
}

#[derive(Deserialize)]
struct HistoryJson {
    #[serde(rename = "v1Compatibility")]
    v1: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    schema_version: i64,
    signatures: Option<Vec<Signature>>,
}

/// Parses and checks a manifest. The result contains the result of checking each signature. All signatures must sign the same
/// payload, because its digest is that of the manifest.
///
/// Only the payload of a signed manifest is parsed, so that unsigned content is ignored.
///
/// # Errors
/// [`Schema1Error`]
pub fn parse(file: &[u8]) -> Result<Schema1, Schema1Error> {
    let envelope: Envelope = serde_json::from_slice(file).map_err(Schema1Error::Json)?;
    check_version(envelope.schema_version)?;
    let signatures = envelope.signatures.unwrap_or_default();
    let payload = payload(file, &signatures)?;
    let signed = payload.as_deref().unwrap_or(file);
    let manifest: ManifestJson = serde_json::from_slice(signed).map_err(match payload {
        Some(_) => Schema1Error::PayloadJson,
        None => Schema1Error::Json,
    })?;
    check_version(manifest.schema_version)?;
    for (field, found) in [
        ("config", &manifest.config),
        ("layers", &manifest.layers),
        ("manifests", &manifest.manifests),
    ] {
        if found.is_some() {
            return Err(Schema1Error::Ambiguous { field });
        }
    }
    let verdicts = signatures.iter().map(|signature| signature.verify(signed));
    Ok(Schema1 {
        name: manifest.name.unwrap_or_default(),
        tag: manifest.tag.filter(|tag| !tag.is_empty()),
        digest: Digest::sha256(signed),
        signatures: verdicts.collect(),
        layers: layers(manifest.fs_layers, manifest.history)?,
    })
}

fn check_version(found: i64) -> Result<(), Schema1Error> {
    if found == 1 {
        Ok(())
    } else {
        Err(Schema1Error::SchemaVersion { found })
    }
}

/// What the digest of a manifest is that of: the payload of a signed one, otherwise the file.
///
/// # Errors
/// [`Schema1Error`]
pub(crate) fn payload_of(file: &[u8]) -> Result<Vec<u8>, Schema1Error> {
    let envelope: Envelope = serde_json::from_slice(file).map_err(Schema1Error::Json)?;
    let signatures = envelope.signatures.unwrap_or_default();
    Ok(payload(file, &signatures)?.unwrap_or_else(|| file.to_vec()))
}

/// The payload that all signatures sign. `None` if there are no signatures.
fn payload(file: &[u8], signatures: &[Signature]) -> Result<Option<Vec<u8>>, Schema1Error> {
    if signatures.len() > limits::SIGNATURES {
        return Err(Schema1Error::TooManySignatures {
            found: signatures.len(),
        });
    }
    let mut agreed = None;
    for (signature, position) in signatures.iter().zip(1..) {
        let failed = |source| Schema1Error::Payload {
            position,
            signatures: signatures.len(),
            source,
        };
        let payload = signature.payload(file).map_err(failed)?;
        if *agreed.get_or_insert_with(|| payload.clone()) != payload {
            return Err(failed(PayloadError::Unequal));
        }
    }
    Ok(agreed)
}

/// The fields of the metadata that are used.
const V1: &[Field] = &[
    Field::new("id", Type::String),
    Field::new("parent", Type::String),
    Field::new("throwaway", Type::BoolPointer),
    Field::new("Size", Type::IntegerPointer),
];

/// The layers, the base first. Of consecutive layers with the same ID, only the oldest is kept.
fn layers(
    fs_layers: Vec<FsLayerJson>,
    history: Vec<HistoryJson>,
) -> Result<Vec<Schema1Layer>, Schema1Error> {
    if history.len() != fs_layers.len() {
        return Err(Schema1Error::Lengths {
            history: history.len(),
            fs_layers: fs_layers.len(),
        });
    }
    if history.is_empty() {
        return Err(Schema1Error::NoHistory);
    }
    let mut layers: Vec<Schema1Layer> = Vec::with_capacity(history.len());
    let mut positions = HashMap::new();
    let mut marks_empty = false;
    for (position, (fs_layer, HistoryJson { v1 })) in
        fs_layers.into_iter().zip(history).enumerate().rev()
    {
        let malformed = |source| Schema1Error::V1 { position, source };
        let document = go_json::document(v1.as_bytes()).map_err(malformed)?;
        let decoded = Struct::decode(V1, document).map_err(malformed)?;
        let blob = fs_layer
            .blob_sum
            .parse()
            .map_err(|source| Schema1Error::BlobSum { position, source })?;
        let (id, parent) = (decoded.text("id"), decoded.text("parent"));
        if id.len() != 64
            || !id
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(Schema1Error::Id {
                position,
                id: id.to_owned(),
            });
        }
        let below = layers.last().map(|below| below.id.as_str());
        if below == Some(id) {
            continue;
        }
        if let Some(first) = positions.insert(id.to_owned(), position) {
            return Err(Schema1Error::RepeatedId {
                position,
                first,
                id: id.to_owned(),
            });
        }
        match below {
            None if !parent.is_empty() => {
                return Err(Schema1Error::BaseParent {
                    position,
                    parent: parent.to_owned(),
                });
            }
            Some(below) if below != parent => {
                let (expected, found) = (below.to_owned(), parent.to_owned());
                return Err(Schema1Error::Parent {
                    position,
                    expected,
                    found,
                });
            }
            _ => {}
        }
        let throwaway = match decoded.get("throwaway") {
            GoValue::Bool(throwaway) => Some(*throwaway),
            _ => None,
        };
        let size = match decoded.get("Size") {
            GoValue::Integer(size) => Some(*size),
            _ => None,
        };
        let is_base_of_others = layers.is_empty() && position > 0;
        marks_empty |= throwaway.is_some() || (is_base_of_others && has_history_only(document));
        layers.push(Schema1Layer {
            id: id.to_owned(),
            blob,
            v1,
            throwaway,
            size,
            marks_empty: false,
        });
    }
    for layer in &mut layers {
        layer.marks_empty = marks_empty;
    }
    Ok(layers)
}

/// Whether the metadata of a layer below the top one has only its history, and not a whole image as Docker up to 1.9 wrote it.
///
/// Engines that mark empty layers write it so:
/// <https://github.com/distribution/distribution/blob/v2.8.3/manifest/schema1/config_builder.go>
fn has_history_only(v1: &RawValue) -> bool {
    let members = go_json::members(v1).unwrap_or_default();
    let has = |name: &str| members.iter().any(|(found, _)| found == name);
    has("created")
        && !["architecture", "os", "docker_version", "Size"]
            .into_iter()
            .any(has)
}

#[cfg(test)]
mod tests;

//! Errors of schema 1 manifests.
use crate::digest::DigestError;
use crate::formats::docker::go_json::GoJsonError;
use crate::formats::docker::jws::PayloadError;
use crate::limits;

/// A problem of a schema 1 manifest. Positions are those in the file, where the newest layer is 0. Signatures are counted from
/// 1.
#[derive(Debug, thiserror::Error)]
pub enum Schema1Error {
    /// Not JSON, or a field of the wrong type.
    #[error("not a schema 1 manifest")]
    Json(#[source] serde_json::Error),
    /// Another schema.
    #[error("schemaVersion is {found}, expected 1")]
    SchemaVersion {
        /// The version.
        found: i64,
    },
    /// The document is also another kind of manifest, so that readers could disagree about it.
    #[error("has {field}, which schema 1 manifests do not have")]
    Ambiguous {
        /// The field.
        field: &'static str,
    },
    /// More signatures than [`limits::SIGNATURES`].
    #[error(
        "the number of signatures is {found}, more than the limit of {}",
        limits::SIGNATURES
    )]
    TooManySignatures {
        /// How many there are.
        found: usize,
    },
    /// The signed bytes of a signature cannot be determined.
    #[error("signature {position} of {signatures}")]
    Payload {
        /// The signature.
        position: usize,
        /// How many there are.
        signatures: usize,
        /// What is wrong.
        #[source]
        source: PayloadError,
    },
    /// The signed payload is not JSON, or not a manifest.
    #[error("the signed payload is not a schema 1 manifest")]
    PayloadJson(#[source] serde_json::Error),
    /// The two lists do not match.
    #[error("history has {}, fsLayers has {fs_layers}", entries(*history))]
    Lengths {
        /// Entries of `history`.
        history: usize,
        /// Entries of `fsLayers`.
        fs_layers: usize,
    },
    /// There are no layers.
    #[error("history is empty")]
    NoHistory,
    /// A blob's digest is not valid.
    #[error("blobSum of fsLayers[{position}]")]
    BlobSum {
        /// The entry of `fsLayers`.
        position: usize,
        /// What is wrong.
        #[source]
        source: DigestError,
    },
    /// The metadata of a layer cannot be decoded.
    #[error("v1Compatibility of history[{position}]")]
    V1 {
        /// The entry of `history`.
        position: usize,
        /// What is wrong.
        #[source]
        source: GoJsonError,
    },
    /// An ID is not valid.
    #[error("id of history[{position}] is {id:?}, expected 64 lower-case hex digits")]
    Id {
        /// The entry of `history`.
        position: usize,
        /// The ID.
        id: String,
    },
    /// The base layer has a parent.
    #[error("history[{position}] is the last and has parent {parent:?}, expected none")]
    BaseParent {
        /// The entry of `history`.
        position: usize,
        /// The parent.
        parent: String,
    },
    /// The chain of parents is broken.
    #[error("parent of history[{position}] is {found:?}, expected {expected}, the next id")]
    Parent {
        /// The entry of `history`.
        position: usize,
        /// The ID of the layer below.
        expected: String,
        /// The parent, empty if there is none.
        found: String,
    },
    /// Two layers that do not follow each other have the same ID.
    #[error("id {id} of history[{position}] is also the id of history[{first}]")]
    RepeatedId {
        /// The newer entry of `history`.
        position: usize,
        /// The older one.
        first: usize,
        /// The ID.
        id: String,
    },
}

fn entries(count: usize) -> String {
    if count == 1 {
        "1 entry".to_owned()
    } else {
        format!("{count} entries")
    }
}

//! The documents of the OCI image-spec: media types, descriptors, platforms, manifests, indexes and configs.
//!
//! Documents are kept as the bytes they were read as; the types here are views of them, and what must change is changed
//! in place. Specification: <https://github.com/opencontainers/image-spec/tree/v1.1.1>.

mod config;
mod descriptor;
pub(crate) mod keys;
pub mod media_type;
mod names;
mod platform;

pub use config::{ConfigView, HistoryEntry};
pub use descriptor::{Descriptor, Document};
pub use names::{fully_qualified, tagged_reference};
pub use platform::Platform;

use media_type::LayerKind;

/// The name of an image, on descriptors of `index.json` alone.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The fully qualified name that containerd and Docker read.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// On an attestation's descriptor: the digest of the manifest that it is about.
/// See <https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md>.
pub const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// Whether a manifest is an attestation: its descriptor says what it is about, and none of its layers is of a file system.
///
/// An annotation alone must not keep the layers of what engines run from being checked.
pub(crate) fn is_attestation<'a>(
    annotated: bool,
    mut layer_media_types: impl Iterator<Item = &'a str>,
) -> bool {
    annotated && layer_media_types.all(|layer| media_type::layer_kind(layer) == LayerKind::Other)
}

/// The content of `oci-layout`.
pub const LAYOUT_FILE: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Parses a document into a view of it.
pub(crate) fn parse<'a, T: serde::Deserialize<'a>>(
    document: &str,
    bytes: &'a [u8],
) -> crate::error::Result<T> {
    serde_json::from_slice(bytes).map_err(|source| crate::error::Error::Json {
        document: document.to_owned(),
        source,
    })
}

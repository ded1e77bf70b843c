//! The formats of manifests that an output can have.

/// The format of the manifests and indexes of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ManifestFormat {
    /// OCI manifests and indexes.
    #[default]
    Oci,
    /// Docker's schema 2 manifests and manifest lists.
    V2s2,
    /// Docker's schema 1 manifests, signed with a key that is published.
    V2s1,
}

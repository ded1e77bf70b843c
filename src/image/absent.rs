//! Blobs that a layout leaves out on purpose, since somebody else has them.

use crate::compression::Encoding;
use crate::digest::{DiffId, Digest};

/// A blob that a layout lacks although its images need it, and how to obtain it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AbsentBlob {
    /// Of the blob.
    pub digest: Digest,
    /// Size of the blob in bytes.
    pub size: u64,
    /// Of the blob, as its manifest has it.
    pub media_type: String,
    /// Digest of the uncompressed layer. `None` if it is not a file system layer.
    pub diff_id: Option<DiffId>,
    /// How the blob was made from the uncompressed layer. `None` if only a copy of the blob can replace it.
    pub(crate) recipe: Option<Recipe>,
    /// The volume that has it, if the layout is one of several volumes.
    pub volume: Option<String>,
}

/// How a blob was encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub encoding: Encoding,
    /// [`crate::compression::encoder_version`] of the program that did it.
    pub encoder: String,
}

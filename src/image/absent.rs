//! Blobs that a layout leaves out on purpose, since somebody else has them.

use crate::compression::Encoding;
use crate::digest::{DiffId, Digest};

/// A blob that is not in a layout, though its images need it, and how to come by it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AbsentBlob {
    /// Of the blob.
    pub digest: Digest,
    /// Size of the blob in bytes.
    pub size: u64,
    /// Of the blob, as its manifest has it.
    pub media_type: String,
    /// Of the uncompressed layer; `None` for what is not a layer of a file system.
    pub diff_id: Option<DiffId>,
    /// How the blob was made of the uncompressed layer; `None` where only a copy of the blob will do.
    pub(crate) recipe: Option<Recipe>,
    /// The volume that has it, where the layout is one of several.
    pub volume: Option<String>,
}

/// How a blob was encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub encoding: Encoding,
    /// [`crate::compression::encoder_version`] of the program that did it.
    pub encoder: String,
}

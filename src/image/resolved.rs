//! Images after their layers were converted, independent of any format. The writer of each format creates its documents from
//! them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Descriptor, Document, Platform, Schema1Document, V1Layer};
use crate::compression::Codec;
use crate::digest::{DiffId, Digest};

/// An image, or an artifact.
pub(crate) struct ResolvedImage<'a> {
    /// The manifest as it was read. `None` if the input has none, or if a new one must be created.
    pub original: Option<&'a Document>,
    /// The schema 1 manifest as it was read, if the input has that format.
    pub schema1: Option<OriginalSchema1<'a>>,
    /// Whether `original` lists the layers in another order.
    pub reordered: bool,
    pub config: ResolvedConfig<'a>,
    /// The base first.
    pub layers: Vec<ResolvedLayer<'a>>,
    /// The subject as in the output. `None` if it is not converted.
    pub subject: Option<Descriptor>,
}

/// A schema 1 manifest with the metadata of its layers.
pub(crate) struct OriginalSchema1<'a> {
    pub document: &'a Schema1Document,
    /// One for each of the document's layers.
    pub metadata: &'a [V1Layer],
}

impl OriginalSchema1<'_> {
    /// Whether the layers that are not empty are exactly these.
    pub fn lists(&self, layers: &[ResolvedLayer]) -> bool {
        let entries = self.document.layers.iter().zip(self.metadata);
        let filled = entries.filter(|(_, metadata)| !metadata.empty);
        let filled = filled.map(|(entry, _)| entry.blob);
        filled.eq(layers.iter().map(|layer| layer.digest))
    }
}

/// A manifest's config.
pub(crate) enum ResolvedConfig<'a> {
    /// The config of an image. Its digest is the image ID.
    Image {
        document: Cow<'a, Document>,
        platform: Option<&'a Platform>,
    },
    /// The config of an artifact.
    Other(&'a Descriptor),
}

/// A layer of the output.
pub(crate) struct ResolvedLayer<'a> {
    /// The descriptor in the manifest of the input.
    pub original: Option<&'a Descriptor>,
    pub digest: Digest,
    pub size: u64,
    /// `None` if it is not a file system layer.
    pub codec: Option<Codec>,
    /// `None` if it is not a file system layer.
    pub diff_id: Option<DiffId>,
    /// Whether it must not be distributed.
    pub foreign: bool,
    /// Whether the output contains the blob.
    pub present: bool,
    /// Locations for downloading the blob.
    pub urls: &'a [String],
    /// Set if it is not a file system layer. For file system layers it follows from codec and format.
    pub media_type: Option<&'a str>,
    /// The annotations of the input that are still valid.
    pub annotations: Map<String, Value>,
}

impl ResolvedLayer<'_> {
    /// Whether its bytes differ from those in the input.
    pub fn is_new(&self) -> bool {
        self.original.is_none_or(|old| old.digest != self.digest)
    }
}

/// An index without what was left out.
pub(crate) struct ResolvedIndex<'a> {
    /// The index as it was read.
    pub original: &'a Document,
    /// In its order.
    pub children: Vec<ResolvedChild<'a>>,
}

/// An entry of an index.
pub(crate) struct ResolvedChild<'a> {
    /// As the index of the input lists it.
    pub original: &'a Descriptor,
    /// Its new media type, digest and size. `None` if the input lacks it.
    pub new: Option<Descriptor>,
    /// From its config, if it is an image.
    pub platform: Option<&'a Platform>,
}

/// An entry of an index that merges images.
pub(crate) struct MergedChild {
    /// The digest in the input, if it has one.
    pub old: Option<Digest>,
    /// As the new index lists it, but for an annotation that names another entry by its old digest.
    pub descriptor: Descriptor,
}

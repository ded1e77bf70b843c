//! An image after its layers are done, free of any format: what each format's writer makes its documents of.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Descriptor, Document, Platform, Schema1Document, V1Layer};
use crate::compression::Codec;
use crate::digest::{DiffId, Digest};

/// An image, or an artifact.
pub(crate) struct ResolvedImage<'a> {
    /// The manifest as it was read; `None` where the input has none, or one that must be made again.
    pub original: Option<&'a Document>,
    /// The schema 1 manifest as it was read, where it is of that format.
    pub schema1: Option<OriginalSchema1<'a>>,
    /// Whether `original` lists the layers in another order than this.
    pub reordered: bool,
    pub config: ResolvedConfig<'a>,
    /// The base first.
    pub layers: Vec<ResolvedLayer<'a>>,
    /// The manifest that this one is about, as it is in the output; `None` where that is not among what is converted.
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
    /// An image's: its digest is the image ID.
    Image {
        document: Cow<'a, Document>,
        platform: Option<&'a Platform>,
    },
    /// An artifact's.
    Other(&'a Descriptor),
}

/// A layer as it is in the output.
pub(crate) struct ResolvedLayer<'a> {
    /// As the manifest of the input lists it.
    pub original: Option<&'a Descriptor>,
    pub digest: Digest,
    pub size: u64,
    /// `None` for what is not a file system layer.
    pub codec: Option<Codec>,
    /// `None` for what is not a file system layer.
    pub diff_id: Option<DiffId>,
    /// Not to be distributed.
    pub foreign: bool,
    /// Whether the output has its blob.
    pub present: bool,
    /// Where else it may be had.
    pub urls: &'a [String],
    /// Of what is not a file system layer; for the others it follows from codec and format.
    pub media_type: Option<&'a str>,
    /// What is said of it in the input, and is still true.
    pub annotations: Map<String, Value>,
}

impl ResolvedLayer<'_> {
    /// Whether its bytes are not those that the manifest of the input lists.
    pub fn is_new(&self) -> bool {
        self.original.is_none_or(|old| old.digest != self.digest)
    }
}

/// An index with all that is left of it.
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
    /// What it has become: media type, digest and size; `None` for what the input lacks.
    pub new: Option<Descriptor>,
    /// From its config, where it is an image.
    pub platform: Option<&'a Platform>,
}

/// An entry of an index that is made of images that had none in common.
pub(crate) struct MergedChild {
    /// The digest in the input, where it has one.
    pub old: Option<Digest>,
    /// As the new index lists it, but for an annotation that names another entry by its old digest.
    pub descriptor: Descriptor,
}

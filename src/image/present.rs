//! The blobs of layers that an input has.

use super::{Layer, Manifest};
use crate::digest::{DiffId, Digest};
use crate::source::Content;

/// The blob of a layer, or of a part of an artifact.
#[derive(Clone, Copy)]
pub(crate) struct PresentBlob<'a> {
    pub content: &'a Content,
    /// The name of its file in the input.
    pub file: &'a str,
    /// The digest that it must have, if known.
    pub digest: Option<Digest>,
    /// From the config. `None` if it is not a file system layer.
    pub diff_id: Option<DiffId>,
}

impl Manifest {
    /// The blobs of all layers that are not absent.
    pub(crate) fn present_layers(&self) -> impl Iterator<Item = PresentBlob<'_>> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Tar(layer) => Some(PresentBlob {
                content: &layer.content,
                file: &layer.file,
                digest: layer.digest,
                diff_id: layer.diff_id,
            }),
            Layer::Other(blob) => Some(PresentBlob {
                content: &blob.content,
                file: &blob.file,
                digest: Some(blob.descriptor.digest),
                diff_id: None,
            }),
            Layer::Absent { .. } => None,
        })
    }
}

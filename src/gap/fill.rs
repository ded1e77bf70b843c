//! Takes blobs that an input lacks from other inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sources::{BlobCopy, Sources};
use crate::compression::Encoding;
use crate::digest::{DiffId, Digest};
use crate::image::{
    AbsentBlob, Blob, Config, Descriptor, Fill, Layer, Node, TarLayer,
    media_type::{LayerKind, layer_kind},
};

/// A blob that no input has.
#[derive(Debug, Clone)]
pub(crate) struct Lacking {
    pub digest: Digest,
    size: u64,
    volume: Option<String>,
    /// A layer with this `diff_id` could replace it.
    diff_id: Option<DiffId>,
}

impl Lacking {
    /// What it is, and where it could come from.
    pub fn describe(&self) -> String {
        let mut text = format!("{} ({} bytes", self.digest, self.size);
        if let Some(volume) = &self.volume {
            text = format!("{text}, in {volume}");
        }
        if let Some(diff_id) = &self.diff_id {
            text = format!("{text}, or made of layer {diff_id}");
        }
        text + ")"
    }
}

/// Replaces the absent layers of an image, or of the images of an index, by copies. `listed` are the blobs that the inputs
/// leave out on purpose. Returns the blobs that no input has.
pub(crate) fn fill(
    node: &mut Node,
    sources: &Sources,
    listed: &BTreeMap<Digest, AbsentBlob>,
) -> BTreeMap<Digest, Lacking> {
    let mut lacking = BTreeMap::new();
    fill_node(node, sources, listed, &mut lacking);
    lacking
}

fn fill_node(
    node: &mut Node,
    sources: &Sources,
    listed: &BTreeMap<Digest, AbsentBlob>,
    lacking: &mut BTreeMap<Digest, Lacking>,
) {
    match node {
        Node::Index(index) => {
            for (_, child) in &mut Arc::make_mut(index).children {
                fill_node(child, sources, listed, lacking);
            }
        }
        Node::Manifest(manifest) => {
            let is_absent = |layer: &Layer| matches!(layer, Layer::Absent { .. });
            if !manifest.layers.iter().any(is_absent) {
                return;
            }
            let manifest = Arc::make_mut(manifest);
            let is_artifact = matches!(manifest.config, Config::Other(_));
            for layer in &mut manifest.layers {
                let Layer::Absent {
                    descriptor: Some(descriptor),
                    diff_id,
                } = layer
                else {
                    continue;
                };
                let absent = Absent {
                    descriptor,
                    diff_id: *diff_id,
                    listed: listed.get(&descriptor.digest),
                    is_tar: !is_artifact && layer_kind(&descriptor.media_type) != LayerKind::Other,
                };
                if absent.listed.is_none() && descriptor.has_urls() {
                    continue;
                }
                if let Some(filled) = absent.filled(sources) {
                    *layer = filled;
                } else {
                    lacking.insert(descriptor.digest, absent.lacking());
                }
            }
        }
        Node::Blob(_) | Node::Absent { .. } => {}
    }
}

/// A layer that its input lacks.
struct Absent<'a> {
    descriptor: &'a Descriptor,
    /// From the config.
    diff_id: Option<DiffId>,
    listed: Option<&'a AbsentBlob>,
    is_tar: bool,
}

impl Absent<'_> {
    fn filled(&self, sources: &Sources) -> Option<Layer> {
        let Descriptor { digest, size, .. } = self.descriptor;
        if let Some(copy) = sources.blob(digest, *size) {
            return Some(if self.is_tar {
                self.layer(copy, Some(*digest), None)
            } else {
                Layer::Other(Blob {
                    descriptor: self.descriptor.clone(),
                    content: copy.blob.content.clone(),
                    file: copy.blob.file.to_owned(),
                })
            });
        }
        let encoding = self.encoding()?;
        let copy = sources.layer(&self.diff_id?)?;
        Some(self.layer(copy, copy.blob.digest, Some(encoding)))
    }

    /// The encoding that turns the layer into the blob. An uncompressed layer is its own blob.
    fn encoding(&self) -> Option<Encoding> {
        if self.diff_id?.0 == self.descriptor.digest {
            return Some(Encoding::None);
        }
        let recipe = self.listed?.recipe.as_ref()?;
        Some(recipe.encoding)
    }

    fn layer(&self, copy: &BlobCopy, digest: Option<Digest>, encoding: Option<Encoding>) -> Layer {
        let recipe = self.listed.and_then(|listed| listed.recipe.as_ref());
        Layer::Tar(TarLayer {
            content: copy.blob.content.clone(),
            file: copy.blob.file.to_owned(),
            descriptor: Some(self.descriptor.clone()),
            digest,
            diff_id: self.diff_id,
            fill: Some(Fill {
                source: copy.source.to_owned(),
                in_output: copy.in_output && encoding.is_none(),
                encoding,
                encoder: recipe.map(|recipe| recipe.encoder.clone()),
            }),
        })
    }

    fn lacking(&self) -> Lacking {
        Lacking {
            digest: self.descriptor.digest,
            size: self.descriptor.size,
            volume: self.listed.and_then(|listed| listed.volume.clone()),
            diff_id: self.diff_id.filter(|_| self.encoding().is_some()),
        }
    }
}

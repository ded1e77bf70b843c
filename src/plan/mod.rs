//! The plan of a conversion: the distinct blobs of all selected images, and the blobs of each image.

mod cached;
mod jobs;

use std::collections::HashMap;

pub(crate) use cached::CachedJobs;
use jobs::Jobs;

use crate::compression::Compression;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::findings::{Finding, Place};
use crate::formats::{Input, warnings_of};
use crate::image::media_type::codec_mismatch;
use crate::image::{Blob, Config, Descriptor, Index, Layer, Manifest, Node, TarLayer};
use crate::layer::{Destination, Job};
use crate::select::Selected;

/// How layers that are kept are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// They are decoded, and their `diff_ids` are checked.
    #[default]
    Full,
    /// Only digest and size of the blob are checked, if the input has them.
    Blobs,
}

/// The jobs of all blobs, and the images that use them.
pub(crate) struct Plan<'a> {
    pub jobs: Vec<Job>,
    /// The warnings.
    pub warnings: Vec<Finding>,
    /// All distinct nodes.
    pub nodes: Vec<PlannedNode<'a>>,
    /// The position in `nodes` of each selected image.
    pub roots: Vec<usize>,
}

/// A node of a selected image, with the jobs of its blobs and the positions of its children.
pub(crate) enum PlannedNode<'a> {
    Manifest(PlannedManifest<'a>),
    Index {
        index: &'a Index,
        /// Positions in [`Plan::nodes`].
        children: Vec<usize>,
    },
    Blob(&'a Blob),
    /// A missing node that is kept in its index.
    Absent(&'a Descriptor),
}

pub(crate) struct PlannedManifest<'a> {
    pub manifest: &'a Manifest,
    pub layers: Vec<PlannedLayer<'a>>,
}

/// A layer with the number of its job.
pub(crate) enum PlannedLayer<'a> {
    Tar {
        layer: &'a TarLayer,
        job: usize,
    },
    /// A blob that is copied unchanged.
    Other {
        blob: &'a Blob,
        job: usize,
    },
    /// A missing layer, whose descriptor is kept.
    Absent(&'a Descriptor, Option<crate::digest::DiffId>),
}

impl<'a> Plan<'a> {
    pub fn new(
        inputs: &[Input],
        selected: &'a [Selected],
        compression: Compression,
        check: Check,
    ) -> Result<Plan<'a>> {
        let mut planner = Planner {
            jobs: Jobs::new(compression, check),
            warnings: Vec::new(),
            nodes: Vec::new(),
            known: HashMap::new(),
            is_part: false,
        };
        let mut roots = Vec::with_capacity(selected.len());
        for one in selected {
            planner.is_part = inputs[one.input].is_part();
            roots.push(planner.node(&one.entry.node, &one.place(inputs))?);
        }
        Ok(Plan {
            jobs: planner.jobs.into_list(),
            warnings: planner.warnings,
            nodes: planner.nodes,
            roots,
        })
    }
}

struct Planner<'a> {
    jobs: Jobs,
    warnings: Vec<Finding>,
    nodes: Vec<PlannedNode<'a>>,
    /// By digest and children, because images of an index, or layers of an image, may be missing in some inputs.
    known: HashMap<(Digest, Vec<Option<usize>>), usize>,
    /// Whether the image is of a part of an output.
    is_part: bool,
}

impl<'a> Planner<'a> {
    /// Adds a node to the plan and returns its position.
    fn node(&mut self, node: &'a Node, place: &Place) -> Result<usize> {
        let (planned, below) = match node {
            Node::Manifest(manifest) => self.manifest(manifest, place)?,
            Node::Index(index) => {
                let children = index.children.iter();
                let children: Vec<usize> = children
                    .map(|(_, child)| self.node(child, place))
                    .collect::<Result<_>>()?;
                let below = children.iter().copied().map(Some).collect();
                (PlannedNode::Index { index, children }, below)
            }
            Node::Blob(blob) => {
                let job = self.jobs.blob(blob, Destination::Always, place);
                (PlannedNode::Blob(blob), vec![Some(job)])
            }
            Node::Absent { descriptor, .. } => {
                self.nodes.push(PlannedNode::Absent(descriptor));
                return Ok(self.nodes.len() - 1);
            }
        };
        let next = self.nodes.len();
        let number = match node.digest() {
            Some(digest) => *self.known.entry((digest, below)).or_insert(next),
            None => next,
        };
        if number == next {
            self.nodes.push(planned);
        }
        Ok(number)
    }

    /// A manifest, and the jobs of its config and layers.
    fn manifest(
        &mut self,
        manifest: &'a Manifest,
        place: &Place,
    ) -> Result<(PlannedNode<'a>, Vec<Option<usize>>)> {
        let config = match &manifest.config {
            Config::Other(blob) => Some(self.jobs.blob(blob, Destination::Always, place)),
            Config::Image(_) | Config::V1 { .. } => None,
            Config::Unreadable => {
                let error = Error::document("the config", "it is missing or cannot be read");
                return Err(error.at(place.clone()));
            }
        };
        let of = manifest.layers.len();
        let mut layers = Vec::with_capacity(of);
        let mut below = Vec::with_capacity(of + 1);
        below.push(config);
        for (position, layer) in manifest.layers.iter().enumerate() {
            let (layer, job) = self.layer(layer, &place.at_layer(position, of))?;
            layers.push(layer);
            below.push(job);
        }
        let planned = PlannedManifest { manifest, layers };
        Ok((PlannedNode::Manifest(planned), below))
    }

    fn layer(
        &mut self,
        layer: &'a Layer,
        place: &Place,
    ) -> Result<(PlannedLayer<'a>, Option<usize>)> {
        match layer {
            Layer::Tar(layer) => {
                let (job, codec) = self.jobs.layer(layer, self.is_part, place)?;
                let media_type = layer.descriptor.as_ref().map(|one| one.media_type.as_str());
                let mismatch = media_type.and_then(|own| codec_mismatch(own, codec));
                if let Some((code, message)) = mismatch {
                    let finding = Finding::new(code, place, message);
                    self.warnings
                        .append(&mut warnings_of([(code.response(), finding)])?);
                }
                Ok((PlannedLayer::Tar { layer, job }, Some(job)))
            }
            Layer::Other(blob) => {
                let job = self.jobs.blob(blob, Destination::UnlessKnown, place);
                Ok((PlannedLayer::Other { blob, job }, Some(job)))
            }
            Layer::Absent {
                descriptor: Some(descriptor),
                diff_id,
            } => Ok((PlannedLayer::Absent(descriptor, *diff_id), None)),
            Layer::Absent {
                descriptor: None, ..
            } => {
                let name = "the layer's blob".to_owned();
                Err(Error::Missing { name }.at(place.clone()))
            }
        }
    }
}

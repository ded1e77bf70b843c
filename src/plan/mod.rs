//! The distinct blobs of all selected images, each to be done once.

use std::collections::HashMap;

mod cached;

pub(crate) use cached::CachedJobs;

use crate::compression::Codec;
use crate::compression::Compression;
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::error::Result;
use crate::findings::Code;
use crate::findings::{Finding, Place};
use crate::formats::Input;
use crate::image::Blob;
use crate::image::Config;
use crate::image::Manifest;
use crate::image::Node;
use crate::image::TarLayer;
use crate::image::{Layer, media_type as types};
use crate::layer::Action;
use crate::layer::Job;
use crate::select::Selected;
use crate::source::Content;
use crate::source::ContentId;

/// How much of a layer that is kept is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// It is decoded and its `diff_id` compared.
    #[default]
    Full,
    /// Digest and size of the blob alone, where the input names them.
    Blobs,
}

/// The blobs to be read, and which layer is which of them.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub jobs: Vec<Job>,
    /// What the user should know of it.
    pub warnings: Vec<Finding>,
    positions: HashMap<Key, usize>,
}

/// What makes two blobs of an input the same blob of the output.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A layer whose bytes are kept.
    Kept(Digest, Option<DiffId>),
    /// What is no layer, and is carried along.
    Carried(Digest),
    /// Encoded anew, from whichever copy comes first.
    Encoded(DiffId),
    /// Nothing is known of it beforehand but its place.
    Place(ContentId),
}

/// The tar of no files: two zero blocks.
const EMPTY_TAR: [u8; 1024] = [0; 1024];

impl Plan {
    pub fn new(
        inputs: &[Input],
        selected: &[Selected],
        compression: Compression,
        check: Check,
    ) -> Result<Plan> {
        let mut plan = Plan::default();
        for one in selected {
            let place = one.place(inputs);
            let mut result = Ok(());
            one.entry.node.walk(&mut |node| {
                if result.is_ok() {
                    result = plan.add_node(node, compression, check, &place);
                }
            });
            result?;
        }
        Ok(plan)
    }

    fn add_node(
        &mut self,
        node: &Node,
        compression: Compression,
        check: Check,
        place: &Place,
    ) -> Result<()> {
        match node {
            Node::Manifest(manifest) => self.add_manifest(manifest, compression, check, place),
            Node::Blob(blob) => {
                self.add_blob(blob, place);
                Ok(())
            }
            Node::Index(_) | Node::Absent { .. } => Ok(()),
        }
    }

    fn add_manifest(
        &mut self,
        manifest: &Manifest,
        compression: Compression,
        check: Check,
        place: &Place,
    ) -> Result<()> {
        match &manifest.config {
            Config::Other(blob) => self.add_blob(blob, place),
            Config::Image(_) | Config::V1 { .. } | Config::Unreadable => {}
        }
        let of = manifest.layers.len();
        for (position, layer) in manifest.layers.iter().enumerate() {
            let place = &place.at_layer(position, of);
            match layer {
                Layer::Tar(layer) => self.add_layer(layer, compression, check, place)?,
                Layer::Other(blob) => self.add_blob(blob, place),
                Layer::Absent { descriptor, .. } => {
                    let message = format!(
                        "{} is a foreign layer that is not in the input: only its urls are kept",
                        descriptor
                            .as_ref()
                            .map_or("?".to_owned(), |one| one.digest.to_string())
                    );
                    self.warnings
                        .push(Finding::new(Code::ForeignLayerAbsent, place, message));
                }
            }
        }
        Ok(())
    }

    fn add_layer(
        &mut self,
        layer: &TarLayer,
        compression: Compression,
        check: Check,
        place: &Place,
    ) -> Result<()> {
        let content = content(layer);
        let locate = |error: crate::error::Error| error.at(place.clone());
        let codec = content.codec().map_err(locate)?;
        let media_type = layer.descriptor.as_ref().map(|one| one.media_type.as_str());
        if let Some((code @ Code::LayerMediaType, message)) =
            media_type.and_then(|media_type| types::codec_mismatch(media_type, codec))
        {
            self.warnings.push(Finding::new(code, place, message));
        }
        let action = match compression.encoding(codec) {
            Some(encoding) => Action::Encode(encoding),
            None => Action::Keep {
                decode: check == Check::Full || layer.digest.is_none() || layer.diff_id.is_none(),
            },
        };
        let job = Job {
            codec,
            action,
            digest: layer.digest,
            diff_id: layer.diff_id,
            place: place.clone(),
            content,
            entry: None,
        };
        if codec == Codec::None && layer.diff_id.is_none() {
            job.refuse_unknown_codec().map_err(locate)?;
        }
        self.add(key(layer, action), job);
        Ok(())
    }

    fn add_blob(&mut self, blob: &Blob, place: &Place) {
        let digest = blob.descriptor.digest;
        let job = Job {
            content: blob.content.clone(),
            codec: Codec::None,
            action: Action::Keep { decode: false },
            digest: Some(digest),
            diff_id: None,
            place: place.clone(),
            entry: None,
        };
        self.add(Key::Carried(digest), job);
    }

    fn add(&mut self, key: Key, job: Job) {
        let next = self.jobs.len();
        if *self.positions.entry(key).or_insert(next) == next {
            self.jobs.push(job);
        }
    }

    /// Which job does a layer.
    pub fn layer(&self, layer: &TarLayer) -> Option<usize> {
        // Which action it was depends on the codec, but no layer has both keys.
        let keys = [
            key(layer, Action::Keep { decode: true }),
            key(layer, Action::Encode(crate::compression::Encoding::None)),
        ];
        let mut found = keys.iter().filter_map(|key| self.positions.get(key));
        found.next().copied()
    }

    /// Which job does a blob that is carried along.
    pub fn blob(&self, digest: &Digest) -> Option<usize> {
        self.positions.get(&Key::Carried(*digest)).copied()
    }
}

fn key(layer: &TarLayer, action: Action) -> Key {
    match (action, layer.digest, layer.diff_id) {
        (Action::Keep { .. }, Some(digest), diff_id) => Key::Kept(digest, diff_id),
        (_, _, Some(diff_id)) => Key::Encoded(diff_id),
        _ => Key::Place(layer.content.id()),
    }
}

/// Some engines saved layers without files as empty files (<https://github.com/moby/moby/issues/18170>). If the config
/// says that the layer is the tar of no files, that is what is written.
fn content(layer: &TarLayer) -> Content {
    let empty_tar = || Some(DiffId(Digest::sha256(&EMPTY_TAR)));
    if layer.content.size() == 0 && layer.diff_id == empty_tar() {
        return Content::in_memory(&EMPTY_TAR);
    }
    layer.content.clone()
}

//! Inspection: shows the content of an input from its metadata. Only the first bytes of layers are read, to detect the codec.

mod digests;
mod raw;
mod runtime;
mod shared;

use std::collections::HashSet;

use crate::compression::Codec;
use crate::digest::{DiffId, Digest};
use crate::error::{RequestError, Result, ResultExt};
use crate::findings::{Code, Finding, Place, Response};
use crate::formats::{Format, Input, UNLISTED};
use crate::image::{Blob, Config, Index, Layer, Manifest, Node, count_images};
use crate::source::Content;

use crate::image::{ConfigView, Descriptor, Document, HistoryEntry, Platform, REFERENCE_DIGEST};
use crate::select::Selection;

pub use digests::digests;
pub use raw::{raw_config, raw_manifest};
pub use runtime::RuntimeConfig;

/// The result of [`inspect`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspection {
    /// The input as the user named it.
    pub input: String,
    /// What it is.
    pub format: Option<Format>,
    /// The number of selected images, without duplicates.
    pub images: usize,
    /// The selected images, indexes and artifacts, in the order of the input.
    pub entries: Vec<InspectedEntry>,
    /// Files with detached signatures.
    pub signatures: Vec<String>,
    /// Problems of the metadata that stop a conversion.
    pub errors: Vec<Finding>,
    /// Other problems of the metadata.
    pub warnings: Vec<Finding>,
}

/// An image, index or artifact with its names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InspectedEntry {
    /// Position in the input, from 0, which `@N` selects.
    pub position: usize,
    /// Empty for an image without a name.
    pub names: Vec<String>,
    /// The image, index or artifact.
    pub node: InspectedNode,
}

/// The node that a descriptor refers to.
#[derive(Debug, Clone)]
pub enum InspectedNode {
    /// An image.
    Image(Box<InspectedImage>),
    /// Several images for different platforms, or with attestations.
    Index(InspectedIndex),
    /// The manifest of an artifact.
    Artifact(Box<InspectedArtifact>),
    /// A blob with an unknown media type.
    Blob(Descriptor),
    /// Missing from the input, or incomplete.
    Absent {
        /// As it was read.
        descriptor: Descriptor,
        /// The first missing blob.
        missing: String,
    },
}

/// An image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InspectedImage {
    /// Media type, digest and size of the manifest. The digest of a schema 1 manifest is that of its payload. `None` if the
    /// format of the input has no manifests.
    pub manifest: Option<Descriptor>,
    /// The digest of the config. `None` if only a conversion creates the config.
    pub image_id: Option<Digest>,
    /// From the config.
    pub platform: Option<Platform>,
    /// The creation time (RFC 3339).
    pub created: Option<String>,
    /// What a container of it runs.
    pub runtime: RuntimeConfig,
    /// The base first.
    pub layers: Vec<InspectedLayer>,
    /// The size of the layers that no other selected image has, in bytes.
    pub own_size: u64,
    /// The size of the other layers.
    pub shared_size: u64,
    /// The subject.
    pub subject: Option<Digest>,
}

/// An index.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InspectedIndex {
    /// Media type, digest and size.
    pub manifest: Descriptor,
    /// The descriptors, each with its node.
    pub children: Vec<(Descriptor, InspectedNode)>,
}

/// An artifact.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InspectedArtifact {
    /// Media type, digest and size.
    pub manifest: Descriptor,
    /// The type of the artifact: `artifactType`, or the media type of its config.
    pub artifact_type: String,
    /// Whether it is a signature.
    pub is_signature: bool,
    /// The digest of the subject of an attestation, from its descriptor.
    pub attests: Option<String>,
    /// The subject.
    pub subject: Option<Digest>,
    /// The blobs of the artifact.
    pub layers: Vec<InspectedLayer>,
}

/// A layer of an image, or a blob of an artifact.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InspectedLayer {
    /// The media type. `None` if the format of the input has no descriptors.
    pub media_type: Option<String>,
    /// The digest of the blob, if the input has it.
    pub digest: Option<Digest>,
    /// Of the blob, in bytes.
    pub size: u64,
    /// The codec, detected from the first bytes. `None` if the blob is missing or not a file system layer.
    pub codec: Option<Codec>,
    /// Whether the input has the blob.
    pub present: bool,
    /// The digest of the uncompressed layer. `None` if there is no config.
    pub diff_id: Option<DiffId>,
    /// The command that created the layer.
    pub created_by: Option<String>,
}

/// What is in an input, as far as it is selected.
///
/// # Errors
/// [`RequestError::NoSuchImage`]; I/O errors; the problem of an input without readable images.
pub fn inspect(input: &Input, selection: &Selection) -> Result<Inspection> {
    if input.entries.is_empty() {
        input.warnings(|_, _| true)?;
    }
    let selected = selection.shown(std::slice::from_ref(input))?;
    let positions: HashSet<usize> = selected.iter().map(|one| one.position).collect();
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let is_about =
        |entry| positions.contains(&entry) || (entry == UNLISTED && selection.images.is_empty());
    for (response, finding) in input.about(|entry, _| is_about(entry)) {
        match response {
            Response::Stops if !is_shown(finding.code) => errors.push(finding),
            Response::Warns | Response::Corrects if !is_shown(finding.code) => {
                warnings.push(finding);
            }
            _ => {}
        }
    }
    let images = count_images(selected.iter().map(|one| &one.entry.node));
    let entries = selected.into_iter().map(|selected| {
        let references = selected.entry.references.iter();
        let node = node(&selected.entry.node, None).at(|| Place::image(selected.label.clone()))?;
        Ok(InspectedEntry {
            position: selected.position,
            names: references
                .filter_map(|reference| reference.display_name().map(str::to_owned))
                .collect(),
            node,
        })
    });
    let mut entries: Vec<InspectedEntry> = entries
        .collect::<Result<_>>()
        .at(|| Place::input(&input.name))?;
    shared::measure(&mut entries);
    Ok(Inspection {
        images,
        entries,
        input: input.name.clone(),
        format: input.format,
        signatures: input.signatures.clone(),
        warnings,
        errors,
    })
}

/// Whether the result shows the finding in another way.
fn is_shown(code: Code) -> bool {
    matches!(
        code,
        Code::PlatformAbsent
            | Code::ForeignLayerAbsent
            | Code::SignatureDetached
            | Code::BlobLeftOut
    )
}

/// `descriptor` refers to the node.
fn node(node: &Node, descriptor: Option<&Descriptor>) -> Result<InspectedNode> {
    Ok(match node {
        Node::Manifest(manifest) => self::manifest(manifest, descriptor)?,
        Node::Index(index) => InspectedNode::Index(self::index(index)?),
        Node::Blob(blob) => InspectedNode::Blob(blob.descriptor.clone()),
        Node::Absent {
            descriptor,
            missing,
            ..
        } => InspectedNode::Absent {
            descriptor: descriptor.clone(),
            missing: missing.clone(),
        },
    })
}

fn manifest(manifest: &Manifest, descriptor: Option<&Descriptor>) -> Result<InspectedNode> {
    let view = match &manifest.config {
        Config::Image(config) => &config.view,
        Config::V1 { view, .. } => view,
        Config::Unreadable => &ConfigView::default(),
        Config::Other(config) => {
            let document = manifest.document.as_ref();
            let document = document.ok_or(RequestError::NoManifest { has_config: false })?;
            let artifact = artifact(manifest, document, config, descriptor)?;
            return Ok(InspectedNode::Artifact(Box::new(artifact)));
        }
    };
    Ok(InspectedNode::Image(Box::new(image(manifest, view)?)))
}

fn index(index: &Index) -> Result<InspectedIndex> {
    let children = index.children.iter().map(|(descriptor, child)| {
        let child = node(child, Some(descriptor))?;
        Ok((descriptor.clone(), child))
    });
    Ok(InspectedIndex {
        manifest: index.document.descriptor(),
        children: children.collect::<Result<_>>()?,
    })
}

fn image(manifest: &Manifest, view: &ConfigView) -> Result<InspectedImage> {
    let schema1 = manifest.schema1.as_ref().map(|schema1| {
        Descriptor::new(
            schema1.media_type,
            schema1.digest,
            schema1.bytes.len() as u64,
        )
    });
    let document = manifest.document.as_ref().map(Document::descriptor);
    let history = view.history.as_slice();
    let made: Vec<&HistoryEntry> = history.iter().filter(|entry| !entry.empty_layer).collect();
    // Otherwise the entries cannot be assigned to layers.
    let fits = made.len() == manifest.layers.len();
    let layers = manifest.layers.iter().enumerate().map(|(number, layer)| {
        let line = made.get(number).filter(|_| fits);
        let of = manifest.layers.len();
        inspected_layer(layer, line.and_then(|entry| entry.created_by.clone()))
            .at(|| Place::layer(number + 1, of))
    });
    Ok(InspectedImage {
        manifest: document.or(schema1),
        image_id: manifest.image_id(),
        platform: manifest.platform().cloned(),
        created: view.created.clone(),
        runtime: runtime::of(manifest),
        own_size: 0,
        shared_size: 0,
        layers: layers.collect::<Result<_>>()?,
        subject: manifest.subject,
    })
}

fn inspected_layer(layer: &Layer, created_by: Option<String>) -> Result<InspectedLayer> {
    let of_blob = |descriptor: &Descriptor, content: Option<&Content>| InspectedLayer {
        media_type: Some(descriptor.media_type.clone()),
        digest: Some(descriptor.digest),
        size: content.map_or(descriptor.size, Content::size),
        codec: None,
        present: content.is_some(),
        diff_id: None,
        created_by: created_by.clone(),
    };
    Ok(match layer {
        Layer::Tar(tar) => {
            let media_type = tar
                .descriptor
                .as_ref()
                .map(|layer| layer.media_type.clone());
            InspectedLayer {
                media_type,
                digest: tar.digest,
                size: tar.content.size(),
                codec: Some(tar.content.codec()?),
                present: true,
                diff_id: tar.diff_id,
                created_by,
            }
        }
        Layer::Absent {
            descriptor,
            diff_id,
        } => InspectedLayer {
            diff_id: *diff_id,
            ..descriptor.as_ref().map_or_else(
                || InspectedLayer {
                    media_type: None,
                    digest: None,
                    size: 0,
                    codec: None,
                    present: false,
                    diff_id: None,
                    created_by: created_by.clone(),
                },
                |descriptor| of_blob(descriptor, None),
            )
        },
        Layer::Other(blob) => of_blob(&blob.descriptor, Some(&blob.content)),
    })
}

/// Whether a layer is a signature. Attestations and bills of materials are not.
fn is_signature(layer: &Layer) -> bool {
    let prefixes = [
        "application/vnd.dev.cosign.",
        "application/vnd.dev.sigstore.",
    ];
    let is_of_sigstore = |kind: &str| prefixes.iter().any(|prefix| kind.starts_with(prefix));
    matches!(layer, Layer::Other(blob) if is_of_sigstore(&blob.descriptor.media_type))
}

fn artifact(
    manifest: &Manifest,
    document: &Document,
    config: &Blob,
    descriptor: Option<&Descriptor>,
) -> Result<InspectedArtifact> {
    let layers = manifest
        .layers
        .iter()
        .map(|layer| inspected_layer(layer, None));
    Ok(InspectedArtifact {
        manifest: document.descriptor(),
        artifact_type: manifest
            .artifact_type
            .clone()
            .unwrap_or_else(|| config.descriptor.media_type.clone()),
        is_signature: manifest.layers.iter().any(is_signature),
        attests: descriptor
            .and_then(|descriptor| descriptor.annotation(REFERENCE_DIGEST))
            .map(str::to_owned),
        subject: manifest.subject,
        layers: layers.collect::<Result<_>>()?,
    })
}

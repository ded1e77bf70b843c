//! What an input holds, as a tree: entries of an index, below them manifests and indexes, below those layers.
//!
//! Reading an input fills this with documents (as bytes) and with the places of blobs; no layer is read yet.

mod absent;
mod config;
mod descriptor;
mod manifest_format;
pub mod media_type;
mod name;
mod platform;
mod resolved;
mod v1;

pub use absent::AbsentBlob;
pub(crate) use absent::Recipe;
pub use config::{ConfigView, HistoryEntry, ImageConfig};
pub use descriptor::{Descriptor, Document};
pub use manifest_format::ManifestFormat;
pub(crate) use name::is_ref_name;
pub use name::{familiar, fully_qualified, tagged_reference};
pub use platform::{Platform, PlatformError};
pub(crate) use resolved::{
    MergedChild, OriginalSchema1, ResolvedChild, ResolvedConfig, ResolvedImage, ResolvedIndex,
    ResolvedLayer,
};
pub use v1::{V1Config, V1Layer};

use std::sync::Arc;

use std::collections::HashSet;

use serde_json::{Map, Value};

use media_type::LayerKind;

use crate::compression::Encoding;
use crate::digest::{DiffId, Digest};
use crate::limits;
use crate::source::Content;

/// The name of an image, on descriptors of `index.json` alone.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The fully qualified name that containerd and Docker read.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// On an attestation's descriptor: the digest of the manifest that it is about.
/// See <https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md>.
pub const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// Whether a manifest is an attestation: its descriptor says what it is about, and none of its layers is of a file system.
///
/// An annotation alone must not keep the layers of what engines run from being checked.
pub(crate) fn is_attestation<'a>(
    annotated: bool,
    mut layer_media_types: impl Iterator<Item = &'a str>,
) -> bool {
    annotated && layer_media_types.all(|layer| media_type::layer_kind(layer) == LayerKind::Other)
}

/// The content of `oci-layout`.
pub const LAYOUT_FILE: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// One image (or index, or artifact) with all the names that it has.
#[derive(Debug, Clone)]
pub struct Entry {
    /// One for each descriptor that `index.json` gets for it. At least one; an image without a name has a nameless one.
    pub references: Vec<Reference>,
    /// The image itself.
    pub node: Node,
}

/// A name of an entry, and what else its descriptor says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// `org.opencontainers.image.ref.name`, as the input gives it.
    pub name: Option<String>,
    /// `io.containerd.image.name`, fully qualified.
    pub containerd_name: Option<String>,
    /// All other annotations of the descriptor.
    pub annotations: Map<String, Value>,
    /// `artifactType` of the descriptor.
    pub artifact_type: Option<String>,
}

/// What a descriptor points to.
#[derive(Debug, Clone)]
pub enum Node {
    /// An image or artifact, shared by all that select it.
    Manifest(Arc<Manifest>),
    /// Several, for platforms or with attestations.
    Index(Index),
    /// A blob of an unknown media type, carried along as it is.
    Blob(Blob),
    /// Not in the input, or not all of it.
    Absent {
        /// As it was read.
        descriptor: Descriptor,
        /// The file that it would be.
        missing: String,
    },
}

/// An index with what it points to.
#[derive(Debug, Clone)]
pub struct Index {
    /// As it was read.
    pub document: Document,
    /// Its descriptors, each with what it points to.
    pub children: Vec<(Descriptor, Node)>,
}

/// An image's (or artifact's) manifest with what it points to.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// As it was read; `None` when the input's format has no such document, or one that must be made anew.
    pub document: Option<Document>,
    /// Whether `document` lists the layers in an order that is not the config's.
    pub reordered: bool,
    /// The config.
    pub config: Config,
    /// The layers, the base first.
    pub layers: Vec<Layer>,
    /// The manifest that this one is about.
    pub subject: Option<Digest>,
    /// `artifactType`, if it is not empty.
    pub artifact_type: Option<String>,
    /// What this image was known as before.
    pub known_as: KnownAs,
}

/// What an image was in formats that are no longer there after the conversion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownAs {
    /// Its schema 1 manifest.
    pub schema1: Option<Schema1Document>,
}

/// A schema 1 manifest as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema1Document {
    /// With signatures or without.
    pub media_type: &'static str,
    /// Of the signed payload; of the file, if it is not signed.
    pub digest: Digest,
    /// The file.
    pub bytes: Vec<u8>,
    /// Its layers, the base first, consecutive ones of one ID once. Their v1 metadata is in [`V1Config`].
    pub layers: Vec<FsLayer>,
}

/// An entry of `fsLayers` of a schema 1 manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FsLayer {
    /// `blobSum`.
    pub blob: Digest,
    /// Whether its metadata says that it is empty.
    pub throwaway: bool,
}

/// A manifest's config.
#[derive(Debug, Clone)]
pub enum Config {
    /// An image's, copied byte for byte.
    Image(ImageConfig),
    /// An artifact's, carried along.
    Other(Blob),
    /// To be made of v1 metadata once the `diff_ids` are known.
    V1 {
        /// The metadata.
        metadata: V1Config,
        /// What the config will say, but for the `diff_ids`.
        view: ConfigView,
    },
    /// Not in the input or not readable, which is a finding that stops a conversion.
    Unreadable,
}

/// A layer of a manifest.
#[derive(Debug, Clone)]
pub enum Layer {
    /// A file system layer that is here.
    Tar(TarLayer),
    /// A file system layer that is not here. If it may be had from elsewhere, its descriptor is carried over; else that is
    /// a finding that stops a conversion.
    Absent {
        /// As it was read; `None` where the input's format has none.
        descriptor: Option<Descriptor>,
        /// From the config.
        diff_id: Option<DiffId>,
    },
    /// Something else, carried along as it is.
    Other(Blob),
}

/// A file system layer.
#[derive(Debug, Clone)]
pub struct TarLayer {
    /// Where its bytes are, in whatever codec.
    pub content: Content,
    /// The name of that file, as the document that refers to it has it.
    pub file: String,
    /// From the manifest; `None` when the input's format has none.
    pub descriptor: Option<Descriptor>,
    /// The digest that its bytes must have, from the descriptor or from a name made of it.
    pub digest: Option<Digest>,
    /// From the config; `None` when the config is yet to be made.
    pub diff_id: Option<DiffId>,
    /// Not to be distributed.
    pub foreign: bool,
    /// Set if it is not from the input whose image has it.
    pub fill: Option<Fill>,
}

/// Where a layer is from that its input lacks.
#[derive(Debug, Clone)]
pub struct Fill {
    /// What it is from, as the user named it.
    pub source: String,
    /// Whether the output has this very blob already.
    pub in_output: bool,
    /// How the blob is made of the layer; `None` if `content` is the blob.
    pub encoding: Option<Encoding>,
    /// The program that made the blob first.
    pub encoder: Option<String>,
}

/// A blob that is carried along.
#[derive(Debug, Clone)]
pub struct Blob {
    /// As it was read.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub content: Content,
    /// The name of that file.
    pub file: String,
}

impl Entry {
    /// The name in messages: the first name, or `@` and its number.
    #[must_use]
    pub fn label(&self, number: usize) -> String {
        let mut names = self.references.iter().filter_map(Reference::display_name);
        names
            .next()
            .map_or_else(|| format!("@{number}"), str::to_owned)
    }
}

impl Reference {
    /// The name that users know it by.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.name.as_deref().or(self.containerd_name.as_deref())
    }
}

/// How many images there are. One that several names or indexes lead to is one.
pub(crate) fn count_images<'a>(nodes: impl Iterator<Item = &'a Node>) -> usize {
    let mut known = HashSet::new();
    let manifests = nodes.flat_map(Node::manifests);
    let is_image = |manifest: &&Manifest| !matches!(manifest.config, Config::Other(_));
    let images = manifests.filter(is_image).filter(|manifest| {
        let id = manifest.image_id();
        id.is_none_or(|id| known.insert(id))
    });
    images.count()
}

impl Node {
    /// The digest of the manifest or index as it was read.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Node::Manifest(manifest) => manifest.document.as_ref().map(|document| document.digest),
            Node::Index(index) => Some(index.document.digest),
            Node::Blob(blob) => Some(blob.descriptor.digest),
            Node::Absent { descriptor, .. } => Some(descriptor.digest),
        }
    }

    /// Calls `visit` with this node and all below it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(self);
        if let Node::Index(index) = self {
            for (_, child) in &index.children {
                child.walk(visit);
            }
        }
    }

    /// Whether it is an image or has one, rather than artifacts alone.
    pub(crate) fn has_image(&self) -> bool {
        let mut found = false;
        self.walk(&mut |node| {
            found |= match node {
                Node::Manifest(manifest) => !matches!(manifest.config, Config::Other(_)),
                Node::Absent { .. } => true,
                Node::Index(_) | Node::Blob(_) => false,
            }
        });
        found
    }

    /// All manifests in this node.
    #[must_use]
    pub fn manifests(&self) -> Vec<&Manifest> {
        let mut manifests = Vec::new();
        self.walk(&mut |node| {
            if let Node::Manifest(manifest) = node {
                manifests.push(&**manifest);
            }
        });
        manifests
    }
}

impl Manifest {
    /// What the image runs on, from the config; `None` for artifacts, and where the config does not say.
    #[must_use]
    pub fn platform(&self) -> Option<&Platform> {
        match &self.config {
            Config::Image(config) => config.view.platform.as_ref(),
            Config::V1 { view, .. } => view.platform.as_ref(),
            Config::Other(_) | Config::Unreadable => None,
        }
    }

    /// How many bytes of documents it keeps.
    pub(crate) fn memory(&self) -> u64 {
        let document = self.document.as_ref();
        let config = match &self.config {
            Config::Image(config) => config.document.bytes.len(),
            Config::Other(_) | Config::V1 { .. } | Config::Unreadable => 0,
        };
        let own = document.map_or(0, |document| document.bytes.len()) + config;
        own as u64 + limits::ENTRY_BYTES * self.layers.len() as u64
    }

    /// The digest of the config, where it is known before the layers are read.
    #[must_use]
    pub fn image_id(&self) -> Option<Digest> {
        match &self.config {
            Config::Image(config) => Some(config.document.digest),
            Config::Other(_) | Config::V1 { .. } | Config::Unreadable => None,
        }
    }
}

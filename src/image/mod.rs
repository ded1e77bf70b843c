//! The model of an input as a tree: entries, which contain manifests and indexes, which contain layers.
//!
//! The readers create it from the documents of an input. It contains documents as bytes, and the locations of blobs. No layer
//! is read for it.

mod absent;
mod config;
mod descriptor;
mod manifest_format;
pub mod media_type;
mod name;
mod platform;
mod present;
mod resolved;
mod v1;

pub use absent::AbsentBlob;
pub(crate) use absent::Recipe;
pub use config::{ConfigView, HistoryEntry, ImageConfig};
pub use descriptor::{Descriptor, Document};
pub use manifest_format::ManifestFormat;
pub use name::{familiar, fully_qualified, tagged_reference};
pub(crate) use name::{is_ref_name, is_tag_of, repository_and_tag};
use name::{is_repository, is_tag};
pub use platform::{Platform, PlatformError};
pub(crate) use present::PresentBlob;
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

/// The name of an image, on descriptors in index.json.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The fully qualified name, which containerd and Docker read.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// On the descriptor of an attestation: the digest of its subject.
/// See <https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md>.
pub const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// Whether a manifest is an attestation: its descriptor names a subject, and none of its layers is a file system layer.
///
/// The annotation alone is not enough, because it must not prevent the check of layers that engines run.
pub(crate) fn is_attestation<'a>(
    annotated: bool,
    mut layer_media_types: impl Iterator<Item = &'a str>,
) -> bool {
    annotated && layer_media_types.all(|layer| media_type::layer_kind(layer) == LayerKind::Other)
}

/// The content of `oci-layout`.
pub const LAYOUT_FILE: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An image, index or artifact with all its names.
#[derive(Debug, Clone)]
pub struct Entry {
    /// One for each descriptor that index.json gets. Never empty: an image without a name has one reference without a name.
    pub references: Vec<Reference>,
    /// The image itself.
    pub node: Node,
}

/// A name of an entry, with the other fields of its descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// `org.opencontainers.image.ref.name`, as in the input.
    pub name: Option<String>,
    /// `io.containerd.image.name`, fully qualified.
    pub containerd_name: Option<String>,
    /// All other annotations of the descriptor.
    pub annotations: Map<String, Value>,
    /// `artifactType` of the descriptor.
    pub artifact_type: Option<String>,
    /// The repository of the registry's storage that it is from, where it keeps its place there.
    pub repository: Option<String>,
}

/// What a descriptor refers to.
#[derive(Debug, Clone)]
pub enum Node {
    /// An image or artifact, shared by all that select it.
    Manifest(Arc<Manifest>),
    /// Several, for platforms or with attestations.
    Index(Arc<Index>),
    /// A blob with an unknown media type. Copied unchanged.
    Blob(Blob),
    /// Not in the input, or not all of it.
    Absent {
        /// As it was read.
        descriptor: Descriptor,
        /// The missing file.
        missing: String,
    },
}

/// An index with its manifests.
#[derive(Debug, Clone)]
pub struct Index {
    /// As it was read.
    pub document: Document,
    /// Its descriptors, each with the node it refers to.
    pub children: Vec<(Descriptor, Node)>,
}

/// The manifest of an image or artifact, with its config and layers.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// As it was read. `None` if the format of the input has no such document, or if a new one must be created.
    pub document: Option<Document>,
    /// Whether `document` lists the layers in another order than the config.
    pub reordered: bool,
    /// The config.
    pub config: Config,
    /// The layers, the base first.
    pub layers: Vec<Layer>,
    /// The subject, which this manifest refers to.
    pub subject: Option<Digest>,
    /// `artifactType`. `None` if it is empty.
    pub artifact_type: Option<String>,
    /// The schema 1 manifest that it was read from.
    pub schema1: Option<Schema1Document>,
}

/// A schema 1 manifest as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema1Document {
    /// With signatures or without.
    pub media_type: &'static str,
    /// Digest of the signed payload, or of the file if it is not signed.
    pub digest: Digest,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// Its layers, the base first. Consecutive layers with the same ID are listed once. Their v1 metadata is in [`V1Config`].
    pub layers: Vec<FsLayer>,
}

/// An entry of `fsLayers` of a schema 1 manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FsLayer {
    /// `blobSum`.
    pub blob: Digest,
    /// Whether the metadata marks the layer as empty.
    pub throwaway: bool,
}

/// A manifest's config.
#[derive(Debug, Clone, Default)]
pub enum Config {
    /// The config of an image, copied byte for byte.
    Image(ImageConfig),
    /// The config of an artifact, copied unchanged.
    Other(Blob),
    /// Created from v1 metadata when the `diff_ids` are known.
    V1 {
        /// The metadata.
        metadata: V1Config,
        /// The fields of the config, except the `diff_ids`.
        view: ConfigView,
    },
    /// Missing or unreadable. A finding that stops a conversion says why.
    #[default]
    Unreadable,
}

/// A layer of a manifest.
#[derive(Debug, Clone)]
pub enum Layer {
    /// A file system layer in the input.
    Tar(TarLayer),
    /// A file system layer that the input lacks. If it has URLs, its descriptor is kept. Otherwise a finding stops the
    /// conversion.
    Absent {
        /// As it was read. `None` if the format of the input has none.
        descriptor: Option<Descriptor>,
        /// From the config.
        diff_id: Option<DiffId>,
    },
    /// Another blob, copied unchanged.
    Other(Blob),
}

/// A file system layer.
#[derive(Debug, Clone)]
pub struct TarLayer {
    /// The bytes, in any codec.
    pub content: Content,
    /// The name of the file, as spelled in the document that refers to it.
    pub file: String,
    /// From the manifest. `None` if the format of the input has none.
    pub descriptor: Option<Descriptor>,
    /// The expected digest, from the descriptor or from the name of the file.
    pub digest: Option<Digest>,
    /// From the config. `None` if the config does not exist yet.
    pub diff_id: Option<DiffId>,
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

/// A blob that is copied unchanged.
#[derive(Debug, Clone)]
pub struct Blob {
    /// As it was read.
    pub descriptor: Descriptor,
    /// The bytes.
    pub content: Content,
    /// The name of the file.
    pub file: String,
}

impl Schema1Document {
    /// The file. Its digest is that of the blob in a layout, even if the manifest is signed.
    pub(crate) fn document(&self) -> Document {
        Document::new(self.media_type, self.bytes.clone())
    }
}

impl Entry {
    /// The label in messages: the first name, or `@` and the number.
    #[must_use]
    pub fn label(&self, number: usize) -> String {
        let mut names = self.references.iter().filter_map(Reference::display_name);
        names
            .next()
            .map_or_else(|| format!("@{number}"), str::to_owned)
    }
}

impl TarLayer {
    /// A layer of which only the file is known.
    pub(crate) fn new(content: Content, file: String) -> TarLayer {
        TarLayer {
            content,
            file,
            descriptor: None,
            digest: None,
            diff_id: None,
            fill: None,
        }
    }
}

impl Reference {
    /// A name in one of Docker's formats. Containerd has it fully qualified.
    pub(crate) fn of_docker(name: &str) -> Reference {
        Reference {
            name: Some(name.to_owned()),
            containerd_name: Some(fully_qualified(name)),
            ..Reference::default()
        }
    }

    /// The name for users.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.name.as_deref().or(self.containerd_name.as_deref())
    }

    /// Its repository in a registry, and its tag unless it has no name. `None` where it has neither, or a registry would
    /// refuse them.
    pub(crate) fn in_registry(&self) -> Option<(&str, Option<&str>)> {
        match (self.display_name(), self.repository.as_deref()) {
            (None, None) => None,
            (None, Some(repository)) => is_repository(repository).then_some((repository, None)),
            (Some(name), None) => {
                repository_and_tag(name).map(|(repository, tag)| (repository, Some(tag)))
            }
            (Some(name), Some(repository)) => {
                let tag = name.strip_prefix(repository)?.strip_prefix(':')?;
                (is_repository(repository) && is_tag(tag)).then_some((repository, Some(tag)))
            }
        }
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

    /// Calls `visit` with this node and all nodes in it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(self);
        if let Node::Index(index) = self {
            for (_, child) in &index.children {
                child.walk(visit);
            }
        }
    }

    /// Whether the node is or contains an image.
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
    /// The platform in the config. `None` for artifacts, and if the config lacks it.
    #[must_use]
    pub fn platform(&self) -> Option<&Platform> {
        match &self.config {
            Config::Image(config) => config.view.platform.as_ref(),
            Config::V1 { view, .. } => view.platform.as_ref(),
            Config::Other(_) | Config::Unreadable => None,
        }
    }

    /// Approximate memory of its documents and layers, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let document = self.document.as_ref();
        let config = match &self.config {
            Config::Image(config) => config.document.bytes.len(),
            Config::Other(_) | Config::V1 { .. } | Config::Unreadable => 0,
        };
        let schema1 = self.schema1.as_ref();
        let own = document.map_or(0, |document| document.bytes.len())
            + schema1.map_or(0, |schema1| schema1.bytes.len())
            + config;
        own as u64 + limits::ENTRY_BYTES * self.layers.len() as u64
    }

    /// The digest of the config, if it is known before the layers are read.
    #[must_use]
    pub fn image_id(&self) -> Option<Digest> {
        match &self.config {
            Config::Image(config) => Some(config.document.digest),
            Config::Other(_) | Config::V1 { .. } | Config::Unreadable => None,
        }
    }
}

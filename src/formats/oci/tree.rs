//! Manifests and indexes of a layout or a `dir:` folder, read by their descriptors.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::documents::{
    ManifestView, check_data, check_size, mismatch, own_media_type, refuse_both,
    refuse_keys_in_other_case,
};
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::findings::{Code, Finding, Place};
use crate::image::Blob;
use crate::image::Config;
use crate::image::Index;
use crate::image::KnownAs;
use crate::image::Layer;
use crate::image::Manifest;
use crate::image::Node;
use crate::image::TarLayer;
use crate::image::media_type;
use crate::image::media_type::Kind;
use crate::image::media_type::LayerKind;
use crate::limits;
use crate::source::Files;

use crate::formats::{diff_ids, parse_config};
use crate::image::Descriptor;
use crate::image::Document;
use crate::image::ImageConfig;
use crate::image::REFERENCE_DIGEST;

/// Where the blobs and documents of a tree are: in a layout's `blobs`, or beside each other as in `dir:`.
pub(crate) trait Places {
    /// The name of a blob in the input.
    fn blob(&self, digest: &Digest) -> String;
    /// The name of a manifest or index in the input.
    fn document(&self, digest: &Digest) -> String {
        self.blob(digest)
    }
}

/// Blobs as a layout has them.
pub(crate) struct Blobs;

impl Places for Blobs {
    fn blob(&self, digest: &Digest) -> String {
        digest.blob_path()
    }
}

/// Reads manifests and indexes by their descriptors.
pub(crate) struct Tree<'a> {
    files: &'a Files,
    places: &'a dyn Places,
    count: usize,
    /// What descriptors say of each manifest, index or blob that they list.
    media_types: HashMap<Digest, String>,
    pub warnings: Vec<Finding>,
}

impl<'a> Tree<'a> {
    pub fn new(files: &'a Files, places: &'a dyn Places) -> Tree<'a> {
        Tree {
            files,
            places,
            count: 0,
            media_types: HashMap::new(),
            warnings: Vec::new(),
        }
    }

    /// Refuses two descriptors of one digest that disagree about what it is: one reader would see an image, another none.
    /// Tells whether it is the first of its digest.
    pub fn one_media_type(&mut self, descriptor: &Descriptor) -> Result<bool> {
        let said = &descriptor.media_type;
        let is_first = !self.media_types.contains_key(&descriptor.digest);
        let known = self.media_types.entry(descriptor.digest);
        let first = known.or_insert_with(|| said.clone());
        if first.is_empty() {
            first.clone_from(said);
        }
        if said.is_empty() || first == said {
            return Ok(is_first);
        }
        let reason = format!("one descriptor says that its media type is {first}, another {said}");
        Err(Error::document(descriptor.digest.to_string(), reason))
    }

    /// What `descriptor` points to. `depth` counts the indexes above it.
    pub fn node(&mut self, descriptor: Descriptor, depth: usize) -> Result<Node> {
        let is_first = self.one_media_type(&descriptor)?;
        self.count += 1;
        limits::at_most("the number of manifests", self.count, limits::IMAGES)?;
        let name = self.places.document(&descriptor.digest);
        if self.files.find(&name)?.is_none() {
            return Ok(Node::Absent {
                descriptor,
                missing: name,
            });
        }
        let kind = media_type::kind(&descriptor.media_type);
        if kind == Kind::Other && !descriptor.media_type.is_empty() {
            let blob = self.blob(descriptor)?;
            if is_first && let Some(own) = own_media_type(&blob.content) {
                return Err(mismatch(&blob.descriptor, &own));
            }
            return Ok(Node::Blob(blob));
        }
        let bytes = self.verified(&descriptor, &name)?;
        let document = Document {
            media_type: descriptor.media_type.clone(),
            digest: descriptor.digest,
            bytes,
        };
        let annotations = descriptor.annotations.clone().unwrap_or_default();
        self.document(document, &annotations, depth)
    }

    /// Parses a manifest or index whose bytes have been checked.
    pub fn document(
        &mut self,
        mut document: Document,
        annotations: &Map<String, Value>,
        depth: usize,
    ) -> Result<Node> {
        let name = format!("manifest {}", document.digest);
        let view: ManifestView = crate::formats::parse(&name, &document.bytes)?;
        refuse_both(&name, &view)?;
        refuse_keys_in_other_case(&name, &document.bytes)?;
        check_data(&name, &view)?;
        if let Some(own) = &view.media_type {
            if document.media_type.is_empty() {
                document.media_type.clone_from(own);
            } else if *own != document.media_type {
                return Err(mismatch(&document.descriptor(), own));
            }
        }
        if document.media_type.is_empty() {
            let index = view.manifests.is_some();
            let guess = if index {
                media_type::INDEX
            } else {
                media_type::MANIFEST
            };
            guess.clone_into(&mut document.media_type);
        }
        match media_type::kind(&document.media_type) {
            Kind::Index => self.index(document, view, depth),
            Kind::Manifest => {
                let manifest = self.manifest(document, view, annotations)?;
                Ok(Node::Manifest(Box::new(manifest)))
            }
            Kind::Schema1 => Err(Error::Unsupported {
                what: "a schema 1 manifest inside an OCI layout".to_owned(),
            }),
            Kind::Other => Err(Error::document(
                name,
                format!("media type {} is no manifest's", document.media_type),
            )),
        }
    }

    fn index(&mut self, document: Document, view: ManifestView, depth: usize) -> Result<Node> {
        limits::at_most(
            "the depth of nested indexes",
            depth + 1,
            limits::INDEX_DEPTH,
        )?;
        let descriptors = view.manifests.ok_or_else(|| {
            Error::document(format!("index {}", document.digest), "it has no manifests")
        })?;
        let mut children = Vec::with_capacity(descriptors.len());
        for descriptor in descriptors {
            let label = descriptor
                .platform
                .as_ref()
                .map_or_else(|| descriptor.digest.to_string(), ToString::to_string);
            let node = self
                .node(descriptor.clone(), depth + 1)
                .at(|| Place::image(label))?;
            children.push((descriptor, node));
        }
        Ok(Node::Index(Index { document, children }))
    }

    fn manifest(
        &mut self,
        document: Document,
        view: ManifestView,
        annotations: &Map<String, Value>,
    ) -> Result<Manifest> {
        let name = format!("manifest {}", document.digest);
        let config = view
            .config
            .ok_or_else(|| Error::document(&name, "it has no config"))?;
        let descriptors = view.layers.unwrap_or_default();
        limits::at_most("the number of layers", descriptors.len(), limits::LAYERS)?;
        let subject = view.subject.map(|subject| subject.digest);
        let attestation = crate::image::is_attestation(
            annotations.contains_key(REFERENCE_DIGEST),
            descriptors.iter().map(|layer| layer.media_type.as_str()),
        );
        if !media_type::is_image_config(&config.media_type) || attestation {
            let layers = descriptors
                .into_iter()
                .map(|descriptor| Ok(Layer::Other(self.blob(descriptor)?)));
            return Ok(Manifest {
                layers: layers.collect::<Result<_>>()?,
                config: Config::Other(self.blob(config)?),
                document: Some(document),
                reordered: false,
                subject,
                artifact_type: None,
                known_as: KnownAs::default(),
            });
        }
        let config_name = format!("config {}", config.digest);
        let place = self.places.blob(&config.digest);
        let config = Document {
            bytes: self.verified(&config, &place)?,
            media_type: config.media_type,
            digest: config.digest,
        };
        let view = parse_config(&config_name, &config.bytes)?;
        let diff_ids = diff_ids(&view)?;
        let (descriptors, reordered) = self.in_order(descriptors, diff_ids, document.digest);
        Ok(Manifest {
            layers: self.layers(descriptors, diff_ids)?,
            document: Some(document),
            reordered,
            subject,
            artifact_type: None,
            known_as: KnownAs::default(),
            config: Config::Image(ImageConfig {
                document: config,
                view,
            }),
        })
    }

    /// Docker 25.0.0 wrote uncompressed layers, which are named by their `diff_ids`, in random order
    /// (<https://github.com/moby/moby/issues/47065>). The config has the right one. Tells whether the order changed.
    fn in_order(
        &mut self,
        descriptors: Vec<Descriptor>,
        diff_ids: &[DiffId],
        manifest: Digest,
    ) -> (Vec<Descriptor>, bool) {
        let digests: Vec<Digest> = descriptors.iter().map(|layer| layer.digest).collect();
        let wanted: Vec<Digest> = diff_ids.iter().map(|diff_id| diff_id.0).collect();
        let sorted = |digests: &[Digest]| {
            let mut digests = digests.to_vec();
            digests.sort_unstable();
            digests
        };
        if digests == wanted || sorted(&digests) != sorted(&wanted) {
            return (descriptors, false);
        }
        let message =
            format!("manifest {manifest} lists its layers in another order than its config");
        self.warnings
            .push(Finding::new(Code::LayerOrder, &Place::default(), message));
        let find = |digest: &Digest| descriptors.iter().find(|layer| layer.digest == *digest);
        let ordered = wanted.iter().filter_map(find).cloned().collect();
        (ordered, true)
    }

    fn layers(&mut self, descriptors: Vec<Descriptor>, diff_ids: &[DiffId]) -> Result<Vec<Layer>> {
        let count = descriptors.len();
        let is_tar =
            |layer: &Descriptor| media_type::layer_kind(&layer.media_type) != LayerKind::Other;
        // Where some layers are no file systems, nothing says which diff_id is whose.
        let all_tar = descriptors.iter().all(is_tar);
        if all_tar && count != diff_ids.len() {
            return Err(Error::LayerCount {
                manifest: count,
                config: diff_ids.len(),
            });
        }
        let layers = descriptors.into_iter().enumerate();
        let layers = layers.map(|(number, descriptor)| {
            let diff_id = diff_ids.get(number).filter(|_| count == diff_ids.len());
            self.layer(descriptor, diff_id.copied())
                .at(|| Place::layer(number + 1, count))
        });
        layers.collect()
    }

    fn layer(&mut self, descriptor: Descriptor, diff_id: Option<DiffId>) -> Result<Layer> {
        self.files.charge(0)?;
        let kind = media_type::layer_kind(&descriptor.media_type);
        if kind == LayerKind::Other {
            return Ok(Layer::Other(self.blob(descriptor)?));
        }
        let name = self.places.blob(&descriptor.digest);
        let Some(content) = self.files.find(&name)? else {
            return if descriptor.is_elsewhere() {
                Ok(Layer::Absent {
                    descriptor: Some(descriptor),
                    diff_id,
                })
            } else {
                Err(Error::Missing { name })
            };
        };
        check_size(&name, descriptor.size, content.size())?;
        Ok(Layer::Tar(TarLayer {
            content: content.clone(),
            file: name,
            digest: Some(descriptor.digest),
            diff_id,
            foreign: kind == LayerKind::Foreign,
            descriptor: Some(descriptor),
        }))
    }

    fn blob(&mut self, descriptor: Descriptor) -> Result<Blob> {
        self.files.charge(0)?;
        let name = self.places.blob(&descriptor.digest);
        let content = self.files.get(&name)?.clone();
        check_size(&name, descriptor.size, content.size())?;
        Ok(Blob {
            descriptor,
            content,
            file: name,
        })
    }

    /// The bytes of a document, of the size and digest that its descriptor says.
    fn verified(&self, descriptor: &Descriptor, name: &str) -> Result<Vec<u8>> {
        let content = self.files.get(name)?;
        check_size(name, descriptor.size, content.size())?;
        let bytes = self.files.read(content, name)?;
        let found = descriptor.digest.same_algorithm(&bytes);
        if found != descriptor.digest {
            return Err(Error::DigestMismatch {
                what: name.to_owned(),
                expected: descriptor.digest,
                found,
            });
        }
        Ok(bytes)
    }
}

//! Creates the documents of the output from the results of the layers. Images are resolved, a writer creates their documents,
//! and then the indexes that list them are written.

mod absent;
mod image;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use absent::Layers;

use crate::digest::Digest;
use crate::error::{Error, RequestError, Result};
use crate::formats::docker::{schema1, v2s2};
use crate::formats::oci;
use crate::image::{
    AbsentBlob, Descriptor, Document, ManifestFormat, MergedChild, Platform, Reference,
    ResolvedChild, ResolvedConfig, ResolvedImage, ResolvedIndex,
};
use crate::layer::Outcome;
use crate::limits;
use crate::output::OutputKind;
use crate::plan::{Plan, PlannedManifest, PlannedNode};
use crate::report::{ImageReport, IndexReport};
use crate::schema2;

/// Makes the documents of a plan whose layers are done.
pub(crate) struct Resolver<'a> {
    plan: &'a Plan<'a>,
    outcomes: &'a [Outcome],
    /// Writes a document.
    put: &'a dyn Fn(&Document) -> Result<()>,
    kind: OutputKind,
    /// `None` for an output without manifests: configs stand for images.
    format: Option<ManifestFormat>,
    /// Whether the report has the digests of schema 2, which cost a walk through each document.
    pub with_schema2: bool,
    /// By the digest in the input.
    nodes: HashMap<Digest, usize>,
    written: Vec<Option<Rc<Written>>>,
    /// The blobs that the inputs leave out.
    listed: &'a BTreeMap<Digest, AbsentBlob>,
    /// The blobs that the documents written so far refer to and that are left out.
    pub absent: BTreeMap<Digest, AbsentBlob>,
    /// Whether `layers` has all layers.
    pub describes_all: bool,
    /// The descriptions of layers that a part of the output may lack.
    pub layers: BTreeMap<Digest, AbsentBlob>,
    /// The repository and tag in a schema 1 manifest. Empty if the image has no name.
    schema1_name: (String, String),
}

/// A manifest or index of the output.
#[derive(Debug)]
pub(crate) struct Written {
    /// Media type, digest and size. For a node that the input lacks, its whole descriptor.
    pub descriptor: Descriptor,
    /// All images in it.
    pub images: Vec<ImageReport>,
}

impl<'a> Resolver<'a> {
    pub fn new(
        plan: &'a Plan<'a>,
        outcomes: &'a [Outcome],
        put: &'a dyn Fn(&Document) -> Result<()>,
        kind: OutputKind,
        format: ManifestFormat,
        listed: &'a BTreeMap<Digest, AbsentBlob>,
    ) -> Resolver<'a> {
        let mut nodes = HashMap::new();
        for (number, node) in plan.nodes.iter().enumerate() {
            let digest = match node {
                PlannedNode::Manifest(planned) => {
                    let document = planned.manifest.document.as_ref();
                    document.map(|document| document.digest)
                }
                PlannedNode::Index { index, .. } => Some(index.document.digest),
                PlannedNode::Blob(_) | PlannedNode::Absent(_) => None,
            };
            if let Some(digest) = digest {
                nodes.entry(digest).or_insert(number);
            }
        }
        Resolver {
            plan,
            outcomes,
            put,
            kind,
            format: kind.has_manifests().then_some(format),
            with_schema2: false,
            nodes,
            written: vec![None; plan.nodes.len()],
            listed,
            absent: BTreeMap::new(),
            describes_all: false,
            layers: BTreeMap::new(),
            schema1_name: <(String, String)>::default(),
        }
    }

    /// The same as [`Self::root`] for an image with these names. In a registry tree, a schema 1 manifest has the first of them.
    pub fn named_root(&mut self, number: usize, names: &[Reference]) -> Result<Rc<Written>> {
        if self.kind == OutputKind::Registry {
            let place = names.iter().find_map(Reference::in_registry);
            let (repository, tag) = place.unwrap_or_default();
            self.schema1_name = (repository.to_owned(), tag.unwrap_or_default().to_owned());
        }
        self.root(number)
    }

    /// Writes the documents of a selected image and of its subjects.
    pub fn root(&mut self, number: usize) -> Result<Rc<Written>> {
        self.node(self.plan.roots[number], 0)
    }

    /// Writes an index of selected images. Each image comes with its number and with its descriptor in its former index.
    pub fn merged<'p>(
        &mut self,
        parts: impl Iterator<Item = (usize, Option<&'p Descriptor>)>,
    ) -> Result<Written> {
        let mut children = Vec::new();
        let mut images = Vec::new();
        for (number, listed) in parts {
            let written = self.root(number)?;
            images.extend(written.images.iter().cloned());
            let new = &written.descriptor;
            let descriptor = match listed {
                Some(old) => Descriptor {
                    media_type: new.media_type.clone(),
                    digest: new.digest,
                    size: new.size,
                    // Content that is embedded would be the old one.
                    data: old.data.clone().filter(|_| old.digest == new.digest),
                    ..old.clone()
                },
                None => (*new).clone(),
            };
            let old = match &self.plan.nodes[self.plan.roots[number]] {
                PlannedNode::Manifest(planned) => {
                    let document = planned.manifest.document.as_ref();
                    document.map(|document| document.digest)
                }
                _ => None,
            };
            children.push(MergedChild { old, descriptor });
        }
        let document = match self.format {
            Some(ManifestFormat::Oci) => oci::write::merged(&children)?,
            Some(ManifestFormat::V2s2) => v2s2::write::merged(&children),
            Some(ManifestFormat::V2s1) | None => return Err(no_index()),
        };
        (self.put)(&document)?;
        Ok(Written {
            descriptor: document.descriptor(),
            images,
        })
    }

    /// `depth` counts the indexes and subjects on the way to this node.
    fn node(&mut self, number: usize, depth: usize) -> Result<Rc<Written>> {
        if let Some(written) = &self.written[number] {
            return Ok(Rc::clone(written));
        }
        limits::at_most(
            "the number of manifests in a chain of subjects and indexes",
            depth,
            limits::SUBJECT_DEPTH,
        )?;
        let written = match &self.plan.nodes[number] {
            PlannedNode::Manifest(planned) => self.manifest(planned, depth)?,
            PlannedNode::Index { index, children } => {
                let children: Vec<Rc<Written>> = children
                    .iter()
                    .map(|&child| self.node(child, depth + 1))
                    .collect::<Result<_>>()?;
                self.index(index, &children)?
            }
            PlannedNode::Blob(blob) => {
                let old = &blob.descriptor;
                let descriptor = Descriptor::new(old.media_type.clone(), old.digest, old.size);
                Written::of(descriptor)
            }
            PlannedNode::Absent(descriptor) => Written::of((*descriptor).clone()),
        };
        let written = Rc::new(written);
        self.written[number] = Some(Rc::clone(&written));
        Ok(written)
    }

    fn manifest(&mut self, planned: &PlannedManifest<'a>, depth: usize) -> Result<Written> {
        let manifest = planned.manifest;
        let subject = manifest.subject.and_then(|digest| self.nodes.get(&digest));
        let subject = match subject.copied() {
            Some(number) => Some(self.node(number, depth + 1)?.plain_descriptor()),
            None => None,
        };
        let resolved = image::resolve(planned, self.outcomes, subject)?;
        let (document, image_id) = self.documents(&resolved)?;
        self.note_layers(absent::of(self, planned, &resolved, &document));
        let ResolvedConfig::Image {
            document: config,
            platform,
        } = &resolved.config
        else {
            return Ok(Written::of(document.descriptor()));
        };
        let platform = platform.cloned();
        let image = self.report(
            planned,
            &resolved,
            &document,
            image_id.unwrap_or(config.digest),
            platform.clone(),
        );
        Ok(Written {
            descriptor: Descriptor {
                platform,
                ..document.descriptor()
            },
            images: vec![image],
        })
    }

    fn note_layers(&mut self, Layers { layers, absent }: Layers) {
        for layer in layers {
            if absent.contains(&layer.digest) {
                self.absent.insert(layer.digest, layer.clone());
            }
            self.layers.insert(layer.digest, layer);
        }
    }

    /// Writes the manifest and the config. Returns the manifest with the image ID, if that is not the digest of the config.
    fn documents(&self, resolved: &ResolvedImage) -> Result<(Document, Option<Digest>)> {
        let document = match self.format {
            Some(ManifestFormat::Oci) => oci::write::manifest(resolved)?,
            Some(ManifestFormat::V2s2) => v2s2::write::manifest(resolved)?,
            None => {
                let config = image::config_of_saved(resolved)?;
                (self.put)(config)?;
                return Ok((config.clone(), None));
            }
            Some(ManifestFormat::V2s1) => {
                let (name, tag) = &self.schema1_name;
                let written = schema1::write::manifest(resolved, name, tag)?;
                for blob in &written.empty_blobs {
                    (self.put)(blob)?;
                }
                (self.put)(&written.manifest)?;
                return Ok((written.manifest, Some(written.image_id)));
            }
        };
        if let ResolvedConfig::Image { document, .. } = &resolved.config {
            (self.put)(document)?;
        }
        (self.put)(&document)?;
        Ok((document, None))
    }

    fn report(
        &self,
        planned: &PlannedManifest,
        resolved: &ResolvedImage,
        document: &Document,
        image_id: Digest,
        platform: Option<Platform>,
    ) -> ImageReport {
        let manifest = planned.manifest;
        let layers = image::reports(planned, resolved);
        let schema1 = manifest.schema1.as_ref();
        let old = resolved.original;
        ImageReport {
            platform,
            indexes: Vec::new(),
            schema1: schema1.map(|schema1| schema1.digest),
            old_manifest: old.map(|document| document.digest),
            old_media_type: old.map(|document| document.media_type.clone()),
            old_image_id: manifest.image_id(),
            manifest: self.format.map(|_| document.digest),
            image_id,
            v2s2_of_input: (self.with_schema2)
                .then(|| schema2::of_input(manifest, &layers))
                .flatten(),
            v2s2_of_output: (self.with_schema2)
                .then(|| schema2::of_output(resolved))
                .flatten(),
            layers,
        }
    }

    fn index(&self, index: &crate::image::Index, children: &[Rc<Written>]) -> Result<Written> {
        let mut images = Vec::new();
        let mut resolved = ResolvedIndex {
            original: &index.document,
            children: Vec::with_capacity(children.len()),
        };
        for ((original, node), written) in index.children.iter().zip(children) {
            images.extend(written.images.iter().cloned());
            let is_absent = matches!(node, crate::image::Node::Absent { .. });
            resolved.children.push(ResolvedChild {
                original,
                new: (!is_absent).then(|| written.plain_descriptor()),
                platform: written.descriptor.platform.as_ref(),
            });
        }
        let document = match self.format {
            Some(ManifestFormat::Oci) => oci::write::index(&resolved)?,
            Some(ManifestFormat::V2s2) => v2s2::write::list(&resolved),
            Some(ManifestFormat::V2s1) | None => return Err(no_index()),
        };
        (self.put)(&document)?;
        for image in &mut images {
            let this = IndexReport {
                old: index.document.digest,
                new: Some(document.digest),
            };
            image.indexes.insert(0, this);
        }
        Ok(Written {
            descriptor: document.descriptor(),
            images,
        })
    }
}

fn no_index() -> Error {
    Error::Request(RequestError::NotInFormat {
        what: "an index".to_owned(),
        format: "an output of single images",
    })
}

impl Written {
    fn of(descriptor: Descriptor) -> Written {
        Written {
            descriptor,
            images: Vec::new(),
        }
    }

    /// Media type, digest and size.
    fn plain_descriptor(&self) -> Descriptor {
        let own = &self.descriptor;
        Descriptor::new(own.media_type.clone(), own.digest, own.size)
    }
}

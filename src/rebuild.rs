//! Manifests and indexes after their layers are done: kept byte for byte where nothing in them changes, edited in place
//! where something does, made anew where the input has none.

mod edit;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::digest::DiffId;
use crate::digest::Digest;
use crate::error::Error;
use crate::error::Result;
use crate::image::Config;
use crate::image::Index;
use crate::image::Layer;
use crate::image::Manifest;
use crate::image::Node;
use crate::layer::Outcome;
use crate::limits;

use crate::formats::docker::config_of_v1;
use crate::image::Descriptor;
use crate::image::Document;
use crate::image::Platform;
use crate::image::REFERENCE_DIGEST;
use crate::image::media_type;
use crate::output::Output;
use crate::output::to_bytes;
use crate::plan::Plan;
use crate::report::ImageReport;
use crate::report::IndexReport;
use crate::report::LayerReport;
use crate::schema2;
use edit::{RebuiltLayer, compose, edit, set_descriptor};

/// Builds the documents of the output from the outcomes of the layers.
pub(crate) struct Rebuild<'a> {
    plan: &'a Plan,
    outcomes: &'a [Outcome],
    output: &'a Output,
    /// By the digest in the input.
    nodes: HashMap<Digest, &'a Node>,
    built: HashMap<Digest, Built>,
}

/// A rebuilt manifest or index.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    /// Of an image; `None` for indexes and artifacts.
    pub platform: Option<Platform>,
    /// All images in it.
    pub images: Vec<ImageReport>,
}

impl Built {
    fn new(document: &Document, platform: Option<Platform>, images: Vec<ImageReport>) -> Built {
        Built {
            media_type: document.media_type.clone(),
            digest: document.digest,
            size: document.bytes.len() as u64,
            platform,
            images,
        }
    }

    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest, self.size)
    }
}

impl<'a> Rebuild<'a> {
    pub fn new(
        plan: &'a Plan,
        outcomes: &'a [Outcome],
        output: &'a Output,
        nodes: impl Iterator<Item = &'a Node>,
    ) -> Rebuild<'a> {
        let mut by_digest = HashMap::new();
        for node in nodes {
            node.walk(&mut |node| {
                if let Some(digest) = node.digest() {
                    by_digest.insert(digest, node);
                }
            });
        }
        Rebuild {
            plan,
            outcomes,
            output,
            nodes: by_digest,
            built: HashMap::new(),
        }
    }

    /// Builds a node and what it depends on.
    pub fn node(&mut self, node: &'a Node) -> Result<Built> {
        self.build(node, 0)
    }

    /// `depth` counts what led here: indexes, and subjects of manifests.
    fn build(&mut self, node: &'a Node, depth: usize) -> Result<Built> {
        if let Some(built) = node.digest().and_then(|digest| self.built.get(&digest)) {
            return Ok(built.clone());
        }
        limits::at_most(
            "the number of manifests in a chain of subjects",
            depth,
            limits::SUBJECT_DEPTH,
        )?;
        let built = match node {
            Node::Manifest(manifest) => self.manifest(manifest, depth)?,
            Node::Index(index) => self.index(index, depth)?,
            Node::Blob(blob) => Built {
                media_type: blob.descriptor.media_type.clone(),
                digest: blob.descriptor.digest,
                size: blob.descriptor.size,
                platform: None,
                images: Vec::new(),
            },
            Node::Absent { missing, .. } => {
                return Err(Error::Missing {
                    name: missing.clone(),
                });
            }
        };
        if let Some(digest) = node.digest() {
            self.built.insert(digest, built.clone());
        }
        Ok(built)
    }

    fn manifest(&mut self, manifest: &'a Manifest, depth: usize) -> Result<Built> {
        let subject = match manifest.subject.and_then(|digest| self.nodes.get(&digest)) {
            Some(&node) => Some(self.build(node, depth + 1)?),
            None => None,
        };
        let layers: Vec<RebuiltLayer> = manifest
            .layers
            .iter()
            .map(|layer| self.layer(layer))
            .collect::<Result<_>>()?;
        let (config, platform) = self.config(manifest, &layers)?;
        let document = match &manifest.document {
            Some(document) => edit(document, manifest, &config, &layers, subject.as_ref())?,
            None => compose(&config, &layers)?,
        };
        self.output.put(&document)?;
        let mut images = Vec::new();
        if !matches!(manifest.config, Config::Other(_)) {
            let layers: Vec<LayerReport> = layers.into_iter().map(|layer| layer.report).collect();
            images.push(ImageReport {
                platform: platform.clone(),
                indexes: Vec::new(),
                schema1: manifest
                    .known_as
                    .schema1
                    .as_ref()
                    .map(|schema1| schema1.digest),
                old_manifest: manifest.document.as_ref().map(|document| document.digest),
                old_media_type: manifest
                    .document
                    .as_ref()
                    .map(|document| document.media_type.clone()),
                old_image_id: manifest.image_id(),
                manifest: document.digest,
                image_id: config.digest,
                v2s2_of_input: schema2::of_input(manifest, &layers),
                v2s2_of_output: schema2::of_oci_manifest(&document.bytes),
                layers,
            });
        }
        Ok(Built::new(&document, platform, images))
    }

    fn layer(&self, layer: &Layer) -> Result<RebuiltLayer> {
        let outcome = |job: Option<usize>| {
            let outcome = job.and_then(|job| self.outcomes.get(job));
            outcome.ok_or(Error::Interrupted)
        };
        match layer {
            Layer::Tar(tar) => {
                let outcome = outcome(self.plan.layer(tar))?;
                let media_type =
                    media_type::layer(tar.foreign, outcome.codec).ok_or_else(|| {
                        Error::Unsupported {
                            what: format!("a layer kept in {}", outcome.codec),
                        }
                    })?;
                let old = tar.descriptor.as_ref();
                Ok(RebuiltLayer {
                    descriptor: Descriptor::new(media_type, outcome.digest, outcome.size),
                    is_new: old.is_none_or(|old| old.digest != outcome.digest),
                    report: LayerReport {
                        old_digest: old.map(|old| old.digest).or(tar.digest),
                        old_size: tar.content.size(),
                        digest: Some(outcome.digest),
                        size: outcome.size,
                        diff_id: tar.diff_id.or(outcome.diff_id),
                        codec: Some(outcome.codec),
                    },
                    diff_id: outcome.diff_id,
                    urls: None,
                })
            }
            Layer::Other(blob) => {
                let outcome = outcome(self.plan.blob(&blob.descriptor.digest))?;
                let mut descriptor = blob.descriptor.clone();
                descriptor.media_type = media_type::to_oci(&descriptor.media_type);
                Ok(RebuiltLayer {
                    report: LayerReport {
                        old_digest: Some(outcome.source_digest),
                        old_size: outcome.size,
                        digest: Some(outcome.digest),
                        size: outcome.size,
                        diff_id: None,
                        codec: None,
                    },
                    descriptor,
                    is_new: false,
                    diff_id: None,
                    urls: None,
                })
            }
            Layer::Absent {
                descriptor: None, ..
            } => Err(Error::NoRootfs),
            Layer::Absent {
                descriptor: Some(descriptor),
                diff_id,
            } => {
                let mut new = descriptor.clone();
                new.media_type = media_type::to_oci(&descriptor.media_type);
                Ok(RebuiltLayer {
                    report: LayerReport {
                        old_digest: Some(descriptor.digest),
                        old_size: descriptor.size,
                        digest: None,
                        size: descriptor.size,
                        diff_id: *diff_id,
                        codec: None,
                    },
                    urls: descriptor.urls.clone(),
                    descriptor: new,
                    is_new: false,
                    diff_id: *diff_id,
                })
            }
        }
    }

    /// The config's descriptor, and the platform that it names.
    fn config(
        &self,
        manifest: &Manifest,
        layers: &[RebuiltLayer],
    ) -> Result<(Descriptor, Option<Platform>)> {
        let document = match &manifest.config {
            Config::Other(blob) => {
                let mut descriptor = blob.descriptor.clone();
                descriptor.media_type = media_type::to_oci(&descriptor.media_type);
                return Ok((descriptor, None));
            }
            Config::Unreadable => return Err(Error::NoRootfs),
            Config::Image(config) => Document {
                media_type: media_type::CONFIG.to_owned(),
                ..config.document.clone()
            },
            Config::V1 { metadata, .. } => {
                let diff_ids = layers.iter().map(|layer| layer.diff_id);
                // Every layer of such an image was decoded.
                let diff_ids: Option<Vec<DiffId>> = diff_ids.collect();
                let config = config_of_v1(metadata, &diff_ids.ok_or(Error::NoRootfs)?)?;
                Document::new(media_type::CONFIG, config)
            }
        };
        self.output.put(&document)?;
        Ok((document.descriptor(), manifest.platform().cloned()))
    }

    fn index(&mut self, index: &'a Index, depth: usize) -> Result<Built> {
        let mut renamed: HashMap<String, Digest> = HashMap::new();
        let mut children = Vec::with_capacity(index.children.len());
        let mut images = Vec::new();
        for (descriptor, node) in &index.children {
            let built = self.build(node, depth + 1)?;
            renamed.insert(descriptor.digest.to_string(), built.digest);
            images.extend(built.images.iter().cloned());
            children.push((descriptor, built));
        }
        let name = format!("index {}", index.document.digest);
        let original: Value = crate::formats::parse(&name, &index.document.bytes)?;
        let mut edited = original.clone();
        let malformed = || Error::document(&name, "it lacks manifests");
        let fields = edited.as_object_mut().ok_or_else(malformed)?;
        let media_type = media_type::to_oci(&index.document.media_type);
        if fields.contains_key("mediaType") || media_type != index.document.media_type {
            fields.insert("mediaType".to_owned(), json!(media_type));
        }
        let Some(Value::Array(old)) = fields.get("manifests") else {
            return Err(malformed());
        };
        let mut new = Vec::with_capacity(children.len());
        for (descriptor, built) in children {
            let same = |value: &&Value| {
                value.get("digest").and_then(Value::as_str) == Some(&descriptor.digest.to_string())
            };
            // Descriptors of one digest differ at most in what is said of them, which the position tells apart.
            let mut value = old.iter().find(same).cloned().ok_or_else(malformed)?;
            let fields = value.as_object_mut().ok_or_else(malformed)?;
            set_descriptor(fields, &built.descriptor());
            if let Some(about) = fields
                .get_mut("annotations")
                .and_then(|annotations| annotations.get_mut(REFERENCE_DIGEST))
                && let Some(digest) = about.as_str().and_then(|about| renamed.get(about))
            {
                *about = json!(digest.to_string());
            }
            new.push(value);
        }
        fields.insert("manifests".to_owned(), Value::Array(new));
        let document = if edited == original {
            index.document.clone()
        } else {
            Document::new(media_type, to_bytes(&edited)?)
        };
        self.output.put(&document)?;
        for image in &mut images {
            let this = IndexReport {
                old: index.document.digest,
                new: Some(document.digest),
            };
            image.indexes.insert(0, this);
        }
        Ok(Built::new(&document, None, images))
    }
}

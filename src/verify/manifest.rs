//! Image manifests: config, layers and subject, and the blobs that they name.

use serde_json::Value;

use super::config::{self, ConfigFacts};
use super::findings::{Findings, Found, Image, LayerUse};
use super::json::{field, text};
use super::shape::{self, Link};
use super::tree::{Presence, Tree};
use crate::digest::DiffId;
use crate::findings::Code;
use crate::findings::{Finding, Place};
use crate::limits;
use crate::source::Content;

use crate::image::media_type;
use crate::image::media_type::LayerKind;

/// Whether a blob may be somewhere else than here. Engines fetch nothing but file system layers from `urls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    No,
    IfThereAreUrls,
}

impl<'a> Tree<'a> {
    pub fn subject(&mut self, value: &Value, place: &Place, depth: usize) {
        let Some(subject) = field(value, "subject") else {
            return;
        };
        let Some(link) = shape::link(self.findings, subject, "subject", place) else {
            return;
        };
        if self.seen.len() > limits::IMAGES || depth >= limits::SUBJECT_DEPTH {
            let message = "subjects are nested too deep";
            return self.findings.problem(Code::Limit, place, message);
        }
        let child = place.below(&format!("subject {}", link.digest.short()));
        if let Presence::Absent(_) = self.node(&link, &child, depth + 1) {
            let message = format!("the subject {} is not here", link.digest);
            self.findings.problem(Code::SubjectMissing, place, message);
        }
    }

    pub fn manifest(
        &mut self,
        value: &Value,
        link: Option<&Link>,
        place: &Place,
        depth: usize,
    ) -> Presence {
        self.subject(value, place, depth);
        let config = if let Some(config) = field(value, "config") {
            shape::link(self.findings, config, "config", place)
        } else {
            let message = "config is missing";
            self.findings.problem(Code::DocumentField, place, message);
            None
        };
        let layers = self.links(value, "layers", place);
        let listed = value.get("layers").and_then(Value::as_array);
        if listed.is_some_and(Vec::is_empty) {
            self.findings
                .problem(Code::LayersEmpty, place, "it has no layers");
        }
        if !self.findings.charge_layers(layers.len(), place) {
            return Presence::Here(Vec::new());
        }
        let own_type = text(value, "artifactType").is_some_and(|text| !text.is_empty());
        if config
            .as_ref()
            .is_some_and(|config| config.media_type == media_type::EMPTY)
            && !own_type
        {
            let message = "its config is the empty one, so it must have an artifactType";
            self.findings.problem(Code::ArtifactType, place, message);
        }
        let attestation = crate::image::is_attestation(
            link.is_some_and(Link::is_about_another),
            layers.iter().map(|layer| layer.media_type.as_str()),
        );
        let is_image =
            |config: &Link| media_type::is_image_config(&config.media_type) && !attestation;
        let Some(config) = config.filter(is_image) else {
            self.artifact(value, &layers, place);
            return Presence::Here(Vec::new());
        };
        // An index may name what was left out; index.json names what is meant to be here.
        if depth > 0
            && let Some(problems) = self.all_absent(&layers, place)
        {
            return Presence::Absent(problems);
        }
        let image = self.image(&config, &layers, listed.map_or(0, Vec::len), place);
        self.findings.images.push(image);
        Presence::Here(vec![self.findings.images.len() - 1])
    }

    /// What is no image: its blobs are checked by their digests alone.
    fn artifact(&mut self, value: &Value, layers: &[Link], place: &Place) {
        let mut quiet = Findings::default();
        let config = value
            .get("config")
            .and_then(|config| shape::link(&mut quiet, config, "", place));
        for link in config.iter().chain(layers) {
            if let Some((content, place)) = self.content(link, place, Elsewhere::No) {
                self.findings.blob(content, Some(link.digest), &place);
            }
        }
    }

    /// The problems of a manifest none of whose layers is here, though at least one should be.
    fn all_absent(&self, layers: &[Link], place: &Place) -> Option<Vec<Finding>> {
        let of = layers.len();
        let mut problems = Vec::new();
        for (position, link) in layers.iter().enumerate() {
            let name = self.places.blob(&link.digest);
            if !matches!(self.files.find(&name), Ok(None)) {
                return None;
            }
            if !link.urls {
                let place = place.at_layer(position, of).in_file(name);
                problems.push(Finding::new(Code::MissingBlob, &place, "it is missing"));
            }
        }
        (!problems.is_empty()).then_some(problems)
    }

    fn image(&mut self, config: &Link, layers: &[Link], listed: usize, place: &Place) -> Image {
        let facts = self.config(config, place);
        let diff_ids = facts.as_ref().and_then(|facts| facts.diff_ids.as_deref());
        let is_tar = |link: &Link| media_type::layer_kind(&link.media_type) != LayerKind::Other;
        let all_tar = layers.iter().all(is_tar);
        let same_count = diff_ids.is_some_and(|diff_ids| diff_ids.len() == listed);
        if let (Some(diff_ids), false, true) = (diff_ids, same_count, all_tar) {
            let what = "the number of layers";
            self.findings.add(Finding::mismatch(
                Code::LayerCount,
                place,
                what,
                &diff_ids.len(),
                &listed,
            ));
        }
        // Where a descriptor could not be read, nothing says which diff_id is whose.
        let paired = same_count && layers.len() == listed;
        let uses = layers.iter().enumerate().map(|(position, link)| {
            let diff_id = diff_ids.and_then(|ids| ids.get(position).copied().flatten());
            let place = place.at_layer(position, layers.len());
            self.layer(link, diff_id.filter(|_| paired), &place)
        });
        let layers = uses.collect();
        Image {
            place: place.clone(),
            id: Some(config.digest),
            platform: facts.map(|facts| facts.platform),
            layers,
        }
    }

    fn config(&mut self, link: &Link, place: &Place) -> Option<ConfigFacts> {
        let (content, place) = self.content(link, place, Elsewhere::No)?;
        let document = self
            .findings
            .document(content, Some(&link.digest), &place)?;
        Some(config::check(self.findings, &document.value, &place))
    }

    fn layer(&mut self, link: &Link, diff_id: Option<DiffId>, place: &Place) -> LayerUse {
        let mut found = LayerUse {
            place: place.in_file(self.places.blob(&link.digest)),
            digest: Some(link.digest),
            diff_id,
            media_type: Some(link.media_type.clone()),
            blob: None,
        };
        let kind = media_type::layer_kind(&link.media_type);
        let elsewhere = match kind {
            LayerKind::Other => Elsewhere::No,
            LayerKind::Layer | LayerKind::Foreign => Elsewhere::IfThereAreUrls,
        };
        if let Some((content, place)) = self.content(link, place, elsewhere) {
            found.blob = Some(if kind == LayerKind::Other {
                let message = format!("its media type is {}", link.media_type);
                self.findings
                    .problem(Code::LayerUnknownMediaType, &place, message);
                self.findings.blob(content, Some(link.digest), &place)
            } else {
                self.findings
                    .layer(content, Some(link.digest), diff_id, &place)
            });
        }
        found
    }

    /// The content of a blob that must be here, and its place.
    fn content(
        &mut self,
        link: &Link,
        place: &Place,
        elsewhere: Elsewhere,
    ) -> Option<(&'a Content, Place)> {
        let name = self.places.blob(&link.digest);
        let place = place.in_file(&name);
        match self.findings.find(self.files, &name, &place) {
            Found::Here(content) => {
                self.size(link, content, &place);
                Some((content, place))
            }
            Found::Absent => {
                if link.urls && elsewhere == Elsewhere::IfThereAreUrls {
                    let message = "the layer is not here, but may be had from its urls";
                    self.findings
                        .problem(Code::ForeignLayerAbsent, &place, message);
                } else {
                    self.findings
                        .problem(Code::MissingBlob, &place, "it is missing");
                }
                None
            }
            Found::Broken => None,
        }
    }

    pub fn size(&mut self, link: &Link, content: &Content, place: &Place) {
        if let Some(expected) = link.size
            && expected != content.size()
        {
            let problem = Finding::mismatch(
                Code::BlobSize,
                place,
                "the size",
                &expected,
                &content.size(),
            );
            // Two descriptors of one blob say it twice.
            if !self.findings.problems.contains(&problem) {
                self.findings.add(problem);
            }
        }
    }
}

//! The tree of indexes and manifests below a descriptor, read so that one damaged branch does not hide the others.

use std::collections::HashMap;

use serde_json::Value;

use super::findings::{Findings, Found};
use super::json::field;
use super::shape::{self, Link};
use crate::digest::Digest;
use crate::findings::Code;
use crate::findings::{Finding, Place};
use crate::formats::Places;
use crate::formats::keys;
use crate::formats::own_media_type;
use crate::image::REFERENCE_DIGEST;
use crate::image::media_type;
use crate::image::media_type::Kind;
use crate::limits;
use crate::source::Files;

/// Reads manifests and indexes by their descriptors.
pub(super) struct Tree<'a> {
    pub findings: &'a mut Findings,
    pub files: &'a Files,
    pub places: &'a dyn Places,
    /// What has been read already, with the numbers of its images. An attestation is read otherwise than an image.
    pub(super) seen: HashMap<(Digest, bool), Vec<usize>>,
    /// What descriptors say of what they list.
    media_types: HashMap<Digest, String>,
}

/// Whether what a descriptor points to is in the input.
pub(super) enum Presence {
    /// With the numbers of the images in it.
    Here(Vec<usize>),
    /// It, or all of its layers, are missing. Whether these are problems depends on what is beside it.
    Absent(Vec<Finding>),
}

impl<'a> Tree<'a> {
    pub fn new(findings: &'a mut Findings, files: &'a Files, places: &'a dyn Places) -> Tree<'a> {
        Tree {
            findings,
            files,
            places,
            seen: HashMap::new(),
            media_types: HashMap::new(),
        }
    }

    /// Reads what a descriptor points to. `place` is the image, `depth` the number of indexes above it.
    pub fn node(&mut self, link: &Link, place: &Place, depth: usize) -> Presence {
        let name = self.places.document(&link.digest);
        let place = place.in_file(&name);
        let content = match self.findings.find(self.files, &name, &place) {
            Found::Here(content) => content,
            Found::Absent => {
                let message = "it is missing";
                return Presence::Absent(vec![Finding::new(Code::MissingBlob, &place, message)]);
            }
            Found::Broken => return Presence::Here(Vec::new()),
        };
        self.size(link, content, &place);
        let is_first = self.one_media_type(link, &place);
        let kind = media_type::kind(&link.media_type);
        if matches!(kind, Kind::Other | Kind::Schema1) && !link.media_type.is_empty() {
            if is_first && let Some(own) = own_media_type(content) {
                self.media_type_mismatch(&link.media_type, &own, &place);
            }
            self.findings.blob(content, Some(link.digest), &place);
            return Presence::Here(Vec::new());
        }
        let key = (link.digest, link.is_about_another());
        if let Some(images) = self.seen.get(&key) {
            return Presence::Here(images.clone());
        }
        // Before reading, since a damaged document may lead back to itself.
        self.seen.insert(key, Vec::new());
        if self.seen.len() > limits::IMAGES {
            let message = format!("there are more than {} manifests", limits::IMAGES);
            self.findings.problem(Code::Limit, &place, message);
            return Presence::Here(Vec::new());
        }
        let document = self.findings.document(content, Some(&link.digest), &place);
        let Some(document) = document else {
            return Presence::Here(Vec::new());
        };
        let presence = self.document(&document.value, Some(link), &place, depth);
        if let Presence::Here(images) = &presence {
            self.seen.insert(key, images.clone());
        }
        presence
    }

    /// Checks a manifest or index. `link` is what led to it, if anything did.
    pub fn document(
        &mut self,
        value: &Value,
        link: Option<&Link>,
        place: &Place,
        depth: usize,
    ) -> Presence {
        let given = link.map_or("", |link| link.media_type.as_str());
        match self.form(value, given, place) {
            Some(Kind::Index) => Presence::Here(self.index(value, place, depth)),
            Some(_) => self.manifest(value, link, place, depth),
            None => Presence::Here(Vec::new()),
        }
    }

    /// What manifests and indexes have in common. Which of the two it is, by the media type that led to it (if it is not
    /// empty), its own, or its fields; `None` when it is neither.
    pub fn form(&mut self, value: &Value, given: &str, place: &Place) -> Option<Kind> {
        if !value.is_object() {
            let message = "it is no object";
            self.findings.problem(Code::DocumentField, place, message);
            return None;
        }
        let has = |key| field(value, key).is_some();
        if has("manifests") && ["config", "layers", "fsLayers"].into_iter().any(has) {
            let message = "it is both an index and an image manifest, so readers disagree about it";
            self.findings
                .problem(Code::AmbiguousDocument, place, message);
        }
        if has("fsLayers") && ["config", "layers"].into_iter().any(has) {
            let message = "it is an image manifest of two formats, so readers disagree about it";
            self.findings
                .problem(Code::AmbiguousDocument, place, message);
        }
        if field(value, "artifactType").is_some_and(|own| {
            !own.as_str()
                .is_some_and(|own| own.is_empty() || shape::is_media_type(own))
        }) {
            let message = "artifactType is no media type";
            self.findings.problem(Code::DocumentField, place, message);
        }
        if value.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            let message = "schemaVersion is not 2";
            self.findings.problem(Code::SchemaVersion, place, message);
        }
        shape::keys(self.findings, value, keys::DOCUMENT, "the document", place);
        shape::annotations(self.findings, value, "the document", place);
        let by_fields = if value.get("manifests").is_some() {
            Kind::Index
        } else {
            Kind::Manifest
        };
        Some(self.kind(value, given, place).unwrap_or(by_fields))
    }

    /// Checks a document's own media type. What it is by its descriptor or else by itself.
    fn kind(&mut self, value: &Value, given: &str, place: &Place) -> Option<Kind> {
        match field(value, "mediaType") {
            None => {
                let message = "it has no mediaType";
                self.findings.problem(Code::MediaTypeAbsent, place, message);
            }
            Some(own) if given.is_empty() || own == given => {
                if let Some(kind) = known(own.as_str().unwrap_or_default()) {
                    return Some(kind);
                }
                let message = format!("its mediaType is {own}, which is no manifest's");
                self.findings
                    .problem(Code::MediaTypeMismatch, place, message);
            }
            Some(own) => {
                let own = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
                self.media_type_mismatch(given, &own, place);
            }
        }
        known(given)
    }

    fn media_type_mismatch(&mut self, given: &str, own: &str, place: &Place) {
        let what = "its mediaType";
        let problem = Finding::mismatch(Code::MediaTypeMismatch, place, what, &given, &own);
        self.findings.add(problem);
    }

    /// Whether the descriptors of one digest agree about what it is. Tells whether this is the first of them.
    fn one_media_type(&mut self, link: &Link, place: &Place) -> bool {
        let is_first = !self.media_types.contains_key(&link.digest);
        let known = self.media_types.entry(link.digest);
        let first = known.or_insert_with(|| link.media_type.clone());
        if *first != link.media_type {
            let said = &link.media_type;
            let problem = Finding {
                expected: Some(first.clone()),
                found: Some(said.clone()),
                ..Finding::new(
                    Code::MediaTypeMismatch,
                    place,
                    format!("one descriptor says that its mediaType is {first}, another {said}"),
                )
            };
            self.findings.add(problem);
        }
        is_first
    }

    fn index(&mut self, value: &Value, place: &Place, depth: usize) -> Vec<usize> {
        if depth >= limits::INDEX_DEPTH {
            let message = format!("indexes are nested deeper than {}", limits::INDEX_DEPTH);
            self.findings.problem(Code::Limit, place, message);
            return Vec::new();
        }
        self.subject(value, place, depth);
        let links = self.links(value, "manifests", place);
        self.attestations(&links, place);
        let mut images = Vec::new();
        let mut absent: Vec<(Place, Vec<Finding>)> = Vec::new();
        let mut present = false;
        for link in &links {
            let label = match &link.platform {
                Some(platform) => platform.to_string(),
                None => link.digest.to_string(),
            };
            let child = place.below(&label);
            match self.node(link, &child, depth + 1) {
                Presence::Here(found) => {
                    for &number in &found {
                        self.compare_platform(link, number, place);
                    }
                    images.extend(found);
                    present |= !link.is_about_another();
                }
                Presence::Absent(problems) => absent.push((child, problems)),
            }
        }
        for (child, problems) in absent {
            if present {
                let file = problems[0].place.file.clone();
                let child = Place { file, ..child };
                let message = "the index names a platform that is not here";
                self.findings.problem(Code::PlatformAbsent, &child, message);
            } else {
                self.findings.problems.extend(problems);
            }
        }
        images
    }

    /// The descriptors of a list, as far as they can be read.
    pub fn links(&mut self, value: &Value, key: &str, place: &Place) -> Vec<Link> {
        let Some(list) = value.get(key).and_then(Value::as_array) else {
            let message = format!("{key} is missing or no list");
            self.findings.problem(Code::DocumentField, place, message);
            return Vec::new();
        };
        let links = list.iter().enumerate();
        links
            .filter_map(|(number, value)| {
                shape::link(self.findings, value, &format!("{key}[{number}]"), place)
            })
            .collect()
    }

    /// An attestation names the manifest beside it that it is about.
    /// <https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/attestation-storage.md>
    pub fn attestations(&mut self, links: &[Link], place: &Place) {
        for link in links {
            let Some(about) = link.annotation(REFERENCE_DIGEST) else {
                continue;
            };
            if !links.iter().any(|other| other.digest.to_string() == about) {
                let message = format!(
                    "attestation {} is about {about}, which is not beside it",
                    link.digest
                );
                self.findings
                    .problem(Code::AttestationReference, place, message);
            }
        }
    }

    /// Compares the platform of a descriptor with that of the image's config.
    pub fn compare_platform(&mut self, link: &Link, image: usize, place: &Place) {
        let Some(image) = self.findings.images.get(image) else {
            return;
        };
        let (Some(said), Some(found)) = (&link.platform, &image.platform) else {
            return;
        };
        let variant =
            said.variant.is_none() || found.variant.is_none() || said.variant == found.variant;
        if said.os != found.os || said.architecture != found.architecture || !variant {
            let place = Place {
                file: place.file.clone(),
                ..image.place.clone()
            };
            let what = "the platform of the config";
            let problem = Finding::mismatch(Code::PlatformMismatch, &place, what, &said, &found);
            self.findings.add(problem);
        }
    }
}

fn known(media_type: &str) -> Option<Kind> {
    match media_type::kind(media_type) {
        kind @ (Kind::Manifest | Kind::Index) => Some(kind),
        Kind::Schema1 | Kind::Other => None,
    }
}

//! Which images of the inputs are converted, and under which names.

use std::convert::Infallible;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::findings::{Code, Finding, Place};
use crate::formats::Input;
use crate::image::Entry;
use crate::image::Index;
use crate::image::Node;
use crate::image::Platform;
use crate::image::REFERENCE_DIGEST;
use crate::image::Reference;
use crate::image::fully_qualified;
use crate::image::tagged_reference;

/// What `--image` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSelector {
    /// A name, as the input has it or fully qualified.
    Name(String),
    /// The image at this place, from 0, of each input.
    Position(usize),
    /// The digest of a manifest, index or config.
    Digest(Digest),
}

impl FromStr for ImageSelector {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<ImageSelector, Infallible> {
        if let Some(position) = text.strip_prefix('@').and_then(|text| text.parse().ok()) {
            return Ok(ImageSelector::Position(position));
        }
        Ok(match text.parse() {
            Ok(digest) => ImageSelector::Digest(digest),
            Err(_) => ImageSelector::Name(text.to_owned()),
        })
    }
}

impl std::fmt::Display for ImageSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ImageSelector::Name(name) => f.write_str(name),
            ImageSelector::Position(position) => write!(f, "@{position}"),
            ImageSelector::Digest(digest) => digest.fmt(f),
        }
    }
}

/// What is wanted of the inputs; empty lists want everything.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these images.
    pub images: Vec<ImageSelector>,
    /// Only these platforms.
    pub platforms: Vec<Platform>,
    /// The name for the one image selected.
    pub name: Option<String>,
    /// Leave out what an index names and the input has not.
    pub allow_missing: bool,
}

/// A selected entry, and which input it is from.
#[derive(Debug)]
pub(crate) struct Selected {
    pub input: usize,
    /// Its place among the entries of the input, from 0.
    pub position: usize,
    /// The index that it is, or is one image of.
    pub index: Option<Digest>,
    pub label: String,
    pub entry: Entry,
}

impl Selected {
    /// Where it is: its input and its label.
    pub fn place(&self, inputs: &[Input]) -> Place {
        Place::input(inputs[self.input].name.clone()).enclosing(&Place::image(self.label.clone()))
    }

    /// Says where an error of building it happened, unless it is not about the input.
    pub fn locate(&self, error: Error, inputs: &[Input]) -> Error {
        match error.fact() {
            Error::Io { .. } | Error::Interrupted => error,
            _ => error.at(self.place(inputs)),
        }
    }
}

impl Selection {
    /// The selected entries of all inputs, in their order.
    pub(crate) fn apply(
        &self,
        inputs: &[Input],
        warnings: &mut Vec<Finding>,
    ) -> Result<Vec<Selected>> {
        let selected = self.named(inputs)?;
        let mut kept = Vec::with_capacity(selected.len());
        let first = warnings.len();
        for mut one in selected {
            let input = &inputs[one.input].name;
            let before = warnings.len();
            let node = self.fitting(one.entry.node, warnings).map_err(|error| {
                error
                    .at(Place::image(one.label.clone()))
                    .at(Place::input(input.clone()))
            })?;
            for warning in &mut warnings[before..] {
                let image = Place::image(one.label.clone());
                *warning = warning.clone().at(&image).at(&Place::input(input.clone()));
            }
            if let Some(node) = node {
                one.entry.node = node;
                kept.push(one);
            }
        }
        if let (true, [first, others @ ..]) = (kept.is_empty(), &warnings[first..]) {
            return Err(Error::NothingLeft {
                first: first.to_string(),
                others: others.len(),
            });
        }
        if kept.is_empty() && !self.platforms.is_empty() {
            let wanted: Vec<String> = self.platforms.iter().map(ToString::to_string).collect();
            return Err(Error::NoSuchPlatform {
                wanted: wanted.join(" or "),
                available: platforms(inputs),
            });
        }
        self.rename(&mut kept)?;
        Ok(kept)
    }

    /// What `--image` selects of all inputs, whatever its platform, and whether all of it is there or not.
    pub(crate) fn named(&self, inputs: &[Input]) -> Result<Vec<Selected>> {
        let mut selected = Vec::new();
        for (number, input) in inputs.iter().enumerate() {
            for (position, entry) in input.entries.iter().enumerate() {
                let index = match &entry.node {
                    Node::Index(index) => Some(index.document.digest),
                    _ => None,
                };
                for entry in self.wanted(position, entry) {
                    selected.push(Selected {
                        input: number,
                        position,
                        index,
                        label: entry.label(position),
                        entry,
                    });
                }
            }
        }
        self.refuse_unmatched(inputs)?;
        Ok(selected)
    }

    /// The parts of an entry that `--image` selects: all of it, one of its names, or something inside its index.
    fn wanted(&self, position: usize, entry: &Entry) -> Vec<Entry> {
        if self.images.is_empty() {
            return vec![entry.clone()];
        }
        let mut references = Vec::new();
        let mut whole = false;
        let mut inner = Vec::new();
        for image in &self.images {
            match image {
                ImageSelector::Name(name) => {
                    let fits = entry
                        .references
                        .iter()
                        .filter(|reference| is_named(reference, name));
                    references.extend(fits.cloned());
                }
                ImageSelector::Position(wanted) => whole |= *wanted == position,
                ImageSelector::Digest(digest) => {
                    let found = find(&entry.node, digest);
                    if found.is_some_and(|node| node.digest() == entry.node.digest()) {
                        whole = true;
                    } else if let Some(node) = found {
                        inner.push(Entry {
                            references: vec![Reference::default()],
                            node: node.clone(),
                        });
                    }
                }
            }
        }
        if whole {
            references.clone_from(&entry.references);
        }
        if !references.is_empty() {
            references.dedup();
            inner.insert(
                0,
                Entry {
                    references,
                    node: entry.node.clone(),
                },
            );
        }
        inner
    }

    /// Each `--image` must select something.
    fn refuse_unmatched(&self, inputs: &[Input]) -> Result<()> {
        for image in &self.images {
            let one = Selection {
                images: vec![image.clone()],
                ..Selection::default()
            };
            let mut entries = inputs
                .iter()
                .flat_map(|input| input.entries.iter().enumerate());
            if !entries.any(|(position, entry)| !one.wanted(position, entry).is_empty()) {
                return Err(Error::NoSuchImage {
                    wanted: image.to_string(),
                    available: available(inputs),
                });
            }
        }
        Ok(())
    }

    /// The node without other platforms and without what is missing; `None` when nothing is left.
    fn fitting(&self, node: Node, warnings: &mut Vec<Finding>) -> Result<Option<Node>> {
        match node {
            Node::Manifest(manifest) => {
                let fits = manifest.platform().is_none_or(|own| {
                    self.platforms.is_empty() || self.platforms.iter().any(|p| own.fits(p))
                });
                Ok(fits.then_some(Node::Manifest(manifest)))
            }
            Node::Blob(blob) => Ok(Some(Node::Blob(blob))),
            Node::Absent {
                descriptor,
                missing,
            } => {
                if !self.allow_missing {
                    let error = Error::Absent { name: missing };
                    return Err(error);
                }
                let message = format!("left out {}: {missing} is missing", descriptor.digest);
                warnings.push(Finding::new(
                    Code::PlatformAbsent,
                    &Place::default(),
                    message,
                ));
                Ok(None)
            }
            Node::Index(index) => self.fitting_index(index, warnings),
        }
    }

    fn fitting_index(&self, index: Index, warnings: &mut Vec<Finding>) -> Result<Option<Node>> {
        let before = index.children.len();
        let mut dropped = Vec::new();
        let mut children = Vec::with_capacity(before);
        for (descriptor, child) in index.children {
            let other = |own: &Platform| {
                !is_unknown(own) && !self.platforms.iter().any(|wanted| own.fits(wanted))
            };
            let other_platform =
                !self.platforms.is_empty() && descriptor.platform.as_ref().is_some_and(other);
            // What is of another platform may be missing.
            let kept = if other_platform {
                None
            } else {
                let label = || {
                    let platform = descriptor.platform.as_ref();
                    platform.map_or_else(|| descriptor.digest.to_string(), ToString::to_string)
                };
                self.fitting(child, warnings).at(|| Place::image(label()))?
            };
            match kept {
                Some(child) => children.push((descriptor, child)),
                None => dropped.push(descriptor.digest),
            }
        }
        // An attestation goes with what it is about.
        children.retain(|(descriptor, _)| {
            let about = descriptor.annotation(REFERENCE_DIGEST);
            !about.is_some_and(|about| dropped.iter().any(|digest| digest.to_string() == about))
        });
        if children.len() < before && children.len() <= 1 {
            return Ok(children.pop().map(|(_, child)| child));
        }
        Ok(Some(Node::Index(Index {
            document: index.document,
            children,
        })))
    }

    fn rename(&self, selected: &mut [Selected]) -> Result<()> {
        let Some(name) = &self.name else {
            return Ok(());
        };
        let [one] = selected else {
            return Err(Error::NameForMany {
                count: selected.len(),
            });
        };
        let first = one.entry.references.first().cloned().unwrap_or_default();
        one.entry.references = vec![Reference {
            name: Some(name.clone()),
            containerd_name: tagged_reference(name).map(fully_qualified),
            ..first
        }];
        Ok(())
    }
}

/// `unknown/unknown` is what attestations have.
fn is_unknown(platform: &Platform) -> bool {
    platform.os == "unknown" && platform.architecture == "unknown"
}

fn is_named(reference: &Reference, name: &str) -> bool {
    let full = fully_qualified(name);
    reference.name.as_deref() == Some(name)
        || reference
            .containerd_name
            .as_deref()
            .is_some_and(|own| own == name || own == full)
}

fn find<'a>(node: &'a Node, digest: &Digest) -> Option<&'a Node> {
    let mut found = None;
    node.walk(&mut |node| {
        let image_id = match node {
            Node::Manifest(manifest) => manifest.image_id(),
            _ => None,
        };
        if found.is_none() && (node.digest() == Some(*digest) || image_id == Some(*digest)) {
            found = Some(node);
        }
    });
    found
}

fn available(inputs: &[Input]) -> String {
    let mut names = Vec::new();
    for input in inputs {
        for (position, entry) in input.entries.iter().enumerate() {
            let mut own = entry.references.iter().filter_map(Reference::display_name);
            match own.next() {
                Some(first) => {
                    names.push(first.to_owned());
                    names.extend(own.map(str::to_owned));
                }
                None => names.push(format!("@{position}")),
            }
        }
    }
    names.join(", ")
}

fn platforms(inputs: &[Input]) -> String {
    let mut platforms: Vec<String> = Vec::new();
    for entry in inputs.iter().flat_map(|input| &input.entries) {
        for manifest in entry.node.manifests() {
            platforms.extend(manifest.platform().map(ToString::to_string));
        }
    }
    platforms.sort();
    platforms.dedup();
    platforms.join(", ")
}

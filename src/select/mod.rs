//! Which images of the inputs are converted, and under which names.

mod assemble;
mod fit;
mod merge;
mod near;
mod parts;
mod prefix;
mod rename;
mod wanted;

use std::collections::HashSet;
use std::convert::Infallible;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::findings::{Finding, Place};
use crate::formats::Input;
use crate::image::{Entry, Node, Platform, Reference};

pub(crate) use fit::fit;
pub(crate) use merge::Part;
pub use parts::Missing;
use parts::Parts;
pub use rename::{Rename, RenameError};
use wanted::Wanted;

/// What `--image` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct Selection {
    /// Only these images.
    pub images: Vec<ImageSelector>,
    /// Only these platforms.
    pub platforms: Vec<Platform>,
    /// The name for the one image selected.
    pub name: Option<String>,
    /// Leading parts of names that are replaced.
    pub renames: Vec<Rename>,
    /// The name of the one multi-platform image that all selected images become.
    pub index: Option<String>,
    /// What to do about images that an index names and the input lacks.
    pub missing: Missing,
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
    /// Manifests and indexes of the input's entry that are not wanted: whatever is wrong with them does not matter.
    pub left_out: HashSet<Digest>,
    /// Input and position of entries that its index got images from.
    pub filled_from: Vec<(usize, usize)>,
    /// Set if it is a part of the image that all become.
    pub part: Option<Part>,
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
    /// The selected entries of all inputs, in their order, and those of which the input lacks everything.
    pub(crate) fn apply(
        &self,
        inputs: &[Input],
        warnings: &mut Vec<Finding>,
    ) -> Result<(Vec<Selected>, Vec<Selected>)> {
        let mut selected = self.named(inputs)?;
        assemble::assemble(&mut selected);
        let mut kept = Vec::with_capacity(selected.len());
        let mut missing = Vec::new();
        let first = warnings.len();
        for mut one in selected {
            let place = one.place(inputs);
            let mut parts = Parts::new(&self.platforms, self.missing);
            let node = parts.of(one.entry.node.clone());
            let node = node.map_err(|error| error.at(place.clone()))?;
            let warning = parts.warning(&place);
            one.left_out.extend(parts.left_out);
            if let Some(node) = node {
                one.entry.node = node;
                kept.push(one);
            } else if warning.is_some() {
                missing.push(one);
            }
            warnings.extend(warning);
        }
        if let (true, [first, others @ ..]) = (kept.is_empty(), &warnings[first..]) {
            return Err(Error::NothingLeft {
                first: first.to_string(),
                others: others.len(),
            });
        }
        if kept.is_empty() && !self.platforms.is_empty() {
            return Err(self.no_such_platform(inputs));
        }
        self.rename(&mut kept)?;
        rename::rename(&mut kept, &self.renames)?;
        if let Some(name) = &self.index {
            kept = merge::merge(kept, name, inputs)?;
        }
        Ok((kept, missing))
    }

    /// The selected parts of one input, whether all of them are there or not.
    pub(crate) fn shown(&self, input: &Input) -> Result<Vec<Selected>> {
        let inputs = std::slice::from_ref(input);
        let selected = self.named(inputs)?;
        if self.platforms.is_empty() {
            return Ok(selected);
        }
        let mut shown = Vec::with_capacity(selected.len());
        for mut one in selected {
            let mut parts = Parts::new(&self.platforms, Missing::Keep);
            if let Some(node) = parts.of(one.entry.node.clone())? {
                one.left_out.extend(parts.left_out);
                one.entry.node = node;
                shown.push(one);
            }
        }
        if shown.is_empty() {
            return Err(self.no_such_platform(inputs));
        }
        Ok(shown)
    }

    fn no_such_platform(&self, inputs: &[Input]) -> Error {
        let wanted: Vec<String> = self.platforms.iter().map(ToString::to_string).collect();
        Error::NoSuchPlatform {
            wanted: wanted.join(" or "),
            available: platforms(inputs),
        }
    }

    /// What `--image` selects of all inputs, whatever its platform, and whether all of it is there or not.
    pub(crate) fn named(&self, inputs: &[Input]) -> Result<Vec<Selected>> {
        let mut selected = Vec::new();
        let images = prefix::complete(&self.images, inputs)?;
        let mut wanted = Wanted::new(&images);
        for (number, input) in inputs.iter().enumerate() {
            for (position, whole) in input.remaining() {
                let index = match &whole.node {
                    Node::Index(index) => Some(index.document.digest),
                    _ => None,
                };
                for entry in wanted.of(position, whole) {
                    selected.push(Selected {
                        input: number,
                        position,
                        index,
                        label: entry.label(position),
                        left_out: not_in(&entry, &whole.node),
                        filled_from: Vec::new(),
                        part: None,
                        entry,
                    });
                }
            }
        }
        if let Some(image) = wanted.unmet() {
            let names = available(inputs);
            let wanted = image.to_string();
            let near = near::nearest(&wanted, names.iter().map(String::as_str));
            return Err(Error::NoSuchImage {
                near: near.map(str::to_owned),
                available: in_brief(&names),
                wanted,
            });
        }
        keep_distinct(&mut selected, inputs);
        Ok(selected)
    }

    fn rename(&self, selected: &mut [Selected]) -> Result<()> {
        let Some(name) = &self.name else {
            return Ok(());
        };
        let count = selected.len();
        let images = selected.iter().filter(|one| one.entry.node.has_image());
        let images = images.count();
        // What refers to an image, as a signature does, comes along under its own name, if it has one.
        let mut named = selected
            .iter_mut()
            .filter(|one| images == 0 || one.entry.node.has_image());
        let (Some(one), None) = (named.next(), named.next()) else {
            let count = if images == 0 { count } else { images };
            return Err(Error::NameForMany { count });
        };
        let first = one.entry.references.first().cloned().unwrap_or_default();
        let given = rename::given(name)?;
        one.entry.references = vec![Reference {
            name: given.name,
            containerd_name: given.containerd_name,
            repository: None,
            ..first
        }];
        Ok(())
    }
}

/// An image may be an entry of its own and in an index too; selected by its digest, it is one image.
fn keep_distinct(selected: &mut Vec<Selected>, inputs: &[Input]) {
    let is_entry = |one: &Selected| {
        let entry = &inputs[one.input].entries[one.position];
        entry.node.digest() == one.entry.node.digest()
    };
    let key = |one: &Selected| Some((one.input, one.entry.node.digest()?));
    let entries = selected.iter().filter(|one| is_entry(one));
    let mut seen: HashSet<(usize, Digest)> = entries.filter_map(key).collect();
    selected.retain(|one| is_entry(one) || key(one).is_none_or(|key| seen.insert(key)));
}

/// The digests of a node that are not those of an entry, which is some of it.
fn not_in(entry: &Entry, whole: &Node) -> HashSet<Digest> {
    let mut digests = HashSet::new();
    if entry.node.digest() == whole.digest() {
        return digests;
    }
    whole.walk(&mut |node| digests.extend(node.digest()));
    entry.node.walk(&mut |node| {
        if let Some(digest) = node.digest() {
            digests.remove(&digest);
        }
    });
    digests
}

fn available(inputs: &[Input]) -> Vec<String> {
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
    names
}

/// The most names that an error lists.
const MAX_LISTED: usize = 20;

fn in_brief(names: &[String]) -> String {
    let (listed, others) = names.split_at(names.len().min(MAX_LISTED));
    let listed = listed.join(", ");
    match others.len() {
        0 => listed,
        count => format!("{listed} and {count} more"),
    }
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

//! Which images of the inputs are converted, and under which names.

mod assemble;
mod copies;
mod each;
mod fit;
mod merge;
mod near;
mod parts;
mod platforms;
mod prefix;
mod rename;
mod wanted;

use std::collections::HashSet;
use std::convert::Infallible;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::{Error, RequestError, Result};
use crate::findings::{Finding, Place};
use crate::formats::Input;
use crate::image::{Entry, Node, Platform, Reference};

pub(crate) use fit::fit;
pub(crate) use merge::Part;
pub use parts::Missing;
use parts::Parts;
pub use rename::{Rename, RenameError};
use wanted::Wanted;

/// A value of `--image`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageSelector {
    /// A name, as the input has it or fully qualified.
    Name(String),
    /// The image at this position, from 0, of each input.
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

/// The selection and the names of images. An empty list selects everything.
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
    /// The name of one multi-platform image that is made of all selected images.
    pub index: Option<String>,
    /// What to do about images that an index lists and the input lacks.
    pub missing: Missing,
}

/// A selected entry with its input.
#[derive(Debug)]
pub(crate) struct Selected {
    pub input: usize,
    /// Its position among the entries of the input, from 0.
    pub position: usize,
    /// The index that it is, or is one image of.
    pub index: Option<Digest>,
    pub label: String,
    pub entry: Entry,
    /// Manifests and indexes of the entry that were not selected, whose problems do not matter.
    pub left_out: HashSet<Digest>,
    /// Input and position of entries that its index got images from.
    pub filled_from: Vec<(usize, usize)>,
    /// Set if it becomes a part of the merged image.
    pub part: Option<Part>,
}

impl Selected {
    /// The place in messages: the input and the label.
    pub fn place(&self, inputs: &[Input]) -> Place {
        Place::input(inputs[self.input].name.clone()).enclosing(&Place::image(self.label.clone()))
    }

    /// Adds the place to an error, unless it is not about the input.
    pub fn locate(&self, error: Error, inputs: &[Input]) -> Error {
        match error.fact() {
            Error::Io { .. } | Error::Interrupted => error,
            _ => error.at(self.place(inputs)),
        }
    }
}

impl Selection {
    /// The selected entries of all inputs in order, and the entries that are missing as a whole.
    pub(crate) fn apply(
        &self,
        inputs: &[Input],
        warnings: &mut Vec<Finding>,
    ) -> Result<(Vec<Selected>, Vec<Selected>)> {
        let mut selected = self.named(inputs)?;
        assemble::assemble(&mut selected);
        let mut kept = Vec::with_capacity(selected.len());
        let mut missing = Vec::new();
        let mut met = HashSet::new();
        let first = warnings.len();
        for mut one in selected {
            let place = one.place(inputs);
            let mut parts = Parts::new(&self.platforms, self.missing);
            let node = parts.of(one.entry.node.clone());
            let node = node.map_err(|error| error.at(place.clone()))?;
            let warning = parts.warning(&place);
            one.left_out.extend(parts.left_out);
            met.extend(parts.met);
            if let Some(node) = node {
                one.entry.node = node;
                kept.push(one);
            } else if warning.is_some() {
                missing.push(one);
            }
            warnings.extend(warning);
        }
        if let (true, [first, others @ ..]) = (kept.is_empty(), &warnings[first..]) {
            return Err(RequestError::NothingLeft {
                first: first.to_string(),
                others: others.len(),
            }
            .into());
        }
        self.refuse_unmet_platforms(&met, inputs)?;
        if self.name.is_some() {
            copies::merge_copies(&mut kept, inputs);
        }
        self.rename(&mut kept)?;
        rename::rename(&mut kept, &self.renames)?;
        if let Some(name) = &self.index {
            kept = merge::merge(kept, name, inputs)?;
        }
        Ok((kept, missing))
    }

    /// The selected parts of all inputs, including missing ones.
    pub(crate) fn shown(&self, inputs: &[Input]) -> Result<Vec<Selected>> {
        let selected = self.named(inputs)?;
        if self.platforms.is_empty() {
            return Ok(selected);
        }
        let mut shown = Vec::with_capacity(selected.len());
        let mut met = HashSet::new();
        for mut one in selected {
            let mut parts = Parts::new(&self.platforms, Missing::Keep);
            let node = parts.of(one.entry.node.clone())?;
            met.extend(parts.met);
            if let Some(node) = node {
                one.left_out.extend(parts.left_out);
                one.entry.node = node;
                shown.push(one);
            }
        }
        self.refuse_unmet_platforms(&met, inputs)?;
        Ok(shown)
    }

    /// The entries that `--image` selects in all inputs, of any platform, including missing ones.
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
            return Err(RequestError::NoSuchImage {
                near: near.map(str::to_owned),
                available: in_brief(&names),
                wanted,
            }
            .into());
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
        // A signature or another artifact that refers to the image keeps its own name, if it has one.
        let mut named = selected
            .iter_mut()
            .filter(|one| images == 0 || one.entry.node.has_image());
        let (Some(one), None) = (named.next(), named.next()) else {
            let count = if images == 0 { count } else { images };
            return Err(RequestError::NameForMany { count }.into());
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

/// Removes duplicates: an image may be an entry and also in an index, and is one image if its digest selects it.
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

/// The digests of a node that are not in the entry, which is a part of it.
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

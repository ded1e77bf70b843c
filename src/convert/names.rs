//! Names of more than one image.

use std::collections::{HashMap, HashSet};

use super::remaining::Failed;
use crate::digest::Digest;
use crate::error::{Error, RequestError, Result};
use crate::formats::{Format, Input};
use crate::image::Platform;
use crate::report::EntryReport;

/// An image with its names.
pub(super) struct Claim<'a> {
    /// The number of its input.
    pub input: usize,
    pub names: &'a [String],
    /// The input or inputs of the image.
    pub source: &'a str,
    /// The digest that identifies the image, if it is known.
    pub id: Option<Digest>,
    pub platforms: Vec<&'a Platform>,
}

/// The claims of entries; `origins` are the numbers of their inputs.
pub(super) fn claims<'a>(origins: &[usize], entries: &'a [EntryReport]) -> Vec<Claim<'a>> {
    let entries = origins.iter().zip(entries);
    let claim = |(&input, entry): (&usize, &'a EntryReport)| Claim {
        input,
        names: &entry.names,
        source: &entry.input,
        id: Some(entry.digest),
        platforms: entry
            .images
            .iter()
            .filter_map(|image| image.platform.as_ref())
            .collect(),
    };
    entries.map(claim).collect()
}

/// Refuses names of two images, unless both are in one layout, whose reader has warned about it. The first image has the name. An
/// input that is refused has no names, so all inputs to leave out are known at once.
pub(super) fn refuse_shared(inputs: &[Input], claims: &[Claim]) -> Result<(), Failed> {
    let mut seen: HashMap<&str, &Claim> = HashMap::new();
    let mut refused: HashSet<usize> = HashSet::new();
    let mut errors = Vec::new();
    for claim in claims {
        for name in claim.names {
            if refused.contains(&claim.input) {
                break;
            }
            let first = seen.entry(name).or_insert(claim);
            if refused.contains(&first.input) {
                *first = claim;
            }
            if let Some(error) = conflict(inputs, name, first, claim) {
                refused.insert(claim.input);
                errors.push((claim.input, error));
            }
        }
    }
    Failed::if_any(errors)
}

fn conflict(inputs: &[Input], name: &str, first: &Claim, second: &Claim) -> Option<Error> {
    let (one, other) = (first.id?, second.id?);
    let one_layout =
        first.input == second.input && inputs[second.input].format == Some(Format::OciLayout);
    if one == other || one_layout {
        return None;
    }
    let mut platforms = second.platforms.iter();
    let differ = !second.platforms.is_empty()
        && !first.platforms.is_empty()
        && !platforms.any(|platform| first.platforms.contains(platform));
    Some(Error::Request(RequestError::NameConflict {
        name: name.to_owned(),
        first: format!("{one} in {}", first.source),
        second: format!("{other} in {}", second.source),
        platforms_differ: differ,
    }))
}

//! Names of more than one image.

use std::collections::HashMap;

use super::remaining::Failed;
use crate::digest::Digest;
use crate::error::{Error, Result};
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

/// Refuses a name of two images, unless both are in one layout, whose reader has warned about it.
pub(super) fn refuse_shared(inputs: &[Input], claims: &[Claim]) -> Result<(), Failed> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (position, claim) in claims.iter().enumerate() {
        for name in claim.names {
            let first = &claims[*seen.entry(name).or_insert(position)];
            let allowed =
                first.input == claim.input && inputs[claim.input].format == Some(Format::OciLayout);
            if let (Some(one), Some(other)) = (first.id, claim.id)
                && one != other
                && !allowed
            {
                let mut platforms = claim.platforms.iter();
                let differ = !claim.platforms.is_empty()
                    && !first.platforms.is_empty()
                    && !platforms.any(|platform| first.platforms.contains(platform));
                let error = Error::NameConflict {
                    name: name.clone(),
                    first: format!("{one} in {}", first.source),
                    second: format!("{other} in {}", claim.source),
                    platforms_differ: differ,
                };
                return Err(Failed::of_inputs([(claim.input, error)]));
            }
        }
    }
    Ok(())
}

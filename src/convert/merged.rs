//! Merges all selected images into one multi-platform image.

use crate::error::Result;
use crate::formats::Input;
use crate::image::Reference;
use crate::report::EntryReport;
use crate::resolve::{Resolver, Written};
use crate::select::Selected;

pub(super) struct MergedImage<'a> {
    pub written: Written,
    /// Its name.
    pub reference: &'a Reference,
    pub report: EntryReport,
    /// Number of the first input with a part.
    pub input: usize,
}

/// Writes the index of the parts. `None` if there are none. The first part has its name.
pub(super) fn write<'a>(
    resolver: &mut Resolver,
    inputs: &[Input],
    selected: &'a [Selected],
) -> Result<Option<MergedImage<'a>>> {
    let parts = selected.iter().enumerate();
    let parts = parts.filter_map(|(number, one)| {
        let part = one.part.as_ref()?;
        Some((number, part.descriptor.as_ref()))
    });
    let mut first = selected.iter().filter(|one| one.part.is_some());
    let Some(reference) = first.find_map(|one| one.entry.references.first()) else {
        return Ok(None);
    };
    let written = resolver.merged(parts)?;
    let report = EntryReport {
        input: sources(inputs, selected),
        names: names(reference),
        digest: written.descriptor.digest,
        media_type: written.descriptor.media_type.clone(),
        size: written.descriptor.size,
        images: written.images.clone(),
    };
    Ok(Some(MergedImage {
        written,
        reference,
        report,
        input: first_input(selected).unwrap_or_default(),
    }))
}

fn names(reference: &Reference) -> Vec<String> {
    let name = reference.display_name().map(str::to_owned);
    name.into_iter().collect()
}

/// Number of the first input with a part.
pub(super) fn first_input(selected: &[Selected]) -> Option<usize> {
    let parts = selected.iter().filter(|one| one.part.is_some());
    parts.map(|one| one.input).min()
}

/// The inputs with parts, in the order of the command line.
pub(super) fn sources(inputs: &[Input], selected: &[Selected]) -> String {
    let parts = selected.iter().filter(|one| one.part.is_some());
    let mut numbers: Vec<usize> = parts.map(|one| one.input).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let names: Vec<&str> = numbers.iter().map(|&one| &*inputs[one].name).collect();
    names.join(", ")
}

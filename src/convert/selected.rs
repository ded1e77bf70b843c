//! The selected images of all inputs, and the findings about them.

use std::collections::{HashMap, HashSet};

use super::Options;
use super::completion::complete;
use super::remaining::Failed;
use crate::digest::Digest;
use crate::findings::{Code, Finding};
use crate::formats::{Input, UNLISTED, warnings_of};
use crate::gap::Sources;
use crate::image::{Node, Reference};
use crate::output::{OutputKind, Target, check_names};
use crate::plan::Plan;
use crate::select::{Missing, Selected, fit};

/// Selects images of the inputs, and returns them with the warnings about them.
///
/// # Errors
/// The first finding of each input that stops a conversion; the errors of the selection.
pub(super) fn select(
    inputs: &[Input],
    options: &Options,
    target: &Target,
    sources: &Sources,
) -> Result<(Vec<Selected>, Vec<Finding>), Failed> {
    let of_place = |error| Failed::in_their_places(inputs, [error]);
    let selection = &options.selection;
    // Findings about whole inputs come first: nothing can be selected from an archive that is cut short.
    findings(inputs, &[], selection.missing, sources)?;
    if selection.images.is_empty() {
        unlisted(inputs)?;
    }
    let mut warnings = Vec::new();
    let (selected, absent) = match selection.apply(inputs, &mut warnings) {
        Ok(selected) => selected,
        // An image that cannot be read is not missing. The findings say why it cannot be read.
        Err(error) => {
            let named = selection.named(inputs).map_err(of_place)?;
            findings(inputs, &named, selection.missing, sources)?;
            return Err(of_place(error));
        }
    };
    findings(inputs, &absent, selection.missing, sources)?;
    let selected = fit(
        selected,
        options.format,
        target.kind(),
        inputs,
        &mut warnings,
    );
    let mut selected = selected.map_err(of_place)?;
    let found = findings(inputs, &selected, selection.missing, sources)?;
    warnings.splice(..0, found);
    let may_lack = selection.missing == Missing::Keep && target.kind() == OutputKind::Layout;
    warnings.extend(complete(&mut selected, inputs, sources, may_lack)?);
    let references = selected.iter().flat_map(|one| &one.entry.references);
    check_names(references.filter_map(Reference::display_name))?;
    Ok((selected, warnings))
}

/// Fails for inputs with images that could not be listed, which matters if all images are wanted.
fn unlisted(inputs: &[Input]) -> Result<(), Failed> {
    let failed = |(number, input): (usize, &Input)| {
        let found = input.warnings(|entry, _| entry == UNLISTED);
        found.err().map(|error| (number, error))
    };
    Failed::if_any(inputs.iter().enumerate().filter_map(failed))
}

/// The warnings about the selected images of the inputs.
///
/// # Errors
/// The first finding of each input that stops a conversion.
fn findings(
    inputs: &[Input],
    selected: &[Selected],
    missing: Missing,
    sources: &Sources,
) -> Result<Vec<Finding>, Failed> {
    let mut wanted: HashMap<(usize, usize), Vec<&Selected>> = HashMap::new();
    for one in selected {
        let entries = one.filled_from.iter().copied();
        for key in entries.chain([(one.input, one.position)]) {
            wanted.entry(key).or_default().push(one);
        }
    }
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let is_selected = |entry: usize, manifest: Option<Digest>| {
            let selected = wanted.get(&(number, entry)).into_iter().flatten();
            let is_left_out =
                |one: &&Selected| manifest.is_some_and(|manifest| one.left_out.contains(&manifest));
            selected.copied().any(|one| !is_left_out(&one))
        };
        let absent = absent(input, missing);
        let about = input.about(is_selected);
        // The selection decides what happens to missing images, and warns of them.
        let found = warnings_of(about.filter(|(_, finding)| match finding.code {
            Code::PlatformAbsent | Code::BlobLeftOut => false,
            Code::MissingBlob => {
                let file = finding.place.file.as_deref();
                let is_filled =
                    |file: &str| finding.place.layer.is_some() && sources.has_file(file);
                file.is_none_or(|file| !absent.contains(file) && !is_filled(file))
            }
            _ => true,
        }));
        match found {
            Ok(found) => warnings.extend(found),
            Err(error) => errors.push((number, error)),
        }
    }
    Failed::if_any(errors).map(|()| warnings)
}

/// The files of missing manifests and indexes that an index lists. An image that index.json itself lists is not a platform that
/// nobody saved, so it counts only if missing images are kept.
fn absent(input: &Input, missing: Missing) -> HashSet<&str> {
    let mut absent = HashSet::new();
    for entry in &input.entries {
        if matches!(entry.node, Node::Absent { .. }) && missing != Missing::Keep {
            continue;
        }
        entry.node.walk(&mut |node| {
            if let Node::Absent { missing, .. } = node {
                absent.insert(missing.as_str());
            }
        });
    }
    absent
}

/// Plans the conversion of the selected images.
pub(super) fn plan<'a>(
    inputs: &[Input],
    selected: &'a [Selected],
    options: &Options,
    target: &Target,
) -> Result<Plan<'a>, Failed> {
    let compression = options.layer_compression(target);
    let plan = Plan::new(inputs, selected, compression, options.check);
    plan.map_err(|error| Failed::in_their_places(inputs, [error]))
}

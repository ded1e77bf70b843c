//! The documents of the output, and the report on each image.

use serde_json::Value;

use super::remaining::Failed;
use super::{completion, merged};
use crate::formats::Input;
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME, Reference};
use crate::layer::Outcome;
use crate::output::{Additions, InRegistry};
use crate::plan::Plan;
use crate::report::{EntryReport, ImageReport, IndexReport};
use crate::resolve::{Resolver, Written};
use crate::select::Selected;

/// The documents that were written, and the additions to the output.
pub(super) struct Documents {
    pub additions: Additions,
    pub entries: Vec<EntryReport>,
    /// The number of each entry's input.
    pub origins: Vec<usize>,
}

/// Writes the manifests and indexes of all selected images.
pub(super) fn write(
    mut resolver: Resolver,
    plan: &Plan,
    outcomes: &[Outcome],
    inputs: &[Input],
    selected: &[Selected],
) -> Result<Documents, Failed> {
    let mut additions = Additions::default();
    let mut entries = Vec::with_capacity(selected.len());
    let mut origins = Vec::with_capacity(selected.len());
    for (number, one) in selected.iter().enumerate() {
        let names = &one.entry.references;
        let written = resolver.named_root(number, names).map_err(|error| {
            let error = one.locate(error, inputs);
            Failed::in_their_places(inputs, [error])
        })?;
        if one.part.is_some() {
            continue;
        }
        for reference in names {
            add(&mut additions, &written, reference);
        }
        entries.push(entry_report(&inputs[one.input], one, &written));
        origins.push(one.input);
    }
    if let Some(merged) = merged::write(&mut resolver, inputs, selected)? {
        add(&mut additions, &merged.written, merged.reference);
        entries.push(merged.report);
        origins.push(merged.input);
    }
    completion::note_blobs(&mut additions, &mut resolver, plan, outcomes);
    Ok(Documents {
        additions,
        entries,
        origins,
    })
}

/// Adds an image under one of its names.
fn add(additions: &mut Additions, written: &Written, reference: &Reference) {
    if let Some((repository, tag)) = reference.in_registry() {
        additions.in_registry.push(InRegistry {
            digest: written.descriptor.digest,
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
        });
    }
    additions.descriptors.push(descriptor(written, reference));
}

/// The descriptor in index.json for one name of an image.
fn descriptor(written: &Written, reference: &Reference) -> Descriptor {
    let mut annotations = reference.annotations.clone();
    let name = reference.name.as_ref().and(reference.display_name());
    let names = [
        (REF_NAME, name),
        (CONTAINERD_NAME, reference.containerd_name.as_deref()),
    ];
    for (key, name) in names {
        if let Some(name) = name {
            annotations.insert(key.to_owned(), Value::String(name.to_owned()));
        }
    }
    Descriptor {
        artifact_type: reference.artifact_type.clone(),
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..written.descriptor.clone()
    }
}

fn entry_report(input: &Input, selected: &Selected, written: &Written) -> EntryReport {
    let names = selected.entry.references.iter();
    let mut images = written.images.clone();
    if let Some(old) = selected.index {
        // If only some images of an index are selected, the index is not in the output.
        let is_whole =
            |image: &ImageReport| image.indexes.first().is_some_and(|index| index.old == old);
        for image in images.iter_mut().filter(|image| !is_whole(image)) {
            image.indexes.insert(0, IndexReport { old, new: None });
        }
    }
    EntryReport {
        input: input.name.clone(),
        names: names
            .filter_map(|reference| reference.display_name().map(str::to_owned))
            .collect(),
        digest: written.descriptor.digest,
        media_type: written.descriptor.media_type.clone(),
        size: written.descriptor.size,
        images,
    }
}

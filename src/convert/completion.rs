//! Blobs that the inputs lack: they are taken from other inputs or left absent, or they are an error.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::Options;
use super::remaining::Failed;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::findings::{Code, Finding, Place};
use crate::formats::Input;
use crate::gap::{self, Lacking, Sources};
use crate::image::{Layer, Reference};
use crate::interrupt::Interrupt;
use crate::layer::{Job, Outcome};
use crate::output::{self, Additions, Existing, Target};
use crate::plan::Plan;
use crate::resolve::Resolver;
use crate::select::Selected;

/// Other inputs that can complete the inputs.
pub(super) struct Fillers {
    fill_from: Vec<Input>,
    /// The existing output, if it is added to.
    output: Option<ExistingOutput>,
}

struct ExistingOutput {
    input: Input,
    /// Whether its blobs stay in their places.
    is_folder: bool,
}

impl Fillers {
    /// Opens the inputs of `--fill-from`, and the existing output if an input lacks layers.
    pub fn open(
        inputs: &[Input],
        target: &Target,
        options: &Options,
        open: impl Fn(&PathBuf) -> Result<Input>,
    ) -> Result<Fillers> {
        let fill_from = options.fill_from.iter();
        let fill_from = fill_from.map(|path| gap::usable(open(path)?));
        let output = existing_output(inputs, target, options).and_then(|(path, is_folder)| {
            // Problems of the existing output are reported when it is added to.
            let input = open(path).ok()?;
            Some(ExistingOutput { input, is_folder })
        });
        Ok(Fillers {
            fill_from: fill_from.collect::<Result<_>>()?,
            output,
        })
    }

    /// The files of `--fill-from` that were read for the metadata.
    pub fn files_read(&self) -> impl Iterator<Item = &Path> {
        self.fill_from.iter().flat_map(Input::files_read)
    }

    /// Everything that can complete the inputs.
    pub fn sources<'a>(&'a self, inputs: &'a [Input]) -> Sources<'a> {
        if !inputs.iter().any(lacks_layers) {
            return Sources::default();
        }
        let (kept, copied) = match &self.output {
            Some(output) if output.is_folder => (Some(&output.input), None),
            Some(output) => (None, Some(&output.input)),
            None => (None, None),
        };
        let others = inputs.iter().chain(&self.fill_from).chain(copied);
        Sources::new(others, kept)
    }
}

/// Removes what killed runs have left in the existing output, if it completes the inputs: their blobs do not belong to it.
pub(super) fn remove_stale(
    inputs: &[Input],
    target: &Target,
    options: &Options,
    interrupt: &Interrupt,
) {
    if let Some((path, true)) = existing_output(inputs, target, options) {
        output::remove_stale_at(path, interrupt);
    }
}

/// The path of the existing output, and whether it is a folder, if an input lacks layers and the output is added to.
fn existing_output<'a>(
    inputs: &[Input],
    target: &'a Target,
    options: &Options,
) -> Option<(&'a PathBuf, bool)> {
    let (path, is_folder) = match (target, options.output.existing) {
        (Target::Folder(path), Existing::ByKind | Existing::Add) => (path, true),
        (Target::Tar(path), Existing::Add) => (path, false),
        _ => return None,
    };
    (path.exists() && inputs.iter().any(lacks_layers)).then_some((path, is_folder))
}

fn lacks_layers(input: &Input) -> bool {
    let manifests = input.entries.iter().flat_map(|one| one.node.manifests());
    let mut layers = manifests.flat_map(|manifest| &manifest.layers);
    layers.any(|layer| matches!(layer, Layer::Absent { .. }))
}

/// Completes the selected images. Returns warnings about blobs that stay absent.
///
/// # Errors
/// No input has a blob, and the output must not lack it.
pub(super) fn complete(
    selected: &mut Vec<Selected>,
    inputs: &[Input],
    sources: &Sources,
    may_lack: bool,
) -> Result<Vec<Finding>, Failed> {
    let listed = gap::listed(inputs);
    let mut lacking: BTreeMap<usize, BTreeMap<Digest, Lacking>> = BTreeMap::new();
    for one in selected.iter_mut() {
        let found = gap::fill(&mut one.entry.node, sources, &listed);
        if !found.is_empty() {
            lacking.entry(one.input).or_default().extend(found);
        }
    }
    if !may_lack && !lacking.is_empty() {
        refuse_different_builds(selected, inputs, &lacking)?;
        let errors = lacking.iter().map(|(&input, blobs)| {
            let error = Error::BlobsMissing {
                blobs: blobs.values().map(Lacking::describe).collect(),
            };
            (input, error.at(Place::input(&inputs[input].name)))
        });
        Failed::if_any(errors)?;
    }
    keep_distinct(selected, inputs);
    let mut known = HashSet::new();
    let mut warnings = Vec::new();
    for (input, mut blobs) in lacking {
        // All other volumes lack the blobs of a lost volume.
        blobs.retain(|digest, _| known.insert(*digest));
        if blobs.is_empty() {
            continue;
        }
        let place = Place::input(&inputs[input].name);
        let message = match blobs.len() {
            1 => "1 blob stays absent, as ocify-absent.json in the output says".to_owned(),
            count => format!("{count} blobs stay absent, as ocify-absent.json in the output says"),
        };
        warnings.push(Finding::new(Code::BlobLeftOut, &place, message));
    }
    Ok(warnings)
}

/// Volumes list the same images: each is converted once.
fn keep_distinct(selected: &mut Vec<Selected>, inputs: &[Input]) {
    type Key = (Digest, Vec<Reference>);
    let mut known: HashMap<Digest, Vec<Key>> = HashMap::new();
    selected.retain(|one| {
        let digest = one.entry.node.digest();
        let Some(digest) = digest.filter(|_| inputs[one.input].is_part()) else {
            return true;
        };
        let key = (digest, one.entry.references.clone());
        let known = known.entry(digest).or_default();
        let is_new = one.part.is_some() || !known.contains(&key);
        known.push(key);
        is_new
    });
}

/// Refuses parts of different outputs, which do not complete each other.
fn refuse_different_builds(
    selected: &[Selected],
    inputs: &[Input],
    lacking: &BTreeMap<usize, BTreeMap<Digest, Lacking>>,
) -> Result<(), Failed> {
    let mut names: HashMap<&str, &Selected> = HashMap::new();
    let parts = selected
        .iter()
        .filter(|one| lacking.contains_key(&one.input));
    for one in parts {
        let references = one.entry.references.iter();
        for name in references.filter_map(Reference::display_name) {
            let first = *names.entry(name).or_insert(one);
            let digests = [first, one].map(|one| one.entry.node.digest());
            if first.input != one.input && digests[0] != digests[1] {
                let error = Error::DifferentBuilds {
                    name: name.to_owned(),
                    first: inputs[first.input].name.clone(),
                    second: inputs[one.input].name.clone(),
                };
                return Failed::if_any([(one.input, error)]);
            }
        }
    }
    Ok(())
}

/// Passes to the output what it needs to know about blobs.
pub(super) fn note_blobs(
    additions: &mut Additions,
    resolver: &mut Resolver,
    plan: &Plan,
    outcomes: &[Outcome],
) {
    additions.absent = std::mem::take(&mut resolver.absent);
    additions.blobs = std::mem::take(&mut resolver.layers);
    additions.order = outcomes.iter().map(|outcome| outcome.digest).collect();
    let digests = |is_wanted: fn(&Job) -> bool| {
        let jobs = plan.jobs.iter().filter(move |job| is_wanted(job));
        jobs.filter_map(|job| job.digest).collect()
    };
    additions.required = digests(Job::is_required);
    additions.in_place = digests(Job::is_in_place);
}

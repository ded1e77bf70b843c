//! Dry runs: the result of a conversion as far as it follows from the metadata of the inputs.

use std::path::{Path, PathBuf};

use super::completion::Fillers;
use super::names::{self, Claim};
use super::remaining::{Failed, Remaining};
use super::stale::Digests;
use super::{Options, documents, merged, selected};
use crate::compression::Codec;
use crate::digest::{DiffId, Digest};
use crate::error::{Error, OutputError, Result};
use crate::findings::Finding;
use crate::formats::Input;
use crate::gap::{self, Have};
use crate::image::{Platform, Reference};
use crate::interrupt::Interrupt;
use crate::layer::{Action, Job, Known, Outcome};
use crate::output::Target;
use crate::plan::{Plan, PlannedLayer, PlannedManifest, PlannedNode};
use crate::report::Failure;
use crate::resolve::Resolver;
use crate::select::Selected;
use crate::source::Spool;

/// The result of [`dry_run`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DryRun {
    /// The images that would be converted, in the order of the inputs.
    pub entries: Vec<DryEntry>,
    /// The warnings.
    pub warnings: Vec<Finding>,
    /// The inputs that would fail, if the run continues without them.
    pub failed: Vec<Failure>,
}

/// An image, index or artifact with all its names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DryEntry {
    /// The input as the user named it.
    pub input: String,
    /// The names in the output.
    pub names: Vec<String>,
    /// The image, or the images of an index. Empty for artifacts.
    pub images: Vec<DryImage>,
}

/// An image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DryImage {
    /// From the config.
    pub platform: Option<Platform>,
    /// The digest of the config in the input. `None` if a config would be created.
    pub image_id: Option<Digest>,
    /// The base first.
    pub layers: Vec<DryLayer>,
}

/// A layer in the input.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DryLayer {
    /// Digest of the blob in the input, if it is known.
    pub digest: Option<Digest>,
    /// Digest of the uncompressed layer, if it is known.
    pub diff_id: Option<DiffId>,
    /// Size of the blob in the input, in bytes.
    pub size: u64,
    /// Of the blob in the input.
    pub codec: Codec,
    /// The codec that it would be encoded with. `None` if its bytes would be kept.
    pub encoded: Option<Codec>,
    /// Whether it would be left out, because another side has it.
    pub left_out: bool,
}

/// Returns what a conversion would do. Nothing is written, except an unlinked temporary file for compressed inputs and pipes.
/// Layers are not read.
///
/// # Errors
/// The errors of [`crate::convert()`] that do not depend on the layers.
pub fn dry_run(
    inputs: &[PathBuf],
    target: &Target,
    options: &Options,
    interrupt: &Interrupt,
) -> Result<DryRun> {
    options.check(inputs, target)?;
    check_target(target)?;
    let spool = Spool::new(&std::env::temp_dir());
    let open = |path: &PathBuf| Input::open_by_way_of(&spool, path, &options.read, interrupt);
    let have = Have::open(&options.have, open)?;
    let remaining = Remaining::open(inputs, options.keep_going, open)?;
    let fillers = Fillers::open(remaining.inputs(), target, options, open)?;
    let planned = |inputs: &[Input]| plan(inputs, &fillers, &have, options, target);
    let (run, failed) = remaining.attempt(planned)?;
    Ok(DryRun {
        failed,
        ..run.unwrap_or_default()
    })
}

fn plan(
    inputs: &[Input],
    fillers: &Fillers,
    have: &Have,
    options: &Options,
    target: &Target,
) -> Result<DryRun, Failed> {
    let sources = fillers.sources(inputs);
    let (selected, mut warnings) = selected::select(inputs, options, target, &sources)?;
    let plan = selected::plan(inputs, &selected, options, target)?;
    warnings.extend(plan.warnings.iter().cloned());
    warnings.extend(digests(inputs, &selected, &plan, options, target)?);
    let known = have.claimed();
    let mut entries: Vec<DryEntry> = Vec::with_capacity(selected.len());
    let mut origins = Vec::with_capacity(selected.len());
    let mut merged: Option<DryEntry> = None;
    for (one, &root) in selected.iter().zip(&plan.roots) {
        let mut entry = entry(inputs, one, &plan, &known, root);
        match &mut merged {
            None if one.part.is_some() => merged = Some(entry),
            Some(merged) if one.part.is_some() => {
                merged.names.append(&mut entry.names);
                merged.images.append(&mut entry.images);
            }
            _ => {
                entries.push(entry);
                origins.push(one.input);
            }
        }
    }
    if let Some(merged) = merged {
        origins.extend(merged::first_input(&selected));
        entries.push(DryEntry {
            input: merged::sources(inputs, &selected),
            ..merged
        });
    }
    let claims: Vec<Claim> = origins.iter().zip(&entries).map(claim).collect();
    names::refuse_shared(inputs, &claims)?;
    Ok(DryRun {
        entries,
        warnings,
        failed: Vec::new(),
    })
}

/// What is to be said of digests that change, as far as this is known before layers are read: a layer that is encoded again
/// with its own codec may turn out to be the same.
///
/// # Errors
/// Images have no place in the format of the output, or their digests would change and are to be kept.
fn digests(
    inputs: &[Input],
    selected: &[Selected],
    plan: &Plan,
    options: &Options,
    target: &Target,
) -> Result<Vec<Finding>, Failed> {
    let outcomes: Vec<Outcome> = plan.jobs.iter().map(Job::prospect).collect();
    let listed = gap::listed(inputs);
    let (kind, format) = (target.kind(), options.format);
    let resolver = Resolver::new(plan, &outcomes, &|_| Ok(()), kind, format, &listed);
    let documents = documents::write(resolver, plan, &outcomes, inputs, selected)?;
    let digests = Digests {
        keep: options.keep_digests,
        known: false,
    };
    digests.check(inputs, &documents.origins, &documents.entries)
}

fn entry(
    inputs: &[Input],
    selected: &Selected,
    plan: &Plan,
    known: &Known,
    root: usize,
) -> DryEntry {
    let references = selected.entry.references.iter();
    let mut images = Vec::new();
    collect(plan, known, root, &mut images);
    DryEntry {
        input: inputs[selected.input].name.clone(),
        names: references
            .filter_map(|reference| Reference::display_name(reference).map(str::to_owned))
            .collect(),
        images,
    }
}

/// Adds the images of a node of the plan.
fn collect(plan: &Plan, known: &Known, node: usize, images: &mut Vec<DryImage>) {
    match &plan.nodes[node] {
        PlannedNode::Manifest(planned) => images.extend(image(plan, known, planned)),
        PlannedNode::Index { children, .. } => {
            for &child in children {
                collect(plan, known, child, images);
            }
        }
        PlannedNode::Blob(_) | PlannedNode::Absent(_) => {}
    }
}

/// `None` for an artifact.
fn image(plan: &Plan, known: &Known, planned: &PlannedManifest) -> Option<DryImage> {
    let manifest = planned.manifest;
    if matches!(manifest.config, crate::image::Config::Other(_)) {
        return None;
    }
    let layers = planned.layers.iter().filter_map(|layer| match layer {
        PlannedLayer::Tar { job, .. } => Some(dry_layer(&plan.jobs[*job], known)),
        PlannedLayer::Other { .. } | PlannedLayer::Absent(..) => None,
    });
    Some(DryImage {
        platform: manifest.platform().cloned(),
        image_id: manifest.image_id(),
        layers: layers.collect(),
    })
}

fn dry_layer(job: &Job, known: &Known) -> DryLayer {
    DryLayer {
        digest: job.digest,
        diff_id: job.diff_id,
        size: job.content.size(),
        codec: job.codec,
        encoded: match job.action {
            Action::Encode(encoding) => Some(encoding.codec()),
            Action::Keep { .. } | Action::Check { .. } => None,
        },
        left_out: known.has(job),
    }
}

/// Images with the same name are distinguished by their image IDs.
fn claim<'a>((&input, entry): (&usize, &'a DryEntry)) -> Claim<'a> {
    let images = entry.images.iter();
    let id = match &*entry.images {
        [image] => image.image_id,
        _ => None,
    };
    Claim {
        input,
        names: &entry.names,
        source: &entry.input,
        id,
        platforms: images.filter_map(|image| image.platform.as_ref()).collect(),
    }
}

/// Refuses an output that obviously cannot be written.
fn check_target(target: &Target) -> Result<()> {
    let Some(path) = target.path() else {
        return Ok(());
    };
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    if let Some(parent) = parent {
        std::fs::metadata(parent).map_err(Error::io("open", parent))?;
    }
    match std::fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(metadata) if metadata.is_symlink() => Err(OutputError::IsLink {
            path: path.to_owned(),
        }
        .into()),
        Ok(metadata) => target.refuse_other(&metadata),
    }
}

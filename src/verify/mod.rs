//! Verifying: everything in an input is read again, and all that is wrong is reported, not only the first of it.
//!
//! The readers of [`crate::input`] stop at the first error, since nothing can be made of a damaged image. Here the same
//! documents are read as far as each goes: a problem is noted and the rest is read on.

mod compare;
mod config;
mod docker;
mod findings;
mod json;
mod layer;
mod layout;
mod manifest;
mod members;
mod shape;
mod tap;
mod tree;
mod v1;

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use crate::convert::thread_pool;
use crate::digest::Digest;
use crate::error::Error;
use crate::error::Result;
use crate::findings::{Code, Finding, Place, Severity};
use crate::formats as input;
use crate::formats::Beside;
use crate::formats::Detected;
use crate::formats::Format;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::source::Files;
use crate::source::Opened;
use findings::{Findings, Found};
use tree::{Presence, Tree};

/// How an input is verified.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// How many threads; `None` for as many as there are cores.
    pub threads: Option<usize>,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// The input as it was named.
    pub input: String,
    /// `None` when it is nothing that is known.
    pub format: Option<Format>,
    /// How many images are in it, each counted once whatever its number of names.
    pub images: usize,
    /// How many distinct documents and blobs were read.
    pub blobs: usize,
    /// The errors first, then warnings, then notes.
    pub problems: Vec<Finding>,
}

impl Verification {
    /// How many problems there are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let problems = self.problems.iter();
        problems
            .filter(|problem| problem.severity == severity)
            .count()
    }

    /// Whether there are no errors.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.count(Severity::Error) == 0
    }
}

/// Reads all of the input at `path` (`-` is standard input) and reports every problem.
///
/// # Errors
/// Only what keeps it from looking: a file that cannot be opened, no temporary file for a compressed input,
/// [`Error::Interrupted`]. Whatever is wrong with the input itself is in the result.
pub fn verify(
    path: &Path,
    options: &VerifyOptions,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Verification> {
    let pool = thread_pool(options.threads)?;
    let name = input::name(path);
    let mut findings = Findings::default();
    let at_input = |error: Error| error.at(Place::input(name.clone()));
    let (format, files) = match crate::source::open(path, &std::env::temp_dir(), interrupt) {
        Ok(opened) => check_documents(&mut findings, opened),
        Err(error @ (Error::Empty | Error::NotAnImage { .. })) => {
            findings.problem(Code::NotAnImage, &Place::default(), error.to_string());
            (None, None)
        }
        Err(error @ Error::Limit { .. }) => {
            findings.problem(Code::Limit, &Place::default(), error.to_string());
            (None, None)
        }
        Err(error) => return Err(at_input(error)),
    };
    let outcomes = findings
        .read_contents(&pool, progress, interrupt)
        .map_err(at_input)?;
    compare::layers(&mut findings, &outcomes);
    drop(files);
    let images = image_count(&findings);
    Ok(Verification {
        input: name,
        format,
        images,
        blobs: findings.count(),
        problems: in_order(findings.problems),
    })
}

/// Reads all documents, and notes which contents are to be read.
fn check_documents(findings: &mut Findings, opened: Opened) -> (Option<Format>, Option<Files>) {
    let Opened {
        files,
        manifest,
        damage,
    } = opened;
    let damaged = damage.is_some();
    if let Some(damage) = damage {
        let code = match damage {
            Error::Limit { .. } => Code::Limit,
            _ => Code::ArchiveDamaged,
        };
        let cause = std::error::Error::source(&damage).map(|source| format!(": {source}"));
        let message = format!("{damage}{}", cause.unwrap_or_default());
        findings.problem(code, &Place::default(), message);
    }
    for name in files.repeated() {
        let message = "the archive has two members of this name";
        findings.problem(Code::ArchiveDuplicateMember, &Place::file(name), message);
    }
    let format = match input::detect(&files, manifest) {
        Ok(detected) => Some(check_format(findings, &files, detected)),
        // What tells of an image is at the end of many archives.
        Err(_) if damaged => None,
        Err(error) => {
            findings.problem(Code::NotAnImage, &Place::default(), error.to_string());
            None
        }
    };
    (format, Some(files))
}

fn check_format(findings: &mut Findings, files: &Files, detected: Detected) -> Format {
    match detected {
        Detected::OciLayout => {
            layout::check(findings, files, false);
            layout::other_blobs(findings, files);
            Format::OciLayout
        }
        Detected::DockerOciArchive => {
            let entries = layout::check(findings, files, true);
            let items = docker::check(findings, files);
            docker::repositories(findings, files);
            docker::compare(findings, &entries, &items);
            layout::other_blobs(findings, files);
            Format::DockerOciArchive
        }
        Detected::DockerArchive => {
            docker::check(findings, files);
            docker::repositories(findings, files);
            docker::other_files(findings, files);
            Format::DockerArchive
        }
        Detected::DockerLegacy => {
            v1::check_legacy(findings, files);
            Format::DockerLegacy
        }
        Detected::Manifest(name) => check_manifest(findings, files, &name),
    }
}

/// A manifest with its blobs beside it.
fn check_manifest(findings: &mut Findings, files: &Files, name: &str) -> Format {
    let place = Place::file(name);
    let Found::Here(content) = findings.find(files, name, &place) else {
        return Format::Dir;
    };
    let Some(document) = findings.document(content, None, &place) else {
        return Format::Dir;
    };
    let format = if input::is_schema1(&document.bytes) {
        v1::check_schema1(findings, files, name, &document.bytes);
        Format::Schema1
    } else {
        let places = Beside { files };
        let mut tree = Tree::new(findings, files, &places);
        let place = Place::image("@0").in_file(name);
        if let Presence::Absent(problems) = tree.document(&document.value, None, &place, 0) {
            findings.problems.extend(problems);
        }
        Format::Dir
    };
    other_files(findings, files);
    format
}

/// Blobs beside a manifest that it does not lead to.
fn other_files(findings: &mut Findings, files: &Files) {
    for name in files.names() {
        let stem = name.split('.').next().unwrap_or(name);
        let Some(digest) = Digest::from_sha256_hex(stem) else {
            continue;
        };
        if let Ok(Some(content)) = files.find(name)
            && !findings.is_known(content)
        {
            let place = Place::file(name);
            let message = "nothing that could be read refers to it";
            findings.problem(Code::UnreferencedBlob, &place, message);
            findings.blob(content, Some(digest), &place);
        }
    }
}

/// An image that both index.json and manifest.json list is one.
fn image_count(findings: &Findings) -> usize {
    let mut known = HashSet::new();
    let new = |id: &Digest| known.insert(*id);
    let images = findings.images.iter();
    let ids: Vec<Option<Digest>> = images.map(|image| image.id).collect();
    let unknown = ids.iter().filter(|id| id.is_none()).count();
    unknown + ids.iter().flatten().copied().filter(new).count()
}

/// By severity, otherwise as they were found. What is wrong with a file that two images have is said once.
fn in_order(problems: Vec<Finding>) -> Vec<Finding> {
    let mut known = HashSet::new();
    let mut problems: Vec<Finding> = problems
        .into_iter()
        .filter(|problem| {
            let file = &problem.place.file;
            let image = if file.is_none() {
                problem.place.image.clone()
            } else {
                None
            };
            let key = (problem.code, image, file.clone(), problem.message.clone());
            known.insert(key)
        })
        .collect();
    problems.sort_by_key(|problem| problem.severity);
    problems
}

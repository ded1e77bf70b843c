//! Verification: reads everything in an input and reports all problems, not only the first.

mod compare;
mod contents;

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use crate::error::{Result, ResultExt};
use crate::findings::{Finding, Place, Severity};
use crate::formats::{Format, Input, ReadOptions, find_loose_blobs};
use crate::image::count_images;
use crate::interrupt::Interrupt;
use crate::layer::{OnDamage, Pipeline, thread_pool};
use crate::progress::Progress;
use crate::source::Spool;
use contents::Contents;

/// Options for verification.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Number of threads. `None` for the number of cores.
    pub threads: Option<usize>,
    /// How the input is read.
    pub read: ReadOptions,
}

/// The result of a verification.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The input as the user named it.
    pub input: String,
    /// The format. `None` if it is unknown.
    pub format: Option<Format>,
    /// Number of images. An image with several names counts once.
    pub images: usize,
    /// Number of distinct documents and blobs that were read.
    pub blobs: usize,
    /// All problems: errors first, then warnings, then notes.
    pub problems: Vec<Finding>,
}

impl Verification {
    /// Number of problems with a severity.
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

/// Reads the whole input at `path` (`-` is standard input) and reports every problem.
///
/// # Errors
/// Only errors that prevent reading: a file that cannot be opened, no temporary file for a compressed input,
/// [`Error::Interrupted`](crate::Error::Interrupted). Problems of the input are in the result.
pub fn verify(
    path: &Path,
    options: &VerifyOptions,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Verification> {
    let pool = thread_pool(options.threads)?;
    let spool = Spool::new(&std::env::temp_dir()).reporting(progress);
    let mut input = Input::open_by_way_of(&spool, path, &options.read, interrupt)?;
    find_loose_blobs(&mut input).at(|| Place::input(&input.name))?;
    let contents = Contents::of(&input);
    let pipeline = Pipeline {
        pool: &pool,
        progress,
        interrupt,
        layer_bytes: options.read.layer_bytes,
        on_damage: OnDamage::Record,
    };
    let at = || Place::input(&input.name);
    let outcomes = contents.read(&pipeline).at(at)?;
    let mut findings: Vec<Finding> = input.findings().cloned().collect();
    findings.extend(contents.findings(&outcomes));
    findings.extend(contents.loose_findings(&pipeline).at(at)?);
    findings.extend(compare::layers(&contents, &outcomes));
    Ok(Verification {
        format: input.format,
        images: count_images(input.entries.iter().map(|entry| &entry.node)),
        blobs: contents.count(&input.documents),
        problems: in_order(findings),
        input: input.name,
    })
}

/// Sorts by severity, otherwise in the order of reading. A problem of a file that several images share is listed once.
fn in_order(findings: Vec<Finding>) -> Vec<Finding> {
    let mut known = HashSet::new();
    let mut findings: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| {
            let file = &finding.place.file;
            let image = if file.is_none() {
                finding.place.image.clone()
            } else {
                None
            };
            let key = (finding.code, image, file.clone(), finding.message.clone());
            known.insert(key)
        })
        .collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

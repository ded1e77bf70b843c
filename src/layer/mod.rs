//! Layers: each byte of an input is read once, for a blob of the output, for findings, or both.

mod budget;
mod ends;
mod examination;
mod examined;
mod job;
mod known;
mod pipeline;
mod reuse;
mod sniff;
mod source;
mod state;
mod steps;
mod tap;
mod threads;
mod writer;

use rayon::ThreadPool;

use crate::cache::Cache;
use crate::compression::Codec;
use crate::digest::{DiffId, Digest};
use crate::error::{Error, Result};
use crate::findings::{Finding, Response};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::Progress;

pub(crate) use examined::Examined;
pub(crate) use job::{Action, Destination, Job, Remade};
pub(crate) use known::Known;
pub(crate) use threads::thread_pool;

/// The resources and options for processing layers.
pub(crate) struct Pipeline<'a> {
    pub pool: &'a ThreadPool,
    pub progress: &'a dyn Progress,
    pub interrupt: &'a Interrupt,
    /// Maximum size of a decoded layer in bytes. `None` for the default limits.
    pub layer_bytes: Option<u64>,
    /// What happens at damage in the input that stops a conversion.
    pub on_damage: OnDamage,
}

/// What happens at a damaged blob of the input. Damage to the cache and errors of the output always stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDamage {
    /// The other jobs are abandoned.
    Stop,
    /// The blob is not written, and the other jobs continue.
    Record,
}

/// The results of jobs that write.
pub(crate) struct Done {
    /// The results of all jobs except checks and damaged blobs, in the order of the jobs.
    pub outcomes: Vec<Outcome>,
    /// Problems of layers that are converted anyway, in the order of the jobs.
    pub warnings: Vec<Finding>,
    /// The recorded damage with its place, in the order of the jobs.
    pub damaged: Vec<Error>,
}

/// The result for a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The digest of the bytes in the input.
    pub source_digest: Digest,
    /// The digest of the blob in the output.
    pub digest: Digest,
    /// Size of the blob in the output, in bytes.
    pub size: u64,
    /// The codec of the blob in the output.
    pub codec: Codec,
    /// The digest of the decoded bytes, if they were decoded.
    pub diff_id: Option<DiffId>,
    /// Whether the output lacks the blob, since another side has it.
    pub left_out: bool,
}

impl Pipeline<'_> {
    /// Runs all jobs and writes their blobs to an output. Encoded layers are added to the cache for the next run. What is known
    /// is left out.
    ///
    /// # Errors
    /// The first finding that stops a conversion, unless damage is recorded.
    pub fn write(
        &self,
        output: &Output,
        cache: Option<&Cache>,
        known: &Known,
        jobs: &[Job],
    ) -> Result<Done> {
        let target = pipeline::WriteTarget {
            output,
            cache,
            known,
        };
        let mut done = Done {
            outcomes: Vec::with_capacity(jobs.len()),
            warnings: Vec::new(),
            damaged: Vec::new(),
        };
        for (examined, outcome) in pipeline::run(self, Some(target), jobs)? {
            if let Some(finding) = examined.stops() {
                done.damaged.push(Error::finding(finding.clone()));
                continue;
            }
            let findings = examined.findings.into_iter();
            let warnings = findings.filter(|finding| finding.code.response() != Response::Silent);
            done.warnings.extend(warnings);
            done.outcomes.extend(outcome);
        }
        Ok(done)
    }

    /// Runs jobs that only check, and returns their results in order.
    ///
    /// # Errors
    /// Only [`crate::Error::Interrupted`].
    pub fn examine(&self, jobs: &[Job]) -> Result<Vec<Examined>> {
        let is_check = |job: &Job| matches!(job.action, Action::Check { .. });
        debug_assert!(jobs.iter().all(is_check));
        let done = pipeline::run(self, None, jobs)?;
        Ok(done.into_iter().map(|(examined, _)| examined).collect())
    }
}

//! Layers: each byte of an input is read once, and becomes a blob of the output, findings, or both.

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

/// What layers are worked on with.
pub(crate) struct Pipeline<'a> {
    pub pool: &'a ThreadPool,
    pub progress: &'a dyn Progress,
    pub interrupt: &'a Interrupt,
    /// The largest a layer may be when it is decoded, in bytes.
    pub layer_bytes: u64,
    /// What is done about damage in the input that stops a conversion.
    pub on_damage: OnDamage,
}

/// What is done about a damaged blob of the input. Damage in the cache, and outputs that cannot be written, always stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDamage {
    /// The other jobs are abandoned.
    Stop,
    /// Its blob is not written; the other jobs are done.
    Record,
}

/// What was written.
pub(crate) struct Done {
    /// Of all jobs but checks and damaged ones, in their order.
    pub outcomes: Vec<Outcome>,
    /// What is wrong with layers that are converted anyway, in the jobs' order.
    pub warnings: Vec<Finding>,
    /// The damage that was recorded, with its place, in the jobs' order.
    pub damaged: Vec<Error>,
}

/// What became of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The digest of the bytes in the input.
    pub source_digest: Digest,
    /// Of the blob in the output.
    pub digest: Digest,
    /// Of the blob in the output, in bytes.
    pub size: u64,
    /// The codec of the blob in the output.
    pub codec: Codec,
    /// Of the decoded bytes, when they were decoded.
    pub diff_id: Option<DiffId>,
    /// Whether the output lacks the blob, since another side has it.
    pub left_out: bool,
}

impl Pipeline<'_> {
    /// Does all jobs into an output. Layers that are encoded are kept in the cache for the next run. What is known is left
    /// out.
    ///
    /// # Errors
    /// The first finding that stops a conversion, unless it is recorded.
    pub fn write(
        &self,
        output: &Output,
        cache: Option<&Cache>,
        known: &Known,
        jobs: &[Job],
    ) -> Result<Done> {
        let target = pipeline::Target {
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

    /// Does all jobs, each of which is an [`Action::Check`], and collects all that is wrong with them, in the jobs' order.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] alone.
    pub fn examine(&self, jobs: &[Job]) -> Result<Vec<Examined>> {
        let is_check = |job: &Job| matches!(job.action, Action::Check { .. });
        debug_assert!(jobs.iter().all(is_check));
        let done = pipeline::run(self, None, jobs)?;
        Ok(done.into_iter().map(|(examined, _)| examined).collect())
    }
}

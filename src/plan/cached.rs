//! The jobs of a plan, with cache entries in place of layers that would be encoded.

use std::collections::HashMap;

use crate::cache::{Cache, CacheHit, EntryFolder};
use crate::compression::Encoding;
use crate::layer::{Action, Job, Known, Outcome};
use crate::report::{CacheReport, LayerCounts};

/// Each layer in the cache has two jobs: one in place of the planned job, which copies the entry, and one after all planned
/// jobs, which checks the layer of the input, so that the cache does not hide damage.
pub(crate) struct CachedJobs {
    pub jobs: Vec<Job>,
    planned: usize,
    /// Number of planned jobs that encode a layer.
    encoded: usize,
}

impl CachedJobs {
    /// `cache` is `None` if no entries are used. `known` is what another side has.
    pub fn new(planned: &[Job], cache: Option<&Cache>, known: &Known) -> CachedJobs {
        let mut jobs = planned.to_vec();
        let mut checks = Vec::new();
        let mut encoded = 0;
        let mut folders: HashMap<Encoding, Option<EntryFolder>> = HashMap::new();
        for job in &mut jobs {
            let Action::Encode(encoding) = job.action else {
                continue;
            };
            if encoding == Encoding::None {
                continue;
            }
            encoded += 1;
            let (Some(cache), Some(diff_id)) = (cache, job.diff_id) else {
                continue;
            };
            // A layer can be left out by the digest of its blob in the input, which an entry does not have.
            let may_be_left_out = job
                .digest
                .is_none_or(|digest| known.digests.contains(&digest));
            if may_be_left_out && !known.digests.is_empty() {
                continue;
            }
            let folder = folders
                .entry(encoding)
                .or_insert_with(|| cache.folder(encoding));
            let found = folder
                .as_ref()
                .and_then(|folder| cache.find(folder, &diff_id));
            if let Some(found) = found {
                let copy = copy(job, encoding, found);
                let check = Job {
                    action: Action::Check { decode: true },
                    ..std::mem::replace(job, copy)
                };
                checks.push(check);
            }
        }
        jobs.append(&mut checks);
        CachedJobs {
            planned: planned.len(),
            jobs,
            encoded,
        }
    }

    /// Number of input bytes of all jobs.
    pub fn bytes(&self) -> u64 {
        self.jobs.iter().map(|job| job.content.size()).sum()
    }

    /// The outcomes of the planned jobs as they would be without a cache.
    pub fn outcomes(&self, mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
        for (outcome, job) in outcomes.iter_mut().zip(&self.jobs) {
            if job.entry.is_some() {
                // Confirmed by the check of the input.
                outcome.diff_id = job.diff_id;
            }
        }
        outcomes
    }

    /// How many layers were encoded and so on. `outcomes` are those of the planned jobs.
    pub fn counts(&self, outcomes: &[Outcome]) -> LayerCounts {
        let mut counts = LayerCounts::default();
        for (job, outcome) in self.jobs.iter().zip(outcomes) {
            let count = match job.action {
                _ if outcome.left_out => {
                    counts.left_out += 1;
                    continue;
                }
                _ if job.entry.is_some() => &mut counts.cached,
                Action::Encode(_) => &mut counts.encoded,
                Action::Keep { .. } | Action::Check { .. } => &mut counts.kept,
            };
            *count += 1;
            counts.bytes_after += outcome.size;
        }
        // In place of cache entries, the layers of the input count.
        let of_inputs = self.jobs.iter().filter(|job| job.entry.is_none());
        counts.bytes_before = of_inputs.map(|job| job.content.size()).sum();
        counts
    }

    pub fn report(&self) -> CacheReport {
        CacheReport {
            layers: self.encoded,
            hits: self.jobs.len() - self.planned,
        }
    }
}

/// Copies an entry and checks the digest in its name. If other users can write to the cache, the entry is also decoded, because
/// the digest would only prove that it is their entry.
fn copy(job: &Job, encoding: Encoding, found: CacheHit) -> Job {
    Job {
        content: found.content,
        codec: encoding.codec(),
        action: Action::Keep {
            decode: found.foreign,
        },
        digest: Some(found.digest),
        entry: Some(found.path),
        ..job.clone()
    }
}

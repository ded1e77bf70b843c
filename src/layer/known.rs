//! Blobs that the other side has and an output may leave out.

use std::collections::HashSet;

use super::{Action, Job, Outcome};
use crate::compression::Codec;
use crate::digest::{DiffId, Digest};

/// Blobs and layers that are left out of an output.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub digests: HashSet<Digest>,
    /// Of layers in any encoding.
    pub diff_ids: HashSet<DiffId>,
}

impl Known {
    /// Whether the blob of a job is known, as far as this can be determined before the job has run.
    pub fn has(&self, job: &Job) -> bool {
        let has_digest = job
            .digest
            .is_some_and(|digest| self.digests.contains(&digest));
        has_digest || self.has_layer(job, job.diff_id)
    }

    /// Whether the blob of a job is known, after the job has run.
    pub(super) fn has_outcome(&self, job: &Job, outcome: &Outcome) -> bool {
        [outcome.source_digest, outcome.digest]
            .iter()
            .any(|digest| self.digests.contains(digest))
            || self.has_layer(job, outcome.diff_id.or(job.diff_id))
    }

    /// Only a blob that can be reproduced can be replaced by a copy of its layer in another encoding.
    fn has_layer(&self, job: &Job, diff_id: Option<DiffId>) -> bool {
        let is_plain = job.codec == Codec::None && job.action.decodes()
            || diff_id.map(|diff_id| diff_id.0) == job.expected();
        // Cached blobs were encoded by this program.
        let is_encoded =
            matches!(job.action, Action::Encode(_)) || job.recipe.is_some() || job.entry.is_some();
        let can_be_made = is_encoded || is_plain;
        can_be_made && diff_id.is_some_and(|diff_id| self.diff_ids.contains(&diff_id))
    }
}

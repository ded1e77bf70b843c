//! What is found out about the bytes of a layer while they pass by: their digest and, where they are the decoded ones,
//! what is wrong with the tar that they are.

use super::Job;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::findings::Code;
use crate::findings::Severity;
use crate::tar::TarCheck;

/// The most paths of a layer that are remembered: 3 MiB of memory, so that many layers at once stay within bounds.
const MOST_PATHS: usize = 1 << 17;

pub(super) struct Examination {
    hasher: Hasher,
    tar: Option<TarCheck>,
}

impl Examination {
    pub fn new(job: &Job) -> Examination {
        Examination {
            hasher: job.hasher(),
            tar: job.is_tar().then(|| TarCheck::new(MOST_PATHS)),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if let Some(tar) = &mut self.tar {
            tar.feed(bytes);
        }
    }

    /// The digest, and what engines refuse or take for different things.
    pub fn finish(self) -> (Digest, Vec<(Code, String)>) {
        let mut problems = self.tar.map(TarCheck::finish).unwrap_or_default();
        problems.retain(|(code, _)| code.severity() < Severity::Note);
        (self.hasher.finish(), problems)
    }
}

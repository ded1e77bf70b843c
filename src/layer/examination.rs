//! Examines the bytes of a blob while they are read.

use super::{Job, sniff};
use crate::compression::Codec;
use crate::digest::{Digest, Hasher};
use crate::findings::Code;
use crate::tar::TarCheck;

/// Maximum number of paths to remember for a layer: 3 MiB of memory, so that many layers fit into memory at once.
const MAX_PATHS: usize = 1 << 17;

/// Examines the decoded bytes or, if the blob is not decoded, the raw bytes.
pub(super) struct Examination {
    hasher: Hasher,
    tar: Option<TarCheck>,
    /// The first bytes of a plain layer.
    beginning: Option<Vec<u8>>,
}

/// The result of an examination.
pub(super) struct Seen {
    pub digest: Digest,
    /// Problems of the tar.
    pub tar: Vec<(Code, String)>,
    /// The first bytes of a plain layer, if they are not those of a tar.
    pub not_tar: Option<String>,
}

impl Examination {
    pub fn new(job: &Job) -> Examination {
        let is_tar = job.is_tar();
        Examination {
            hasher: job.hasher(),
            tar: is_tar.then(|| TarCheck::new(MAX_PATHS)),
            beginning: (is_tar && job.codec == Codec::None).then(Vec::new),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if let Some(tar) = &mut self.tar {
            tar.feed(bytes);
        }
        if let Some(beginning) = &mut self.beginning {
            let missing = sniff::BEGINNING - beginning.len();
            beginning.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        }
    }

    pub fn finish(self) -> Seen {
        Seen {
            digest: self.hasher.finish(),
            tar: self.tar.map(TarCheck::finish).unwrap_or_default(),
            not_tar: self.beginning.and_then(|bytes| sniff::not_tar(&bytes)),
        }
    }
}

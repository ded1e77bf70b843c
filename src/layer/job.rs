//! Jobs: what is done with a blob.

use std::path::PathBuf;

use super::Outcome;
use crate::compression::{Codec, Encoding};
use crate::digest::{DiffId, Digest, Hasher};
use crate::error::Error;
use crate::findings::{Finding, Place};
use crate::source::Content;

/// Number of bytes that are decoded at a time if a layer is not encoded.
const KEPT_CHUNK: usize = 1 << 20;

/// What is done with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The blob is decoded and encoded.
    Encode(Encoding),
    /// Its bytes are copied, and decoded only for the check.
    Keep {
        /// Whether it is decoded, which the check of the `diff_id` requires.
        decode: bool,
    },
    /// The blob is checked, and nothing is written.
    Check {
        /// Whether it is a layer, which is decoded and must be a tar.
        decode: bool,
    },
}

impl Action {
    /// Number of decoded bytes in a chunk.
    pub(super) fn chunk_size(self) -> usize {
        match self {
            Action::Encode(encoding) => encoding.chunk_size(),
            Action::Keep { .. } | Action::Check { .. } => KEPT_CHUNK,
        }
    }

    /// Capacity of a buffer for a chunk, in bytes.
    pub(super) fn buffer_size(self) -> usize {
        match self {
            Action::Encode(encoding) => encoding.chunk_bound(),
            Action::Keep { .. } | Action::Check { .. } => KEPT_CHUNK,
        }
    }

    pub(super) fn decodes(self) -> bool {
        match self {
            Action::Encode(_) => true,
            Action::Keep { decode } | Action::Check { decode } => decode,
        }
    }
}

/// A blob to read, and the digests that it must have.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub content: Content,
    pub codec: Codec,
    pub action: Action,
    /// Expected digest of the bytes in the input.
    pub digest: Option<Digest>,
    /// Expected digest of the decoded bytes.
    pub diff_id: Option<DiffId>,
    /// Its place, for messages.
    pub place: Place,
    /// The path of the cache entry, if the content is from the cache.
    pub entry: Option<PathBuf>,
    pub destination: Destination,
    /// Set if a blob is made that was made before.
    pub remade: Option<Remade>,
    /// How this program makes the blob of its tar, if the blob is kept and this is known.
    pub recipe: Option<Encoding>,
}

/// What becomes of the blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// It is written, whatever another side has.
    Always,
    /// It is written, unless another side has it.
    UnlessKnown,
    /// The output has it already: it is only checked.
    InPlace,
}

/// A blob that was made before by this program or another version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remade {
    /// What it must be again.
    pub digest: Digest,
    /// The version of the encoder that made it first, where that is known.
    pub encoder: Option<String>,
}

impl Job {
    /// Whether every part of the output must have the blob.
    pub fn is_required(&self) -> bool {
        self.destination == Destination::Always
    }

    /// Whether the output has the blob already.
    pub fn is_in_place(&self) -> bool {
        self.destination == Destination::InPlace
    }

    /// How this program makes the blob of its tar, if it does or is known to be able to.
    pub fn made_with(&self) -> Option<Encoding> {
        match self.action {
            Action::Encode(encoding) => Some(encoding).filter(|one| *one != Encoding::None),
            Action::Keep { .. } | Action::Check { .. } => self.recipe,
        }
    }

    /// Number of buffers for a chunk: one for the decoded bytes and, if other bytes are written, one for those.
    pub(super) fn buffers(&self) -> usize {
        match self.action {
            _ if self.is_compressed() || self.captures() => 2,
            _ => 1,
        }
    }

    /// Whether what is written is the work of an encoder.
    pub(super) fn is_compressed(&self) -> bool {
        matches!(self.action, Action::Encode(encoding) if encoding != Encoding::None)
    }

    /// Whether the raw bytes are written and the decoded bytes only hashed.
    pub(super) fn captures(&self) -> bool {
        self.action == Action::Keep { decode: true } && self.codec != Codec::None
    }

    /// The codec for decoding the raw bytes. If they are not decoded, they are treated as plain.
    pub(super) fn decoded_from(&self) -> Codec {
        if self.action.decodes() {
            self.codec
        } else {
            Codec::None
        }
    }

    /// Whether the decoded bytes are the tar of a layer in the input. The tar of a cache entry is not checked, because the
    /// tar of the layer in the input is.
    pub(super) fn is_tar(&self) -> bool {
        self.action.decodes() && self.entry.is_none()
    }

    /// Hasher for the raw bytes.
    pub(super) fn source_hasher(&self) -> Hasher {
        self.digest
            .map_or_else(Hasher::sha256, |digest| digest.hasher())
    }

    /// Hasher for the decoded bytes or, if they are not decoded, for the raw bytes.
    pub(super) fn hasher(&self) -> Hasher {
        let wanted = if self.action.decodes() {
            self.diff_id.map(|diff_id| diff_id.0)
        } else {
            self.digest
        };
        wanted.map_or_else(Hasher::sha256, |digest| digest.hasher())
    }

    /// The digest of the blob in the output, if it is known before reading.
    pub(super) fn expected(&self) -> Option<Digest> {
        match self.action {
            Action::Encode(Encoding::None) => self.diff_id.map(|diff_id| diff_id.0),
            Action::Encode(_) => None,
            // A plain layer is its own tar, and docker save gives only the digest of that.
            Action::Keep { decode: true } | Action::Check { decode: true }
                if self.codec == Codec::None =>
            {
                self.digest.or(self.diff_id.map(|diff_id| diff_id.0))
            }
            Action::Keep { .. } | Action::Check { .. } => self.digest,
        }
    }

    /// The codec of the blob in the output.
    pub(super) fn output_codec(&self) -> Codec {
        match self.action {
            Action::Encode(encoding) => encoding.codec(),
            Action::Keep { .. } | Action::Check { .. } => self.codec,
        }
    }

    /// The outcome as it is expected before the blob is read. Digests that nobody knows yet are those of nothing; a layer that is
    /// encoded with the codec that it has is taken to stay the same.
    pub fn prospect(&self) -> Outcome {
        let unknown = Digest::sha256(b"");
        let codec = self.output_codec();
        let remade = self.remade.as_ref().map(|remade| remade.digest);
        let same = self.digest.filter(|_| codec == self.codec);
        let diff_id = self.diff_id.unwrap_or(DiffId(unknown));
        let plain = (codec == Codec::None).then_some(diff_id.0);
        Outcome {
            source_digest: self.digest.unwrap_or(unknown),
            digest: remade.or(same).or(plain).unwrap_or(unknown),
            size: self.content.size(),
            codec,
            diff_id: Some(diff_id),
            left_out: false,
        }
    }

    /// The error for a finding, without its place. Damage to a cache entry is not damage to the input.
    pub(super) fn error(&self, finding: &Finding) -> Error {
        let finding = Finding {
            place: Place::default(),
            ..finding.clone()
        };
        let error = Error::Finding {
            finding: Box::new(finding),
        };
        match &self.entry {
            Some(path) => Error::CacheEntry {
                path: path.clone(),
                source: Box::new(error),
            },
            None => error,
        }
    }
}

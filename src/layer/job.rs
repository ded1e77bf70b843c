//! What is to be done with a blob.

use std::path::PathBuf;

use crate::compression::{Codec, Encoding};
use crate::digest::{DiffId, Digest, Hasher};
use crate::error::Error;
use crate::findings::{Finding, Place};
use crate::source::Content;

/// How many bytes of a layer that is not encoded are decoded at a time.
const KEPT_CHUNK: usize = 1 << 20;

/// What is to be done with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Decode and encode it.
    Encode(Encoding),
    /// Copy its bytes; decode it only to check it.
    Keep {
        /// Whether to decode it, which the `diff_id` needs.
        decode: bool,
    },
    /// Check it, and write nothing.
    Check {
        /// Whether it is a layer: it is decoded, and what comes out of it should be a tar.
        decode: bool,
    },
}

impl Action {
    /// How many decoded bytes are worked on at a time.
    pub(super) fn chunk_size(self) -> usize {
        match self {
            Action::Encode(encoding) => encoding.chunk_size(),
            Action::Keep { .. } | Action::Check { .. } => KEPT_CHUNK,
        }
    }

    /// The capacity that a buffer for a chunk needs, in bytes.
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

/// A blob to be read, and what it must turn out to be.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub content: Content,
    pub codec: Codec,
    pub action: Action,
    /// The digest of the bytes as they are in the input.
    pub digest: Option<Digest>,
    /// The digest of the decoded bytes.
    pub diff_id: Option<DiffId>,
    /// Where it belongs, for messages.
    pub place: Place,
    /// Where it is in the cache, if its content is from there.
    pub entry: Option<PathBuf>,
    pub destination: Destination,
    /// Set if a blob is made that was made before.
    pub remade: Option<Remade>,
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
    /// Whether the output has the blob already.
    pub fn is_in_place(&self) -> bool {
        self.destination == Destination::InPlace
    }

    /// How many buffers a chunk takes: one decoded and, if what is written is something else, one of that.
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

    /// Whether the raw bytes are written and the decoded ones only hashed.
    pub(super) fn captures(&self) -> bool {
        self.action == Action::Keep { decode: true } && self.codec != Codec::None
    }

    /// The codec that the raw bytes are decoded from. Without decoding, they pass as if they were plain.
    pub(super) fn decoded_from(&self) -> Codec {
        if self.action.decodes() {
            self.codec
        } else {
            Codec::None
        }
    }

    /// Whether the bytes that pass by are the tar of a layer of the input. An entry of the cache is such a layer too, but
    /// its tar is that of the input's layer, which is looked at anyway.
    pub(super) fn is_tar(&self) -> bool {
        self.action.decodes() && self.entry.is_none()
    }

    /// For the raw bytes.
    pub(super) fn source_hasher(&self) -> Hasher {
        self.digest
            .map_or_else(Hasher::sha256, |digest| digest.hasher())
    }

    /// For the decoded bytes or, when they are not decoded, for the raw ones.
    pub(super) fn hasher(&self) -> Hasher {
        let wanted = if self.action.decodes() {
            self.diff_id.map(|diff_id| diff_id.0)
        } else {
            self.digest
        };
        wanted.map_or_else(Hasher::sha256, |digest| digest.hasher())
    }

    /// The digest that its blob in the output will have, as far as it is known beforehand.
    pub(super) fn expected(&self) -> Option<Digest> {
        match self.action {
            Action::Encode(Encoding::None) => self.diff_id.map(|diff_id| diff_id.0),
            Action::Encode(_) => None,
            Action::Keep { .. } | Action::Check { .. } => self.digest,
        }
    }

    /// The error that a finding is, without its place. What is wrong with an entry of the cache is not wrong with the input.
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

//! Layers: from the bytes of an input to a blob of the output, each byte read once.

mod examination;
mod pipeline;
mod reuse;
mod source;
mod state;
mod writer;

use std::path::PathBuf;

use crate::compression::Codec;
use crate::compression::Encoding;
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::error::Error;
use crate::error::Result;
use crate::findings::Place;
use crate::source::Content;
use crate::tar::Header;

pub(crate) use pipeline::{Done, Pipeline, run};

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
    /// Decode it to check it, and write nothing: the output gets the same layer from the cache.
    Check,
}

impl Action {
    /// How many decoded bytes are worked on at a time.
    fn chunk_size(self) -> usize {
        match self {
            Action::Encode(encoding) => encoding.chunk_size(),
            Action::Keep { .. } | Action::Check => KEPT_CHUNK,
        }
    }

    /// What a buffer for a chunk must have room for, in bytes.
    fn buffer_size(self) -> usize {
        match self {
            Action::Encode(encoding) => encoding.chunk_bound(),
            Action::Keep { .. } | Action::Check => KEPT_CHUNK,
        }
    }
}

/// How many bytes of a layer that is not encoded are decoded at a time.
const KEPT_CHUNK: usize = 1 << 20;

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
}

/// What a blob turned out to be.
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
}

impl Job {
    /// Looks at the first bytes of a layer for its codec.
    pub fn sniff(content: &Content) -> Result<Codec> {
        Ok(Codec::sniff(&content.beginning(6)?))
    }

    /// How many buffers a chunk takes: one decoded and, if what is written is something else, one of that.
    fn buffers(&self) -> usize {
        match self.action {
            Action::Encode(encoding) if encoding != Encoding::None => 2,
            _ if self.captures() => 2,
            _ => 1,
        }
    }

    /// Whether the raw bytes are written and the decoded ones only hashed.
    fn captures(&self) -> bool {
        self.action == Action::Keep { decode: true } && self.codec != Codec::None
    }

    /// Whether the bytes that pass by are the tar of a layer of the input. An entry of the cache is such a layer too, but
    /// its tar is that of the input's layer, which is looked at anyway.
    fn is_tar(&self) -> bool {
        self.action != Action::Keep { decode: false } && self.entry.is_none()
    }

    /// For the raw bytes.
    fn source_hasher(&self) -> Hasher {
        self.digest
            .map_or_else(Hasher::sha256, |digest| digest.hasher())
    }

    /// For the decoded bytes or, when they are not decoded, for the raw ones.
    fn hasher(&self) -> Hasher {
        let wanted = match self.action {
            Action::Keep { decode: false } => self.digest,
            _ => self.diff_id.map(|diff_id| diff_id.0),
        };
        wanted.map_or_else(Hasher::sha256, |digest| digest.hasher())
    }

    /// Adds where the content is from to an error that is the content's own.
    fn blame(&self, error: Error) -> Error {
        match &self.entry {
            Some(path) => Error::CacheEntry {
                path: path.clone(),
                source: Box::new(error),
            },
            None => error,
        }
    }

    /// The digest that its blob in the output will have, as far as it is known beforehand.
    fn expected(&self) -> Option<Digest> {
        match self.action {
            Action::Encode(Encoding::None) => self.diff_id.map(|diff_id| diff_id.0),
            Action::Encode(_) => None,
            Action::Keep { .. } | Action::Check => self.digest,
        }
    }

    /// Compares what was found with what was expected.
    fn check(&self, source_digest: Digest, diff_id: Option<DiffId>) -> Result<()> {
        if let (Some(expected), Some(found)) = (self.diff_id, diff_id)
            && expected != found
        {
            if self.codec == Codec::None {
                self.refuse_unknown_codec()?;
            }
            return Err(Error::DiffId { expected, found });
        }
        match self.digest {
            Some(expected) if expected != source_digest => Err(Error::DigestMismatch {
                what: "the blob".to_owned(),
                expected,
                found: source_digest,
            }),
            _ => Ok(()),
        }
    }

    /// The outcome of a job that writes nothing.
    fn checked(&self, digest: Digest, diff_id: DiffId) -> Result<Outcome> {
        self.check(digest, Some(diff_id))?;
        Ok(Outcome {
            source_digest: digest,
            digest,
            size: self.content.size(),
            codec: self.codec,
            diff_id: Some(diff_id),
        })
    }

    /// What is no tar and has no known magic number is most likely compressed by something else.
    pub fn refuse_unknown_codec(&self) -> Result<()> {
        let beginning = self.content.beginning(512)?;
        if looks_like_tar(&beginning) {
            return Ok(());
        }
        let hex = |byte: &u8| format!("{byte:02x}");
        let found: Vec<String> = beginning.iter().take(8).map(hex).collect();
        Err(Error::UnknownCodec {
            found: found.join(" "),
        })
    }
}

/// Whether a layer may be a tar: it is empty, begins with a zero block, or with a header whose magic or checksum fits.
fn looks_like_tar(beginning: &[u8]) -> bool {
    let Ok(block) = <[u8; 512]>::try_from(beginning) else {
        return beginning.iter().all(|byte| *byte == 0);
    };
    block.iter().all(|byte| *byte == 0)
        || &block[257..262] == b"ustar"
        || Header::new(&block).checksum_fits()
}

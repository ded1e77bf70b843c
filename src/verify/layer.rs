//! One pass over a blob: hash the raw bytes, decode, hash the decoded bytes, walk the tar in them.

use std::io;

use super::members::{self, End};
use super::tap::{Hashers, Tap};
use crate::compression::Codec;
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::error::Error;
use crate::error::Result;
use crate::findings::Code;
use crate::interrupt::Interrupt;
use crate::layer::Job;
use crate::limits;
use crate::source::Content;
use crate::tar::TarCheck;

/// The most paths of a layer that are remembered: 16 MiB of memory.
const MOST_PATHS: usize = 1 << 20;

/// What is to be found out about a blob.
pub(super) struct Question<'a> {
    pub content: &'a Content,
    /// The digests to compare the raw bytes with: which algorithms to compute.
    pub digests: Vec<Digest>,
    /// Whether it is a file system layer.
    pub layer: bool,
    /// The digests to compare the decoded bytes with.
    pub diff_ids: Vec<DiffId>,
}

/// What a blob turned out to be.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Of the raw bytes, by each algorithm that was asked for; `None` when they cannot be read.
    pub digests: Option<Vec<Digest>>,
    /// Of the decoded bytes of a layer; `None` when they cannot be read to the end.
    pub diff_ids: Option<Vec<Digest>>,
    /// Of a layer.
    pub codec: Option<Codec>,
    /// What is wrong with the content in itself.
    pub problems: Vec<(Code, String)>,
}

impl Outcome {
    fn unreadable(error: &Error) -> Outcome {
        let message = match error {
            Error::Io { source, .. } => source.to_string(),
            error => error.to_string(),
        };
        Outcome {
            problems: vec![(Code::Unreadable, format!("it cannot be read: {message}"))],
            ..Outcome::default()
        }
    }
}

/// The digest among `digests` that is of the same algorithm as `wanted`.
pub(super) fn of_algorithm(digests: &[Digest], wanted: &Digest) -> Option<Digest> {
    let mut digests = digests.iter();
    digests
        .find(|digest| digest.algorithm() == wanted.algorithm())
        .copied()
}

/// Reads a blob.
///
/// # Errors
/// [`Error::Interrupted`] alone: all else is in the outcome.
pub(super) fn ask(
    question: &Question<'_>,
    advance: &dyn Fn(u64),
    interrupt: &Interrupt,
) -> Result<Outcome> {
    interrupt.check()?;
    let outcome = read(question, advance, interrupt);
    interrupt.check()?;
    Ok(outcome.unwrap_or_else(|error| Outcome::unreadable(&error)))
}

/// A bomb, most likely: it is not read to its end.
fn too_large() -> Outcome {
    let limit = limits::LAYER_BYTES;
    let message = format!("decoded, it is larger than the limit of {limit} bytes");
    Outcome {
        problems: vec![(Code::Limit, message)],
        ..Outcome::default()
    }
}

fn read(question: &Question<'_>, advance: &dyn Fn(u64), interrupt: &Interrupt) -> Result<Outcome> {
    if question.content.size() > limits::LAYER_BYTES {
        return Ok(too_large());
    }
    let reader = question.content.reader()?;
    let unreadable = |source| Error::io("read", "the blob")(source);
    let raw = question.digests.iter();
    if !question.layer {
        let tap = Tap::new(reader, Hashers::like(raw), advance, interrupt);
        return Ok(Outcome {
            digests: Some(tap.finish().map_err(unreadable)?),
            ..Outcome::default()
        });
    }
    let codec = Job::sniff(question.content)?;
    let decoded = question.diff_ids.iter().map(|diff_id| &diff_id.0);
    // The decoded bytes of a plain layer are its raw bytes: they are hashed once.
    let plain = codec == Codec::None;
    let (raw, mut decoded) = if plain {
        (Hashers::like(raw.chain(decoded)), Hashers::default())
    } else {
        (Hashers::like(raw), Hashers::like(decoded))
    };
    let mut tap = Tap::new(reader, raw, advance, interrupt);
    let mut walk = TarCheck::new(MOST_PATHS);
    let end = members::decode(codec, &mut tap, |bytes| {
        decoded.update(bytes);
        walk.feed(bytes);
    });
    if matches!(end, End::TooLarge) {
        return Ok(too_large());
    }
    let digests = tap.finish().map_err(unreadable)?;
    let mut outcome = Outcome {
        codec: Some(codec),
        ..Outcome::default()
    };
    let complete = match end {
        End::Complete => true,
        End::TrailingData(at) => {
            let message = format!("something that is not {codec} follows at byte {at}");
            outcome.problems.push((Code::LayerTrailingData, message));
            true
        }
        End::Damaged(error) if error.kind() == io::ErrorKind::QuotaExceeded => {
            outcome
                .problems
                .push((Code::Limit, format!("the {codec} data: {error}")));
            false
        }
        End::Damaged(error) => {
            let message = format!("the {codec} data is damaged: {error}");
            outcome.problems.push((Code::LayerDecode, message));
            false
        }
        End::TooLarge => false,
    };
    // Where the stream is damaged, what came out of it is not the layer's tar.
    if complete {
        outcome.problems.extend(walk.finish());
        let decoded = if plain {
            digests.clone()
        } else {
            decoded.finish()
        };
        outcome.diff_ids = Some(decoded);
    }
    outcome.digests = Some(digests);
    Ok(outcome)
}

//! Reads a layer in pieces, decoded and raw, and finds damage to its stream.

use std::io::{self, BufRead};
use std::sync::Arc;

use super::budget::Budget;
use super::tap::Tap;
use super::{Action, Job};
use crate::compression::{Codec, DecodeError, Decoder};
use crate::digest::Digest;
use crate::error::{Error, chain};
use crate::findings::{Code, Finding, Place};
use crate::source::Content;

/// Number of raw bytes after which a piece ends even if nothing was decoded, because a stream of empty gzip members or
/// skippable zstd frames may have any length.
const RAW_PIECE: u64 = 1 << 20;

/// A piece of a layer.
pub(super) struct Piece {
    /// Decoded bytes, which are hashed and may be encoded.
    pub decoded: Vec<u8>,
    /// The raw bytes that were read for it, if they are kept.
    pub raw: Vec<u8>,
}

/// What comes next in a layer.
pub(super) enum Next {
    Piece(Piece),
    /// Decoding needs more memory than usual, and continues after [`LayerSource::allow_large`] with this buffer.
    Large(Vec<u8>),
    End,
}

/// A problem of a stream.
#[derive(Debug, Clone)]
pub(super) struct Flaw {
    pub code: Code,
    pub message: String,
    /// Whether it is about all layers of the input.
    of_input: bool,
}

impl Flaw {
    fn new(code: Code, message: String) -> Flaw {
        Flaw {
            code,
            message,
            of_input: false,
        }
    }

    /// The finding. `place` is the place of the layer.
    pub fn at(&self, place: &Place) -> Finding {
        let input = || Place {
            input: place.input.clone(),
            ..Place::default()
        };
        let place = if self.of_input { &input() } else { place };
        Finding::new(self.code, place, self.message.as_str())
    }
}

/// The result of reading a stream.
#[derive(Default)]
pub(super) struct ReadToEnd {
    /// Digest of the raw bytes, if it is needed and cannot be computed elsewhere.
    pub raw_digest: Option<Digest>,
    pub flaw: Option<Flaw>,
}

/// Reads the content of a job in pieces.
pub(super) struct LayerSource {
    decoder: Decoder<Tap>,
    codec: Codec,
    chunk_size: usize,
    /// Number of raw bytes.
    size: u64,
    /// Whether a piece may be smaller than a chunk.
    pauses: bool,
    state: SourceState,
    /// Number of decoded bytes so far, and its limit.
    length: u64,
    limit: u64,
    /// How much may be decoded of the whole input, and how many bytes were counted of this layer.
    budget: Option<Arc<Budget>>,
    counted: u64,
    flaw: Option<Flaw>,
    /// How many bytes of the next buffer are decoded already.
    filled: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceState {
    Decoding,
    /// The rest cannot be decoded and is only hashed.
    Draining,
    Ended,
}

impl LayerSource {
    /// `content` is the content of the job or a clone of it. `limit` is the maximum size of the decoded layer in bytes.
    pub fn new(
        job: &Job,
        content: &Content,
        limit: u64,
        budget: Option<Arc<Budget>>,
    ) -> Result<LayerSource, Flaw> {
        let codec = job.decoded_from();
        if let Some(budget) = &budget
            && !budget.take(0, codec != Codec::None)
        {
            return Err(too_large_together(budget));
        }
        if content.size() > limit {
            return Err(too_large(job.action.decodes(), limit));
        }
        // The raw bytes of a plain layer are its decoded bytes. They are hashed once, unless the two digests have different
        // algorithms.
        let algorithm =
            |digest: Option<Digest>| digest.map_or("sha256", |digest| digest.algorithm());
        let two_algorithms = job.action.decodes()
            && job.digest.is_some()
            && algorithm(job.digest) != algorithm(job.diff_id.map(|diff_id| diff_id.0));
        // Captured bytes are hashed when they are written, while the next chunk is decoded.
        let capture = job.captures();
        let wants_digest = job.digest.is_some() || !matches!(job.action, Action::Check { .. });
        let hashes = !capture && (codec != Codec::None && wants_digest || two_algorithms);
        let reader = content.reader().map_err(|error| match error {
            Error::Io { source, .. } => unreadable(&source),
            error => unreadable(&error),
        })?;
        let tap = Tap::new(reader, capture, hashes.then(|| job.source_hasher()));
        Ok(LayerSource {
            decoder: Decoder::usual(codec, tap).map_err(|error| flaw(codec, &error))?,
            codec,
            chunk_size: job.action.chunk_size(),
            size: content.size(),
            // Chunks for encoders always have the same size.
            pauses: !matches!(job.action, Action::Encode(_)),
            state: SourceState::Decoding,
            length: 0,
            limit,
            budget,
            counted: 0,
            flaw: None,
            filled: 0,
        })
    }

    /// The next piece, in a buffer of the caller.
    pub fn next(&mut self, buffer: Vec<u8>) -> Next {
        let mut decoded = buffer;
        if self.pauses {
            self.decoder.get_mut().pause_after(RAW_PIECE);
        }
        match self.state {
            SourceState::Decoding => {
                if self.decode(&mut decoded) {
                    self.filled = decoded.len();
                    return Next::Large(decoded);
                }
            }
            SourceState::Draining => {
                decoded.clear();
                self.drain();
            }
            SourceState::Ended => return Next::End,
        }
        let raw = self.decoder.get_mut().take_captured();
        if self.state == SourceState::Ended && decoded.is_empty() && raw.is_empty() {
            return Next::End;
        }
        Next::Piece(Piece { decoded, raw })
    }

    /// Allows the decoder as much memory as the limits do, after [`Next::Large`].
    pub fn allow_large(&mut self) {
        if let Err(error) = self.decoder.allow_large() {
            self.flaw = Some(flaw(self.codec, &error));
            self.state = SourceState::Draining;
        }
    }

    /// Decodes a piece. Returns whether the rest of it needs more memory than usual.
    fn decode(&mut self, decoded: &mut Vec<u8>) -> bool {
        let mut size = self.chunk_size;
        if self.codec == Codec::None {
            // A buffer is zeroed before reading, which would take longer than reading a small file.
            let left = self.size - self.length;
            size = usize::try_from(left).map_or(size, |left| left.min(size));
        }
        let filled = std::mem::take(&mut self.filled);
        let mut is_large = false;
        match self.decoder.continue_chunk(decoded, filled, size) {
            Ok(()) if decoded.len() < self.chunk_size => self.state = SourceState::Ended,
            Ok(()) => {}
            Err(DecodeError::Read(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(DecodeError::Large { .. }) => is_large = true,
            Err(error) => {
                self.flaw = Some(flaw(self.codec, &error));
                self.state = match error {
                    DecodeError::Read(_) => SourceState::Ended,
                    _ => SourceState::Draining,
                };
            }
        }
        self.length += (decoded.len() - filled) as u64;
        if self.length > self.limit {
            decoded.clear();
            self.flaw = Some(too_large(true, self.limit));
            self.state = SourceState::Ended;
        } else if !self.is_within_budget() {
            decoded.clear();
        }
        is_large && self.state == SourceState::Decoding
    }

    /// Counts what was read or decoded since the last call, whichever is more. Ends if that is too much.
    fn is_within_budget(&mut self) -> bool {
        let Some(budget) = &self.budget else {
            return true;
        };
        let reached = self.length.max(self.decoder.get_mut().consumed());
        let more = reached - self.counted;
        self.counted = reached;
        if budget.take(more, self.codec != Codec::None) {
            return true;
        }
        self.flaw = Some(too_large_together(budget));
        self.state = SourceState::Ended;
        false
    }

    fn drain(&mut self) {
        while self.is_within_budget() {
            let tap = self.decoder.get_mut();
            match tap.fill_buf().map(<[u8]>::len) {
                Ok(0) => self.state = SourceState::Ended,
                Ok(count) => {
                    tap.consume(count);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.flaw = Some(unreadable(&error));
                    self.state = SourceState::Ended;
                }
            }
            return;
        }
    }

    /// The problem found so far.
    pub fn flaw(&self) -> Option<&Flaw> {
        self.flaw.as_ref()
    }

    /// Number of raw bytes read.
    pub fn consumed(&mut self) -> u64 {
        self.decoder.get_mut().consumed()
    }

    pub fn finish(mut self) -> ReadToEnd {
        ReadToEnd {
            raw_digest: self.decoder.get_mut().finish(),
            flaw: self.flaw,
        }
    }
}

fn flaw(codec: Codec, error: &DecodeError) -> Flaw {
    let (code, message) = match error {
        DecodeError::Read(error) => return unreadable(error),
        DecodeError::Damaged(reason) => (
            Code::LayerDecode,
            format!("the {codec} data is damaged: {reason}"),
        ),
        DecodeError::Truncated { .. } => (Code::LayerDecode, error.to_string()),
        DecodeError::Limit(reason) => (Code::Limit, format!("the {codec} data: {reason}")),
        DecodeError::Large { .. } => (Code::Limit, error.to_string()),
        DecodeError::TrailingData { .. } => (Code::LayerTrailingData, error.to_string()),
    };
    Flaw::new(code, message)
}

fn unreadable(error: &dyn std::error::Error) -> Flaw {
    Flaw::new(
        Code::Unreadable,
        format!("it cannot be read: {}", chain(error)),
    )
}

/// The layer exceeds the limit. It may be a bomb and is not read to its end.
fn too_large(decoded: bool, limit: u64) -> Flaw {
    let what = if decoded {
        "the decoded layer"
    } else {
        "the blob"
    };
    let message = format!("{what} is larger than the limit of {limit} bytes");
    Flaw::new(Code::LayerSize, message)
}

/// The layers of the input exceed the limit. The others are not read either.
fn too_large_together(budget: &Budget) -> Flaw {
    let limit = budget.limit;
    let what = if budget.is_of_decoded_archive {
        "the decoded archive and its decoded layers"
    } else {
        "the decoded layers"
    };
    let message = format!("{what} together are larger than the limit of {limit} bytes");
    Flaw {
        of_input: true,
        ..Flaw::new(Code::LayerSize, message)
    }
}

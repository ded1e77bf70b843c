//! The reading end of a layer: pieces of it, decoded and raw, and what is wrong with its stream.

use std::io::{self, BufRead};

use super::tap::Tap;
use super::{Action, Job};
use crate::compression::{Codec, DecodeError, Decoder};
use crate::digest::Digest;
use crate::error::Error;
use crate::findings::{Code, Finding, Place};
use crate::source::Content;

/// How many raw bytes are read before a piece is handed on, even if nothing came out of the decoder: a stream of empty gzip
/// members or skippable zstd frames has any length.
const RAW_PIECE: u64 = 1 << 20;

/// A piece of a layer.
pub(super) struct Piece {
    /// Decoded bytes: to be hashed, and encoded if the layer is.
    pub decoded: Vec<u8>,
    /// The raw bytes that were read meanwhile, if they are kept.
    pub raw: Vec<u8>,
}

/// What is wrong with a stream of bytes.
#[derive(Debug, Clone)]
pub(super) struct Flaw {
    pub code: Code,
    pub message: String,
}

impl Flaw {
    pub fn at(&self, place: &Place) -> Finding {
        Finding::new(self.code, place, self.message.as_str())
    }
}

/// What is known once all has been read.
#[derive(Default)]
pub(super) struct ReadToEnd {
    /// Of the raw bytes, where they are neither captured nor the decoded ones, and somebody wants it.
    pub raw_digest: Option<Digest>,
    pub flaw: Option<Flaw>,
}

/// Reads a job's content piece by piece.
pub(super) struct Source {
    decoder: Decoder<Tap>,
    codec: Codec,
    chunk_size: usize,
    /// How many raw bytes there are.
    size: u64,
    /// Whether a piece may be smaller than a chunk.
    pauses: bool,
    state: State,
    /// How many decoded bytes there have been, and may be.
    length: u64,
    limit: u64,
    flaw: Option<Flaw>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Decoding,
    /// What cannot be decoded is read for its digest.
    Draining,
    Ended,
}

impl Source {
    /// `content` is the job's or a clone of it; `limit` is the largest the layer may be when it is decoded, in bytes.
    pub fn new(job: &Job, content: &Content, limit: u64) -> Result<Source, Flaw> {
        let codec = job.decoded_from();
        if content.size() > limit {
            return Err(too_large(job.action.decodes(), limit));
        }
        // The decoded bytes of a plain layer are its raw bytes: they are hashed once, as decoded ones, unless the two
        // digests are of different algorithms.
        let algorithm =
            |digest: Option<Digest>| digest.map_or("sha256", |digest| digest.algorithm());
        let two_algorithms = job.action.decodes()
            && job.digest.is_some()
            && algorithm(job.digest) != algorithm(job.diff_id.map(|diff_id| diff_id.0));
        // What is captured is hashed when it is written, while the next is being decoded.
        let capture = job.captures();
        let wants_digest = job.digest.is_some() || !matches!(job.action, Action::Check { .. });
        let hashes = !capture && (codec != Codec::None && wants_digest || two_algorithms);
        let reader = content.reader().map_err(|error| match error {
            Error::Io { source, .. } => unreadable(&source),
            error => unreadable(&error),
        })?;
        let tap = Tap::new(reader, capture, hashes.then(|| job.source_hasher()));
        Ok(Source {
            decoder: Decoder::new(codec, tap).map_err(|error| flaw(codec, &error))?,
            codec,
            chunk_size: job.action.chunk_size(),
            size: content.size(),
            // An encoder's chunks are the same however the bytes come.
            pauses: !matches!(job.action, Action::Encode(_)),
            state: State::Decoding,
            length: 0,
            limit,
            flaw: None,
        })
    }

    /// The next piece, in a buffer of the caller; `None` after the last.
    pub fn next(&mut self, buffer: Vec<u8>) -> Option<Piece> {
        let mut decoded = buffer;
        if self.pauses {
            self.decoder.get_mut().pause_after(RAW_PIECE);
        }
        match self.state {
            State::Decoding => self.decode(&mut decoded),
            State::Draining => {
                decoded.clear();
                self.drain();
            }
            State::Ended => return None,
        }
        let raw = self.decoder.get_mut().take_captured();
        if self.state == State::Ended && decoded.is_empty() && raw.is_empty() {
            return None;
        }
        Some(Piece { decoded, raw })
    }

    fn decode(&mut self, decoded: &mut Vec<u8>) {
        let mut size = self.chunk_size;
        if self.codec == Codec::None {
            // A buffer is cleared before it is read into, which would cost more than to read a small file.
            let left = self.size - self.length;
            size = usize::try_from(left).map_or(size, |left| left.min(size));
        }
        match self.decoder.read_chunk(decoded, size) {
            Ok(()) if decoded.len() < self.chunk_size => self.state = State::Ended,
            Ok(()) => {}
            Err(DecodeError::Read(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                self.flaw = Some(flaw(self.codec, &error));
                self.state = match error {
                    DecodeError::Read(_) => State::Ended,
                    _ => State::Draining,
                };
            }
        }
        self.length += decoded.len() as u64;
        if self.length > self.limit {
            decoded.clear();
            self.flaw = Some(too_large(true, self.limit));
            self.state = State::Ended;
        }
    }

    fn drain(&mut self) {
        let tap = self.decoder.get_mut();
        loop {
            match tap.fill_buf().map(<[u8]>::len) {
                Ok(0) => self.state = State::Ended,
                Ok(count) => {
                    tap.consume(count);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.flaw = Some(unreadable(&error));
                    self.state = State::Ended;
                }
            }
            return;
        }
    }

    /// What has been found to be wrong so far.
    pub fn flaw(&self) -> Option<&Flaw> {
        self.flaw.as_ref()
    }

    /// How many raw bytes have been read.
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
        DecodeError::Limit(reason) => (Code::Limit, format!("the {codec} data: {reason}")),
        DecodeError::TrailingData { .. } => (Code::LayerTrailingData, error.to_string()),
    };
    Flaw { code, message }
}

fn unreadable(error: &dyn std::error::Error) -> Flaw {
    Flaw {
        code: Code::Unreadable,
        message: format!("it cannot be read: {error}"),
    }
}

/// A bomb, most likely: it is not read to its end.
fn too_large(decoded: bool, limit: u64) -> Flaw {
    let what = if decoded {
        "the decoded layer"
    } else {
        "the blob"
    };
    Flaw {
        code: Code::LayerSize,
        message: format!("{what} is larger than the limit of {limit} bytes"),
    }
}

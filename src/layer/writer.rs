//! Writes a layer: its blob in the output and its entry in the cache.

use std::fs::File;
use std::sync::Arc;

use super::pipeline::WriteTarget;
use super::{Action, Destination, Job, Known, Outcome};
use crate::cache::StagedEntry;
use crate::compression::{EncodedChunk, Encoding, Framing, encoder_version};
use crate::digest::{DiffId, Digest, Hasher};
use crate::error::{Error, Result};
use crate::output::BlobWriter;
use crate::source::Content;

/// A part of a blob.
pub(super) enum ToWrite {
    Encoded {
        chunk: EncodedChunk,
        /// Number of decoded bytes in the chunk.
        length: usize,
    },
    /// Bytes as in the input.
    Raw(Vec<u8>),
    /// Decoded bytes.
    Plain(Arc<Vec<u8>>),
}

pub(super) struct Writer<'a> {
    job: &'a Job,
    blob: BlobWriter<'a>,
    /// Whether the blob is a clone and already has its bytes, which are then only hashed and counted.
    cloned: bool,
    /// Computes the digest of the written bytes, if it is not computed elsewhere.
    hasher: Option<Hasher>,
    framing: Option<Framing>,
    size: u64,
    /// The cache entry, which gets the same bytes.
    entry: Option<StagedEntry<'a>>,
    known: &'a Known,
}

impl<'a> Writer<'a> {
    pub fn new(job: &'a Job, target: WriteTarget<'a>) -> Result<Writer<'a>> {
        let WriteTarget {
            output,
            cache,
            known,
        } = target;
        let is_written = match job.destination {
            Destination::Always => true,
            Destination::UnlessKnown => !known.has(job),
            Destination::InPlace => false,
        };
        let blob = if is_written {
            output.begin_blob(job.expected(), job.content.stored())?
        } else {
            output.no_blob()
        };
        let mut writer = Writer {
            job,
            blob,
            known,
            cloned: false,
            hasher: None,
            framing: None,
            size: 0,
            entry: None,
        };
        match job.action {
            Action::Encode(encoding) if encoding != Encoding::None => {
                writer.entry = cache.and_then(|cache| cache.stage(encoding));
                let framing = Framing::new(encoding);
                writer.hasher = Some(Hasher::sha256());
                writer.write(framing.header())?;
                writer.framing = Some(framing);
            }
            _ if job.captures() => {
                writer.hasher = Some(job.source_hasher());
            }
            _ => {}
        }
        Ok(writer)
    }

    /// Makes the blob a clone of the file of the job, if possible. Returns the clone, which is then read.
    pub fn clone_file(&mut self, file: &File) -> Result<Option<Content>> {
        let clone = self.blob.clone_file(file, self.job.content.size())?;
        self.cloned = clone.is_some();
        Ok(clone)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        if let Some(entry) = &mut self.entry {
            entry.write(bytes);
        }
        if self.cloned {
            return Ok(());
        }
        self.blob.write(bytes)
    }

    /// Writes the next part, and returns its buffer if that has the size of a chunk.
    pub fn write_piece(&mut self, piece: ToWrite) -> Result<Option<Arc<Vec<u8>>>> {
        match piece {
            ToWrite::Encoded { chunk, length } => {
                if let Some(framing) = &mut self.framing {
                    framing.add(&chunk, length);
                }
                self.write(&chunk.bytes)?;
                Ok(Some(Arc::new(chunk.bytes)))
            }
            ToWrite::Raw(bytes) => {
                self.write(&bytes)?;
                Ok(None)
            }
            ToWrite::Plain(bytes) => {
                self.write(&bytes)?;
                Ok(Some(bytes))
            }
        }
    }

    /// Returns the digest of the bytes in the input once, if they are the written bytes.
    pub fn source_digest(&mut self) -> Option<Digest> {
        let kept = matches!(self.job.action, Action::Keep { .. });
        self.hasher.take_if(|_| kept).map(Hasher::finish)
    }

    /// Finishes the blob after its content was checked.
    pub fn finish(mut self, source_digest: Digest, diff_id: Option<DiffId>) -> Result<Outcome> {
        if let Some(framing) = self.framing.take() {
            let trailer = framing
                .trailer()
                .map_err(Error::io("encode", "the layer"))?;
            self.write(&trailer)?;
        }
        let plain = diff_id.filter(|_| self.job.action == Action::Encode(Encoding::None));
        let digest = match (self.hasher, plain) {
            (Some(hasher), _) => hasher.finish(),
            (None, Some(diff_id)) => diff_id.0,
            (None, None) => source_digest,
        };
        if let Some(remade) = &self.job.remade
            && remade.digest != digest
        {
            return Err(Error::NotRemade {
                expected: remade.digest,
                found: digest,
                encoder: remade.encoder.clone().unwrap_or_default(),
                own_encoder: encoder_version(),
            });
        }
        let mut outcome = Outcome {
            source_digest,
            digest,
            size: self.size,
            codec: self.job.output_codec(),
            diff_id,
            left_out: false,
        };
        let may_be_left_out = self.job.destination == Destination::UnlessKnown;
        outcome.left_out = may_be_left_out && self.known.has_outcome(self.job, &outcome);
        if outcome.left_out {
            self.blob.discard()?;
        } else {
            self.blob.finish(&digest)?;
        }
        if let (Some(entry), Some(diff_id)) = (self.entry, diff_id) {
            entry.finish(&diff_id, &digest);
        }
        Ok(outcome)
    }
}

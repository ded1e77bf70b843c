//! The writing end of a layer: its blob in the output and, beside it, its entry in the cache.

use std::fs::File;
use std::sync::Arc;

use super::{Action, Job, Outcome};
use crate::cache::Cache;
use crate::cache::StagedEntry;
use crate::compression::EncodedChunk;
use crate::compression::Encoding;
use crate::compression::Framing;
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::error::Error;
use crate::error::Result;
use crate::output::BlobWriter;
use crate::output::Output;
use crate::source::Content;

/// A part of a blob.
pub(super) enum ToWrite {
    Encoded {
        chunk: EncodedChunk,
        /// How many decoded bytes it stands for.
        length: usize,
    },
    /// As it is in the input.
    Raw(Vec<u8>),
    /// The decoded bytes are the blob's.
    Plain(Arc<Vec<u8>>),
}

pub(super) struct Writer<'a> {
    job: &'a Job,
    blob: BlobWriter<'a>,
    /// Whether the blob has all of its bytes already: those written are only hashed and counted.
    cloned: bool,
    /// What the digest of the written bytes is computed with, where it is not known from elsewhere.
    hasher: Option<Hasher>,
    framing: Option<Framing>,
    size: u64,
    /// Where the cache gets the same bytes.
    entry: Option<StagedEntry<'a>>,
}

impl<'a> Writer<'a> {
    pub fn new(job: &'a Job, output: &'a Output, cache: Option<&'a Cache>) -> Result<Writer<'a>> {
        let mut writer = Writer {
            job,
            blob: output.begin_blob(job.expected(), job.content.stored())?,
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

    /// Makes the blob a clone of the file that the job's content is, if that can be done. Gives what is then to be read.
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

    /// Writes the next part, and gives back the buffer that it was in, if it is of the size of a chunk.
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

    /// Ends the blob. `hash` is that of the decoded bytes or, if they were not decoded, of the raw ones; `raw_digest` that
    /// of the raw bytes, where the reader has computed it.
    ///
    /// # Errors
    /// That the content is not what it must be, besides those of the output.
    pub fn finish(mut self, raw_digest: Option<Digest>, hash: Digest) -> Result<Outcome> {
        let job = self.job;
        let kept = matches!(job.action, Action::Keep { .. });
        let written_digest = self.hasher.take_if(|_| kept).map(Hasher::finish);
        let source_digest = written_digest.or(raw_digest).unwrap_or(hash);
        let decoded = job.action != Action::Keep { decode: false };
        let diff_id = decoded.then_some(DiffId(hash));
        job.check(source_digest, diff_id)
            .map_err(|error| job.blame(error))?;
        if let Some(framing) = self.framing.take() {
            let trailer = framing
                .trailer()
                .map_err(Error::io("encode", "the layer"))?;
            self.write(&trailer)?;
        }
        let digest = match self.hasher {
            Some(hasher) => hasher.finish(),
            None if kept => source_digest,
            None => hash,
        };
        self.blob.finish(&digest)?;
        if let Some(entry) = self.entry {
            entry.finish(&DiffId(hash), &digest);
        }
        Ok(Outcome {
            source_digest,
            digest,
            size: self.size,
            codec: match job.action {
                Action::Encode(encoding) => encoding.codec(),
                Action::Keep { .. } | Action::Check => job.codec,
            },
            diff_id,
        })
    }
}

//! Both ends of a layer: opening it, and seeing at its end whether it is what it must be.

use super::examination::Examination;
use super::pipeline::Run;
use super::source::{Flaw, Source};
use super::writer::Writer;
use super::{Action, Examined, Job, Outcome};
use crate::compression::Codec;
use crate::error::Result;

/// A layer that is about to be read.
pub(super) struct Opened<'a> {
    pub source: Result<Source, Flaw>,
    /// Made only when there is something to write, except where the input is cloned.
    pub writer: Option<Box<Writer<'a>>>,
}

impl<'a> Run<'a> {
    /// Opens a layer. A kept one that is a file is cloned if possible, and it is the clone that is read and checked, since
    /// nobody else can change it as they can the input.
    pub fn open(&self, job: &'a Job) -> Result<Opened<'a>> {
        let (mut clone, mut writer) = (None, None);
        if !self.ordered
            && matches!(job.action, Action::Keep { .. })
            && let Some(file) = job.content.file()
        {
            writer = self.new_writer(job)?;
            if let Some(writer) = &mut writer {
                clone = writer.clone_file(&file)?;
            }
        }
        let content = clone.as_ref().unwrap_or(&job.content);
        let source = Source::new(job, content, self.pipeline.layer_bytes);
        Ok(Opened { source, writer })
    }

    /// What a layer turned out to be, all of which has been hashed and written.
    pub fn finish_layer(&self, layer: usize) -> Result<(Examined, Option<Outcome>)> {
        let job = &self.jobs[layer];
        let (examination, writer, read) = {
            let mut state = self.state();
            let track = &mut state.layers[layer];
            let examination = track.examination.take();
            (examination, track.writer.take(), track.read.take())
        };
        let mut writer = writer.map_or_else(|| self.new_writer(job), |one| Ok(Some(one)))?;
        let examination = examination.unwrap_or_else(|| Examination::new(job));
        let seen = examination.finish();
        let read = read.unwrap_or_default();
        let written = writer.as_mut().and_then(|writer| writer.source_digest());
        let decoded = (job.decoded_from() == Codec::None).then_some(seen.digest);
        let source_digest = written.or(read.raw_digest).or(decoded);
        let examined = Examined::new(job, read, source_digest, seen);
        let damage = examined.stops();
        if let Some(finding) = damage
            && self.stops_at_damage(job)
        {
            return Err(job.error(finding));
        }
        let outcome = match (writer, source_digest) {
            (Some(writer), Some(digest)) if damage.is_none() => {
                Some(writer.finish(digest, examined.diff_id)?)
            }
            _ => None,
        };
        Ok((examined, outcome))
    }

    /// `None` where nothing is written.
    pub fn new_writer(&self, job: &'a Job) -> Result<Option<Box<Writer<'a>>>> {
        match (job.action, self.target) {
            (Action::Check { .. }, _) | (_, None) => Ok(None),
            (_, Some(target)) => Ok(Some(Box::new(Writer::new(job, target)?))),
        }
    }
}

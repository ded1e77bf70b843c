//! The start and the end of a layer: opening it, and checking it after the last byte.

use super::examination::Examination;
use super::pipeline::Run;
use super::source::{Flaw, LayerSource};
use super::writer::Writer;
use super::{Action, Examined, Job, Outcome};
use crate::compression::Codec;
use crate::error::Result;
use crate::limits;

/// An open layer that has not been read.
pub(super) struct OpenedLayer<'a> {
    pub source: Result<LayerSource, Flaw>,
    /// Created when the first bytes are written, except where the input is cloned.
    pub writer: Option<Box<Writer<'a>>>,
}

impl<'a> Run<'a> {
    /// Opens a layer. If its bytes are kept and it is a whole file, it is cloned where possible. The clone is then read and
    /// checked, because other programs can change the input but not the clone.
    pub fn open(&self, layer: usize) -> Result<OpenedLayer<'a>> {
        let job = &self.jobs[layer];
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
        let limit = self.pipeline.layer_bytes.unwrap_or(limits::LAYER_BYTES);
        let content = clone.as_ref().unwrap_or(&job.content);
        let source = LayerSource::new(job, content, limit, self.budgets[layer].clone());
        Ok(OpenedLayer { source, writer })
    }

    /// Checks a layer whose bytes were all hashed and written, and returns the result.
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

    /// `None` if nothing is written.
    pub fn new_writer(&self, job: &'a Job) -> Result<Option<Box<Writer<'a>>>> {
        match (job.action, self.target) {
            (Action::Check { .. }, _) | (_, None) => Ok(None),
            (_, Some(target)) => Ok(Some(Box::new(Writer::new(job, target)?))),
        }
    }
}

//! Finds out how kept layers can be made of their tars.

use std::collections::BTreeMap;
use std::io;

use rayon::prelude::*;

use crate::compression::{Codec, Encoding, reproduce};
use crate::error::Result;
use crate::findings::{Code, Finding, Place};
use crate::interrupt::Interrupt;
use crate::layer::{Action, Destination, Job, Known, Pipeline};
use crate::limits;

/// Gives a recipe to each kept layer that the other side has in another encoding, if this program encodes its tar to the same bytes.
/// Returns a note for each input with layers that have no recipe.
///
/// # Errors
/// Only [`crate::Error::Interrupted`]: damage is found when the layer is converted.
pub(super) fn find(jobs: &mut [Job], known: &Known, pipeline: &Pipeline) -> Result<Vec<Finding>> {
    let jobs = jobs.iter_mut().filter(|job| {
        let is_kept = matches!(job.action, Action::Keep { .. }) && job.codec != Codec::None;
        let has_tar = job
            .diff_id
            .is_some_and(|diff_id| known.diff_ids.contains(&diff_id));
        is_kept && has_tar && job.destination == Destination::UnlessKnown && !known.has(job)
    });
    let mut jobs: Vec<&mut Job> = jobs.collect();
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = jobs.iter().map(|job| job.content.size()).sum();
    pipeline.progress.total(jobs.len(), bytes);
    // Together no more than a conversion would decode. A layer that decodes to more is written.
    let share = limits::DECODED_BYTES / jobs.len() as u64;
    pipeline.pool.install(|| {
        let numbered = jobs.par_iter_mut().enumerate();
        numbered.try_for_each(|(number, job)| {
            let size = job.content.size();
            pipeline.progress.start(number, size);
            let for_size = share.saturating_add(size.saturating_mul(limits::DECODED_RATIO));
            job.recipe = recipe(
                job,
                pipeline.layer_bytes.unwrap_or(for_size),
                pipeline.interrupt,
            );
            if job.recipe.is_some() {
                // The other side has the tar of this digest, so it must be checked.
                job.action = Action::Keep { decode: true };
            }
            pipeline.progress.advance(number, size);
            pipeline.progress.finish(number);
            pipeline.interrupt.check()
        })
    })?;
    let mut of_others: BTreeMap<&str, usize> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.recipe.is_none()) {
        let input = job.place.input.as_deref();
        *of_others.entry(input.unwrap_or_default()).or_default() += 1;
    }
    Ok(of_others.into_iter().map(note).collect())
}

fn recipe(job: &Job, max_bytes: u64, interrupt: &Interrupt) -> Option<Encoding> {
    let open = || job.content.reader().map_err(io::Error::other);
    let stopped = || interrupt.is_requested();
    let found = reproduce(job.codec, open, max_bytes, stopped);
    found.ok().flatten()
}

/// The note that layers of an input are written although the other side has their tars.
fn note((input, count): (&str, usize)) -> Finding {
    let layers = if count == 1 {
        "1 layer that the other side has in another encoding is written, because another program encoded it".to_owned()
    } else {
        format!(
            "{count} layers that the other side has in another encoding are written, because another program encoded them"
        )
    };
    let message =
        format!("{layers}; `--compression gzip:3` leaves out such layers, and changes digests");
    Finding::new(Code::LayerOtherEncoding, &Place::input(input), message)
}

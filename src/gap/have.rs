//! Blobs that the other side has, as named by `--have`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::{list, recipes};
use crate::compression::Codec;
use crate::digest::{DiffId, Digest};
use crate::error::{Error, Result};
use crate::findings::{Code, Finding, Place, Response};
use crate::formats::{self, Input, find_loose_blobs};
use crate::image::PresentBlob;
use crate::layer::{Action, Destination, Job, Known, Pipeline};
use crate::source::ContentId;

/// Blobs and layers that the other side has.
pub(crate) struct Have {
    /// Lists are trusted.
    listed: HashSet<Digest>,
    lists: Vec<PathBuf>,
    /// Blobs of images count only if they have been read and are intact.
    inputs: Vec<Input>,
}

impl Have {
    /// Reads lists, and the metadata of images.
    pub fn open(paths: &[PathBuf], open: impl Fn(&PathBuf) -> Result<Input>) -> Result<Have> {
        let mut have = Have {
            listed: HashSet::new(),
            lists: Vec::new(),
            inputs: Vec::new(),
        };
        for path in paths {
            let list = list::read(path).map_err(|error| match error {
                // The message contains the path.
                Error::Io { .. } => error,
                error => error.at(Place::input(formats::name(path))),
            });
            match list? {
                Some(digests) => {
                    have.listed.extend(digests);
                    have.lists.push(path.clone());
                }
                None => have.inputs.push(usable(open(path)?)?),
            }
        }
        Ok(have)
    }

    /// Everything that is said to be there, unchecked.
    pub fn claimed(&self) -> Known {
        let mut known = self.listed();
        for blob in self.inputs.iter().flat_map(Input::present_blobs) {
            known.digests.extend(blob.digest);
            known.diff_ids.extend(blob.diff_id);
        }
        known
    }

    /// The lists, and the files that were read for the metadata of images.
    pub fn files_read(&self) -> impl Iterator<Item = &Path> {
        // Standard input is no file.
        let lists = self.lists.iter().map(PathBuf::as_path);
        let lists = lists.filter(|list| *list != Path::new("-"));
        lists.chain(self.inputs.iter().flat_map(Input::files_read))
    }

    fn listed(&self) -> Known {
        Known {
            digests: self.listed.clone(),
            diff_ids: self.listed.iter().copied().map(DiffId).collect(),
        }
    }

    /// The blobs that the jobs need not write, and the problems of copies that are damaged and therefore do not count. Finds out
    /// how kept layers can be made of the other side's tars.
    pub fn known(&self, jobs: &mut [Job], pipeline: &Pipeline) -> Result<(Known, Vec<Finding>)> {
        let (known, mut warnings) = self.intact(jobs, pipeline)?;
        warnings.append(&mut recipes::find(jobs, &known, pipeline)?);
        Ok((known, warnings))
    }

    fn intact(&self, jobs: &[Job], pipeline: &Pipeline) -> Result<(Known, Vec<Finding>)> {
        let mut known = self.listed();
        let wanted = WantedDigests::new(jobs);
        let mut checks = Checks::default();
        for input in &self.inputs {
            let place = Place::input(&input.name);
            for blob in input.present_blobs().filter(|blob| wanted.has(blob)) {
                checks.add(&blob, &place);
            }
        }
        let mut warnings = Vec::new();
        if checks.jobs.is_empty() {
            return Ok((known, warnings));
        }
        let bytes = checks.jobs.iter().map(|job| job.content.size()).sum();
        pipeline.progress.total(checks.jobs.len(), bytes);
        let examined = pipeline.examine(&checks.jobs)?;
        for (job, examined) in checks.jobs.iter().zip(examined) {
            let mut findings = examined.findings.into_iter();
            let damage = findings.find(|finding| finding.code.response() == Response::Stops);
            if let Some(mut damage) = damage {
                damage.message.push_str("; it is not left out");
                warnings.push(damage);
                continue;
            }
            known.digests.extend(job.digest);
            known.diff_ids.extend(job.diff_id);
        }
        Ok((known, warnings))
    }
}

/// An input with usable blobs. An input without images is not an error; nothing is then left out.
pub(crate) fn usable(mut input: Input) -> Result<Input> {
    find_loose_blobs(&mut input).map_err(|error| error.at(Place::input(&input.name)))?;
    if input.entries.is_empty() && input.loose.is_empty() {
        let about = input.about(|_, _| true);
        let stops = |(response, finding): &(Response, Finding)| {
            *response == Response::Stops && finding.code != Code::NoImages
        };
        let mut about = about.filter(stops);
        if let Some((_, finding)) = about.next() {
            return Err(Error::finding(finding));
        }
    }
    Ok(input)
}

/// The blobs to be written.
struct WantedDigests {
    digests: HashSet<Digest>,
    diff_ids: HashSet<DiffId>,
}

impl WantedDigests {
    fn new(jobs: &[Job]) -> WantedDigests {
        WantedDigests {
            digests: jobs.iter().filter_map(|job| job.digest).collect(),
            diff_ids: jobs.iter().filter_map(|job| job.diff_id).collect(),
        }
    }

    fn has(&self, blob: &PresentBlob) -> bool {
        let has_digest = blob.digest.is_some_and(|one| self.digests.contains(&one));
        has_digest || blob.diff_id.is_some_and(|one| self.diff_ids.contains(&one))
    }
}

/// The copies to be checked, without duplicates.
#[derive(Default)]
struct Checks {
    jobs: Vec<Job>,
    positions: HashMap<(ContentId, Option<DiffId>), usize>,
}

impl Checks {
    fn add(&mut self, blob: &PresentBlob, place: &Place) {
        let PresentBlob {
            content, diff_id, ..
        } = *blob;
        let next = self.jobs.len();
        let known = self
            .positions
            .entry((content.id(), diff_id))
            .or_insert(next);
        if *known < next {
            return;
        }
        // Errors are reported when it is read.
        let codec = content.codec().unwrap_or(Codec::None);
        let decode = diff_id.is_some();
        self.jobs.push(Job {
            content: content.clone(),
            codec: if decode { codec } else { Codec::None },
            action: Action::Check { decode },
            digest: blob.digest,
            diff_id,
            place: place.in_file(blob.file),
            entry: None,
            destination: Destination::Always,
            remade: None,
            recipe: None,
        });
    }
}

//! What the readers of the formats hand on: problems found in documents, contents yet to be read, layers to compare.

use std::collections::{BTreeSet, HashMap, HashSet};

use rayon::ThreadPool;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::json;
use super::layer::{self, Outcome, Question};
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::error::Error;
use crate::error::Result;
use crate::findings::Code;
use crate::findings::{Finding, Place};
use crate::image::Platform;
use crate::interrupt::Interrupt;
use crate::limits;
use crate::progress::Progress;
use crate::source::Content;
use crate::source::ContentId;
use crate::source::Files;

/// Collected while the documents are read.
#[derive(Default)]
pub(super) struct Findings {
    pub problems: Vec<Finding>,
    pub images: Vec<Image>,
    blobs: Vec<Blob>,
    positions: HashMap<ContentId, usize>,
    documents: HashSet<ContentId>,
    /// How much of [`limits::METADATA_BYTES`] is used.
    metadata: u64,
}

/// An image whose layers are to be compared with its config.
#[derive(Debug)]
pub(super) struct Image {
    pub place: Place,
    /// Of the config.
    pub id: Option<Digest>,
    /// Of the config.
    pub platform: Option<Platform>,
    pub layers: Vec<LayerUse>,
}

/// A layer of an image.
#[derive(Debug)]
pub(super) struct LayerUse {
    pub place: Place,
    /// From the manifest, or from a name made of it.
    pub digest: Option<Digest>,
    /// From the config.
    pub diff_id: Option<DiffId>,
    /// From the manifest.
    pub media_type: Option<String>,
    /// `None` when it is not here.
    pub blob: Option<BlobNumber>,
}

/// A content among those to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BlobNumber(usize);

/// A distinct content, read once however many images have it.
struct Blob {
    content: Content,
    /// Of its first use.
    place: Place,
    digests: BTreeSet<Digest>,
    layer: bool,
    diff_ids: BTreeSet<DiffId>,
}

/// What the contents turned out to be.
pub(super) struct Outcomes(Vec<Outcome>);

impl Outcomes {
    pub fn of(&self, blob: BlobNumber) -> &Outcome {
        &self.0[blob.0]
    }
}

impl Findings {
    pub fn add(&mut self, problem: Finding) {
        self.problems.push(problem);
    }

    pub fn problem(&mut self, code: Code, place: &Place, message: impl Into<String>) {
        self.add(Finding::new(code, place, message));
    }

    /// The file of a name; `None` when it is not there. A link that leads nowhere is a problem.
    pub fn find<'f>(&mut self, files: &'f Files, name: &str, place: &Place) -> Found<'f> {
        match files.find(name) {
            Ok(Some(content)) => Found::Here(content),
            Ok(None) => Found::Absent,
            Err(error) => {
                self.problem(Code::BadLink, place, error.to_string());
                Found::Broken
            }
        }
    }

    /// Reads a document, and reports what is wrong with its form and with its digest.
    pub fn document(
        &mut self,
        content: &Content,
        expected: Option<&Digest>,
        place: &Place,
    ) -> Option<ReadDocument> {
        self.documents.insert(content.id());
        // One above the limit for documents has its own message.
        let bytes = content
            .size()
            .clamp(limits::ENTRY_BYTES, limits::DOCUMENT_BYTES);
        if !self.charge(bytes, place) {
            return None;
        }
        let bytes = match content.document("the document") {
            Ok(bytes) => bytes,
            Err(error @ Error::Limit { .. }) => {
                self.problem(Code::Limit, place, error.to_string());
                return None;
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let message = format!("it cannot be read: {}", cause.unwrap_or_default());
                self.problem(Code::Unreadable, place, message);
                return None;
            }
        };
        if let Some(expected) = expected {
            let found = expected.same_algorithm(&bytes);
            if found != *expected {
                self.add(Finding::mismatch(
                    Code::BlobDigest,
                    place,
                    "the digest",
                    &expected,
                    &found,
                ));
            }
        }
        let parsed = json::parse(&bytes);
        for (code, message) in parsed.problems {
            self.problem(code, place, message);
        }
        parsed.value.map(|value| ReadDocument { value, bytes })
    }

    /// Counts metadata, as converting does: a document may be small and be named a thousand times. Whether it may be read.
    fn charge(&mut self, bytes: u64, place: &Place) -> bool {
        let limit = limits::METADATA_BYTES;
        let before = self.metadata;
        self.metadata = before.saturating_add(bytes);
        if before <= limit && self.metadata > limit {
            let message = format!(
                "the size of all metadata is more than {limit} bytes: what follows is not read"
            );
            self.problem(Code::Limit, place, message);
        }
        self.metadata <= limit
    }

    /// Counts the layers of an image. Whether they may be read.
    pub fn charge_layers(&mut self, count: usize, place: &Place) -> bool {
        if count > limits::LAYERS {
            let message = format!("it has {count} layers, more than {}", limits::LAYERS);
            self.problem(Code::Limit, place, message);
            return false;
        }
        self.charge(limits::ENTRY_BYTES * count as u64, place)
    }

    /// Whether the names of a document's images are within their limits.
    pub fn names<'n>(&mut self, names: impl Iterator<Item = &'n str>, place: &Place) {
        let mut count = 0;
        for name in names {
            count += 1;
            let (length, limit) = (name.len() as u64, limits::IMAGE_NAME_BYTES);
            if length > limit {
                let message =
                    format!("the name of an image is {length} bytes long, more than {limit}");
                self.problem(Code::Limit, place, message);
            }
        }
        if count > limits::NAMES {
            let message = format!("there are {count} names, more than {}", limits::NAMES);
            self.problem(Code::Limit, place, message);
        }
    }

    /// Wants a content to be read and its digest compared.
    pub fn blob(&mut self, content: &Content, digest: Option<Digest>, place: &Place) -> BlobNumber {
        let next = self.blobs.len();
        let position = *self.positions.entry(content.id()).or_insert(next);
        if position == next {
            self.blobs.push(Blob {
                content: content.clone(),
                place: place.clone(),
                digests: BTreeSet::new(),
                layer: false,
                diff_ids: BTreeSet::new(),
            });
        }
        self.blobs[position].digests.extend(digest);
        BlobNumber(position)
    }

    /// Wants a content to be read as a layer.
    pub fn layer(
        &mut self,
        content: &Content,
        digest: Option<Digest>,
        diff_id: Option<DiffId>,
        place: &Place,
    ) -> BlobNumber {
        let number = self.blob(content, digest, place);
        let blob = &mut self.blobs[number.0];
        blob.layer = true;
        blob.diff_ids.extend(diff_id);
        number
    }

    /// Whether something has referred to a content.
    pub fn is_known(&self, content: &Content) -> bool {
        let id = content.id();
        self.documents.contains(&id) || self.positions.contains_key(&id)
    }

    /// How many distinct files are checked.
    pub fn count(&self) -> usize {
        let read_twice = self
            .documents
            .iter()
            .filter(|id| self.positions.contains_key(id));
        self.documents.len() + self.blobs.len() - read_twice.count()
    }

    /// The bytes of a content that is to be read, for the message of an empty layer.
    pub fn size(&self, blob: BlobNumber) -> u64 {
        self.blobs[blob.0].content.size()
    }

    /// Reads all contents, each once, and reports what is wrong with each in itself.
    pub fn read_contents(
        &mut self,
        pool: &ThreadPool,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Outcomes> {
        let bytes = self.blobs.iter().map(|blob| blob.content.size()).sum();
        progress.total(self.blobs.len(), bytes);
        // The largest first, so that none is what everybody waits for in the end.
        let mut order: Vec<usize> = (0..self.blobs.len()).collect();
        order.sort_by_key(|&number| std::cmp::Reverse(self.blobs[number].content.size()));
        let read = |number: usize| {
            let blob = &self.blobs[number];
            let question = Question {
                content: &blob.content,
                digests: blob.digests.iter().copied().collect(),
                layer: blob.layer,
                diff_ids: blob.diff_ids.iter().copied().collect(),
            };
            progress.start(number, blob.content.size());
            let outcome = layer::ask(
                &question,
                &|count| progress.advance(number, count),
                interrupt,
            )?;
            progress.finish(number);
            Ok((number, outcome))
        };
        // One by one, since a blob is far more work than handing it to a thread.
        let outcomes: Result<Vec<(usize, Outcome)>> =
            pool.install(|| order.into_par_iter().with_max_len(1).map(read).collect());
        let mut outcomes = outcomes?;
        outcomes.sort_unstable_by_key(|(number, _)| *number);
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        for (blob, outcome) in self.blobs.iter().zip(&outcomes) {
            self.problems.extend(own_problems(blob, outcome));
        }
        Ok(Outcomes(outcomes))
    }
}

/// What looking for a file gave.
pub(super) enum Found<'f> {
    Here(&'f Content),
    Absent,
    /// Reported already.
    Broken,
}

/// A document that is JSON.
pub(super) struct ReadDocument {
    pub value: serde_json::Value,
    pub bytes: Vec<u8>,
}

fn own_problems(blob: &Blob, outcome: &Outcome) -> Vec<Finding> {
    let mut problems = Vec::new();
    for expected in &blob.digests {
        let found = outcome.digests.as_deref().unwrap_or_default();
        match layer::of_algorithm(found, expected) {
            Some(found) if found != *expected => {
                let place = &blob.place;
                problems.push(Finding::mismatch(
                    Code::BlobDigest,
                    place,
                    "the digest",
                    &expected,
                    &found,
                ));
            }
            _ => {}
        }
    }
    // That a saved layer of no bytes has no end-of-archive marker is told in other words where it is compared.
    let empty = blob.content.size() == 0;
    for (code, message) in &outcome.problems {
        if !(empty && *code == Code::LayerTarNoEnd) {
            problems.push(Finding::new(*code, &blob.place, message.as_str()));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is there when the folder is listed, and gone when it is read.
    #[test]
    fn a_document_that_cannot_be_read() {
        let content = Content::in_folder(std::path::Path::new("/nowhere/at/all.json"), 2);
        let mut findings = Findings::default();
        let place = Place::file("all.json");
        assert!(findings.document(&content, None, &place).is_none());
        let found: Vec<(Code, &str)> = findings
            .problems
            .iter()
            .map(|problem| (problem.code, problem.message.as_str()))
            .collect();
        let message = "it cannot be read: No such file or directory (os error 2)";
        assert_eq!(found, [(Code::Unreadable, message)]);
    }
}

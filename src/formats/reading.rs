//! The shared part of the readers of all formats: finding files, reading documents, noting findings, and checking limits.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::json::{self, Fields};
use super::{Input, Loose};
use crate::digest::Digest;
use crate::error::{Error, chain};
use crate::findings::{Code, Finding, Place};
use crate::image::AbsentBlob;
use crate::limits;
use crate::source::registry::Unlisted;
use crate::source::{Content, ContentId, Files};

/// An input that is being read. Problems are noted, and reading continues.
pub(crate) struct Reading<'f> {
    pub files: &'f Files,
    pub findings: Vec<Noted>,
    /// The entry that is being read, from 0. `None` for findings that concern all entries.
    pub entry: Option<usize>,
    /// The digest of the manifest that is being read, if it has one.
    pub manifest: Option<Digest>,
    /// What the input leaves out on purpose.
    pub absent: BTreeMap<Digest, AbsentBlob>,
    /// The contents that were read as documents.
    documents: HashSet<ContentId>,
    /// The contents that were read, or that a document refers to.
    known: HashSet<ContentId>,
    /// Whether contents decode to nothing but zeros. Many schema 1 layers may share one content, which may decode to any size.
    pub zeros: HashMap<ContentId, bool>,
    /// The blobs of empty schema 1 layers, which images do not need. Only their digests are checked.
    pub empty_layers: Vec<Loose>,
    /// Files of a registry tree that say which manifests there are.
    pub links: HashSet<ContentId>,
}

/// The entry of findings about images that cannot be listed.
pub(crate) const UNLISTED: usize = usize::MAX;

/// A finding with the entry that it concerns; `None` if it concerns all.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    pub finding: Finding,
    pub entry: Option<usize>,
    /// The digest of the manifest that it was found in, if it has one.
    pub manifest: Option<Digest>,
}

impl Noted {
    /// A finding that concerns all entries.
    pub fn of_all(finding: Finding) -> Noted {
        Noted {
            finding,
            entry: None,
            manifest: None,
        }
    }
}

/// The result of looking for a file.
pub(crate) enum Found {
    Here(Content),
    Absent,
    /// A problem that was noted.
    Broken,
}

/// A JSON document.
pub(crate) struct ReadDocument {
    pub value: Value,
    pub bytes: Arc<[u8]>,
}

impl<'f> Reading<'f> {
    pub fn new(files: &'f Files) -> Reading<'f> {
        Reading {
            files,
            findings: Vec::new(),
            entry: None,
            manifest: None,
            absent: BTreeMap::new(),
            documents: HashSet::new(),
            known: HashSet::new(),
            zeros: HashMap::new(),
            empty_layers: Vec::new(),
            links: HashSet::new(),
        }
    }

    /// Notes a finding.
    pub fn add(&mut self, finding: Finding) {
        let (entry, manifest) = (self.entry, self.manifest);
        if self.findings.len() < limits::FINDINGS {
            self.findings.push(Noted {
                finding,
                entry,
                manifest,
            });
        } else if self.findings.len() == limits::FINDINGS {
            self.findings.push(Noted::of_all(too_many()));
        }
    }

    pub fn note(&mut self, code: Code, place: &Place, message: impl Into<String>) {
        self.add(Finding::new(code, place, message));
    }

    /// Changes the findings from number `first` to concern all entries.
    pub fn concerns_all(&mut self, first: usize) {
        for noted in &mut self.findings[first..] {
            noted.entry = None;
        }
        self.entry = None;
    }

    /// Finds a file by its name. Links are followed, and a broken link is noted.
    pub fn find(&mut self, name: &str, place: &Place) -> Found {
        match self.files.find(name) {
            Ok(Some(content)) => {
                self.known.insert(content.id());
                Found::Here(content)
            }
            Ok(None) => Found::Absent,
            Err(error @ Error::Io { .. }) => {
                self.note(Code::Unreadable, place, cause(&error));
                Found::Broken
            }
            Err(error) => {
                let fact = error.to_string();
                let message = fact.strip_prefix(&format!("{name} is ")).unwrap_or(&fact);
                self.note(Code::BadLink, place, message);
                Found::Broken
            }
        }
    }

    /// Notes what of a folder cannot be listed: whatever is in it is missing among the entries.
    pub fn unlisted(&mut self, Unlisted { name, error }: &Unlisted) {
        self.entry = Some(UNLISTED);
        let place = Place::file(name);
        match error {
            Error::LinkCycle { .. } => {
                let message = "a symbolic link to a folder around it";
                self.note(Code::BadLink, &place, message);
            }
            error => self.note(Code::Unreadable, &place, cause(error)),
        }
        self.entry = None;
    }

    /// Finds a file that must exist.
    pub fn required(&mut self, name: &str, place: &Place) -> Option<Content> {
        match self.find(name, place) {
            Found::Here(content) => Some(content),
            Found::Absent => {
                self.note(Code::MissingBlob, place, MISSING);
                None
            }
            Found::Broken => None,
        }
    }

    /// Notes that a blob is missing, or that it was left out on purpose.
    pub fn missing(&mut self, digest: &Digest, place: &Place) {
        if let Some(blob) = self.absent.get(digest) {
            let volume = blob.volume.as_ref();
            let volume = volume.map(|volume| format!(" and says that {volume} has it"));
            let message = format!(
                "left out on purpose: {} lists it{}",
                super::oci::ABSENT,
                volume.unwrap_or_default()
            );
            self.note(Code::BlobLeftOut, place, message);
        } else {
            self.note(Code::MissingBlob, place, MISSING);
        }
    }

    /// Reads a document, and notes problems of its syntax and its digest.
    pub fn document(
        &mut self,
        content: &Content,
        expected: Option<&Digest>,
        place: &Place,
    ) -> Option<ReadDocument> {
        self.document_fields(content, expected, &Fields::All, place)
    }

    /// Reads a layout's index.json, which may be larger than other documents.
    pub fn layout_index(&mut self, content: &Content, place: &Place) -> Option<ReadDocument> {
        let limit = limits::LAYOUT_INDEX_BYTES;
        self.document_within(content, None, &Fields::All, limit, place)
    }

    /// Reads some fields of a document.
    pub fn document_fields(
        &mut self,
        content: &Content,
        expected: Option<&Digest>,
        fields: &Fields,
        place: &Place,
    ) -> Option<ReadDocument> {
        self.document_within(content, expected, fields, limits::DOCUMENT_BYTES, place)
    }

    fn document_within(
        &mut self,
        content: &Content,
        expected: Option<&Digest>,
        fields: &Fields,
        max_bytes: u64,
        place: &Place,
    ) -> Option<ReadDocument> {
        self.documents.insert(content.id());
        let bytes = match self.files.read_within(content, max_bytes) {
            Ok(bytes) => bytes,
            Err(error @ Error::Limit { .. }) => {
                self.note(Code::Limit, place, error.to_string());
                return None;
            }
            Err(error) => {
                self.note(Code::Unreadable, place, cause(&error));
                return None;
            }
        };
        if let Some(expected) = expected {
            let found = expected.same_algorithm(&bytes);
            if found != *expected {
                self.add(Finding::mismatch(
                    Code::BlobDigest,
                    place,
                    "digest",
                    expected,
                    &found,
                ));
            }
        }
        let parsed = json::read_fields(&bytes, fields, self.files.json_memory());
        for (code, message) in parsed.problems {
            self.note(code, place, message);
        }
        if !self.charge_values(parsed.value_count, bytes.len() as u64, place) {
            return None;
        }
        parsed.value.map(|value| ReadDocument {
            value,
            bytes: bytes.into(),
        })
    }

    /// Counts the values of a document, of which `counted` bytes are counted already. Returns whether they may be kept.
    pub fn charge_values(&mut self, count: u64, counted: u64, place: &Place) -> bool {
        let more = (limits::VALUE_BYTES * count).saturating_sub(counted);
        more == 0 || self.charge(more, place)
    }

    /// Counts metadata that is kept. Returns whether more may be read.
    pub fn charge(&mut self, bytes: u64, place: &Place) -> bool {
        match self.files.charge(bytes) {
            Ok(()) => true,
            Err(error) => {
                let already = |noted: &Noted| noted.finding.code == Code::Limit;
                if !self.findings.iter().any(already) {
                    // The rest is not read.
                    let finding = Finding::new(Code::Limit, place, error.to_string());
                    self.findings.push(Noted::of_all(finding));
                }
                false
            }
        }
    }

    /// Whether the limit on metadata is exceeded.
    pub fn is_over_limit(&self) -> bool {
        self.files.charge(0).is_err()
    }

    /// Returns whether `found` is within a limit, and notes it if not.
    pub fn at_most(&mut self, what: &str, found: usize, limit: usize, place: &Place) -> bool {
        match limits::at_most(what, found, limit) {
            Ok(()) => true,
            Err(error) => {
                self.note(Code::Limit, place, error.to_string());
                false
            }
        }
    }

    /// Counts the layers of an image. Returns whether they may be read.
    pub fn charge_layers(&mut self, count: usize, place: &Place) -> bool {
        self.at_most("the number of layers", count, limits::LAYERS, place)
            && self.charge(limits::ENTRY_BYTES * count as u64, place)
    }

    /// Checks the limits on the names of images, which go into messages, reports and indexes. `lengths` has the length of each
    /// name in bytes.
    pub fn names(&mut self, lengths: impl Iterator<Item = usize>, max_count: usize, place: &Place) {
        let mut count = 0;
        let mut longest = 0;
        for length in lengths {
            count += 1;
            longest = longest.max(length);
        }
        let limit = usize::try_from(limits::IMAGE_NAME_BYTES).unwrap_or(usize::MAX);
        let what = "the length of an image's name in bytes";
        self.at_most(what, longest, limit, place);
        self.at_most("the number of names", count, max_count, place);
    }

    /// Notes a size that differs from the one in the descriptor.
    pub fn size(&mut self, expected: u64, content: &Content, place: &Place) {
        let found = content.size();
        if expected != found {
            let finding = Finding::mismatch(Code::BlobSize, place, "size", &expected, &found);
            if !self.findings.iter().any(|noted| noted.finding == finding) {
                self.add(finding);
            }
        }
    }

    /// Notes that the number of layers differs from the number of `diff_ids`.
    pub fn layer_count(&mut self, diff_ids: usize, layers: usize, place: &Place) {
        let message = format!(
            "the number of layers is {layers}, expected {diff_ids}, the number of diff_ids in the config"
        );
        self.add(Finding {
            expected: Some(diff_ids.to_string()),
            found: Some(layers.to_string()),
            ..Finding::new(Code::LayerCount, place, message)
        });
    }

    /// Whether a document refers to a content.
    pub fn is_known(&self, content: &Content) -> bool {
        self.known.contains(&content.id())
    }

    /// Ends reading: moves all but the entries into an input, which still lacks its files.
    pub fn finish(self, input: &mut Input) {
        input.noted = self.findings;
        input.loose.splice(0..0, self.empty_layers);
        input.documents = self.documents;
        input.known = self.known;
        input.links = self.links;
        input.absent = self.absent;
    }
}

/// The last finding of an input that has too many.
pub(crate) fn too_many() -> Finding {
    let limit = limits::FINDINGS;
    let message = format!("more than {limit} problems; the others are not listed");
    Finding::new(Code::Limit, &Place::default(), message)
}

/// What the system says of a file that it cannot read.
pub(crate) fn cause(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(chain);
    format!("cannot be read: {}", cause.unwrap_or_default())
}

/// The finding for an unreferenced blob.
pub(crate) const UNREFERENCED: &str = "no readable document refers to this blob";

/// The message about a missing file.
pub(crate) const MISSING: &str = "missing from the input";

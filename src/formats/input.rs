//! An input: its entries and findings.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::oci;
use super::reading::{Noted, Reading};
use super::{Format, Signing};
use crate::digest::Digest;
use crate::error::{Error, Result, ResultExt};
use crate::findings::{Code, Finding, Place, Response};
use crate::image::{AbsentBlob, Entry, Manifest, PresentBlob};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::source::{self, Content, ContentId, Files, Spool};

/// An input with its metadata read.
#[derive(Debug)]
pub struct Input {
    /// As the user named it.
    pub name: String,
    /// The file or folder; `None` for standard input.
    pub(crate) path: Option<PathBuf>,
    /// The format. `None` if it is unknown.
    pub format: Option<Format>,
    /// Its readable images, in the order of the input.
    pub(crate) entries: Vec<Entry>,
    /// Files with detached signatures, which have no place in a layout.
    pub signatures: Vec<String>,
    /// The signatures among its images, and what they name.
    pub(crate) signings: Vec<Signing>,
    pub(crate) noted: Vec<Noted>,
    pub(super) ignore_signatures: bool,
    /// Unreferenced blobs, which are checked by their digests.
    pub(crate) loose: Vec<Loose>,
    /// The contents that were read as documents.
    pub(crate) documents: HashSet<ContentId>,
    /// What something refers to.
    pub(super) known: HashSet<ContentId>,
    /// Of a registry tree: the files that say which manifests there are, and its root.
    pub(super) links: HashSet<ContentId>,
    pub(super) root: String,
    /// Entries that a run goes on without.
    pub(super) left_out: HashSet<usize>,
    /// What the input leaves out on purpose.
    pub(crate) absent: BTreeMap<Digest, AbsentBlob>,
    pub(crate) files: Files,
}

/// A blob that no image refers to, and whose name is a digest.
#[derive(Debug, Clone)]
pub(crate) struct Loose {
    pub content: Content,
    pub digest: Digest,
    /// Its name in the input.
    pub file: String,
}

/// Options for reading inputs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Accept schema 1 manifests whose signatures do not verify.
    pub ignore_signatures: bool,
    /// Maximum size of a decoded layer in bytes. `None` for 128 GiB, and for a limit on the size of all layers of an input
    /// together, which depends on the size of the input.
    pub layer_bytes: Option<u64>,
}

impl Input {
    /// Opens `path` (`-` is standard input) and reads all metadata. Problems of the input are in the findings.
    ///
    /// A compressed or streamed archive is decoded into an unlinked temporary file in `temporary`.
    ///
    /// # Errors
    /// Only errors that prevent reading: a file that cannot be opened, no temporary file, [`Error::Interrupted`].
    pub fn open(
        path: &Path,
        temporary: &Path,
        options: &ReadOptions,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Input> {
        let spool = Spool::new(temporary).reporting(progress);
        Input::open_by_way_of(&spool, path, options, interrupt)
    }

    /// The same with a spool for several inputs.
    pub(crate) fn open_by_way_of(
        spool: &Spool<'_>,
        path: &Path,
        options: &ReadOptions,
        interrupt: &Interrupt,
    ) -> Result<Input> {
        let name = name(path);
        match source::open(path, spool, interrupt) {
            Ok(opened) => Ok(Input {
                path: (path != Path::new("-")).then(|| path.to_owned()),
                ..super::read(name, opened, options)
            }),
            Err(error) => {
                let code = match error.fact() {
                    Error::Empty | Error::NotAnImage { .. } => Code::NotAnImage,
                    Error::SeveralTrees { .. } => Code::RegistryTrees,
                    Error::ArchiveTooLarge { .. } => Code::ArchiveSize,
                    Error::Limit { .. } => Code::Limit,
                    _ => return Err(error).at(|| Place::input(name)),
                };
                let mut input = Input::empty(name);
                let finding = Finding::new(code, &Place::default(), error.to_string());
                input.noted.push(Noted::of_all(finding));
                Ok(input)
            }
        }
    }

    pub(super) fn empty(name: String) -> Input {
        Input {
            name,
            path: None,
            format: None,
            entries: Vec::new(),
            signatures: Vec::new(),
            signings: Vec::new(),
            noted: Vec::new(),
            ignore_signatures: false,
            loose: Vec::new(),
            documents: HashSet::new(),
            known: HashSet::new(),
            links: HashSet::new(),
            root: String::new(),
            left_out: HashSet::new(),
            absent: BTreeMap::new(),
            files: Files::default(),
        }
    }

    /// The entries with their places among all, but for those that are left out.
    pub(crate) fn remaining(&self) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.entries.iter().enumerate();
        entries.filter(|(position, _)| !self.left_out.contains(position))
    }

    /// The blobs of all layers, and those that no image refers to.
    pub(crate) fn present_blobs(&self) -> impl Iterator<Item = PresentBlob<'_>> {
        let manifests = self.entries.iter().flat_map(|entry| entry.node.manifests());
        let loose = self.loose.iter().map(|loose| PresentBlob {
            content: &loose.content,
            file: &loose.file,
            digest: Some(loose.digest),
            diff_id: None,
        });
        manifests.flat_map(Manifest::present_layers).chain(loose)
    }

    /// All findings in the order of reading. The layers have not been read.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.noted.iter().map(|noted| &noted.finding)
    }

    /// The findings that are about some entries, or about all, each with what a conversion does about it. `is_selected` is
    /// asked with the entry and, where a finding is about one of its manifests, with its digest.
    pub(crate) fn about(
        &self,
        is_selected: impl Fn(usize, Option<Digest>) -> bool,
    ) -> impl Iterator<Item = (Response, Finding)> {
        let place = Place::input(&self.name);
        let about = move |noted: &&Noted| {
            let entry = noted.entry;
            entry.is_none_or(|entry| is_selected(entry, noted.manifest))
        };
        self.noted.iter().filter(about).map(move |noted| {
            let code = noted.finding.code;
            let is_signature = matches!(code, Code::Schema1Signature | Code::Schema1Unverified);
            let response = match code.response() {
                Response::Stops if is_signature && self.ignore_signatures => Response::Warns,
                response => response,
            };
            (response, noted.finding.clone().at(&place))
        })
    }

    /// The warnings of a conversion of some entries.
    ///
    /// # Errors
    /// The first finding that stops a conversion: [`Error::Finding`] with its place.
    pub(crate) fn warnings(
        &self,
        is_selected: impl Fn(usize, Option<Digest>) -> bool,
    ) -> Result<Vec<Finding>> {
        warnings_of(self.about(is_selected))
    }

    /// The files that were read for the metadata: the archive, or documents in a folder.
    pub(crate) fn files_read(&self) -> Vec<&Path> {
        let documents = self.documents.iter().chain(&self.links);
        let documents = documents.filter_map(|document| document.path());
        let documents: Vec<&Path> = documents.collect();
        if documents.is_empty() {
            return self.path.as_deref().into_iter().collect();
        }
        documents
    }

    /// Whether it is a part of an output, which may lack blobs.
    pub(crate) fn is_part(&self) -> bool {
        self.files.has(oci::ABSENT)
    }

    /// Whether the files are those of an OCI layout.
    pub(crate) fn is_layout(files: &Files) -> bool {
        files.has("oci-layout") && files.has("index.json")
    }

    /// Reads only the OCI layout, even if the input has other formats too.
    ///
    /// # Errors
    /// The first finding that stops a conversion.
    pub(crate) fn read_layout(name: String, files: Files) -> Result<Input> {
        let mut input = Input::empty(name);
        input.format = Some(Format::OciLayout);
        let mut reading = Reading::new(&files);
        input.entries = oci::layout::read(&mut reading, oci::layout::LayoutKind::Plain);
        reading.finish(&mut input);
        input.files = files;
        let about = input.about(|_, _| true);
        // What it leaves out it may go on to leave out.
        warnings_of(about.filter(|(_, finding)| finding.code != Code::BlobLeftOut))?;
        Ok(input)
    }
}

/// The warnings of a conversion.
///
/// # Errors
/// The first finding that stops a conversion: [`Error::Finding`] with its place.
pub(crate) fn warnings_of(
    findings: impl IntoIterator<Item = (Response, Finding)>,
) -> Result<Vec<Finding>> {
    let mut warnings = Vec::new();
    for (response, finding) in findings {
        match response {
            Response::Stops => return Err(Error::finding(finding)),
            Response::Warns | Response::Corrects => warnings.push(finding),
            Response::Silent => {}
        }
    }
    Ok(warnings)
}

/// The name of an input in messages.
pub(crate) fn name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    path.display().to_string()
}

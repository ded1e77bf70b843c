//! Digests that change, and signatures of the old digests.

use std::collections::{HashMap, HashSet};

use super::remaining::Failed;
use crate::digest::Digest;
use crate::error::{Error, RequestError};
use crate::findings::{Code, Finding, Place};
use crate::formats::Input;
use crate::report::EntryReport;

/// A manifest or index that is different in the output.
struct DigestChange {
    old: Digest,
    /// `None` for an index that is not in the output as a whole.
    new: Option<Digest>,
}

fn changes(entry: &EntryReport) -> Vec<DigestChange> {
    let mut changes = Vec::new();
    for image in &entry.images {
        for index in &image.indexes {
            changes.push(DigestChange {
                old: index.old,
                new: index.new,
            });
        }
        for old in image.old_manifest.into_iter().chain(image.schema1) {
            changes.push(DigestChange {
                old,
                new: image.manifest,
            });
        }
    }
    changes.retain(|change| change.new != Some(change.old));
    changes
}

fn label(entry: &EntryReport) -> String {
    let name = entry.names.first().cloned();
    name.unwrap_or_else(|| entry.digest.to_string())
}

/// What is known of the digests in the output, and wanted of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digests {
    /// Whether none may change.
    pub keep: bool,
    /// Whether the new ones are known. In a dry run it is only known that they change.
    pub known: bool,
}

impl Digests {
    /// What is to be said of digests that change. `origins` are the numbers of the entries' inputs.
    ///
    /// # Errors
    /// Any change, where digests are to be kept.
    pub fn check(
        self,
        inputs: &[Input],
        origins: &[usize],
        entries: &[EntryReport],
    ) -> Result<Vec<Finding>, Failed> {
        if self.keep {
            refuse_changes(inputs, origins, entries, self.known)?;
        }
        Ok(signatures(inputs, entries, self.known))
    }
}

/// Tells of signatures that name digests which have changed.
fn signatures(inputs: &[Input], entries: &[EntryReport], known: bool) -> Vec<Finding> {
    let signings = inputs.iter().flat_map(|input| &input.signings);
    let mut of_digest: HashMap<Digest, Vec<&str>> = HashMap::new();
    for signing in signings {
        let labels = of_digest.entry(signing.signed).or_default();
        labels.push(&signing.label);
    }
    if of_digest.is_empty() {
        return Vec::new();
    }
    let mut told = HashSet::new();
    let mut findings = Vec::new();
    for entry in entries {
        for DigestChange { old, new } in changes(entry) {
            for signature in of_digest.get(&old).into_iter().flatten() {
                if !told.insert((old, *signature)) {
                    continue;
                }
                let place = Place::input(&entry.input).enclosing(&Place::image(label(entry)));
                let done = match new {
                    Some(_) if !known => "becomes another".to_owned(),
                    Some(new) => format!("becomes {new}"),
                    None => "is not in the output".to_owned(),
                };
                let message = format!("{old} {done}, so {signature} no longer matches it");
                let mut finding = Finding::new(Code::SignatureStale, &place, message);
                finding.expected = Some(old.to_string());
                finding.found = new.filter(|_| known).map(|new| new.to_string());
                findings.push(finding);
            }
        }
    }
    findings
}

fn refuse_changes(
    inputs: &[Input],
    origins: &[usize],
    entries: &[EntryReport],
    known: bool,
) -> Result<(), Failed> {
    let mut errors = Vec::new();
    for (entry, &origin) in entries.iter().zip(origins) {
        if let Some(DigestChange { old, new }) = changes(entry).into_iter().next() {
            let error = match new {
                Some(_) if !known => Error::Request(RequestError::DigestWouldChange { old }),
                new => Error::Request(RequestError::DigestChanges { old, new }),
            };
            let place = Place::input(&inputs[origin].name).enclosing(&Place::image(label(entry)));
            errors.push((origin, error.at(place)));
        }
    }
    Failed::if_any(errors)
}

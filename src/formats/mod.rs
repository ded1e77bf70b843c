//! The formats of inputs: detection, and one reader for each format, which returns the image model and findings.

mod config;
mod descriptor;
mod detect;
mod dir;
pub(crate) mod docker;
mod flat_folder;
mod format;
mod input;
mod json;
mod keys;
pub(crate) mod oci;
mod reading;
mod registry;
#[cfg(all(test, feature = "shared-tests"))]
mod shared_tests;
mod signing;

pub(crate) use docker::go_time;
pub use format::Format;
pub use input::{Input, ReadOptions};
pub(crate) use input::{Loose, name, warnings_of};
pub(crate) use json::{parse, to_bytes};
pub(crate) use reading::UNLISTED;
pub(crate) use reading::too_many;
pub(crate) use registry::{find_loose_blobs, leave_out};
pub(crate) use signing::Signing;

use crate::error::Error;
use crate::findings::{Code, Place, Response};
use crate::image::Entry;
use crate::source::Opened;
use detect::{Detected, detect};
use reading::Reading;

/// Reads the metadata of an opened input.
fn read(name: String, opened: Opened, options: &ReadOptions) -> Input {
    let Opened {
        files,
        manifest,
        damage,
    } = opened;
    let mut reading = Reading::new(&files);
    let is_damaged = damage.is_some();
    if let Some(damage) = damage {
        let code = match damage {
            Error::Limit { .. } => Code::Limit,
            _ => Code::ArchiveDamaged,
        };
        reading.note(code, &Place::default(), damage.chain());
    }
    for ambiguity in files.ambiguous() {
        let message = format!("member at byte {}: {}", ambiguity.offset, ambiguity.what);
        let place = Place::file(&ambiguity.name);
        reading.note(Code::ArchiveAmbiguous, &place, message);
    }
    for unlisted in files.unlisted() {
        reading.unlisted(unlisted);
    }
    for name in files.repeated() {
        let message = "the archive has two members with this name; the last is read";
        reading.note(Code::ArchiveDuplicateMember, &Place::file(name), message);
    }
    let mut read = Read::default();
    match detect(&files, manifest) {
        // Without its end, an archive of any Docker looks like one of an old Docker.
        Ok(Detected::DockerLegacy) if is_damaged && !files.has("repositories") => {}
        Ok(detected) => read = read_format(&mut reading, detected),
        // Many archives have their metadata at the end, which may be cut off.
        Err(_) if is_damaged => {}
        Err(error) => {
            let code = match error {
                Error::NotAnImage { .. } => Code::NotAnImage,
                Error::SeveralTrees { .. } => Code::RegistryTrees,
                _ => Code::Unreadable,
            };
            reading.note(code, &Place::default(), error.chain());
        }
    }
    let is_silent = |reading: &Reading| {
        let mut codes = reading.findings.iter().map(|noted| noted.finding.code);
        !codes.any(|code| code.response() == Response::Stops)
    };
    if read.entries.is_empty() && is_silent(&reading) {
        let place = listed_in(read.format).map_or_else(Place::default, Place::file);
        reading.note(Code::NoImages, &place, "no images are listed");
    }
    let signings = signing::find(&reading, &read.entries);
    signing::note_orphans(&mut reading, &read.entries, &signings);
    let signatures = read.signatures;
    for name in &signatures {
        let message = "a detached signature, which has no place in an OCI layout";
        reading.note(Code::SignatureDetached, &Place::file(name), message);
    }
    let mut found = reading.finish();
    for one in &mut found.noted {
        // An entry that could not be read cannot be selected.
        let is_known = |&entry: &usize| entry < read.entries.len() || entry == UNLISTED;
        one.entry = one.entry.filter(is_known);
    }
    Input {
        format: read.format,
        entries: read.entries,
        signatures,
        signings,
        ignore_signatures: options.ignore_signatures,
        loose: read.loose,
        noted: found.noted,
        documents: found.documents,
        known: found.known,
        links: found.links,
        root: read.root,
        absent: found.absent,
        files,
        ..Input::empty(name)
    }
}

/// The file that lists the images of a format.
fn listed_in(format: Option<Format>) -> Option<&'static str> {
    match format? {
        Format::DockerArchive => Some("manifest.json"),
        Format::DockerOciArchive | Format::OciLayout => Some("index.json"),
        Format::DockerLegacy => Some("repositories"),
        Format::Dir | Format::Schema1 | Format::Registry => None,
    }
}

/// The result of the reader of a format, besides findings.
#[derive(Default)]
struct Read {
    format: Option<Format>,
    entries: Vec<Entry>,
    loose: Vec<Loose>,
    signatures: Vec<String>,
    /// Of a registry tree.
    root: String,
}

fn read_format(reading: &mut Reading, detected: Detected) -> Read {
    let mut read = Read::default();
    match detected {
        Detected::OciLayout => {
            read.format = Some(Format::OciLayout);
            read.entries = oci::layout::read(reading, oci::layout::LayoutKind::Plain);
            read.loose = oci::layout::loose_blobs(reading);
        }
        Detected::DockerOciArchive => {
            read.format = Some(Format::DockerOciArchive);
            read.entries = docker::hybrid::read(reading);
            read.loose = oci::layout::loose_blobs(reading);
        }
        Detected::DockerArchive => {
            read.format = Some(Format::DockerArchive);
            read.entries = docker::save::read(reading);
        }
        Detected::DockerLegacy => {
            read.format = Some(Format::DockerLegacy);
            read.entries = docker::legacy::read(reading);
        }
        Detected::Manifest(name) => {
            let (format, entries, loose) = dir::read(reading, &name);
            read.format = Some(format);
            read.entries = entries;
            read.loose = loose;
            read.signatures = dir::signatures(reading.files);
        }
        Detected::Registry(root) => {
            read.format = Some(Format::Registry);
            let (entries, loose) = registry::read(reading, &root);
            read.entries = entries;
            read.loose = loose;
            read.root = root;
        }
    }
    read
}

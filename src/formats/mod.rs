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
pub(crate) use json::{bounded, parse, to_bytes};
pub(crate) use reading::UNLISTED;
pub(crate) use reading::too_many;
pub(crate) use registry::{find_loose_blobs, leave_out};
pub(crate) use signing::Signing;

use crate::error::Error;
use crate::findings::{Code, Place, Response};
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
    let mut input = Input::empty(name);
    input.ignore_signatures = options.ignore_signatures;
    match detect(&files, manifest) {
        // Without its end, an archive of any Docker looks like one of an old Docker.
        Ok(Detected::DockerLegacy) if is_damaged && !files.has("repositories") => {}
        Ok(detected) => read_format(&mut reading, detected, &mut input),
        // Many archives have their metadata at the end, which may be cut off.
        Err(_) if is_damaged => {}
        Err(error) => {
            let code = match error {
                Error::NotAnImage { .. } => Code::NotAnImage,
                Error::SeveralTrees { .. } => Code::RegistryTrees,
                Error::DanglingLink { .. } | Error::LinkCycle { .. } | Error::NotAFile { .. } => {
                    Code::BadLink
                }
                _ => Code::Unreadable,
            };
            reading.note(code, &Place::default(), error.chain());
        }
    }
    let is_silent = |reading: &Reading| {
        let mut codes = reading.findings.iter().map(|noted| noted.finding.code);
        !codes.any(|code| code.response() == Response::Stops)
    };
    if input.entries.is_empty() && is_silent(&reading) {
        let place = listed_in(input.format).map_or_else(Place::default, Place::file);
        reading.note(Code::NoImages, &place, "no images are listed");
    }
    input.signings = signing::find(&reading, &input.entries);
    signing::note_orphans(&mut reading, &input.entries, &input.signings);
    for name in &input.signatures {
        let message = "a detached signature, which has no place in an OCI layout";
        reading.note(Code::SignatureDetached, &Place::file(name), message);
    }
    reading.finish(&mut input);
    input.files = files;
    for one in &mut input.noted {
        // An entry that could not be read cannot be selected.
        let is_known = |&entry: &usize| entry < input.entries.len() || entry == UNLISTED;
        one.entry = one.entry.filter(is_known);
    }
    input
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

/// Reads entries and blobs as the reader of the format does.
fn read_format(reading: &mut Reading, detected: Detected, input: &mut Input) {
    match detected {
        Detected::OciLayout => {
            input.format = Some(Format::OciLayout);
            input.entries = oci::layout::read(reading, oci::layout::LayoutKind::Plain);
            input.loose = oci::layout::loose_blobs(reading);
        }
        Detected::DockerOciArchive => {
            input.format = Some(Format::DockerOciArchive);
            input.entries = docker::hybrid::read(reading);
            input.loose = oci::layout::loose_blobs(reading);
        }
        Detected::DockerArchive => {
            input.format = Some(Format::DockerArchive);
            input.entries = docker::save::read(reading);
        }
        Detected::DockerLegacy => {
            input.format = Some(Format::DockerLegacy);
            input.entries = docker::legacy::read(reading);
        }
        Detected::Manifest(name) => {
            let (format, entries, loose) = dir::read(reading, &name);
            input.format = Some(format);
            input.entries = entries;
            input.loose = loose;
            input.signatures = dir::signatures(reading.files);
        }
        Detected::Registry(root) => {
            input.format = Some(Format::Registry);
            input.entries = registry::read(reading, &root);
            input.root = root;
        }
    }
}

//! Inputs: opening them, finding their format by looking, reading their metadata.

mod beside;
mod config;
mod dir;
pub mod docker;
mod json;
pub(crate) mod keys;
pub(crate) mod oci;

use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

pub(crate) use beside::Beside;
pub(crate) use config::{diff_ids, parse_config};
pub(crate) use dir::is_schema1;
pub(crate) use docker::read_schema1::content as schema1_content;
pub(crate) use docker::save::digest_in_name;
pub(crate) use json::{parse, to_bytes};
pub(crate) use oci::documents::own_media_type;
pub(crate) use oci::tree::{Blobs, Places};

use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::findings::{Finding, Place};
use crate::image::Entry;
use crate::interrupt::Interrupt;
use crate::limits;
use crate::source::{self, Files, Opened};

/// An input with its metadata read.
#[derive(Debug)]
pub struct Input {
    /// As the user named it.
    pub name: String,
    /// What it turned out to be.
    pub format: Format,
    /// Its images, in its own order.
    pub entries: Vec<Entry>,
    /// What the user should know of it.
    pub warnings: Vec<Finding>,
    /// Files that belong to the images but have no place in a layout: detached signatures.
    pub signatures: Vec<String>,
    pub(crate) files: Files,
}

/// The formats of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `docker save` of 1.10 and later: manifest.json.
    DockerArchive,
    /// `docker save` of 25 and later: an OCI layout with manifest.json.
    DockerOciArchive,
    /// `docker save` before 1.10: repositories and a folder for each layer.
    DockerLegacy,
    /// An OCI image layout.
    OciLayout,
    /// A folder as skopeo's `dir:` makes it.
    Dir,
    /// A schema 1 manifest with its blobs.
    Schema1,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::DockerArchive => "docker-archive",
            Format::DockerOciArchive => "docker-archive with oci-layout",
            Format::DockerLegacy => "docker-archive before 1.10",
            Format::OciLayout => "oci-layout",
            Format::Dir => "dir",
            Format::Schema1 => "schema 1",
        })
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How inputs are read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Take schema 1 manifests whose signatures do not fit.
    pub ignore_signatures: bool,
    /// The largest a layer may be when it is decoded, in bytes.
    pub layer_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions {
            ignore_signatures: false,
            layer_bytes: limits::LAYER_BYTES,
        }
    }
}

impl Input {
    /// Opens `path` (`-` is standard input) and reads all metadata.
    ///
    /// A compressed or streamed archive is decoded into an unlinked temporary file in `temporary`.
    pub fn open(
        path: &Path,
        temporary: &Path,
        options: &ReadOptions,
        interrupt: &Interrupt,
    ) -> Result<Input> {
        let name = name(path);
        let open = || {
            let mut opened = source::open(path, temporary, interrupt)?;
            match opened.damage.take() {
                Some(damage) => Err(damage),
                None => read(name.clone(), opened, options),
            }
        };
        open().at(|| Place::input(name.clone()))
    }

    /// Whether `files` look like an OCI layout.
    pub(crate) fn is_layout(files: &Files) -> bool {
        files.has("oci-layout") && files.has("index.json")
    }

    /// Reads an OCI layout alone, whatever else is beside it.
    pub(crate) fn read_layout(name: String, files: Files) -> Result<Input> {
        let mut input = Input {
            name,
            format: Format::OciLayout,
            entries: Vec::new(),
            warnings: Vec::new(),
            signatures: Vec::new(),
            files,
        };
        input.entries = oci::layout::read(&input.files, &mut input.warnings)?;
        Ok(input)
    }
}

/// What an input is called in messages.
pub(crate) fn name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    path.display().to_string()
}

/// What an input is, by the files that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Detected {
    /// manifest.json as a list of images.
    DockerArchive,
    /// The same, with an index.json.
    DockerOciArchive,
    /// An index.json.
    OciLayout,
    /// A manifest of this name that is no list: `dir:` or schema 1.
    Manifest(String),
    /// Before manifest.json.
    DockerLegacy,
}

/// Looks for what an input is; the order matters, since later Docker archives are several formats at once.
pub(crate) fn detect(files: &Files, manifest: Option<String>) -> Result<Detected> {
    let manifest = manifest
        .or_else(|| {
            files
                .has("manifest.json")
                .then(|| "manifest.json".to_owned())
        })
        .or_else(|| lone_schema1(files));
    let array = match &manifest {
        Some(name) => is_array(&files.get(name)?.beginning(64)?),
        None => false,
    };
    let has_layout = files.has("index.json");
    Ok(match manifest {
        Some(_) if array && has_layout => Detected::DockerOciArchive,
        Some(_) if array => Detected::DockerArchive,
        _ if has_layout => Detected::OciLayout,
        Some(manifest) => Detected::Manifest(manifest),
        None if docker::legacy::is_legacy(files) => Detected::DockerLegacy,
        None => {
            return Err(Error::NotAnImage {
                found: describe(files),
            });
        }
    })
}

/// Reads the metadata of an opened input.
fn read(name: String, opened: Opened, options: &ReadOptions) -> Result<Input> {
    let mut input = Input {
        name,
        format: Format::OciLayout,
        entries: Vec::new(),
        warnings: Vec::new(),
        signatures: Vec::new(),
        files: opened.files,
    };
    let files = &input.files;
    let warnings = &mut input.warnings;
    (input.format, input.entries) = match detect(files, opened.manifest)? {
        Detected::DockerOciArchive => {
            let entries = docker::save::read_with_layout(files, warnings)?;
            (Format::DockerOciArchive, entries)
        }
        Detected::DockerArchive => (Format::DockerArchive, docker::save::read(files)?),
        Detected::OciLayout => (Format::OciLayout, oci::layout::read(files, warnings)?),
        Detected::Manifest(manifest) => {
            let read = dir::read(files, &manifest, options, warnings)?;
            input.signatures = read.signatures;
            (read.format, read.entries)
        }
        Detected::DockerLegacy => (Format::DockerLegacy, docker::legacy::read(files)?),
    };
    if input.entries.is_empty() {
        return Err(Error::NotAnImage {
            found: "index.json lists none".to_owned(),
        });
    }
    check_names(&input.entries)?;
    Ok(input)
}

/// Names go into messages, reports and an index each of them has to be looked for in.
fn check_names(entries: &[Entry]) -> Result<()> {
    let references = || entries.iter().flat_map(|entry| &entry.references);
    check_name_count(references().count())?;
    let longest = references().filter_map(|reference| Some(reference.display_name()?.len() as u64));
    limits::at_most(
        "the length of an image's name in bytes",
        longest.max().unwrap_or_default(),
        limits::IMAGE_NAME_BYTES,
    )
}

fn check_name_count(count: usize) -> Result<()> {
    limits::at_most("the number of names", count, limits::NAMES)
}

/// A schema 1 manifest under a name of its own, if it is the only one.
fn lone_schema1(files: &Files) -> Option<String> {
    let is_json = |name: &&str| {
        let extension = std::path::Path::new(name).extension();
        !name.contains('/') && extension.is_some_and(|extension| extension == "json")
    };
    let is_schema1 = |name: &&str| {
        files
            .document(name)
            .is_ok_and(|bytes| dir::is_schema1(&bytes))
    };
    let mut found = files.names().filter(is_json).filter(is_schema1);
    let first = found.next()?;
    found.next().is_none().then(|| first.to_owned())
}

fn is_array(beginning: &[u8]) -> bool {
    let first = beginning.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'[')
}

/// What is there in place of an image, for the message.
fn describe(files: &Files) -> String {
    let names: Vec<&str> = files.names().collect();
    if ["etc", "usr", "bin"].iter().all(|folder| {
        names
            .iter()
            .any(|name| name.split('/').next() == Some(folder))
    }) {
        return "it is the file system of a container or a machine (docker export, a root file \
                system), without the metadata of an image"
            .to_owned();
    }
    let is_archive = |name: &&&str| {
        let endings = [".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2"];
        // Deeper down they are layers.
        !name.contains('/') && endings.iter().any(|ending| name.ends_with(ending))
    };
    if let Some(first) = names.iter().find(is_archive) {
        return format!("it holds archives, each of which is an input of its own, as {first}");
    }
    match names.len() {
        0 => "it holds no files".to_owned(),
        count => format!(
            "none of its {count} files is manifest.json, index.json or repositories; the first is {}",
            names[0]
        ),
    }
}

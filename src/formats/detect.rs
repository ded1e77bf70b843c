//! Detects the format of an input from its files.

use super::{dir, docker, registry};
use crate::error::{CONTAINS_ARCHIVES, Error, Result};
use crate::source::Files;

/// The detected format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Detected {
    /// A manifest.json with a list of images.
    DockerArchive,
    /// The same, with an index.json.
    DockerOciArchive,
    /// An index.json.
    OciLayout,
    /// A manifest with this name that is not a list: `dir:` or schema 1.
    Manifest(String),
    /// An archive from before manifest.json.
    DockerLegacy,
    /// A registry's storage tree, with its root.
    Registry(String),
}

/// Detects the format. The order matters, because later Docker archives are several formats at once.
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
        None => match registry::root(files)? {
            Some(root) => Detected::Registry(root),
            None => return Err(not_an_image(files)),
        },
    })
}

/// Why no image was found: a folder that could not be searched, or what else there is.
fn not_an_image(files: &Files) -> Error {
    let unsearched = files.unsearched().filter(|_| !is_root(files));
    unsearched.unwrap_or_else(|| Error::NotAnImage {
        found: describe(files),
    })
}

/// A schema 1 manifest with any name, if it is the only one.
fn lone_schema1(files: &Files) -> Option<String> {
    let is_json = |name: &&str| {
        let extension = std::path::Path::new(name).extension();
        !name.contains('/') && extension.is_some_and(|extension| extension == "json")
    };
    let is_schema1 = |name: &&str| {
        let bytes = files.get(name).and_then(|content| files.read(&content));
        bytes.is_ok_and(|bytes| dir::is_schema1(&bytes))
    };
    let mut found = files.names().filter(is_json).filter(is_schema1);
    let first = found.next()?;
    found.next().is_none().then(|| first.to_owned())
}

fn is_array(beginning: &[u8]) -> bool {
    let first = beginning.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'[')
}

/// Whether it is a root file system.
fn is_root(files: &Files) -> bool {
    ["etc", "usr", "bin"].iter().all(|folder| {
        let mut names = files.names();
        names.any(|name| name.split('/').next() == Some(folder))
    })
}

/// Describes an input that is not an image, for the message.
fn describe(files: &Files) -> String {
    // `tar cf x.tar -C folder ./` lists the folder itself too.
    let names: Vec<&str> = files.names().filter(|name| !name.is_empty()).collect();
    if is_root(files) {
        return "it is a root file system without the metadata of an image, for example from docker export"
            .to_owned();
    }
    let is_archive = |name: &&&str| {
        let endings = [".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2"];
        // In folders they are layers.
        !name.contains('/') && endings.iter().any(|ending| name.ends_with(ending))
    };
    if let Some(first) = names.iter().find(is_archive) {
        return format!("{CONTAINS_ARCHIVES}, such as {first}");
    }
    match names.len() {
        0 => "it contains no files".to_owned(),
        1 => format!(
            "its only file is {}, not manifest.json, index.json or repositories",
            names[0]
        ),
        count => format!(
            "none of its {count} files is manifest.json, index.json or repositories; the first is {}",
            names[0]
        ),
    }
}

//! What an input may be.

use std::fmt;

use serde::{Serialize, Serializer};

/// The formats of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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
    /// The storage tree of a registry.
    Registry,
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
            Format::Registry => "registry",
        })
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

//! skopeo's `dir:` folders, and folders with a manifest and blobs beside it.
//!
//! <https://github.com/containers/image/blob/main/docs/containers-transports.5.md>

use serde::Deserialize;
use serde_json::Map;

use super::beside::Beside;
use super::docker::read_schema1;
use super::oci::tree::{Places, Tree};
use super::{Format, ReadOptions};
use crate::digest::Digest;
use crate::error::Result;
use crate::error::ResultExt;
use crate::findings::{Finding, Place};
use crate::image::Entry;
use crate::image::Reference;
use crate::source::Files;

use crate::image::Document;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionView {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    fs_layers: Option<serde_json::Value>,
}

/// What a folder holds.
pub(crate) struct Read {
    pub format: Format,
    pub entries: Vec<Entry>,
    /// Files with detached signatures.
    pub signatures: Vec<String>,
}

impl Places for Beside<'_> {
    fn blob(&self, digest: &Digest) -> String {
        Beside::blob(self, digest).unwrap_or_else(|| digest.hex())
    }

    fn document(&self, digest: &Digest) -> String {
        let manifest = format!("{}.manifest.json", digest.hex());
        if self.files.has(&manifest) {
            manifest
        } else {
            Places::blob(self, digest)
        }
    }
}

/// Whether a document is a schema 1 manifest.
pub(crate) fn is_schema1(bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes)
        .is_ok_and(|view: VersionView| view.schema_version == 1 && view.fs_layers.is_some())
}

/// Reads the image, or the images, of the manifest at `name`.
pub(crate) fn read(
    files: &Files,
    name: &str,
    options: &ReadOptions,
    warnings: &mut Vec<Finding>,
) -> Result<Read> {
    let bytes = files.document(name)?;
    let view: VersionView = crate::formats::parse(name, &bytes)?;
    let (format, entry) = if view.schema_version == 1 {
        let entry = read_schema1::read(files, &bytes, options, warnings)?;
        (Format::Schema1, entry)
    } else {
        let places = Beside { files };
        let mut tree = Tree::new(files, &places);
        let node = tree
            .document(Document::new("", bytes), &Map::new(), 0)
            .at(|| Place::image("@0".to_owned()))?;
        warnings.append(&mut tree.warnings);
        let entry = Entry {
            references: vec![Reference::default()],
            node,
        };
        (Format::Dir, entry)
    };
    let signatures = files.names().filter(|name| {
        let last = name.rsplit('.').next().unwrap_or(name);
        last.strip_prefix("signature-")
            .is_some_and(|number| number.parse::<u32>().is_ok())
    });
    Ok(Read {
        format,
        entries: vec![entry],
        signatures: signatures.map(str::to_owned).collect(),
    })
}

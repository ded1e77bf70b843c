//! skopeo's `dir:` folders, and other folders with a manifest and its blobs.
//!
//! <https://github.com/containers/image/blob/main/docs/containers-transports.5.md>

use serde::Deserialize;
use serde_json::Value;

use super::docker::schema1;
use super::flat_folder::FlatFolder;
use super::oci::tree::{Places, Tree};
use super::reading::{Reading, UNREFERENCED};
use super::{Format, Loose};
use crate::digest::Digest;
use crate::findings::{Code, Place};
use crate::image::{Document, Entry, Node, Reference};
use crate::source::Files;

impl Places for FlatFolder<'_> {
    fn blob(&self, digest: &Digest) -> String {
        FlatFolder::blob(self, digest).unwrap_or_else(|| digest.hex())
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
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct View {
        schema_version: u64,
        fs_layers: Value,
    }
    serde_json::from_slice(bytes)
        .is_ok_and(|view: View| view.schema_version == 1 && !view.fs_layers.is_null())
}

/// Reads the image or images of the manifest `name`. Returns the format, the entries, and unreferenced blobs.
pub(crate) fn read(reading: &mut Reading, name: &str) -> (Format, Vec<Entry>, Vec<Loose>) {
    let place = Place::file(name);
    let content = reading.required(name, &place);
    let Some(document) = content.and_then(|content| reading.document(&content, None, &place))
    else {
        return (Format::Dir, Vec::new(), Vec::new());
    };
    let places = FlatFolder {
        files: reading.files,
    };
    let (format, entries) = if is_schema1(&document.bytes) {
        let origin = schema1::Origin {
            position: 0,
            file: name,
            digest: None,
            name: None,
            places: &places,
        };
        let entry = schema1::read(reading, &origin, &document.bytes);
        (Format::Schema1, entry.into_iter().collect())
    } else {
        reading.entry = Some(0);
        let mut tree = Tree::new(reading, &places);
        let place = Place::image("@0").in_file(name);
        let named = Document::new("", document.bytes);
        let node = tree.document(&document.value, named, None, &place, 0);
        reading.entry = None;
        let entry = |node: Node| Entry {
            references: vec![Reference::default()],
            node,
        };
        (Format::Dir, node.map(entry).into_iter().collect())
    };
    (format, entries, other_files(reading))
}

/// The files with detached signatures, which are beside the manifest.
pub(crate) fn signatures(files: &Files) -> Vec<String> {
    let signatures = files.names().filter(|name| {
        let last = name.rsplit('.').next().unwrap_or(name);
        let number = last.strip_prefix("signature-");
        !name.contains('/') && number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    signatures.map(str::to_owned).collect()
}

/// Blobs next to a manifest that it does not refer to.
fn other_files(reading: &mut Reading) -> Vec<Loose> {
    let files = reading.files;
    let mut loose = Vec::new();
    for name in files.names() {
        let stem = name.split('.').next().unwrap_or(name);
        let Some(digest) = Digest::from_sha256_hex(stem) else {
            continue;
        };
        if let Ok(Some(content)) = files.find(name)
            && !reading.is_known(&content)
        {
            let place = Place::file(name);
            reading.note(Code::UnreferencedBlob, &place, UNREFERENCED);
            loose.push(Loose {
                content,
                digest,
                file: name.to_owned(),
            });
        }
    }
    loose
}

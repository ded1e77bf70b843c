//! What the documents of a layout refer to.

use std::collections::BTreeSet;

use rustix::fs::FileType;
use serde_json::{Map, Value};

use crate::digest::{Digest, DigestError};
use crate::error::{Error, OutputError, Result};
use crate::formats;
use crate::fs::Dir;
use crate::image::media_type::{self, DocumentKind};
use crate::interrupt::Interrupt;
use crate::limits;

/// What a document must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// index.json, which must have `manifests`.
    IndexJson,
    /// manifest.json of `docker save`.
    DockerManifest,
    /// A manifest or index: a descriptor says so.
    Manifest,
    /// It may be a manifest or index, whatever descriptors say.
    Unknown,
}

/// The blobs that the documents of a layout refer to. Digests in any field count, so that rather too much is kept than too
/// little.
pub(super) struct References<'a> {
    blobs: &'a Dir,
    pub found: BTreeSet<Digest>,
    /// Blobs that were found but not read, and whether they must be manifests or indexes.
    unread: Vec<(Digest, bool)>,
}

impl<'a> References<'a> {
    pub fn new(blobs: &'a Dir) -> References<'a> {
        References {
            blobs,
            found: BTreeSet::new(),
            unread: Vec::new(),
        }
    }

    /// Reads everything that the documents refer to.
    pub fn follow(&mut self, interrupt: &Interrupt) -> Result<()> {
        // Only one of several descriptors may have the media type of a manifest.
        let mut required = BTreeSet::new();
        let mut seen = BTreeSet::new();
        while let Some((digest, is_required)) = self.unread.pop() {
            interrupt.check()?;
            let is_new = seen.insert(digest);
            if is_new || is_required && required.insert(digest) {
                self.look_into(&digest, is_required)?;
            }
        }
        Ok(())
    }

    /// Reads a blob if it is a manifest or index. A missing blob has no references.
    fn look_into(&mut self, digest: &Digest, is_required: bool) -> Result<()> {
        let file = digest.blob_path();
        let cannot = |reason: &str| cannot_prune(&file, reason.to_owned());
        let Some(folder) = self.blobs.folder(digest.algorithm())? else {
            return Ok(());
        };
        let hex = digest.hex();
        let Some(status) = folder.status(&hex)? else {
            return Ok(());
        };
        let is_small =
            u64::try_from(status.st_size).is_ok_and(|size| size <= limits::DOCUMENT_BYTES);
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile || !is_small {
            return if is_required {
                Err(cannot("it is not a document"))
            } else {
                Ok(())
            };
        }
        let Some(bytes) = folder.read(&hex)? else {
            return Ok(());
        };
        let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
        let is_document = is_required || is_object && is_manifest(&bytes);
        if !is_document {
            return Ok(());
        }
        if digest.same_algorithm(&bytes) != *digest {
            return Err(cannot("its digest does not match"));
        }
        let kind = if is_required {
            Kind::Manifest
        } else {
            Kind::Unknown
        };
        self.read(&file, &bytes, kind)
    }

    /// Finds all digests of a document.
    ///
    /// # Errors
    /// [`OutputError::CannotPrune`].
    pub fn read(&mut self, document: &str, bytes: &[u8], kind: Kind) -> Result<()> {
        let parsed = formats::bounded(bytes);
        let value = parsed.map_err(|reason| cannot_prune(document, reason))?;
        check(&value, kind).map_err(|reason| cannot_prune(document, reason))?;
        self.search(&value);
        // The parsed value has only the last of repeated keys.
        for (start, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b's') {
            for length in ["sha256:".len() + 64, "sha512:".len() + 128] {
                let text = bytes.get(start..start + length);
                let text = text.and_then(|text| std::str::from_utf8(text).ok());
                if let Some(Ok(digest)) = text.map(str::parse) {
                    self.add(digest, false);
                }
            }
        }
        Ok(())
    }

    /// The depth is at most [`limits::JSON_DEPTH`], because the parser refuses more.
    fn search(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                let digest = text
                    .strip_prefix("blobs/")
                    .map(|path| path.replacen('/', ":", 1));
                if let Ok(digest) = digest.as_deref().unwrap_or(text).parse() {
                    self.add(digest, false);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.search(value)),
            Value::Object(fields) => {
                let text = |key| fields.get(key).and_then(Value::as_str);
                if let (Some(media_type), Some(digest)) = (text("mediaType"), text("digest"))
                    && matches!(
                        media_type::kind(media_type),
                        DocumentKind::Manifest | DocumentKind::Index
                    )
                    && let Ok(digest) = digest.parse()
                {
                    self.add(digest, true);
                }
                fields.values().for_each(|value| self.search(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn add(&mut self, digest: Digest, is_required: bool) {
        if self.found.insert(digest) || is_required {
            self.unread.push((digest, is_required));
        }
    }
}

/// Whether a document looks like a manifest or index, whatever its media type. A config does not, because its `diff_ids` are
/// not digests of blobs.
fn is_manifest(bytes: &[u8]) -> bool {
    let Ok(Value::Object(fields)) = formats::bounded(bytes) else {
        return false;
    };
    let is_one_of = |key: &String| {
        ["manifests", "layers", "blobs", "fsLayers", "schemaVersion"]
            .iter()
            .any(|name| key.eq_ignore_ascii_case(name))
    };
    fields.keys().any(is_one_of)
}

/// Refuses a document that does not say what it refers to: one damaged byte could cost an image.
fn check(value: &Value, kind: Kind) -> Result<(), String> {
    match (kind, value) {
        (Kind::Unknown, _) | (Kind::DockerManifest, Value::Array(_)) => Ok(()),
        (Kind::DockerManifest, _) => Err("it is not an array".to_owned()),
        (Kind::IndexJson, Value::Object(fields)) => match fields.get("manifests") {
            Some(Value::Array(_)) => check_fields(fields),
            _ => Err("it has no array of manifests".to_owned()),
        },
        (Kind::Manifest, Value::Object(fields)) => check_fields(fields),
        (Kind::IndexJson | Kind::Manifest, _) => Err("it is not an object".to_owned()),
    }
}

/// Checks the fields of a manifest or index that hold descriptors.
fn check_fields(fields: &Map<String, Value>) -> Result<(), String> {
    for key in ["manifests", "layers", "blobs"] {
        match fields.get(key) {
            // Go writes an empty list as null.
            None | Some(Value::Null) => {}
            Some(Value::Array(descriptors)) => {
                for (position, descriptor) in descriptors.iter().enumerate() {
                    check_descriptor(descriptor, || format!("{key}[{position}]"))?;
                }
            }
            Some(_) => return Err(format!("{key} is not an array")),
        }
    }
    for key in ["config", "subject"] {
        if let Some(descriptor) = fields.get(key).filter(|value| !value.is_null()) {
            check_descriptor(descriptor, || key.to_owned())?;
        }
    }
    Ok(())
}

fn check_descriptor(descriptor: &Value, what: impl Fn() -> String) -> Result<(), String> {
    let digest = descriptor.get("digest").and_then(Value::as_str);
    let digest = digest.ok_or_else(|| format!("{} has no digest", what()))?;
    let algorithm = digest.split(':').next().unwrap_or_default();
    let is_known = ["sha256", "sha512"]
        .iter()
        .any(|known| algorithm.eq_ignore_ascii_case(known));
    match digest.parse::<Digest>() {
        // Blobs of other algorithms are never removed.
        Err(DigestError::UnknownAlgorithm(_)) if !is_known => Ok(()),
        Err(error) => Err(format!("{}: {error}", what())),
        Ok(_) => Ok(()),
    }
}

fn cannot_prune(document: &str, reason: String) -> Error {
    let document = document.to_owned();
    OutputError::CannotPrune { document, reason }.into()
}

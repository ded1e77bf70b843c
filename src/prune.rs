//! Pruning: removes unreferenced blobs from a layout.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FileType;
use serde_json::Value;

use crate::digest::Digest;
use crate::error::{Error, OutputError, Result, ResultExt};
use crate::findings::Place;
use crate::fs::{Dir, Locking, staging};
use crate::image::media_type::{DocumentKind, kind};
use crate::interrupt::Interrupt;
use crate::limits;
use crate::output;

/// Options for pruning.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct PruneOptions {
    /// Nothing is removed.
    pub dry_run: bool,
}

/// The removed blobs, or those that would be removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Number of blobs.
    pub blobs: usize,
    /// Size of the blobs in bytes.
    pub size: u64,
}

const INDEX: &str = "index.json";
const BLOBS: &str = "blobs";
/// Files of `docker save` next to a layout, which refer to blobs too.
const DOCKER_MANIFEST: &str = "manifest.json";

/// Removes the blobs of a layout that neither index.json nor the documents below it refer to, and the remains of killed runs.
///
/// Conversions into the same layout may run at the same time, because they publish blobs under the lock of the layout. Other
/// programs do not lock it, and must not write to it.
///
/// # Errors
/// [`OutputError::CannotPrune`] if a document that may refer to other blobs cannot be read, [`OutputError::NoLocks`] or
/// [`OutputError::LocalLocks`] if the layout cannot be locked against others. Nothing is removed then.
pub fn prune(path: &Path, options: PruneOptions, interrupt: &Interrupt) -> Result<Pruned> {
    let place = || Place::input(path.display().to_string());
    match pruned(path, options, interrupt) {
        // Without a lock, a conversion at the same time would lose its blobs, unless there is nothing to remove.
        Err(error @ Error::Output(OutputError::NoLocks | OutputError::LocalLocks { .. })) => {
            let nothing = Pruned::default();
            match pruned(path, PruneOptions { dry_run: true }, interrupt) {
                Ok(found) if found == nothing => Ok(nothing),
                _ => Err(error),
            }
        }
        result => result,
    }
    .at(place)
}

fn pruned(path: &Path, options: PruneOptions, interrupt: &Interrupt) -> Result<Pruned> {
    if !std::fs::metadata(path)
        .map_err(Error::io("open", path))?
        .is_dir()
    {
        return Err(OutputError::NotALayoutFolder.into());
    }
    let resolved = match std::fs::read_link(path) {
        Ok(_) => path.canonicalize().map_err(Error::io("open", path))?,
        Err(_) => path.to_owned(),
    };
    let (parent, name) = Dir::parent_of(&resolved)?;
    let Some(layout) = parent.folder(&name)? else {
        return Err(OutputError::NotALayoutFolder.into());
    };
    if layout.kind(INDEX)?.is_none() {
        return Err(OutputError::NotALayoutFolder.into());
    }
    if !options.dry_run {
        output::remove_stale(&layout, interrupt);
        staging::remove_stale(&parent, &staging::prefix(&name), |_| Ok(()));
    }
    let locking = if options.dry_run {
        Locking::IfSupported
    } else {
        Locking::Required
    };
    let locked = output::lock_layout(&parent, &name, locking, interrupt);
    let (layout, lock) = locked.map_err(|error| match error {
        Error::Output(OutputError::NotALayout { .. }) => OutputError::NotALayoutFolder.into(),
        error => error,
    })?;
    let layout = Arc::new(layout);
    let index = layout
        .read_layout_index(INDEX)?
        .ok_or(OutputError::NotALayoutFolder)?;
    let Some(blobs) = layout.folder(BLOBS)? else {
        return Ok(Pruned::default());
    };
    let mut references = References {
        blobs: &blobs,
        found: BTreeSet::new(),
        unread: Vec::new(),
    };
    references.read(INDEX, &index)?;
    if let Some(manifest) = layout.read(DOCKER_MANIFEST)? {
        references.read(DOCKER_MANIFEST, &manifest)?;
    }
    references.follow(interrupt)?;
    if !options.dry_run {
        let is_needed = |digest: &Digest| references.found.contains(digest);
        output::keep_needed(&layout, is_needed, interrupt)?;
    }
    let removed = remove_others(&blobs, &references.found, options, interrupt);
    drop(lock);
    removed
}

/// Removes the blobs that are not `kept`.
fn remove_others(
    blobs: &Dir,
    kept: &BTreeSet<Digest>,
    options: PruneOptions,
    interrupt: &Interrupt,
) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    for algorithm in ["sha256", "sha512"] {
        let Some(folder) = blobs.folder(algorithm)? else {
            continue;
        };
        for (name, kind) in folder.names()? {
            interrupt.check()?;
            // Other files do not belong to the layout.
            let digest = format!("{algorithm}:{name}").parse::<Digest>();
            if kind != FileType::RegularFile || digest.map_or(true, |digest| kept.contains(&digest))
            {
                continue;
            }
            let status = folder.status(&name)?;
            let size = status.and_then(|status| u64::try_from(status.st_size).ok());
            if !options.dry_run {
                folder.remove_file(&name)?;
            }
            pruned.blobs += 1;
            pruned.size += size.unwrap_or_default();
        }
    }
    Ok(pruned)
}

/// The blobs that the documents of a layout refer to. Digests in any field count, so that rather too much is kept than too
/// little.
struct References<'a> {
    blobs: &'a Dir,
    found: BTreeSet<Digest>,
    /// Blobs that were found but not read, and whether they must be manifests or indexes.
    unread: Vec<(Digest, bool)>,
}

impl References<'_> {
    fn follow(&mut self, interrupt: &Interrupt) -> Result<()> {
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
        let cannot = |reason: &str| OutputError::CannotPrune {
            document: file.clone(),
            reason: reason.to_owned(),
        };
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
                Err(cannot("it is not a document").into())
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
            return Err(cannot("its digest does not match").into());
        }
        self.read(&file, &bytes)
    }

    /// Finds all digests of a document.
    fn read(&mut self, document: &str, bytes: &[u8]) -> Result<()> {
        let parsed = serde_json::from_slice(bytes);
        let value: Value = parsed.map_err(|error| OutputError::CannotPrune {
            document: document.to_owned(),
            reason: error.to_string(),
        })?;
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
                        kind(media_type),
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
    let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else {
        return false;
    };
    let is_one_of = |key: &String| {
        ["manifests", "layers", "blobs", "fsLayers", "schemaVersion"]
            .iter()
            .any(|name| key.eq_ignore_ascii_case(name))
    };
    fields.keys().any(is_one_of)
}

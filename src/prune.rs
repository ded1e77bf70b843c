//! The whole story of removing from a layout what nothing refers to.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FileType;
use serde_json::Value;

use crate::digest::Digest;
use crate::error::{Error, Result, ResultExt};
use crate::findings::Place;
use crate::fs::{Dir, staging};
use crate::image::media_type::{Kind, kind};
use crate::interrupt::Interrupt;
use crate::limits;
use crate::output;

/// How a layout is pruned.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct PruneOptions {
    /// Nothing is removed.
    pub dry_run: bool,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// How many blobs.
    pub blobs: usize,
    /// Size of these in bytes.
    pub size: u64,
}

const INDEX: &str = "index.json";
const BLOBS: &str = "blobs";
/// What `docker save` puts beside a layout refers to blobs too.
const DOCKER_MANIFEST: &str = "manifest.json";

/// Removes the blobs of a layout that neither index.json nor anything below it refers to, and what runs that were killed
/// left behind.
///
/// Conversions into the same layout may run meanwhile: they put blobs in their places only while they hold the layout's
/// lock. Other programs do not, and must not write to it.
///
/// # Errors
/// [`Error::CannotPrune`] where something cannot be read that may refer to other blobs. Nothing is removed then.
pub fn prune(path: &Path, options: PruneOptions, interrupt: &Interrupt) -> Result<Pruned> {
    pruned(path, options, interrupt).at(|| Place::input(path.display().to_string()))
}

fn pruned(path: &Path, options: PruneOptions, interrupt: &Interrupt) -> Result<Pruned> {
    if !std::fs::metadata(path)
        .map_err(Error::io("open", path))?
        .is_dir()
    {
        return Err(Error::NotALayoutFolder);
    }
    let resolved = match std::fs::read_link(path) {
        Ok(_) => path.canonicalize().map_err(Error::io("open", path))?,
        Err(_) => path.to_owned(),
    };
    let (parent, name) = Dir::parent_of(&resolved)?;
    let Some(layout) = parent.folder(&name)? else {
        return Err(Error::NotALayoutFolder);
    };
    if layout.kind(INDEX)?.is_none() {
        return Err(Error::NotALayoutFolder);
    }
    if !options.dry_run {
        output::remove_stale(&layout, interrupt);
        staging::remove_stale(&parent, &staging::prefix(&name), |_| Ok(()));
    }
    let locked = output::lock_layout(&parent, &name, interrupt);
    let (layout, lock) = locked.map_err(|error| match error {
        Error::NotALayout { .. } => Error::NotALayoutFolder,
        error => error,
    })?;
    let layout = Arc::new(layout);
    let index = layout
        .read_layout_index(INDEX)?
        .ok_or(Error::NotALayoutFolder)?;
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
            // What is not a blob is somebody else's.
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

/// What the documents of a layout refer to. Every digest in a document counts, whatever the field: too much is kept
/// rather than too little.
struct References<'a> {
    blobs: &'a Dir,
    found: BTreeSet<Digest>,
    /// What has been found but not looked into, and whether it must be a manifest or index.
    unread: Vec<(Digest, bool)>,
}

impl References<'_> {
    fn follow(&mut self, interrupt: &Interrupt) -> Result<()> {
        // By its descriptor, a blob may be a manifest in one place only.
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

    /// Reads a blob if it is a manifest or index. One that is missing refers to nothing.
    fn look_into(&mut self, digest: &Digest, is_required: bool) -> Result<()> {
        let file = digest.blob_path();
        let cannot = |reason: &str| Error::CannotPrune {
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
        let mut hasher = digest.hasher();
        hasher.update(&bytes);
        if hasher.finish() != *digest {
            return Err(cannot("its digest does not match"));
        }
        self.read(&file, &bytes)
    }

    /// Finds all digests of a document.
    fn read(&mut self, document: &str, bytes: &[u8]) -> Result<()> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| Error::CannotPrune {
            document: document.to_owned(),
            reason: error.to_string(),
        })?;
        self.search(&value);
        // Of a key that is there twice, the value has the last one only.
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

    /// The depth is at most [`limits::JSON_DEPTH`], since the parser refuses more.
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
                    && matches!(kind(media_type), Kind::Manifest | Kind::Index)
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

/// Whether a document looks like a manifest or index, whatever its media type. A config does not: the `diff_ids` in it are
/// digests too, but of no blobs.
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

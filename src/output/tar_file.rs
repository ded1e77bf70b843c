//! A layout as a tar.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::index::{Additions, MergedIndex, MovedName};
use super::tar_blob::TarBlob;
use super::tar_writer::{ExistingTar, TarWriter};
use super::{OutputOptions, copy_blobs, docker, existing_tar};
use crate::digest::Digest;
use crate::error::{Result, ResultExt};
use crate::findings::Place;
use crate::formats::Input;
use crate::formats::oci::ABSENT;
use crate::fs::Locking;
use crate::image::{AbsentBlob, Document};
use crate::interrupt::Interrupt;
use crate::limits;
use crate::mutex::lock;
use crate::progress::Progress;
use crate::source::{Archive, Content, Files};

pub(super) struct TarOutput {
    tar: TarWriter,
    path: PathBuf,
    blobs: Mutex<BTreeSet<Digest>>,
    /// Blobs that are left out on purpose, because another side has them.
    absent: Mutex<BTreeMap<Digest, AbsentBlob>>,
    /// Manifests and indexes, for manifest.json.
    documents: Mutex<BTreeMap<Digest, Vec<u8>>>,
    options: OutputOptions,
    interrupt: Interrupt,
}

/// The content of the tar, for manifest.json.
struct TarContents<'a> {
    blobs: &'a BTreeSet<Digest>,
    absent: &'a BTreeMap<Digest, AbsentBlob>,
    documents: &'a BTreeMap<Digest, Vec<u8>>,
}

impl docker::StoredBlobs for TarContents<'_> {
    fn document(&self, digest: &Digest) -> Option<&[u8]> {
        self.documents.get(digest).map(Vec::as_slice)
    }

    fn has(&self, digest: &Digest) -> bool {
        self.blobs.contains(digest) || self.absent.contains_key(digest)
    }
}

impl TarOutput {
    pub fn open(path: &Path, options: OutputOptions, interrupt: &Interrupt) -> Result<TarOutput> {
        let adds = options.existing == super::Existing::Add;
        let mut exists = false;
        let tar = TarWriter::create(path, options.fsync, interrupt, |parent, name| {
            exists = true;
            if adds {
                // Checked now, so that an error appears before the work is done.
                existing_tar::open(parent, name, path, interrupt).map(drop)
            } else {
                existing_tar::refuse_other_file(parent, name, path)
            }
        })?;
        if adds && exists {
            tar.check_locks()?;
        }
        TarOutput::new(tar, path, options, interrupt)
    }

    pub fn stdout(options: OutputOptions, interrupt: &Interrupt) -> Result<TarOutput> {
        let tar = TarWriter::stdout(interrupt)?;
        TarOutput::new(tar, Path::new("standard output"), options, interrupt)
    }

    fn new(
        tar: TarWriter,
        path: &Path,
        options: OutputOptions,
        interrupt: &Interrupt,
    ) -> Result<TarOutput> {
        tar.append("oci-layout", crate::image::LAYOUT_FILE)?;
        for folder in ["blobs/", "blobs/sha256/"] {
            tar.folder(folder)?;
        }
        Ok(TarOutput {
            tar,
            path: path.to_owned(),
            blobs: Mutex::default(),
            absent: Mutex::default(),
            documents: Mutex::default(),
            options,
            interrupt: interrupt.clone(),
        })
    }

    pub fn begin_blob(&self, expected: Option<Digest>) -> TarBlob<'_> {
        TarBlob::begin(&self.tar, expected, &self.blobs, Digest::blob_path)
    }

    pub fn put(&self, document: &Document) -> Result<()> {
        let digest = document.digest;
        lock(&self.documents).insert(digest, document.bytes.to_vec());
        let mut blob = self.begin_blob(Some(digest));
        blob.write(&document.bytes)?;
        blob.finish(&digest)
    }

    pub fn commit(
        mut self,
        additions: &Additions,
        progress: &dyn Progress,
    ) -> Result<Vec<MovedName>> {
        let blobs_end = self.tar.end();
        let blobs = lock(&self.blobs).clone();
        let locking = if self.options.existing == super::Existing::Add {
            Locking::Required
        } else {
            Locking::IfSupported
        };
        loop {
            let existing = self.tar.lock_existing(locking)?;
            let input = match &existing {
                Some(existing) => self.read_existing(existing)?,
                None => None,
            };
            lock(&self.absent).clone_from(&additions.absent);
            let index = match &input {
                Some(input) => {
                    let index = input.files.get("index.json");
                    let limit = limits::LAYOUT_INDEX_BYTES;
                    let index =
                        index.and_then(|content| input.files.read_within(&content, limit))?;
                    let merged = additions.merge(Some(&index))?;
                    self.copy_existing(input, &merged.bytes)?;
                    merged
                }
                None => additions.merge(None)?,
            };
            let replaces = existing.is_some();
            self.list(&index.bytes, additions.is_part)?;
            let length = self.tar.close()?;
            // Held until the new tar is published.
            let lock_of_old = existing.map(ExistingTar::into_lock);
            if let Some(archive) = self.tar.compress(length, progress)? {
                self.check_readable(&index, archive)?;
            }
            if self.tar.publish(replaces)? {
                return Ok(index.moved);
            }
            drop(lock_of_old);
            self.tar.rewind(blobs_end);
            lock(&self.blobs).clone_from(&blobs);
        }
    }

    /// Completes a volume, which lacks the blobs in `absent`. Returns its length.
    pub fn seal(&self, index: &[u8], absent: &BTreeMap<Digest, AbsentBlob>) -> Result<u64> {
        lock(&self.absent).clone_from(absent);
        self.list(index, true)?;
        self.tar.close()
    }

    /// Ensures that a sealed volume survives a power failure.
    pub fn sync_volume(&self) -> Result<()> {
        self.tar.sync()
    }

    /// Gives a volume its name. Returns `false` if the name exists and the volume must not replace it.
    pub fn rename_volume(&mut self, replaces: bool) -> Result<bool> {
        self.tar.rename(replaces)
    }

    /// Refuses a compressed tar of many names that this program would not read again: the limits of small inputs are lower.
    fn check_readable(&self, index: &MergedIndex, archive: Archive) -> Result<()> {
        if index.entries <= limits::IMAGES {
            return Ok(());
        }
        let place = || Place::input(self.path.display().to_string());
        let files = Files::in_archive(&Arc::new(archive)).at(place)?;
        let name = self.path.display().to_string();
        Input::read_layout(name, files).map(drop)
    }

    /// The existing layout, if it is added to.
    fn read_existing(&self, existing: &ExistingTar) -> Result<Option<Input>> {
        let ExistingTar { parent, name, .. } = *existing;
        if self.options.existing == super::Existing::Add {
            return existing_tar::open(parent, name, &self.path, &self.interrupt).map(Some);
        }
        existing_tar::refuse_other_file(parent, name, &self.path)?;
        Ok(None)
    }

    /// Copies the blobs of the existing tar that the new index.json refers to.
    fn copy_existing(&self, input: &Input, index: &[u8]) -> Result<()> {
        let kept = super::index::digests(index)?;
        let mut documents = Vec::new();
        let mut blobs: Vec<(Digest, Content)> = Vec::new();
        for entry in &input.entries {
            if entry
                .node
                .digest()
                .is_none_or(|digest| kept.contains(&digest))
            {
                copy_blobs::collect(&entry.node, &mut documents, &mut blobs);
                let mut absent = lock(&self.absent);
                for blob in copy_blobs::absent(&entry.node, input) {
                    absent.entry(blob.digest).or_insert(blob);
                }
            }
        }
        // Schema 1 manifests refer to them too.
        let empty_layers = input.loose.iter();
        blobs.extend(empty_layers.map(|blob| (blob.digest, blob.content.clone())));
        for document in &documents {
            self.put(document)?;
        }
        for (digest, content) in blobs {
            if lock(&self.blobs).contains(&digest) {
                continue;
            }
            let mut blob = self.begin_blob(Some(digest));
            copy_blobs::copy(&digest, &content, &self.interrupt, |bytes| {
                blob.write(bytes)
            })?;
            blob.finish(&digest)?;
        }
        Ok(())
    }

    /// Writes index.json, manifest.json and the list of absent blobs.
    fn list(&self, index: &[u8], is_part: bool) -> Result<()> {
        let blobs = lock(&self.blobs);
        let mut absent = lock(&self.absent);
        absent.retain(|digest, _| !blobs.contains(digest));
        self.tar.append("index.json", index)?;
        if is_part || !absent.is_empty() {
            self.tar.append(ABSENT, &super::absent::bytes(&absent)?)?;
        }
        let contents = TarContents {
            blobs: &blobs,
            absent: &absent,
            documents: &lock(&self.documents),
        };
        if self.options.docker_manifest
            && let Some(manifest) = docker::manifest(index, &contents)?
        {
            self.tar.append("manifest.json", &manifest)?;
        }
        Ok(())
    }
}

//! Several tars of a limited size, each a layout of its own with the same index.json.
//!
//! Blobs are first staged as files, because the content of each volume depends on manifests and index.json, which come last.
//! The blobs are then moved into the volumes one by one, so that little more disk space is needed than for the volumes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use super::index::Additions;
use super::staged_blob::{BlobPath, StagedBlob};
use super::tar_file::TarOutput;
use super::{Existing, OutputOptions, absent, docker};
use crate::digest::Digest;
use crate::error::{Error, OutputError, Result};
use crate::fs::{Dir, StagedDir, staging};
use crate::image::{AbsentBlob, Document};
use crate::interrupt::Interrupt;
use crate::limits;
use crate::mutex::lock;

const BLOCK: u64 = 512;
/// `oci-layout` with its header, two folders, and the end-of-archive marker.
const FRAME: u64 = 2 * BLOCK + 2 * BLOCK + 2 * BLOCK;

pub(super) struct VolumesOutput {
    /// Staged blobs, until they are in a volume.
    scratch: StagedDir,
    count: AtomicU64,
    documents: Mutex<BTreeMap<Digest, Document>>,
    parent: Arc<Dir>,
    /// The name without `.tar`.
    stem: String,
    folder: PathBuf,
    /// Maximum size of a volume in bytes.
    size: u64,
    options: OutputOptions,
    interrupt: Interrupt,
}

/// The documents, which all volumes have, and the space for blobs.
struct Shared<'a> {
    documents: &'a BTreeMap<Digest, Document>,
    required: Sizes,
    index: Vec<u8>,
    /// Number of bytes for blobs in each volume.
    capacity: u64,
}

/// Blobs with their sizes in bytes.
type Sizes = Vec<(Digest, u64)>;

/// The blobs of a volume.
#[derive(Default)]
struct Volume {
    blobs: Vec<Digest>,
    used: u64,
}

/// The documents of the output. Every blob is in one of the volumes.
struct All<'a>(&'a BTreeMap<Digest, Document>);

impl docker::StoredBlobs for All<'_> {
    fn document(&self, digest: &Digest) -> Option<&[u8]> {
        self.0.get(digest).map(|document| &*document.bytes)
    }

    fn has(&self, _: &Digest) -> bool {
        true
    }
}

impl VolumesOutput {
    pub fn open(
        path: &Path,
        size: u64,
        options: &OutputOptions,
        interrupt: &Interrupt,
    ) -> Result<VolumesOutput> {
        let (parent, name) = Dir::parent_of(path)?;
        let parent = Arc::new(parent);
        let stem = name.strip_suffix(".tar").unwrap_or(&name).to_owned();
        let prefix = staging::prefix(&name);
        staging::remove_stale(&parent, &prefix, |_| Ok(()));
        let output = VolumesOutput {
            scratch: StagedDir::new(&parent, &prefix, interrupt)?,
            count: AtomicU64::new(0),
            documents: Mutex::default(),
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            parent,
            stem,
            size,
            options: options.clone(),
            interrupt: interrupt.clone(),
        };
        if options.existing != Existing::Replace
            && let Some(name) = output.existing()?.into_values().next()
        {
            let path = output.folder.join(name);
            return Err(OutputError::VolumeExists { path }.into());
        }
        Ok(output)
    }

    pub fn begin_blob(&self) -> Result<StagedBlob<'_>> {
        // Synced when it is in its volume.
        StagedBlob::begin(&self.scratch.dir, BlobPath::Flat, &self.count, false)
    }

    pub fn put(&self, document: &Document) {
        lock(&self.documents)
            .entry(document.digest)
            .or_insert_with(|| document.clone());
    }

    /// Writes the volumes and returns their paths.
    pub fn commit(self, additions: &Additions) -> Result<Vec<PathBuf>> {
        let documents = lock(&self.documents).clone();
        let (blobs, required) = self.blobs(additions, &documents)?;
        let shared = self.shared(additions, &documents, required, &blobs)?;
        let volumes = self.assign(&blobs, shared.capacity)?;
        let mut tars = Vec::with_capacity(volumes.len());
        for number in 0..volumes.len() {
            let absent = self.absent(additions, &volumes, number, &blobs);
            tars.push(self.write(number, &volumes[number], &shared, &absent)?);
        }
        let paths = (0..tars.len()).map(|number| self.folder.join(self.name(number)));
        let paths = paths.collect();
        self.publish(tars)?;
        Ok(paths)
    }

    /// The sizes of all blobs except documents: those that are distributed over the volumes, in the order of the jobs, and
    /// those that every volume has.
    fn blobs(
        &self,
        additions: &Additions,
        documents: &BTreeMap<Digest, Document>,
    ) -> Result<(Sizes, Sizes)> {
        let mut known = BTreeSet::new();
        let (mut distributed, mut required) = (Vec::new(), Vec::new());
        for digest in &additions.order {
            if documents.contains_key(digest) || !known.insert(*digest) {
                continue;
            }
            let Some(status) = self.scratch.dir.status(digest.hex())? else {
                continue;
            };
            let size = u64::try_from(status.st_size).unwrap_or(u64::MAX);
            if additions.required.contains(digest) {
                required.push((*digest, size));
            } else {
                distributed.push((*digest, size));
            }
        }
        Ok((distributed, required))
    }

    fn shared<'a>(
        &self,
        additions: &Additions,
        documents: &'a BTreeMap<Digest, Document>,
        required: Sizes,
        blobs: &[(Digest, u64)],
    ) -> Result<Shared<'a>> {
        let index = additions.merge(None)?.bytes;
        let docker_manifest = if self.options.docker_manifest {
            docker::manifest(&index, &All(documents))?
        } else {
            None
        };
        // The longest list of absent blobs lists all of them.
        let mut all = additions.absent.clone();
        for (digest, _) in blobs {
            if let Some(blob) = additions.blobs.get(digest) {
                let volume = Some(self.name(limits::VOLUMES - 1));
                all.insert(
                    *digest,
                    AbsentBlob {
                        volume,
                        ..blob.clone()
                    },
                );
            }
        }
        let list = absent::bytes(&all)?.len() as u64;
        let mut used = FRAME + member(index.len() as u64) + member(list);
        used += docker_manifest.map_or(0, |manifest| member(manifest.len() as u64));
        for (digest, document) in documents {
            used += blob_member(digest, document.bytes.len() as u64);
        }
        for (digest, size) in &required {
            used += blob_member(digest, *size);
        }
        let capacity = self.size.checked_sub(used).ok_or(OutputError::VolumeSize {
            size: self.size,
            needed: used,
        })?;
        Ok(Shared {
            documents,
            required,
            index,
            capacity,
        })
    }

    /// Puts each blob into the first volume that has space for it.
    fn assign(&self, blobs: &[(Digest, u64)], capacity: u64) -> Result<Vec<Volume>> {
        let mut volumes = vec![Volume::default()];
        for (digest, size) in blobs {
            let needed = blob_member(digest, *size);
            if needed > capacity {
                return Err(OutputError::BlobLargerThanVolume {
                    digest: *digest,
                    blob: *size,
                    size: self.size,
                    needed: self.size - capacity + needed,
                }
                .into());
            }
            let fits = |volume: &Volume| volume.used + needed <= capacity;
            let position = volumes.iter().position(fits).unwrap_or(volumes.len());
            if position == volumes.len() {
                limits::at_most("the number of volumes", position + 1, limits::VOLUMES)?;
                volumes.push(Volume::default());
            }
            volumes[position].blobs.push(*digest);
            volumes[position].used += needed;
        }
        Ok(volumes)
    }

    /// The blobs that a volume lacks.
    fn absent(
        &self,
        additions: &Additions,
        volumes: &[Volume],
        own: usize,
        blobs: &[(Digest, u64)],
    ) -> BTreeMap<Digest, AbsentBlob> {
        let mut absent = additions.absent.clone();
        for (digest, _) in blobs {
            absent.remove(digest);
        }
        for (number, volume) in volumes.iter().enumerate() {
            for digest in volume.blobs.iter().filter(|_| number != own) {
                if let Some(blob) = additions.blobs.get(digest) {
                    let volume = Some(self.name(number));
                    absent.insert(
                        *digest,
                        AbsentBlob {
                            volume,
                            ..blob.clone()
                        },
                    );
                }
            }
        }
        absent
    }

    fn write(
        &self,
        number: usize,
        volume: &Volume,
        shared: &Shared,
        absent: &BTreeMap<Digest, AbsentBlob>,
    ) -> Result<TarOutput> {
        let path = self.folder.join(self.name(number));
        let tar = TarOutput::open(&path, self.options.clone(), &self.interrupt)?;
        for digest in &volume.blobs {
            self.copy(&tar, digest)?;
            self.scratch.dir.remove_file(digest.hex())?;
        }
        for (digest, _) in &shared.required {
            self.copy(&tar, digest)?;
        }
        for document in shared.documents.values() {
            tar.put(document)?;
        }
        let length = tar.seal(&shared.index, absent)?;
        limits::at_most("the size of a volume in bytes", length, self.size)?;
        Ok(tar)
    }

    fn copy(&self, tar: &TarOutput, digest: &Digest) -> Result<()> {
        let path = || self.scratch.dir.path(digest.hex());
        let file = self.scratch.dir.open_file(&digest.hex())?;
        let mut file = file.ok_or_else(|| Error::Missing {
            name: digest.blob_path(),
        })?;
        let mut blob = tar.begin_blob(Some(*digest));
        let mut buffer = vec![0; 1 << 20];
        loop {
            self.interrupt.check()?;
            let count = file.read(&mut buffer).map_err(Error::io("read", path()))?;
            if count == 0 {
                return blob.finish(digest);
            }
            blob.write(&buffer[..count])?;
        }
    }

    /// Publishes all volumes, or none.
    fn publish(&self, mut tars: Vec<TarOutput>) -> Result<()> {
        for tar in &tars {
            tar.sync_volume()?;
        }
        // A signal must not end the program between two volumes.
        let _publishing = self.interrupt.publishing()?;
        let replaces = self.options.existing == Existing::Replace;
        let old = self.existing()?;
        for name in old.values() {
            self.parent.link(name, &self.scratch.dir, name)?;
        }
        for (number, tar) in tars.iter_mut().enumerate() {
            let renamed = match tar.rename_volume(replaces) {
                Ok(true) => Ok(()),
                Ok(false) => Err(OutputError::VolumeExists {
                    path: self.folder.join(self.name(number)),
                }
                .into()),
                Err(error) => Err(error),
            };
            if renamed.is_err() {
                (0..number).for_each(|earlier| self.put_back(&self.name(earlier)));
                return renamed;
            }
        }
        // Volumes of an earlier run with more volumes.
        for (_, name) in old.range(tars.len()..) {
            self.parent.remove_file(name)?;
        }
        if self.options.fsync {
            self.parent.sync()?;
        }
        Ok(())
    }

    /// Undoes the renaming of a volume: what it has replaced is put back. A failure cannot be handled. If there was nothing, or
    /// the file system has no links, the volume is removed. The remaining volumes list what they lack.
    fn put_back(&self, name: &str) {
        if !matches!(self.scratch.dir.rename(name, &self.parent, name), Ok(true)) {
            let _: Result<()> = self.parent.remove_file(name);
        }
    }

    /// The name of a volume, from 0.
    fn name(&self, number: usize) -> String {
        format!("{}.{:03}.tar", self.stem, number + 1)
    }

    /// Existing volumes, by their numbers from 0.
    fn existing(&self) -> Result<BTreeMap<usize, String>> {
        let number = |name: &str| {
            let digits = name.strip_prefix(&self.stem)?.strip_prefix('.')?;
            let digits = digits.strip_suffix(".tar")?;
            let is_number = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number: usize = is_number.then(|| digits.parse().ok())??;
            number.checked_sub(1)
        };
        let names = self.parent.names()?.into_iter();
        Ok(names
            .filter_map(|(name, _)| Some((number(&name)?, name)))
            .collect())
    }
}

/// Size of a file in a tar, in bytes.
fn member(size: u64) -> u64 {
    BLOCK + size.next_multiple_of(BLOCK)
}

/// Size of a blob in a tar. Its name may be long.
fn blob_member(digest: &Digest, size: u64) -> u64 {
    let long_name = match digest {
        Digest::Sha512(_) => 2 * BLOCK,
        Digest::Sha256(_) => 0,
    };
    member(size) + long_name
}

#[cfg(test)]
mod tests;

//! A tar for engines that cannot read OCI.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Mutex;

use super::existing_tar;
use super::index::Additions;
use super::tar_blob::TarBlob;
use super::tar_writer::{ExistingTar, TarWriter};
use super::{OutputOptions, docker};
use crate::digest::Digest;
use crate::error::{Error, RequestError, Result};
use crate::formats::docker::save::write::{ArchiveMember, SavedImage, layer_name, members};
use crate::fs::Locking;
use crate::image::{Document, fully_qualified};
use crate::interrupt::Interrupt;
use crate::mutex::lock;
use crate::progress::Progress;

pub(super) struct DockerArchiveOutput {
    tar: TarWriter,
    /// The layers, which are uncompressed.
    layers: Mutex<BTreeSet<Digest>>,
    configs: Mutex<BTreeMap<Digest, Document>>,
    /// The file; `None` for standard output.
    path: Option<std::path::PathBuf>,
}

impl DockerArchiveOutput {
    pub fn open(
        path: &Path,
        options: &OutputOptions,
        interrupt: &Interrupt,
    ) -> Result<DockerArchiveOutput> {
        let refuse = |parent: &_, name: &_| existing_tar::refuse_other_file(parent, name, path);
        let tar = TarWriter::create(path, options.fsync, interrupt, refuse)?;
        Ok(DockerArchiveOutput::new(tar, Some(path)))
    }

    pub fn stdout(interrupt: &Interrupt) -> Result<DockerArchiveOutput> {
        Ok(DockerArchiveOutput::new(
            TarWriter::stdout(interrupt)?,
            None,
        ))
    }

    fn new(tar: TarWriter, path: Option<&Path>) -> DockerArchiveOutput {
        DockerArchiveOutput {
            tar,
            layers: Mutex::default(),
            configs: Mutex::default(),
            path: path.map(Path::to_owned),
        }
    }

    pub fn begin_blob(&self, expected: Option<Digest>) -> TarBlob<'_> {
        TarBlob::begin(&self.tar, expected, &self.layers, layer_name)
    }

    /// Keeps a config until its names are known.
    pub fn put(&self, document: &Document) {
        lock(&self.configs).insert(document.digest, document.clone());
    }

    pub fn commit(mut self, additions: &Additions, progress: &dyn Progress) -> Result<()> {
        let configs = std::mem::take(&mut *lock(&self.configs));
        for member in members(&images(&configs, additions)?)? {
            match member {
                ArchiveMember::Folder(name) => self.tar.folder(&name)?,
                ArchiveMember::File { name, bytes } => self.tar.append(&name, &bytes)?,
                ArchiveMember::Link { name, to } => self.tar.link(&name, &to)?,
            }
        }
        let length = self.tar.close()?;
        loop {
            let existing = self.tar.lock_existing(Locking::IfSupported)?;
            if let (Some(existing), Some(path)) = (&existing, &self.path) {
                existing_tar::refuse_other_file(existing.parent, existing.name, path)?;
            }
            // Held until the new tar is published.
            let lock_of_old = existing.map(ExistingTar::into_lock);
            self.tar.compress(length, progress)?;
            if self.tar.publish(lock_of_old.is_some())? {
                return Ok(());
            }
        }
    }
}

/// The images in the order of their first names, each with all names.
fn images<'a>(
    configs: &'a BTreeMap<Digest, Document>,
    additions: &Additions,
) -> Result<Vec<SavedImage<'a>>> {
    let mut images: Vec<SavedImage> = Vec::new();
    let mut positions: HashMap<Digest, usize> = HashMap::new();
    for descriptor in &additions.descriptors {
        let config = configs.get(&descriptor.digest).ok_or_else(|| {
            let what = format!("{}, which is not an image,", descriptor.digest);
            Error::Request(RequestError::NotInFormat {
                what,
                format: "a docker-archive",
            })
        })?;
        let position = *positions.entry(config.digest).or_insert(images.len());
        if position == images.len() {
            images.push(SavedImage {
                config,
                tags: Vec::new(),
            });
        }
        let tags = &mut images[position].tags;
        // podman would add `localhost` to a short name.
        let tag = docker::tag(descriptor).map(|tag| fully_qualified(&tag));
        tags.extend(tag.filter(|tag| !tags.contains(tag)));
    }
    Ok(images)
}

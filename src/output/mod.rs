//! Outputs: an OCI layout in a folder, in a tar or on standard output; a `dir:` folder; a docker-archive; the storage tree of a
//! registry. An output appears complete or not at all.

mod absent;
mod copy_blobs;
mod dir;
mod docker;
mod docker_archive;
mod encode;
mod existing_tar;
mod folder;
mod index;
mod link_blobs;
mod registry;
mod replace_folder;
mod staged_blob;
mod stdout;
mod tar_blob;
mod tar_file;
mod tar_writer;
mod target;
mod volumes;

use std::fs::File;
use std::path::{Path, PathBuf};

pub(crate) use absent::keep_needed;
use dir::DirOutput;
use docker_archive::DockerArchiveOutput;
use folder::FolderOutput;
pub(crate) use folder::{lock_layout, remove_stale, remove_stale_at};
pub use index::MovedName;
pub(crate) use index::{Additions, InRegistry, check_names};
use registry::RegistryOutput;
use staged_blob::StagedBlob;
use tar_blob::TarBlob;
use tar_file::TarOutput;
pub(crate) use target::parent;
pub use target::{OutputKind, Target, TargetError};
use volumes::VolumesOutput;

use crate::digest::Digest;
use crate::error::{Error, OutputError, Result, ResultExt};
use crate::fs::{Dir, FreeSpace};
use crate::image::Document;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Step};
use crate::source::Content;

/// Options for writing an output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OutputOptions {
    /// Whether everything is synced to disk before it is published, so that a power failure cannot leave a damaged output.
    pub fsync: bool,
    /// Whether a tar gets a `manifest.json`, so that `docker load` reads it too.
    pub docker_manifest: bool,
    /// What happens to an existing output.
    pub existing: Existing,
    /// Maximum size of a tar in bytes, if the output may be several tars.
    pub volume_size: Option<u64>,
}

/// What happens to an existing output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Existing {
    /// A tar is overwritten, a folder is added to.
    #[default]
    ByKind,
    /// It is added to.
    Add,
    /// It is replaced.
    Replace,
}

impl Default for OutputOptions {
    fn default() -> OutputOptions {
        OutputOptions {
            fsync: true,
            docker_manifest: true,
            existing: Existing::ByKind,
            volume_size: None,
        }
    }
}

/// A staged output.
pub(crate) struct Output {
    kind: AnyOutput,
    target: Target,
    free_space: FreeSpace,
}

enum AnyOutput {
    Folder(FolderOutput),
    Tar(TarOutput),
    Dir(DirOutput),
    DockerArchive(DockerArchiveOutput),
    Volumes(VolumesOutput),
    Registry(RegistryOutput),
}

impl Output {
    pub fn open(target: &Target, options: &OutputOptions, interrupt: &Interrupt) -> Result<Output> {
        let open = || {
            Ok(match (target, options.volume_size) {
                (Target::Folder(path), _) => {
                    AnyOutput::Folder(FolderOutput::open(path, options, interrupt)?)
                }
                (Target::Tar(path), Some(size)) => {
                    AnyOutput::Volumes(VolumesOutput::open(path, size, options, interrupt)?)
                }
                (Target::Tar(path), None) => {
                    AnyOutput::Tar(TarOutput::open(path, options.clone(), interrupt)?)
                }
                (Target::Stdout, _) => {
                    AnyOutput::Tar(TarOutput::stdout(options.clone(), interrupt)?)
                }
                (Target::Dir(path), _) => {
                    AnyOutput::Dir(DirOutput::open(path, options, interrupt)?)
                }
                (Target::DockerArchive(path), _) => {
                    AnyOutput::DockerArchive(DockerArchiveOutput::open(path, options, interrupt)?)
                }
                (Target::DockerArchiveStdout, _) => {
                    AnyOutput::DockerArchive(DockerArchiveOutput::stdout(interrupt)?)
                }
                (Target::Registry(path), _) => {
                    AnyOutput::Registry(RegistryOutput::open(path, options, interrupt)?)
                }
            })
        };
        Ok(Output {
            kind: open().at(|| target.place())?,
            target: target.clone(),
            free_space: FreeSpace::new(&target.temporary()).at(|| target.place())?,
        })
    }

    /// Whether blobs must be written one after the other.
    pub fn is_ordered(&self) -> bool {
        matches!(self.kind, AnyOutput::Tar(_) | AnyOutput::DockerArchive(_))
    }

    /// Begins a blob that has `stored` bytes in the input. `expected` is its digest, if it is known.
    pub fn begin_blob(&self, expected: Option<Digest>, stored: u64) -> Result<BlobWriter<'_>> {
        Ok(BlobWriter {
            blob: match &self.kind {
                AnyOutput::Folder(folder) => Sink::Staged(folder.begin_blob()?),
                AnyOutput::Tar(tar) => Sink::Tar(tar.begin_blob(expected)),
                AnyOutput::Dir(dir) => Sink::Staged(dir.begin_blob()?),
                AnyOutput::DockerArchive(tar) => Sink::Tar(tar.begin_blob(expected)),
                AnyOutput::Volumes(volumes) => Sink::Staged(volumes.begin_blob()?),
                AnyOutput::Registry(tree) => Sink::Staged(tree.begin_blob()?),
            },
            free_space: &self.free_space,
            stored,
            size: 0,
        })
    }

    /// A blob that is only hashed.
    pub fn no_blob(&self) -> BlobWriter<'_> {
        BlobWriter {
            blob: Sink::None,
            free_space: &self.free_space,
            stored: u64::MAX,
            size: 0,
        }
    }

    /// Adds a document as a blob.
    pub fn put(&self, document: &Document) -> Result<()> {
        match &self.kind {
            AnyOutput::Folder(folder) => folder.put(document),
            AnyOutput::Tar(tar) => tar.put(document),
            AnyOutput::Dir(dir) => dir.put(document),
            AnyOutput::DockerArchive(tar) => {
                tar.put(document);
                Ok(())
            }
            AnyOutput::Volumes(volumes) => {
                volumes.put(document);
                Ok(())
            }
            AnyOutput::Registry(tree) => tree.put(document),
        }
        .at(|| self.target.place())
    }

    /// Writes what lists the images and puts the output in its place.
    pub fn commit(self, additions: &Additions, progress: &dyn Progress) -> Result<Committed> {
        progress.step(&Step::Publish);
        let mut volumes = Vec::new();
        let moved = match self.kind {
            AnyOutput::Folder(folder) => folder.commit(additions),
            AnyOutput::Tar(tar) => tar.commit(additions, progress),
            AnyOutput::Dir(dir) => dir.commit(additions).map(|()| Vec::new()),
            AnyOutput::DockerArchive(tar) => tar.commit(additions, progress).map(|()| Vec::new()),
            AnyOutput::Volumes(output) => output.commit(additions).map(|written| {
                volumes = written;
                Vec::new()
            }),
            AnyOutput::Registry(tree) => tree.commit(additions),
        };
        Ok(Committed {
            moved: moved.at(|| self.target.place())?,
            volumes,
        })
    }
}

/// An output that is in its place.
pub(crate) struct Committed {
    /// The names that led to other images before.
    pub moved: Vec<MovedName>,
    /// The files of an output of several volumes.
    pub volumes: Vec<PathBuf>,
}

/// A staged blob.
pub(crate) struct BlobWriter<'a> {
    blob: Sink<'a>,
    free_space: &'a FreeSpace,
    /// Size in the input, in bytes.
    stored: u64,
    size: u64,
}

enum Sink<'a> {
    Staged(StagedBlob<'a>),
    Tar(TarBlob<'a>),
    /// Not written.
    None,
}

impl BlobWriter<'_> {
    /// Writes the next bytes. If there are more of them than in the input, it checks the free space. This can happen with any
    /// codec: xz and zstd find repetitions over many megabytes that gzip does not find, and a sparse member has holes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        if self.size > self.stored {
            self.free_space.check(self.size)?;
        }
        match &mut self.blob {
            Sink::Staged(blob) => blob.write(bytes),
            Sink::Tar(blob) => blob.write(bytes),
            Sink::None => Ok(()),
        }
    }

    /// Makes the empty blob a clone of a file of `size` bytes, if the file system can. Returns the content of the clone, which
    /// is then checked, because other programs cannot change it.
    pub fn clone_file(&mut self, file: &File, size: u64) -> Result<Option<Content>> {
        let clone = match &mut self.blob {
            Sink::Staged(blob) => blob.clone_file(file, size)?,
            Sink::Tar(_) | Sink::None => None,
        };
        Ok(clone.map(|clone| Content::whole(clone, size)))
    }

    pub fn finish(self, digest: &Digest) -> Result<()> {
        match self.blob {
            Sink::Staged(blob) => blob.finish(digest),
            Sink::Tar(blob) => blob.finish(digest),
            Sink::None => Ok(()),
        }
    }

    /// Abandons the blob.
    pub fn discard(self) -> Result<()> {
        match self.blob {
            Sink::Staged(blob) => blob.discard(),
            // The next blob overwrites it.
            Sink::Tar(_) | Sink::None => Ok(()),
        }
    }
}

/// Refuses an output that another user could have redirected.
fn refuse_link(kind: Option<rustix::fs::FileType>, path: &Path) -> Result<()> {
    if kind == Some(rustix::fs::FileType::Symlink) {
        return Err(OutputError::IsLink {
            path: path.to_owned(),
        }
        .into());
    }
    Ok(())
}

/// Something other than a file has the name of a file in the output.
fn not_a_file(folder: &Dir, name: &str) -> Error {
    Error::NotAFile {
        name: folder.path(name).display().to_string(),
    }
}

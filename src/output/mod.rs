//! Outputs: an OCI layout as a folder, as a tar, or as a tar on standard output. An output appears whole or not at all.

mod copy_blobs;
mod docker;
mod folder;
mod index;
mod link_blobs;
mod stdout;
mod tar_file;

use std::fs::File;
use std::path::{Path, PathBuf};

use folder::{FolderBlob, FolderOutput};
pub(crate) use index::{Additions, check_names};
use tar_file::{TarBlob, TarOutput};

use crate::digest::Digest;
use crate::error::{Error, Result, ResultExt};
use crate::findings::Place;
use crate::fs::FreeSpace;
use crate::image::Document;
use crate::interrupt::Interrupt;
use crate::source::Content;

/// Where the layout goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A folder.
    Folder(PathBuf),
    /// A tar file.
    Tar(PathBuf),
    /// A tar on standard output.
    Stdout,
}

impl Target {
    /// A tar if the name ends in `.tar`, standard output if it is `-`, else a folder.
    #[must_use]
    pub fn new(path: &Path) -> Target {
        if path == Path::new("-") {
            Target::Stdout
        } else if path.extension().is_some_and(|extension| extension == "tar") {
            Target::Tar(path.to_owned())
        } else {
            Target::Folder(path.to_owned())
        }
    }

    /// A folder on the output's file system, where temporary files belong.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        match self {
            // Its parent may belong to somebody else, as that of a mounted folder does.
            Target::Folder(path) if path.is_dir() => path.clone(),
            Target::Folder(path) | Target::Tar(path) => match path.parent() {
                Some(parent) if parent != Path::new("") => parent.to_owned(),
                _ => PathBuf::from("."),
            },
            Target::Stdout => std::env::temp_dir(),
        }
    }

    /// The path of a file or folder; `None` for standard output.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Target::Folder(path) | Target::Tar(path) => Some(path),
            Target::Stdout => None,
        }
    }

    fn place(&self) -> Place {
        Place::input(match self {
            Target::Folder(path) | Target::Tar(path) => path.display().to_string(),
            Target::Stdout => "standard output".to_owned(),
        })
    }
}

/// How an output is made.
#[derive(Debug, Clone)]
pub struct OutputOptions {
    /// Whether all is on disk before it is published, so that a power failure cannot leave a damaged output.
    pub fsync: bool,
    /// Whether a tar gets a `manifest.json`, so that `docker load` takes it too.
    pub docker_manifest: bool,
}

impl Default for OutputOptions {
    fn default() -> OutputOptions {
        OutputOptions {
            fsync: true,
            docker_manifest: true,
        }
    }
}

/// A staged layout.
pub(crate) struct Output {
    kind: Kind,
    target: Target,
    free_space: FreeSpace,
}

enum Kind {
    Folder(FolderOutput),
    Tar(TarOutput),
}

impl Output {
    pub fn open(target: &Target, options: &OutputOptions, interrupt: &Interrupt) -> Result<Output> {
        let open = || {
            Ok(match target {
                Target::Folder(path) => {
                    Kind::Folder(FolderOutput::open(path, options.fsync, interrupt)?)
                }
                Target::Tar(path) => Kind::Tar(TarOutput::open(path, options.clone(), interrupt)?),
                Target::Stdout => Kind::Tar(TarOutput::stdout(options.clone(), interrupt)?),
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
        matches!(self.kind, Kind::Tar(_))
    }

    /// Begins a blob of what takes `stored` bytes in the input; `expected` is its digest where that is known already.
    pub fn begin_blob(&self, expected: Option<Digest>, stored: u64) -> Result<BlobWriter<'_>> {
        Ok(BlobWriter {
            blob: match &self.kind {
                Kind::Folder(folder) => Blob::Folder(folder.begin_blob()?),
                Kind::Tar(tar) => Blob::Tar(tar.begin_blob(expected)),
            },
            free_space: &self.free_space,
            stored,
            size: 0,
        })
    }

    /// Adds a document as a blob.
    pub fn put(&self, document: &Document) -> Result<()> {
        match &self.kind {
            Kind::Folder(folder) => folder.put(document),
            Kind::Tar(tar) => tar.put(document),
        }
        .at(|| self.target.place())
    }

    /// Writes index.json and puts the output in its place.
    pub fn commit(self, additions: &Additions) -> Result<()> {
        match self.kind {
            Kind::Folder(folder) => folder.commit(additions),
            Kind::Tar(tar) => tar.commit(additions),
        }
        .at(|| self.target.place())
    }
}

/// A staged blob.
pub(crate) struct BlobWriter<'a> {
    blob: Blob<'a>,
    free_space: &'a FreeSpace,
    /// How many bytes it takes in the input.
    stored: u64,
    size: u64,
}

enum Blob<'a> {
    Folder(FolderBlob<'a>),
    Tar(TarBlob<'a>),
}

impl BlobWriter<'_> {
    /// Writes the next bytes. Where there are more of them than in the input, which may go on for long, only while there
    /// is free space. That happens with any codec: what xz and zstd find repeated over many megabytes, gzip does not, and a
    /// sparse member has holes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        if self.size > self.stored {
            self.free_space.check(self.size)?;
        }
        match &mut self.blob {
            Blob::Folder(blob) => blob.write(bytes),
            Blob::Tar(blob) => blob.write(bytes),
        }
    }

    /// Makes the blob, of which nothing is written yet, a clone of a file of `size` bytes, if that can be done. Gives its
    /// content, which is what is to be checked, since nobody else can change it.
    pub fn clone_file(&mut self, file: &File, size: u64) -> Result<Option<Content>> {
        let clone = match &mut self.blob {
            Blob::Folder(blob) => blob.clone_file(file, size)?,
            Blob::Tar(_) => None,
        };
        Ok(clone.map(|clone| Content::whole(clone, size)))
    }

    pub fn finish(self, digest: &Digest) -> Result<()> {
        match self.blob {
            Blob::Folder(blob) => blob.finish(digest),
            Blob::Tar(blob) => blob.finish(digest),
        }
    }
}

/// Refuses an output that somebody else could have redirected.
fn refuse_link(kind: Option<rustix::fs::FileType>, path: &Path) -> Result<()> {
    if kind == Some(rustix::fs::FileType::Symlink) {
        return Err(Error::OutputIsLink {
            path: path.to_owned(),
        });
    }
    Ok(())
}

//! A layout as a folder: staged next to its place and renamed, or added to with index.json swapped last.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FileType;

use super::index::Additions;
use super::link_blobs;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{Dir, StagedDir, dir, staging};
use crate::image::Document;
use crate::interrupt::Interrupt;

const INDEX: &str = "index.json";
/// What makes a folder a layout. Whoever adds to it locks it; in a staged folder its maker does.
const LAYOUT: &str = staging::LOCK;

/// What staging folders inside a layout begin with.
const INSIDE: &str = ".ocify-";

pub(super) struct FolderOutput {
    /// The folders that blobs are staged in.
    blobs: Dir,
    /// In the layout itself when it exists, so that they are on one file system; else in its parent.
    staged: StagedDir,
    parent: Arc<Dir>,
    name: String,
    /// Whether the layout was there at first.
    adds: bool,
    count: AtomicU64,
    fsync: bool,
    interrupt: Interrupt,
}

impl FolderOutput {
    pub fn open(path: &Path, fsync: bool, interrupt: &Interrupt) -> Result<FolderOutput> {
        let (parent, name) = Dir::parent_of(path)?;
        let parent = Arc::new(parent);
        let kind = parent.kind(&name)?;
        super::refuse_link(kind, path)?;
        let layout = match kind {
            None => None,
            Some(FileType::Directory) => parent.folder(&name)?,
            Some(_) => {
                return Err(Error::NotALayout {
                    path: path.to_owned(),
                });
            }
        };
        if let Some(layout) = &layout {
            staging::remove_stale(layout, INSIDE, |staged| {
                let lock = layout.open_file(LAYOUT)?;
                if let Some(lock) = &lock {
                    dir::lock(lock, &layout.path(LAYOUT), interrupt)?;
                }
                link_blobs::take_back(staged, layout)
            });
            check_layout(layout, path)?;
        }
        let prefix = staging::prefix(&name);
        staging::remove_stale(&parent, &prefix, |_| Ok(()));
        let adds = layout.is_some();
        let staged = match layout {
            Some(layout) => StagedDir::new(&Arc::new(layout), INSIDE, interrupt)?,
            None => StagedDir::new(&parent, &prefix, interrupt)?,
        };
        let blobs = staged.dir.ensure_folder("blobs")?;
        blobs.make_folder("sha256")?;
        Ok(FolderOutput {
            blobs,
            staged,
            parent,
            name,
            adds,
            count: AtomicU64::new(0),
            fsync,
            interrupt: interrupt.clone(),
        })
    }

    pub fn begin_blob(&self) -> Result<FolderBlob<'_>> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("blob-{number}");
        let file = self.staged.dir.write(&name, &[], false)?;
        Ok(FolderBlob {
            output: self,
            file,
            name,
        })
    }

    pub fn put(&self, document: &Document) -> Result<()> {
        let folder = self.blobs.ensure_folder(document.digest.algorithm())?;
        if folder.kind(&document.digest.hex())?.is_none() {
            folder.write(&document.digest.hex(), &document.bytes, self.fsync)?;
        }
        Ok(())
    }

    pub fn commit(mut self, additions: &Additions) -> Result<()> {
        if !self.adds {
            write_marker(&mut self.staged.lock, self.fsync)
                .map_err(Error::io("write", self.staged.dir.path(LAYOUT)))?;
            let index = additions.merge(None)?;
            self.staged.dir.write(INDEX, &index.bytes, self.fsync)?;
            self.sync_staged()?;
            self.interrupt.check()?;
            if self.staged.publish(&self.name)? {
                return self.sync(&self.parent);
            }
            // Somebody else has made the layout meanwhile: add to theirs.
        }
        let path = self.parent.path(&self.name);
        let layout = self
            .parent
            .folder(&self.name)?
            .ok_or_else(|| Error::NotALayout { path: path.clone() })?;
        check_layout(&layout, &path)?;
        let mut lock = match layout.create(LAYOUT)? {
            Some(new) => new,
            None => layout
                .open_file(LAYOUT)?
                .ok_or_else(|| Error::NotALayout { path: path.clone() })?,
        };
        dir::lock(&lock, &layout.path(LAYOUT), &self.interrupt)?;
        let result = self.add_to(&layout, &mut lock, additions);
        if result.is_err() {
            // What cannot be taken back now, the next run takes back.
            let _: Result<()> = link_blobs::take_back(&self.staged.dir, &layout);
        }
        result
    }

    /// Adds all to a layout that is there and locked.
    fn add_to(&self, layout: &Dir, lock: &mut File, additions: &Additions) -> Result<()> {
        let marker = lock.metadata();
        let marker = marker.map_err(Error::io("examine", layout.path(LAYOUT)))?;
        if marker.len() == 0 {
            // The folder was empty, or a run died that was about to make a layout of it.
            write_marker(lock, self.fsync).map_err(Error::io("write", layout.path(LAYOUT)))?;
        }
        let index = additions.merge(layout.read(INDEX)?.as_deref())?;
        let staged = &self.staged.dir;
        // Who may read the index stays as it was, from the first byte on.
        let mut file = staged.write(link_blobs::NEXT_INDEX, &[], false)?;
        layout.copy_mode(INDEX, &file)?;
        file.write_all(&index.bytes)
            .and_then(|()| if self.fsync { file.sync_all() } else { Ok(()) })
            .map_err(Error::io("write", layout.path(INDEX)))?;
        link_blobs::put_blobs(staged, layout, |folder| self.sync(folder))?;
        staged.rename(link_blobs::NEXT_INDEX, layout, INDEX)?;
        self.sync(layout)
    }

    fn sync_staged(&self) -> Result<()> {
        for (algorithm, _) in self.blobs.names()? {
            if let Some(folder) = self.blobs.folder(&algorithm)? {
                self.sync(&folder)?;
            }
        }
        self.sync(&self.blobs)?;
        self.sync(&self.staged.dir)
    }

    fn sync(&self, folder: &Dir) -> Result<()> {
        if self.fsync { folder.sync() } else { Ok(()) }
    }
}

fn write_marker(marker: &mut File, fsync: bool) -> io::Result<()> {
    marker.write_all(crate::image::LAYOUT_FILE)?;
    if fsync { marker.sync_all() } else { Ok(()) }
}

/// A folder that may be added to: a layout, or nothing yet.
fn check_layout(folder: &Dir, path: &Path) -> Result<()> {
    let not_a_layout = || Error::NotALayout {
        path: path.to_owned(),
    };
    match folder.read(LAYOUT)? {
        // Another run may be just about to write the marker of a folder that was empty.
        Some(bytes) if bytes.is_empty() => Ok(()),
        Some(bytes) => {
            let document: serde_json::Value =
                serde_json::from_slice(&bytes).map_err(|_| not_a_layout())?;
            match document
                .get("imageLayoutVersion")
                .and_then(|version| version.as_str())
            {
                Some("1.0.0") => Ok(()),
                _ => Err(not_a_layout()),
            }
        }
        None => {
            let ours = |name: &str| name.starts_with(INSIDE);
            let names = folder.names()?;
            let empty = names.iter().all(|(name, _)| ours(name));
            if empty { Ok(()) } else { Err(not_a_layout()) }
        }
    }
}

/// A staged blob.
pub(crate) struct FolderBlob<'a> {
    output: &'a FolderOutput,
    file: File,
    name: String,
}

impl FolderBlob<'_> {
    /// Makes the blob a clone of a file of `size` bytes: both share what is stored, until one is written to. Gives the
    /// clone to be read. `None`, and the blob is empty still, where the file system cannot do that, whatever its reason:
    /// the bytes are to be written then, and a full or broken disk shows itself.
    ///
    /// Never a hard link: who writes to the input later would change the output.
    pub fn clone_file(&mut self, file: &File, size: u64) -> Result<Option<File>> {
        let path = || self.output.staged.dir.path(&self.name);
        let cloned = rustix::fs::ioctl_ficlone(&self.file, file).is_ok();
        let metadata = self.file.metadata().map_err(Error::io("examine", path()))?;
        // The input may have become longer or shorter; a part of it may be cloned before an error.
        if cloned && metadata.len() == size {
            let clone = self.file.try_clone();
            return clone.map(Some).map_err(Error::io("open", path()));
        }
        if metadata.len() > 0 {
            self.file.set_len(0).map_err(Error::io("write", path()))?;
        }
        Ok(None)
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(Error::io("write", self.output.staged.dir.path(&self.name)))
    }

    pub fn finish(self, digest: &Digest) -> Result<()> {
        let staged = &self.output.staged.dir;
        if self.output.fsync {
            self.file
                .sync_all()
                .map_err(Error::io("sync", staged.path(&self.name)))?;
        }
        let folder = self.output.blobs.ensure_folder(digest.algorithm())?;
        staged.rename(&self.name, &folder, &digest.hex())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use super::*;

    /// Whether files can be cloned here or not, a blob is either the whole file or as if nothing had been tried.
    #[test]
    fn a_blob_is_a_clone_or_is_written() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("out");
        let output = FolderOutput::open(&path, false, &Interrupt::new()).unwrap();
        fs::write(scratch.path().join("input"), "bytes").unwrap();
        let input = File::open(scratch.path().join("input")).unwrap();
        // One that is as expected, one that has become longer, one of another file system.
        let other = File::open("/proc/version").unwrap();
        for (file, size) in [(&input, 5), (&input, 3), (&other, 0), (&other, 5)] {
            let mut blob = output.begin_blob().unwrap();
            if let Some(mut clone) = blob.clone_file(file, size).unwrap() {
                assert_eq!(size, 5);
                let mut bytes = String::new();
                clone.read_to_string(&mut bytes).unwrap();
                assert_eq!(bytes, "bytes");
            } else {
                blob.write(b"bytes").unwrap();
            }
            let digest = Digest::sha256(b"bytes");
            blob.finish(&digest).unwrap();
            let folder = output.blobs.folder("sha256").unwrap().unwrap();
            assert_eq!(folder.read(&digest.hex()).unwrap().unwrap(), b"bytes");
        }
    }
}

//! Writes a layout as a folder. A new folder is staged next to its final path and renamed. An existing layout is added to, and
//! its index.json is replaced last.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rustix::fs::FileType;

use super::absent::{self, AbsentList};
use super::index::{Additions, MovedName};
use super::staged_blob::{BlobPath, StagedBlob};
use super::{Existing, OutputOptions, link_blobs, replace_folder};
use crate::error::{Error, OutputError, Result};
use crate::formats::oci::ABSENT;
use crate::fs::{self, Dir, Locking, StagedDir, staging};
use crate::image::Document;
use crate::interrupt::Interrupt;

const INDEX: &str = "index.json";
/// The file that marks a layout. Runs that add to a layout lock it. In a staged folder it is locked by its run.
const LAYOUT: &str = staging::LOCK;

/// The prefix of staging folders in a layout.
pub(super) const INSIDE: &str = ".ocify-";

pub(super) struct FolderOutput {
    /// The folders that blobs are staged in.
    blobs: Dir,
    /// In an existing layout itself, so that both are on one file system, otherwise in its parent.
    staged: StagedDir,
    parent: Arc<Dir>,
    name: String,
    place: Occupant,
    count: AtomicU64,
    fsync: bool,
    interrupt: Interrupt,
}

/// What exists at the path of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occupant {
    /// Nothing yet.
    Free,
    /// A layout that is added to.
    Added,
    /// A layout that is replaced.
    Replaced,
}

impl FolderOutput {
    pub fn open(
        path: &Path,
        options: &OutputOptions,
        interrupt: &Interrupt,
    ) -> Result<FolderOutput> {
        let (parent, name) = Dir::parent_of(path)?;
        let parent = Arc::new(parent);
        let prefix = staging::prefix(&name);
        replace_folder::recover(&parent, &name);
        let (place, staged) = loop {
            let kind = parent.kind(&name)?;
            super::refuse_link(kind, path)?;
            let layout = match kind {
                None => None,
                Some(FileType::Directory) => parent.folder(&name)?.map(Arc::new),
                Some(_) => {
                    return Err(OutputError::not_a_layout(path));
                }
            };
            let Some(layout) = layout else {
                staging::remove_stale(&parent, &prefix, |_| Ok(()));
                break (Occupant::Free, StagedDir::new(&parent, &prefix, interrupt)?);
            };
            remove_stale(&parent, &name, &layout, interrupt);
            let checked = check_layout(&layout, path);
            let (place, staged) = if options.existing == Existing::Replace {
                let staged = StagedDir::new(&parent, &prefix, interrupt);
                (Occupant::Replaced, checked.and(staged))
            } else {
                let staged = checked.and_then(|()| staged_inside(&layout, interrupt));
                (Occupant::Added, staged)
            };
            // Another run may have replaced the layout in between. Errors then do not matter, and the staging folder in it is
            // removed.
            if parent.identity(&name)? == Some(layout.own_identity()?) {
                break (place, staged?);
            }
            interrupt.check()?;
            if place == Occupant::Added
                && let (Ok(mut staged), Ok(Some(layout))) = (staged, parent.folder(&name))
            {
                staged.was_moved_to(&Arc::new(layout));
            }
        };
        let blobs = staged.dir.ensure_folder("blobs")?;
        blobs.make_folder("sha256")?;
        Ok(FolderOutput {
            blobs,
            staged,
            parent,
            name,
            place,
            count: AtomicU64::new(0),
            fsync: options.fsync,
            interrupt: interrupt.clone(),
        })
    }

    pub fn begin_blob(&self) -> Result<StagedBlob<'_>> {
        let folder = BlobPath::ByAlgorithm(&self.blobs);
        StagedBlob::begin(&self.staged.dir, folder, &self.count, self.fsync)
    }

    pub fn put(&self, document: &Document) -> Result<()> {
        let folder = self.blobs.ensure_folder(document.digest.algorithm())?;
        if folder.kind(document.digest.hex())?.is_none() {
            folder.write(&document.digest.hex(), &document.bytes, self.fsync)?;
        }
        Ok(())
    }

    pub fn commit(mut self, additions: &Additions) -> Result<Vec<MovedName>> {
        let interrupt = self.interrupt.clone();
        let _publishing = interrupt.publishing()?;
        if let (true, Some(digest)) = (self.place != Occupant::Added, additions.in_place.first()) {
            // The layout that had it is gone.
            let name = digest.blob_path();
            return Err(Error::Missing { name });
        }
        if self.place != Occupant::Added {
            write_marker(&mut self.staged.lock, self.fsync)
                .map_err(Error::io("write", self.staged.dir.path(LAYOUT)))?;
            let index = additions.merge(None)?;
            self.staged.dir.write(INDEX, &index.bytes, self.fsync)?;
            let mut absent = additions.absent.clone();
            for digest in additions.absent.keys() {
                if absent::has(&self.staged.dir, digest)? {
                    absent.remove(digest);
                }
            }
            if additions.is_part || !absent.is_empty() {
                let bytes = absent::bytes(&absent)?;
                self.staged.dir.write(ABSENT, &bytes, self.fsync)?;
            }
            self.sync_staged()?;
            self.interrupt.check()?;
            if self.place == Occupant::Replaced {
                let (parent, name) = (&self.parent, &self.name);
                let locking = Locking::IfSupported;
                let lock = || lock_layout(parent, name, locking, &self.interrupt).map(Some);
                replace_folder::replace(&mut self.staged, parent, name, lock, &self.interrupt)?;
                self.sync(&self.parent)?;
                return Ok(index.moved);
            }
            if self.staged.publish(&self.name)? {
                self.sync(&self.parent)?;
                return Ok(index.moved);
            }
            // Another run has created the layout in between, so this run adds to it.
            if self.staged.dir.kind(ABSENT)?.is_some() {
                self.staged.dir.remove_file(ABSENT)?;
            }
        }
        let locking = Locking::Required;
        let (layout, mut lock) = lock_layout(&self.parent, &self.name, locking, &self.interrupt)?;
        let result = self.add_to(&layout, &mut lock, additions);
        if result.is_err() {
            // If this fails, the next run does it.
            let _: Result<()> = link_blobs::take_back(&self.staged.dir, &layout);
        }
        result
    }

    /// Adds everything to an existing, locked layout.
    fn add_to(
        &self,
        layout: &Dir,
        lock: &mut File,
        additions: &Additions,
    ) -> Result<Vec<MovedName>> {
        let marker = lock.metadata();
        let marker = marker.map_err(Error::io("examine", layout.path(LAYOUT)))?;
        if marker.len() == 0 {
            // The folder was empty, or a killed run had created only the file.
            write_marker(lock, self.fsync).map_err(Error::io("write", layout.path(LAYOUT)))?;
        }
        // Before anything relies on a blob that is there only for now.
        link_blobs::take_back_all(layout, INSIDE, layout);
        link_blobs::take_back_all(&self.parent, &staging::prefix(&self.name), layout);
        for digest in &additions.in_place {
            if !absent::has(layout, digest)? {
                // Since it was read, it was pruned, or taken back from a run that was killed.
                let name = digest.blob_path();
                return Err(Error::Missing { name });
            }
        }
        let mut absent = AbsentList::read(layout)?;
        let staged = &self.staged.dir;
        let added = absent
            .extend(&additions.absent, staged, self.fsync)
            .and_then(|()| self.add_blobs(layout, additions));
        match added {
            Ok(moved) => {
                absent.cross_out(staged, self.fsync)?;
                self.sync(layout)?;
                Ok(moved)
            }
            Err(error) => {
                absent.restore(staged);
                Err(error)
            }
        }
    }

    /// Adds blobs, and index.json after them.
    fn add_blobs(&self, layout: &Dir, additions: &Additions) -> Result<Vec<MovedName>> {
        let index = additions.merge(layout.read_layout_index(INDEX)?.as_deref())?;
        let staged = &self.staged.dir;
        // The new index has the mode of the old one before anything is written.
        let mut file = staged.write(link_blobs::NEXT_INDEX, &[], false)?;
        layout.copy_mode(INDEX, &file)?;
        file.write_all(&index.bytes)
            .and_then(|()| if self.fsync { file.sync_all() } else { Ok(()) })
            .map_err(Error::io("write", layout.path(INDEX)))?;
        link_blobs::put_blobs(staged, layout, |folder| self.sync(folder))?;
        if !staged.rename(link_blobs::NEXT_INDEX, layout, INDEX)? {
            return Err(super::not_a_file(layout, INDEX));
        }
        Ok(index.moved)
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

/// Another run may have replaced the layout, and moved the staging folder to the new one.
impl Drop for FolderOutput {
    fn drop(&mut self) {
        if self.place == Occupant::Added
            && let Ok(Some(layout)) = self.parent.folder(&self.name)
        {
            self.staged.was_moved_to(&Arc::new(layout));
        }
    }
}

fn write_marker(marker: &mut File, fsync: bool) -> io::Result<()> {
    marker.write_all(crate::image::LAYOUT_FILE)?;
    if fsync { marker.sync_all() } else { Ok(()) }
}

/// Opens and locks the layout `name`. Tries again if it was replaced while waiting for the lock.
pub(crate) fn lock_layout(
    parent: &Dir,
    name: &str,
    locking: Locking,
    interrupt: &Interrupt,
) -> Result<(Dir, File)> {
    let path = parent.path(name);
    loop {
        let layout = parent.folder(name)?;
        let layout = layout.ok_or_else(|| OutputError::not_a_layout(&path))?;
        let locked =
            check_layout(&layout, &path).and_then(|()| take_lock(&layout, locking, interrupt));
        // Errors do not matter if another run is removing the layout.
        if parent.identity(name)? == Some(layout.own_identity()?) {
            return Ok((layout, locked?));
        }
        interrupt.check()?;
    }
}

/// Locks a layout, or a folder that becomes one.
fn take_lock(layout: &Dir, locking: Locking, interrupt: &Interrupt) -> Result<File> {
    let lock = match layout.create(LAYOUT)? {
        Some(new) => Some(new),
        None => layout.open_file(LAYOUT)?,
    };
    let lock = lock.ok_or_else(|| OutputError::not_a_layout(layout.own_path()))?;
    fs::lock(&lock, &layout.path(LAYOUT), locking, interrupt)?;
    Ok(lock)
}

/// Stages a folder in a layout that is added to. If the layout cannot be locked, that is an error now, before any work is done
/// and before anything changes.
fn staged_inside(layout: &Arc<Dir>, interrupt: &Interrupt) -> Result<StagedDir> {
    let staged = StagedDir::new(layout, INSIDE, interrupt)?;
    let path = layout.path(LAYOUT);
    fs::lock(&staged.lock, &path, Locking::Required, interrupt)?;
    Ok(staged)
}

/// Removes the staging folders of killed runs from the layout `name`, and those next to it: a run that began before the layout
/// existed has staged its blobs there.
pub(crate) fn remove_stale(parent: &Dir, name: &str, layout: &Dir, interrupt: &Interrupt) {
    let take_back = |staged: &Dir| {
        if !link_blobs::is_pending(staged)? {
            return Ok(());
        }
        let lock = layout.open_file(LAYOUT)?;
        if let Some(lock) = &lock {
            fs::lock(lock, &layout.path(LAYOUT), Locking::Required, interrupt)?;
        }
        link_blobs::take_back(staged, layout)
    };
    staging::remove_stale(layout, INSIDE, take_back);
    staging::remove_stale(parent, &staging::prefix(name), take_back);
}

/// Removes what killed runs have left of adding to the layout at `path`, before it is read. Failures are ignored.
pub(crate) fn remove_stale_at(path: &Path, interrupt: &Interrupt) {
    if let Ok((parent, name)) = Dir::parent_of(path)
        && let Ok(Some(layout)) = parent.folder(&name)
    {
        remove_stale(&parent, &name, &layout, interrupt);
    }
}

/// Checks that a folder may be added to: a layout, or an empty folder.
fn check_layout(folder: &Dir, path: &Path) -> Result<()> {
    let not_a_layout = || OutputError::not_a_layout(path);
    match folder.read(LAYOUT)? {
        // Another run may be writing the marker of an empty folder.
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
            let is_empty = folder.has_only(|name| name.starts_with(INSIDE))?;
            if is_empty {
                Ok(())
            } else {
                Err(not_a_layout())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use super::*;
    use crate::digest::Digest;

    /// Whether or not files can be cloned here, a blob is either the whole file or empty.
    #[test]
    fn a_blob_is_a_clone_or_is_written() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("out");
        let options = OutputOptions {
            fsync: false,
            ..OutputOptions::default()
        };
        let output = FolderOutput::open(&path, &options, &Interrupt::new()).unwrap();
        fs::write(scratch.path().join("input"), "bytes").unwrap();
        let input = File::open(scratch.path().join("input")).unwrap();
        // An unchanged file, one that has become longer, one on another file system.
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

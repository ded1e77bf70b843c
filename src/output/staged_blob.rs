//! A blob that is staged as a file until its digest is known.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::Dir;

/// The path of finished blobs in a staged folder.
#[derive(Clone, Copy)]
pub(super) enum BlobPath<'a> {
    /// In `<algorithm>/<hex>` in this folder.
    ByAlgorithm(&'a Dir),
    /// In `<hex>` in the staged folder itself.
    Flat,
}

/// A staged blob.
pub(crate) struct StagedBlob<'a> {
    staged: &'a Dir,
    folder: BlobPath<'a>,
    fsync: bool,
    file: File,
    name: String,
}

impl<'a> StagedBlob<'a> {
    /// Starts a blob in a staged folder. `count` is the number of earlier blobs.
    pub fn begin(
        staged: &'a Dir,
        folder: BlobPath<'a>,
        count: &AtomicU64,
        fsync: bool,
    ) -> Result<StagedBlob<'a>> {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let name = format!("blob-{number}");
        let file = staged.write(&name, &[], false)?;
        Ok(StagedBlob {
            staged,
            folder,
            fsync,
            file,
            name,
        })
    }
}

impl StagedBlob<'_> {
    /// Makes the blob a clone of a file of `size` bytes, which shares its storage until one of them is written to. Returns the
    /// clone for reading. `None`, and an empty blob, if the file system cannot clone it for any reason. The bytes are then
    /// written, and errors of the disk appear there.
    ///
    /// Never a hard link, because later changes of the input would change the output.
    pub fn clone_file(&mut self, file: &File, size: u64) -> Result<Option<File>> {
        let path = || self.staged.path(&self.name);
        let cloned = rustix::fs::ioctl_ficlone(&self.file, file).is_ok();
        let metadata = self.file.metadata().map_err(Error::io("examine", path()))?;
        // The input may have changed its length, or a part of it may have been cloned before an error.
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
            .map_err(Error::io("write", self.staged.path(&self.name)))
    }

    pub fn discard(self) -> Result<()> {
        self.staged.remove_file(&self.name)
    }

    pub fn finish(self, digest: &Digest) -> Result<()> {
        if self.fsync {
            self.file
                .sync_all()
                .map_err(Error::io("sync", self.staged.path(&self.name)))?;
        }
        match self.folder {
            BlobPath::ByAlgorithm(blobs) => {
                let folder = blobs.ensure_folder(digest.algorithm())?;
                self.staged.rename(&self.name, &folder, &digest.hex())?;
            }
            BlobPath::Flat => {
                self.staged.rename(&self.name, self.staged, &digest.hex())?;
            }
        }
        Ok(())
    }
}

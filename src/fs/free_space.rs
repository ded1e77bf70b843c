//! The free space of a file system. Decoding and writing stop before a disk is full.

use std::path::Path;

use crate::error::{Error, Result};
use crate::fs::Dir;
use crate::limits;

/// The free space on the file system of a folder.
#[derive(Debug)]
pub(crate) struct FreeSpace {
    folder: Dir,
    /// In bytes, at the start. `None` if the system does not report it.
    free: Option<u64>,
}

impl FreeSpace {
    /// Measures the free space on the file system of `folder`.
    pub fn new(folder: &Path) -> Result<FreeSpace> {
        let folder = Dir::open(folder)?;
        Ok(FreeSpace {
            free: folder.free(),
            folder,
        })
    }

    /// Maximum number of bytes to write: the free space without the reserve.
    pub fn max_bytes(&self) -> u64 {
        self.free
            .map_or(u64::MAX, |free| free - free / limits::DISK_RESERVE)
    }

    /// Checks that `size` bytes of one file fit into the free space, and that the reserve is still free, which other programs
    /// may use up too.
    pub fn check(&self, size: u64) -> Result<()> {
        let Some(at_first) = self.free else {
            return Ok(());
        };
        let left = self.folder.free().unwrap_or(u64::MAX);
        if size > self.max_bytes() || left < at_first / limits::DISK_RESERVE {
            return Err(Error::InsufficientSpace {
                path: self.folder.own_path().to_owned(),
                size,
                free: at_first,
            });
        }
        Ok(())
    }
}

//! The free space of a file system, so that what is decoded, and what is written of it, stops before a disk is full.

use std::path::Path;

use crate::error::{Error, Result};
use crate::fs::Dir;
use crate::limits;

/// The free space on the file system of a folder.
#[derive(Debug)]
pub(crate) struct FreeSpace {
    folder: Dir,
    /// In bytes, at the beginning; `None` where the system does not say.
    free: Option<u64>,
}

impl FreeSpace {
    /// Looks how much is free where `folder` is.
    pub fn new(folder: &Path) -> Result<FreeSpace> {
        let folder = Dir::open(folder)?;
        Ok(FreeSpace {
            free: folder.free(),
            folder,
        })
    }

    /// How many bytes may be written in all: what is free but for the reserve.
    pub fn max_bytes(&self) -> u64 {
        self.free
            .map_or(u64::MAX, |free| free - free / limits::DISK_RESERVE)
    }

    /// Whether `size` bytes of one file fit into the free space, and whether the reserve, which others may
    /// be eating up too, is still there.
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

//! The free space of a file system, so that what is decoded, and what is written of it, stops before a disk is full.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::Error;
use crate::error::Result;
use crate::fs::Dir;
use crate::limits;

/// The room there is on the file system of a folder.
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
    pub fn most(&self) -> u64 {
        self.free
            .map_or(u64::MAX, |free| free - free / limits::DISK_RESERVE)
    }

    /// Whether `size` bytes of one file are not more than there is room for, and whether the reserve, which others may
    /// be eating up too, is still there.
    pub fn check(&self, size: u64) -> Result<()> {
        let Some(at_first) = self.free else {
            return Ok(());
        };
        let left = self.folder.free().unwrap_or(u64::MAX);
        if size > self.most() || left < at_first / limits::DISK_RESERVE {
            return Err(Error::NoRoom {
                path: self.folder.own_path().to_owned(),
                size,
                free: at_first,
            });
        }
        Ok(())
    }
}

/// Writes a file front to back and leaves holes where it is zeros, which take no room.
pub(crate) struct HoleWriter<'a> {
    file: &'a File,
    length: u64,
}

/// File systems keep holes in blocks of 4 KiB at least.
const PIECE: usize = 64 << 10;
static ZEROS: [u8; PIECE] = [0; PIECE];

impl HoleWriter<'_> {
    pub fn new(file: &File) -> HoleWriter<'_> {
        HoleWriter { file, length: 0 }
    }

    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            if *piece != ZEROS[..piece.len()] {
                self.file.write_all_at(piece, self.length)?;
            }
            self.length += piece.len() as u64;
        }
        Ok(())
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// Gives the file its length, which holes at the end do not.
    pub fn finish(self) -> std::io::Result<u64> {
        self.file.set_len(self.length)?;
        Ok(self.length)
    }
}

//! Writes files whose zeros take no space.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writes a file front to back and leaves holes where it is zeros.
pub(crate) struct HoleWriter<'a> {
    file: &'a File,
    start: u64,
    length: u64,
}

/// File systems keep holes in blocks of 4 KiB at least.
const PIECE: usize = 64 << 10;
static ZEROS: [u8; PIECE] = [0; PIECE];

impl HoleWriter<'_> {
    /// Writes from `start` on, where the file must end or have a hole.
    pub fn new(file: &File, start: u64) -> HoleWriter<'_> {
        HoleWriter {
            file,
            start,
            length: 0,
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            if *piece != ZEROS[..piece.len()] {
                self.file.write_all_at(piece, self.start + self.length)?;
            }
            self.length += piece.len() as u64;
        }
        Ok(())
    }

    /// How many bytes were written.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Gives the file its length, which holes at the end do not.
    pub fn finish(self) -> io::Result<u64> {
        self.file.set_len(self.start + self.length)?;
        Ok(self.length)
    }
}

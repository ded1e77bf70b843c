//! Writes files whose zeros take no space.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writes a file front to back and leaves holes where it is zeros.
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

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
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
    pub fn finish(self) -> io::Result<u64> {
        self.file.set_len(self.length)?;
        Ok(self.length)
    }
}

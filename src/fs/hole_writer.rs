//! Writes files whose zeros take no disk space.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writes a file from start to end, with holes in place of zeros.
pub(crate) struct HoleWriter<'a> {
    file: &'a File,
    start: u64,
    length: u64,
}

/// Size of the pieces that can become holes. File systems need at least 4 KiB.
const PIECE: usize = 64 << 10;
static ZEROS: [u8; PIECE] = [0; PIECE];

impl HoleWriter<'_> {
    /// Writes at `start`, where the file must end or have a hole.
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

    /// Number of bytes written.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Sets the length of the file, because trailing holes do not extend it.
    pub fn finish(self) -> io::Result<u64> {
        self.file.set_len(self.start + self.length)?;
        Ok(self.length)
    }
}

//! A temporary file for inputs that cannot be read by position: compressed files and pipes.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::archive::Archive;
use crate::compression::{Codec, DecodeError, Decoder};
use crate::error::{Error, Result};
use crate::fs::{FreeSpace, HoleWriter};
use crate::interrupt::Interrupt;
use crate::limits;
use crate::mutex::lock;
use crate::progress::{Progress, Silent, Step};
use crate::tar::{BLOCK, Header};

/// One unlinked file for any number of inputs, so that it uses one file descriptor and cannot be left behind.
pub(crate) struct Spool<'a> {
    folder: PathBuf,
    open: Mutex<Option<OpenSpool>>,
    pub(super) progress: &'a dyn Progress,
}

#[derive(Debug)]
struct OpenSpool {
    file: Arc<File>,
    free_space: FreeSpace,
    end: u64,
}

/// Number of bytes that are decoded at a time.
pub(super) const BUFFER: usize = 1 << 20;

/// Archives begin at multiples of this, which are block boundaries of any file system, so that zeros become holes.
const ALIGNMENT: u64 = 64 << 10;

impl<'a> Spool<'a> {
    /// Creates the file in `folder` when it is first needed.
    pub fn new(folder: &Path) -> Spool<'a> {
        Spool {
            folder: folder.to_owned(),
            open: Mutex::new(None),
            progress: &Silent,
        }
    }

    /// Tells `progress` how far the opening of inputs is.
    pub fn reporting(self, progress: &'a dyn Progress) -> Spool<'a> {
        Spool { progress, ..self }
    }

    fn make(&self) -> Result<OpenSpool> {
        let file = tempfile::tempfile_in(&self.folder)
            .map_err(Error::io("make a temporary file in", &self.folder))?;
        Ok(OpenSpool {
            file: Arc::new(file),
            free_space: FreeSpace::new(&self.folder)?,
            end: 0,
        })
    }

    /// Decodes a stream of `length` bytes, if the length is known. If the stream is damaged, the archive ends at the damage,
    /// which is returned too.
    pub fn decode(
        &self,
        codec: Codec,
        reader: impl BufRead,
        path: &Path,
        length: Option<u64>,
        interrupt: &Interrupt,
    ) -> Result<(Archive, Option<Error>)> {
        self.progress.step(&Step::Read {
            input: &path.to_string_lossy(),
            bytes: length,
        });
        let mut open = lock(&self.open);
        let open = match &mut *open {
            Some(open) => open,
            none => none.insert(self.make()?),
        };
        let not_written = || Error::io("write a temporary file in", &self.folder);
        let damaged = |error| match error {
            DecodeError::Read(source) => Error::io("read", path)(source),
            DecodeError::Truncated { codec } => Error::StreamTruncated {
                codec: codec.name(),
                part: codec.member(),
            },
            error => Error::Decode {
                codec: codec.name(),
                source: error.into(),
            },
        };
        let start = open.end;
        // Remains of an abandoned archive must not show through holes.
        open.file.set_len(start).map_err(not_written())?;
        let count = Cell::new(0);
        let reader = CountedReader {
            reader,
            count: &count,
        };
        let mut decoder = Decoder::new(codec, reader).map_err(damaged)?;
        let mut writer = HoleWriter::new(&open.file, start);
        let mut buffer = Vec::new();
        let mut beginning = Vec::new();
        let damage = loop {
            interrupt.check()?;
            let result = decoder.read_chunk(&mut buffer, BUFFER);
            writer.write(&buffer).map_err(not_written())?;
            open.free_space.check(start + writer.length())?;
            self.progress.reached(count.get());
            if let Err(error) = result {
                break Some(damaged(error));
            }
            if buffer.is_empty() {
                break None;
            }
            if codec != Codec::None {
                refuse_bomb(writer.length(), length.unwrap_or(count.get()))?;
            }
            if beginning.len() < BEGINNING {
                let missing = (BEGINNING - beginning.len()).min(buffer.len());
                beginning.extend_from_slice(&buffer[..missing]);
                // The rest would not be read.
                if beginning.len() == BEGINNING && !begins_with_member(&beginning) {
                    break None;
                }
            }
        };
        let length = writer.finish().map_err(not_written())?;
        open.end = (start + length).next_multiple_of(ALIGNMENT);
        let mut archive = Archive::in_open_file(open.file.clone(), start, length);
        archive.on_disk = count.get();
        Ok((archive, damage))
    }
}

/// The length of a tar without members: two blocks of zeros.
const BEGINNING: usize = 2 * BLOCK;

fn begins_with_member(beginning: &[u8]) -> bool {
    let block = beginning.first_chunk::<BLOCK>();
    block.is_some_and(|block| Header::new(block).checksum_matches())
}

/// Refuses an archive whose decoded size is out of proportion.
fn refuse_bomb(decoded: u64, compressed: u64) -> Result<()> {
    let limit = limits::decoded(compressed);
    if decoded > limit {
        return Err(Error::ArchiveTooLarge { limit });
    }
    Ok(())
}

/// Counts the bytes that are read.
struct CountedReader<'a, R> {
    reader: R,
    count: &'a Cell<u64>,
}

impl<R: BufRead> Read for CountedReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for CountedReader<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.count.set(self.count.get() + count as u64);
        self.reader.consume(count);
    }
}

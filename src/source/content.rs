//! The bytes of a member of an archive or of a file in a folder. They are read in place and never extracted.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};

use super::archive::{Archive, OpenArchive};
use crate::compression::Codec;
use crate::error::{Error, Result};
use crate::fs::Dir;
use crate::limits;
use crate::tar::Extent;

/// The bytes of one file of an input. Cheap to clone; readers are independent of each other.
#[derive(Debug, Clone)]
pub struct Content {
    source: ContentSource,
    size: u64,
}

#[derive(Debug, Clone)]
enum ContentSource {
    /// Extents of an archive; what lies between them is zeros (a sparse member).
    Archive {
        archive: Arc<Archive>,
        extents: Arc<[Extent]>,
    },
    File(Arc<Path>),
    /// A file of a folder that is open already; links are not followed.
    Beneath {
        folder: Arc<Dir>,
        name: Arc<str>,
    },
    Memory(Arc<[u8]>),
}

/// Identifies the location of a content on disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ContentId {
    Archive {
        archive: usize,
        offset: u64,
        size: u64,
    },
    File(Arc<Path>),
    Memory(usize),
}

impl ContentId {
    /// The file, if the content is a whole file.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            ContentId::File(path) => Some(path),
            ContentId::Archive { .. } | ContentId::Memory(_) => None,
        }
    }
}

impl Content {
    pub(crate) fn in_archive(archive: Arc<Archive>, extents: Vec<Extent>, size: u64) -> Content {
        Content {
            source: ContentSource::Archive {
                archive,
                extents: extents.into(),
            },
            size,
        }
    }

    /// A whole file that is open.
    pub(crate) fn whole(file: File, size: u64) -> Content {
        let all = Extent {
            position: 0,
            offset: 0,
            length: size,
        };
        let archive = Archive::in_open_file(Arc::new(file), 0, size);
        Content::in_archive(Arc::new(archive), vec![all], size)
    }

    pub(crate) fn in_folder(path: &Path, size: u64) -> Content {
        Content {
            source: ContentSource::File(path.into()),
            size,
        }
    }

    pub(crate) fn beneath(folder: Arc<Dir>, name: &str, size: u64) -> Content {
        Content {
            source: ContentSource::Beneath {
                folder,
                name: name.into(),
            },
            size,
        }
    }

    pub(crate) fn in_memory(bytes: &[u8]) -> Content {
        Content {
            size: bytes.len() as u64,
            source: ContentSource::Memory(bytes.into()),
        }
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Number of stored bytes: all except the holes of a sparse member.
    pub(crate) fn stored(&self) -> u64 {
        match &self.source {
            ContentSource::Archive { extents, .. } => {
                extents.iter().map(|extent| extent.length).sum()
            }
            _ => self.size,
        }
    }

    /// Memory used by its map, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        match &self.source {
            ContentSource::Archive { extents, .. } => size_of_val(&**extents) as u64,
            ContentSource::File(path) => path.as_os_str().len() as u64,
            ContentSource::Beneath { name, .. } => name.len() as u64,
            ContentSource::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// The archive or file that has the bytes, its size, and its size on the disk.
    pub(crate) fn container(&self) -> (ContentId, u64, u64) {
        match &self.source {
            ContentSource::Archive { archive, .. } => {
                let whole = ContentId::Archive {
                    archive: Arc::as_ptr(archive) as usize,
                    offset: 0,
                    size: archive.length(),
                };
                (whole, archive.length(), archive.on_disk)
            }
            _ => (self.id(), self.size, self.size),
        }
    }

    pub(crate) fn id(&self) -> ContentId {
        match &self.source {
            ContentSource::Archive { archive, extents } => ContentId::Archive {
                archive: Arc::as_ptr(archive) as usize,
                offset: extents.first().map_or(0, |extent| extent.offset),
                size: self.size,
            },
            ContentSource::File(path) => ContentId::File(path.clone()),
            ContentSource::Beneath { folder, name } => ContentId::File(folder.path(&**name).into()),
            ContentSource::Memory(bytes) => ContentId::Memory(bytes.as_ptr() as usize),
        }
    }

    /// The open file, if the content is a whole file. `None` if it is a part of one, in memory, or if the file cannot be
    /// opened; [`Content::reader`] then reports the error.
    pub(crate) fn file(&self) -> Option<File> {
        match &self.source {
            ContentSource::File(path) => File::open(path).ok(),
            ContentSource::Beneath { folder, name } => folder.open_file(name).ok()?,
            ContentSource::Archive { .. } | ContentSource::Memory(_) => None,
        }
    }

    /// Reads from the start.
    pub(crate) fn reader(&self) -> Result<ContentReader> {
        let open = match &self.source {
            ContentSource::Archive { archive, extents } => OpenContent::Archive {
                archive: archive.open()?,
                extents: extents.clone(),
                current: 0,
            },
            ContentSource::File(path) => {
                let file = File::open(path).map_err(Error::io("open", &**path))?;
                OpenContent::File(file)
            }
            ContentSource::Beneath { folder, name } => {
                let missing = || Error::Missing {
                    name: folder.path(&**name).display().to_string(),
                };
                OpenContent::File(folder.open_file(name)?.ok_or_else(missing)?)
            }
            ContentSource::Memory(bytes) => OpenContent::Memory(bytes.clone()),
        };
        Ok(ContentReader {
            open,
            position: 0,
            size: self.size,
            ahead: 0,
        })
    }

    /// The whole content, for documents.
    ///
    /// # Errors
    /// [`Error::Limit`] above [`limits::DOCUMENT_BYTES`].
    pub(crate) fn document(&self) -> Result<Vec<u8>> {
        self.document_within(limits::DOCUMENT_BYTES)
    }

    /// The whole content, for documents of any size that has a limit.
    ///
    /// # Errors
    /// [`Error::Limit`] above `max_bytes`.
    pub(crate) fn document_within(&self, max_bytes: u64) -> Result<Vec<u8>> {
        limits::at_most("the size of the document in bytes", self.size, max_bytes)?;
        // A growing buffer would take up to twice the size.
        let size = usize::try_from(self.size).map_err(io::Error::other);
        let mut bytes = Vec::with_capacity(size.map_err(Error::io("read", "the document"))?);
        self.reader()?
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", "the document"))?;
        Ok(bytes)
    }

    /// The codec, detected from the first bytes.
    pub(crate) fn codec(&self) -> Result<Codec> {
        Ok(Codec::sniff(&self.beginning(6)?))
    }

    /// The first `count` bytes, or fewer if there are fewer.
    pub(crate) fn beginning(&self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?
            .take(count)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", "the beginning"))?;
        Ok(bytes)
    }
}

/// Reads a [`Content`] once from start to end. Ends exactly at its size, or fails.
pub(crate) struct ContentReader {
    open: OpenContent,
    position: u64,
    size: u64,
    /// End of the range that the system was asked to read ahead.
    ahead: u64,
}

/// Number of bytes that the system is asked to read ahead. Without a request it stops reading ahead when several layers of
/// one archive are read in turn.
const AHEAD: u64 = 4 << 20;
const BEGINNING: u64 = 64 << 10;

enum OpenContent {
    Archive {
        archive: OpenArchive,
        extents: Arc<[Extent]>,
        /// The first extent that ends after `position`.
        current: usize,
    },
    File(File),
    Memory(Arc<[u8]>),
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.position).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..wanted];
        let count = match &mut self.open {
            OpenContent::Archive {
                archive,
                extents,
                current,
            } => read_extents(archive, extents, current, self.position, buffer)?,
            OpenContent::File(file) => file.read(buffer)?,
            OpenContent::Memory(bytes) => {
                let start = usize::try_from(self.position).map_err(io::Error::other)?;
                buffer.copy_from_slice(&bytes[start..start + wanted]);
                wanted
            }
        };
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter while it was read",
            ));
        }
        self.position += count as u64;
        self.read_ahead();
        Ok(count)
    }
}

impl ContentReader {
    /// Requests the next range when less than half of [`AHEAD`] is left of the last one.
    fn read_ahead(&mut self) {
        let from = self.ahead.max(self.position);
        // Readers of only the first bytes need no more.
        let beginning = self.position < BEGINNING;
        if beginning || from >= self.size || from - self.position >= AHEAD / 2 {
            return;
        }
        let (file, offset) = match &self.open {
            OpenContent::Archive {
                archive,
                extents,
                current,
            } => match extents.get(*current) {
                Some(extent)
                    if (0..extent.length).contains(&from.wrapping_sub(extent.position)) =>
                {
                    archive.position(extent.offset + (from - extent.position))
                }
                _ => return,
            },
            OpenContent::File(file) => (file, from),
            OpenContent::Memory(_) => return,
        };
        let length = AHEAD.min(self.size - from);
        // Only a hint: reading works without it.
        let _ = fadvise(file, offset, NonZeroU64::new(length), Advice::WillNeed);
        self.ahead = from + length;
    }
}

fn read_extents(
    archive: &OpenArchive,
    extents: &[Extent],
    current: &mut usize,
    position: u64,
    buffer: &mut [u8],
) -> io::Result<usize> {
    while extents
        .get(*current)
        .is_some_and(|extent| extent.position + extent.length <= position)
    {
        *current += 1;
    }
    let clamp = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
    match extents.get(*current) {
        Some(extent) if extent.position <= position => {
            let within = position - extent.position;
            let count = clamp(extent.length - within).min(buffer.len());
            archive.read_at(&mut buffer[..count], extent.offset + within)
        }
        next => {
            let hole = next.map_or(u64::MAX, |extent| extent.position - position);
            let count = clamp(hole).min(buffer.len());
            buffer[..count].fill(0);
            Ok(count)
        }
    }
}

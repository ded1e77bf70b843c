//! A member of a tar: its name, its type, and the location of its data.

use std::borrow::Cow;

use super::extensions::Extensions;
use super::header::{BLOCK, Header};
use super::sparse::{self, Fragment};

/// The kinds of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberKind {
    File,
    Folder,
    Symlink,
    HardLink,
    /// A device or a named pipe.
    Device,
}

/// A run of bytes of a member that is stored in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Position in the member.
    pub position: u64,
    /// Offset in the archive.
    pub offset: u64,
    pub length: u64,
}

/// Everything that precedes the data of a member.
#[derive(Default)]
pub(crate) struct Member {
    /// Offset of the header.
    pub at: u64,
    pub header: Header,
    pub extensions: Extensions,
    /// Size in the headers, even if the member has no data.
    pub declared: u64,
    /// Offset of the data.
    pub data: u64,
    /// Length of the data in the archive.
    pub stored: u64,
    /// Size of the file including its holes.
    pub size: u64,
    /// The map of a sparse file.
    pub fragments: Option<Vec<Fragment>>,
}

impl Member {
    pub fn new(at: u64, header: Header, size: u64, extensions: Extensions) -> Member {
        let mut member = Member {
            at,
            header,
            extensions,
            ..Member::default()
        };
        member.declared = member.pax_size().unwrap_or(size);
        if member.has_data() {
            member.stored = member.declared;
            member.size = member.declared;
        }
        member
    }

    /// The size in the PAX header.
    pub fn pax_size(&self) -> Option<u64> {
        self.extensions.pax.as_ref()?.size
    }

    /// Go's rule, `isHeaderOnlyType` in <https://github.com/golang/go/blob/go1.25.0/src/archive/tar/format.go>: links, devices
    /// and folders have no data, whatever size their headers declare. Every other type is a file.
    pub fn has_data(&self) -> bool {
        matches!(self.type_of(), MemberKind::File)
    }

    fn type_of(&self) -> MemberKind {
        match self.header.kind() {
            b'1' => MemberKind::HardLink,
            b'2' => MemberKind::Symlink,
            b'3' | b'4' | b'6' => MemberKind::Device,
            b'5' => MemberKind::Folder,
            // Before POSIX, only a slash at the end of the name marked a folder.
            0 if self.plain_name().ends_with(b"/") => MemberKind::Folder,
            _ => MemberKind::File,
        }
    }

    pub fn kind(&self) -> MemberKind {
        match self.type_of() {
            // GNU tar treats it as a folder. An empty file with this name cannot be told from one.
            MemberKind::File if self.size == 0 && self.name().ends_with(b"/") => MemberKind::Folder,
            kind => kind,
        }
    }

    pub fn name(&self) -> Cow<'_, [u8]> {
        let pax = self.extensions.pax.as_ref();
        let sparse =
            pax.filter(|pax| self.header.kind() != b'S' && sparse::map_place(pax).is_some());
        match sparse.map_or(&[][..], |pax| pax.sparse("name")) {
            [] => self.plain_name(),
            name => Cow::Borrowed(name),
        }
    }

    /// The name without the special record for sparse files.
    fn plain_name(&self) -> Cow<'_, [u8]> {
        let Extensions { long_name, pax, .. } = &self.extensions;
        let path = pax.as_ref().and_then(|pax| pax.path.as_ref());
        match long_name.as_ref().or(path) {
            Some(name) => Cow::Borrowed(name),
            None => self.header.name(),
        }
    }

    /// The link target.
    pub fn link(&self) -> &[u8] {
        let Extensions { long_link, pax, .. } = &self.extensions;
        let link = pax.as_ref().and_then(|pax| pax.link.as_ref());
        let link = long_link.as_ref().or(link);
        link.map_or_else(|| self.header.link(), Vec::as_slice)
    }

    /// Number of zeros between the data and the next block.
    pub fn padding(&self) -> u64 {
        let block = BLOCK as u64;
        (block - self.stored % block) % block
    }

    /// The parts of the file that are stored.
    pub fn extents(&self) -> Vec<Extent> {
        let Some(fragments) = &self.fragments else {
            let (offset, length) = (self.data, self.size);
            return vec![Extent {
                position: 0,
                offset,
                length,
            }];
        };
        let mut offset = self.data;
        let extents = fragments.iter().map(|&(position, length)| {
            let extent = Extent {
                position,
                offset,
                length,
            };
            offset += length;
            extent
        });
        extents.filter(|extent| extent.length > 0).collect()
    }
}

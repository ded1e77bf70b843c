//! How much of what comes from outside is believed before an error stops it.

use crate::error::Error;
use crate::error::Result;

/// The largest JSON document that is read: manifest, index, config, `manifest.json`. 8 MiB.
///
/// Registries and engines refuse manifests over 4 MiB; a `manifest.json` of hundreds of images is larger.
pub const DOCUMENT_BYTES: u64 = 8 << 20;

/// The most members (or files of a folder) that are indexed.
pub const MEMBERS: usize = 1 << 20;

/// How much of an archive's index is kept in memory: names, link targets and the maps of sparse members, in bytes.
pub const INDEX_BYTES: u64 = 256 << 20;

/// How much metadata of one input is read, in bytes: documents, each time they are read, and [`ENTRY_BYTES`] for each
/// document, layer and name.
pub const METADATA_BYTES: u64 = 256 << 20;

/// What an entry of any list costs at least. Its JSON may be much shorter than what is kept of it.
pub const ENTRY_BYTES: u64 = 1 << 10;

/// The largest a layer may be when it is decoded, unless the user allows more: 128 GiB.
pub const LAYER_BYTES: u64 = 128 << 30;

/// How many times larger than the compressed file an archive may be when it is decoded. gzip cannot do more; other codecs
/// do it only where an archive is nothing but repetition.
pub const ARCHIVE_RATIO: u64 = 1032;

/// How large an archive may be when it is decoded, whatever [`ARCHIVE_RATIO`] says: 4 GiB. A disk image of zeros in a small
/// image is no bomb.
pub const ARCHIVE_BYTES: u64 = 4 << 30;

/// Which part of a disk's free space stays free: a tenth. What is decoded is often much larger than its input.
pub const DISK_RESERVE: u64 = 10;

/// The longest name or link target of a member, in bytes. Linux's `PATH_MAX` is 4096.
pub const NAME_BYTES: u64 = 64 << 10;

/// The largest extension header in a layer's tar, in bytes: 1 MiB, as Go's `archive/tar`, and so containerd and Docker,
/// have it since CVE-2022-2879 (`maxSpecialFileSize` in
/// <https://github.com/golang/go/blob/go1.25.0/src/archive/tar/format.go>).
pub const LAYER_EXTENSION_BYTES: u64 = 1 << 20;

/// The most fragments in a sparse member's map.
pub const SPARSE_FRAGMENTS: usize = 1 << 20;

/// The most links followed from one name. Linux gives up after 40.
pub const LINK_HOPS: usize = 40;

/// The most images (manifests) of one input.
pub const IMAGES: usize = 10_000;

/// The most names of one input's images.
pub const NAMES: usize = 10_000;

/// The longest name of an image, in bytes. Registries take 255 for a repository and 128 for a tag.
pub const IMAGE_NAME_BYTES: u64 = 4096;

/// The most layers of one image. Docker builds up to 127.
pub const LAYERS: usize = 10_000;

/// How deep indexes may be nested.
pub const INDEX_DEPTH: usize = 8;

/// The base-2 logarithm of the largest window that a zstd frame may ask for: 128 MiB, the format's own recommendation
/// (RFC 8878, section 3.1.1.1.2) and what `zstd --long` makes.
pub const ZSTD_WINDOW_LOG: u32 = 27;

/// The most memory that an xz decoder may take, in bytes. `xz -9` needs 65 MiB.
pub const XZ_MEMORY: u64 = 256 << 20;

/// How many manifests may be about each other in a chain of `subject`s and indexes.
pub const SUBJECT_DEPTH: usize = 64;

/// [`Error::Limit`] if `found` of something is more than `limit`.
pub(crate) fn at_most<T>(what: impl Into<String>, found: T, limit: T) -> Result<()>
where
    T: Copy + PartialOrd + TryInto<u64>,
{
    if found <= limit {
        return Ok(());
    }
    let number = |number: T| number.try_into().unwrap_or(u64::MAX);
    Err(Error::Limit {
        what: what.into(),
        found: number(found),
        limit: number(limit),
    })
}

//! Limits on everything that inputs decide. Exceeding a limit is an error that names it.

use crate::error::{Error, Result};

/// Maximum size of a JSON document: manifest, index, config, `manifest.json`. 8 MiB.
///
/// Registries and engines refuse manifests over 4 MiB; a `manifest.json` of hundreds of images is larger.
pub const DOCUMENT_BYTES: u64 = 8 << 20;

/// Maximum size of a layout's index.json, in bytes: 64 MiB.
///
/// A descriptor with two names takes 400 to 500 bytes, so this is enough for [`LAYOUT_NAMES`]. No registry ever gets this
/// document.
pub const LAYOUT_INDEX_BYTES: u64 = 64 << 20;

/// Maximum memory of the values of one JSON document, in bytes. A value may take fifty times its size in the document. The
/// index.json of the largest layouts takes half of it.
pub const JSON_MEMORY: u64 = 512 << 20;

/// Maximum depth of a JSON document, which is the limit of `serde_json`.
pub const JSON_DEPTH: usize = 127;

/// Maximum size of a file that lists inputs, in bytes.
pub const INPUT_LIST_BYTES: u64 = 64 << 20;

/// Maximum number of members of an archive, or files of a folder.
pub const MEMBERS: usize = 1 << 20;

/// Maximum depth of the folder of a registry tree below the folder that is named.
pub const SEARCH_DEPTH: usize = 6;

/// Maximum number of files and folders among which a registry tree is looked for.
pub const SEARCHED_FILES: usize = 100_000;

/// Maximum size of an archive's index in memory, in bytes: names, link targets and the maps of sparse members.
pub const INDEX_BYTES: u64 = 512 << 20;

/// Maximum size of the metadata of one input, in bytes: documents, counted each time they are read, at least [`VALUE_BYTES`] for
/// each of their values, and [`ENTRY_BYTES`] for each document, layer and name.
pub const METADATA_BYTES: u64 = 384 << 20;

/// [`METADATA_BYTES`], [`JSON_MEMORY`] and [`INDEX_BYTES`] for the smallest input, because a few kilobytes may decode to many
/// documents and members. What is read of them takes up to two and a half times as much memory.
pub const SMALL_INPUT_BYTES: u64 = 64 << 20;

/// What a larger input may have of these for each of its bytes on the disk, up to the limits of the largest inputs. The shortest
/// entry of an index.json with a name takes ten times its size.
pub const INPUT_RATIO: u64 = 11;

/// How much is added to [`METADATA_BYTES`] for each file of a folder: a layout of a hundred thousand images has two files or
/// more for each of them, while an archive of as many members may be a few kilobytes when it is compressed.
pub const FOLDER_FILE_BYTES: u64 = 8 << 10;

/// Minimum cost of an entry of any list, in bytes. Its JSON may be much shorter than the memory that it takes.
pub const ENTRY_BYTES: u64 = 1 << 10;

/// Minimum cost of a value in a JSON document, in bytes: an annotation of a few characters takes more memory than its text.
pub const VALUE_BYTES: u64 = 96;

/// Maximum size of a decoded layer, unless the user sets another: 128 GiB.
pub const LAYER_BYTES: u64 = 128 << 30;

/// Decoded size that an archive may have, and that all layers of an input together may have, however small the input is:
/// 4 GiB. A disk image of zeros in a small image is not a bomb.
pub const DECODED_BYTES: u64 = 4 << 30;

/// How much is added to [`DECODED_BYTES`] for each byte of the input as it is on the disk. Only inputs that consist of
/// repetitions decode to more. With a higher ratio, an input of a few megabytes could take minutes to decode.
pub const DECODED_RATIO: u64 = 100;

/// Maximum size of a layer without a mark that may be an empty tar, before and after it is decoded: 1 MiB. Only layers in
/// schema 1 manifests have marks.
pub const EMPTY_LAYER_BYTES: u64 = 1 << 20;

/// The part of a disk's free space that stays free: one tenth. Decoded data is often much larger than its input.
pub const DISK_RESERVE: u64 = 10;

/// Maximum length of the name or link target of a member, in bytes. Linux's `PATH_MAX` is 4096.
pub const NAME_BYTES: u64 = 64 << 10;

/// Maximum size of an extension header in a tar, in bytes: 1 MiB, the limit of Go's `archive/tar`, and so of containerd and
/// Docker, since CVE-2022-2879 (`maxSpecialFileSize` in
/// <https://github.com/golang/go/blob/go1.25.0/src/archive/tar/format.go>).
pub const EXTENSION_BYTES: u64 = 1 << 20;

/// Maximum number of fragments in a sparse member's map.
pub const SPARSE_FRAGMENTS: usize = 1 << 20;

/// Maximum number of links followed from one name. Linux stops after 40.
pub const LINK_HOPS: usize = 40;

/// Maximum number of images of an archive, and of manifests of a layout or registry tree with few entries.
pub const IMAGES: usize = 10_000;

/// How many manifests a layout or registry tree of more than [`IMAGES`] of them may have for each entry of its index.json, or
/// each image: those of a multi-platform image and their attestations.
pub const ENTRY_IMAGES: usize = 16;

/// Maximum number of names of an archive's images.
pub const NAMES: usize = 10_000;

/// Maximum number of entries of a layout's index.json, and of images of a registry tree: those that a cluster fills have a
/// hundred thousand.
pub const LAYOUT_NAMES: usize = 1 << 17;

/// How many bytes a layout of more than [`IMAGES`] entries has on the disk for each of them, at least.
pub const ENTRY_INPUT_BYTES: u64 = 192;

/// Maximum length of an image's name, in bytes. Registries accept 255 for a repository and 128 for a tag.
pub const IMAGE_NAME_BYTES: u64 = 4096;

/// Maximum number of layers of one image. Docker builds up to 127.
pub const LAYERS: usize = 10_000;

/// Maximum number of signatures of a schema 1 manifest. Each signs the whole manifest, which is copied and hashed to check it.
/// Registries and engines sign with one key.
pub const SIGNATURES: usize = 64;

/// Maximum number of findings that are listed for one input.
pub const FINDINGS: usize = 10_000;

/// Maximum depth of nested indexes.
pub const INDEX_DEPTH: usize = 8;

/// Base-2 logarithm of the largest window that a zstd frame may ask for: 128 MiB, the format's own recommendation
/// (RFC 8878, section 3.1.1.1.2) and the window of `zstd --long`.
pub const ZSTD_WINDOW_LOG: u32 = 27;

/// Maximum memory of an xz decoder, in bytes: 200 MiB, for a dictionary of 192 MiB. `xz -9` needs 65 MiB.
pub const XZ_MEMORY: u64 = 200 << 20;

/// Memory for windows or dictionaries above which a layer waits until no other layer needs as much, in bytes: 33 MiB, enough for
/// every level up to `zstd -20` and `xz -8`.
pub const DECODER_MEMORY: u64 = 33 << 20;

/// Maximum number of manifests in a chain of `subject`s and indexes.
pub const SUBJECT_DEPTH: usize = 64;

/// Maximum number of volumes of one output.
pub const VOLUMES: usize = 999;

/// Maximum decoded size of an archive of `on_disk` bytes, and of all layers of an input of that size, in bytes.
pub(crate) fn decoded(on_disk: u64) -> u64 {
    DECODED_BYTES.saturating_add(on_disk.saturating_mul(DECODED_RATIO))
}

/// Returns [`Error::Limit`] if `found` exceeds `limit`.
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

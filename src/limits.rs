//! How much of what comes from outside is believed before an error stops it.

/// The largest JSON document that is read: manifest, index, config, `manifest.json`. 8 MiB.
///
/// Registries and engines refuse manifests over 4 MiB; a `manifest.json` of hundreds of images is larger.
pub const DOCUMENT_BYTES: u64 = 8 << 20;

/// The most members (or files of a folder) that are indexed.
pub const MEMBERS: usize = 1 << 20;

/// The longest name or link target of a member, in bytes. Linux's `PATH_MAX` is 4096.
pub const NAME_BYTES: u64 = 64 << 10;

/// The most fragments in a sparse member's map.
pub const SPARSE_FRAGMENTS: usize = 1 << 20;

/// The most links followed from one name. Linux gives up after 40.
pub const LINK_HOPS: usize = 40;

/// The most images (manifests) of one input.
pub const IMAGES: usize = 10_000;

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

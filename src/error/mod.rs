//! The error type of the library. Facts are fields, places form a chain.

mod chain;
mod hint;
mod place;
mod text;

use std::io;
use std::path::PathBuf;

pub(crate) use chain::chain;
pub(crate) use place::ResultExt;

use chain::shown;
use text::{becomes, did_you_mean, missing, more};

use crate::digest::Digest;
use crate::findings::{Finding, Place};

/// The result type of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a conversion failed.
///
/// [`Error::At`] adds a place, and [`std::error::Error::source`] leads to the cause. Messages contain unchanged text from the
/// input: escape it before printing it to a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The place of another error.
    #[error("{place}")]
    At {
        /// The input, image, layer or file.
        place: Box<Place>,
        /// The error.
        source: Box<Error>,
    },
    /// An error of the operating system.
    #[error("cannot {action} {}", shown(.path))]
    Io {
        /// A verb phrase: "read", "rename the staged layout to".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The message of the system.
        source: io::Error,
    },
    /// Something is wrong with an input.
    #[error("{}", .finding.message)]
    Finding {
        /// The finding. Its place is in the enclosing [`Error::At`].
        finding: Box<Finding>,
    },
    /// A problem of a cache entry, not of an input.
    #[error("cache entry {}", .path.display())]
    CacheEntry {
        /// The entry's file.
        path: PathBuf,
        /// The problem.
        source: Box<Error>,
    },
    /// A signal or the caller asked to stop.
    #[error("interrupted")]
    Interrupted,

    // Inputs.
    /// The file or stream is empty.
    #[error("the file is empty")]
    Empty,
    /// The input is not an image in any known format.
    #[error("not a container image: {found}")]
    NotAnImage {
        /// What was found instead.
        found: String,
    },
    /// The input has more than one registry tree.
    #[error("it contains several registry trees, such as {first} and {second}")]
    SeveralTrees {
        /// The path of a tree in the input.
        first: String,
        /// The path of another.
        second: String,
    },
    /// A file ends before the end of its content.
    #[error("{what} is truncated: it ends at byte {found}, expected {needed}")]
    Truncated {
        /// The file or member.
        what: String,
        /// The expected end, in bytes.
        needed: u64,
        /// The actual end, in bytes.
        found: u64,
    },
    /// The archive ends without the two zero blocks that end a tar.
    #[error("the archive is truncated: it ends at byte {found} without an end-of-archive marker")]
    NoEndOfArchive {
        /// Length of the archive in bytes.
        found: u64,
    },
    /// A tar header is damaged.
    #[error("damaged tar header at byte {offset}: {reason}")]
    TarHeader {
        /// Offset in the uncompressed archive.
        offset: u64,
        /// The problem.
        reason: String,
    },
    /// A compressed stream ends too early.
    #[error("the {codec} data is truncated: it ends within a {part}")]
    StreamTruncated {
        /// gzip, zstd, bzip2, xz.
        codec: &'static str,
        /// member, frame, stream.
        part: &'static str,
    },
    /// A compressed stream cannot be decoded.
    #[error("the {codec} data is damaged")]
    Decode {
        /// gzip, zstd, bzip2, xz.
        codec: &'static str,
        /// The message of the decoder.
        source: io::Error,
    },
    /// A limit in [`crate::limits`] was exceeded.
    #[error("{what} is {found}, more than the limit of {limit}")]
    Limit {
        /// The quantity.
        what: String,
        /// The value.
        found: u64,
        /// The limit.
        limit: u64,
    },

    /// A compressed archive decodes to more than the limit.
    #[error("the decoded archive is larger than the limit of {limit} bytes")]
    ArchiveTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// An input changed during the run.
    #[error("{} changed while it was read", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Decoded or written data would fill the disk.
    #[error("not enough free space in {}: at least {size} bytes are needed, {free} bytes were free at the start", .path.display())]
    InsufficientSpace {
        /// The folder of the data.
        path: PathBuf,
        /// Size of the data so far, in bytes.
        size: u64,
        /// Free space at the start, in bytes.
        free: u64,
    },

    // Names and links.
    /// A file that a document refers to is missing.
    #[error("{name} is missing")]
    Missing {
        /// The name in the document.
        name: String,
    },
    /// An image that an index lists is missing, and must not be left out.
    #[error("{name} is missing")]
    Absent {
        /// The name of the missing file.
        name: String,
    },
    /// The name is a folder or a device.
    #[error("{name} is not a file")]
    NotAFile {
        /// The name in the document.
        name: String,
    },
    /// The target of a link is missing.
    #[error("{name} is a link to {target}, which is missing")]
    DanglingLink {
        /// The link.
        name: String,
        /// The target, relative to the root of the archive.
        target: String,
    },
    /// A link leads back to itself.
    #[error("{name} is a link that leads back to itself")]
    LinkCycle {
        /// The first link.
        name: String,
    },

    // Documents.
    /// A document that cannot be parsed.
    #[error("cannot parse {document}")]
    Json {
        /// `manifest.json`, `config sha256:…`.
        document: String,
        /// The message of the parser, with line and column.
        source: serde_json::Error,
    },
    /// A document breaks a rule of its format.
    #[error("{document}: {reason}")]
    Document {
        /// `manifest.json`, `config sha256:…`.
        document: String,
        /// The broken rule.
        reason: String,
    },
    /// The config has no `rootfs.diff_ids`.
    #[error("the config lacks rootfs.diff_ids")]
    NoRootfs,

    // Content.
    /// The digest of a blob does not match its descriptor.
    #[error("digest of {what} is {found}, expected {expected}")]
    DigestMismatch {
        /// The blob or document.
        what: String,
        /// From the descriptor or the file's name.
        expected: Digest,
        /// From the bytes.
        found: Digest,
    },
    /// The size of a blob does not match its descriptor.
    #[error("size of {what} is {found}, expected {expected}")]
    SizeMismatch {
        /// The blob or document.
        what: String,
        /// From the descriptor.
        expected: u64,
        /// Of the bytes.
        found: u64,
    },

    /// Blobs that an input leaves out, and that are nowhere else.
    #[error("{}", missing(.blobs))]
    BlobsMissing {
        /// What each is, and where it could come from.
        blobs: Vec<String>,
    },
    /// Parts of two outputs were taken for parts of one.
    #[error(
        "{first} and {second} are parts of different outputs: {name} is not the same image in both"
    )]
    DifferentBuilds {
        /// A name that both have.
        name: String,
        /// An input.
        first: String,
        /// Another input.
        second: String,
    },
    /// A blob that was made again turned out to be another.
    #[error(
        "the layer encoded again is {found}, expected {expected}: it was encoded by encoder {encoder}, and this program has {own_encoder}"
    )]
    NotRemade {
        /// The blob that was to be made.
        expected: Digest,
        /// The blob that was made.
        found: Digest,
        /// The version of the encoder that made it first.
        encoder: String,
        /// The version of the encoder of this program.
        own_encoder: String,
    },

    // Requests.
    /// `--image` selects nothing.
    #[error("no image {wanted}{} available: {available}", did_you_mean(near.as_deref()))]
    NoSuchImage {
        /// As it was asked for.
        wanted: String,
        /// The name that was most likely meant.
        near: Option<String>,
        /// The available names.
        available: String,
    },
    /// `--image` has the beginning of more than one digest.
    #[error("{wanted} is the beginning of {first} and {second}")]
    AmbiguousDigest {
        /// As it was asked for.
        wanted: String,
        /// One of the digests.
        first: Digest,
        /// Another one.
        second: Digest,
    },
    /// `--platform` selects nothing.
    #[error("no image for {wanted}; available: {available}")]
    NoSuchPlatform {
        /// The requested platforms.
        wanted: String,
        /// The available platforms.
        available: String,
    },
    /// Everything selected was left out.
    #[error("nothing is left to convert: {first}{}", more(*.others))]
    NothingLeft {
        /// The first that was left out, and why.
        first: String,
        /// The number of others.
        others: usize,
    },
    /// Exactly one image is needed, but several match.
    #[error("expected one image, found {}: {}", .available.len(), .available.join(", "))]
    SeveralImages {
        /// A selector for each.
        available: Vec<String>,
    },
    /// One platform is needed, and more are there.
    #[error("expected one platform, since {target} has no index; available: {available}")]
    SeveralPlatforms {
        /// The output or its format.
        target: &'static str,
        /// The available platforms.
        available: String,
    },
    /// The format of the input has no manifests for single images.
    #[error("the input has no manifest for this image: docker save wrote none before Docker 25")]
    NoManifest {
        /// Whether the image has a config.
        has_config: bool,
    },
    /// The format of the input has no configs.
    #[error(
        "the input has no config for this image, only v1 metadata, from which a conversion creates one"
    )]
    NoConfig,
    /// `--name` needs exactly one image.
    #[error("`--name` needs exactly one image, but {count} are selected")]
    NameForMany {
        /// The number of selected images.
        count: usize,
    },
    /// A manifest or index would be another, which was not to be.
    #[error("{old} {}", becomes(new.as_ref()))]
    DigestChanges {
        /// In the input.
        old: Digest,
        /// In the output; `None` for an index of which not all would be there.
        new: Option<Digest>,
    },
    /// The same in a dry run, which does not compute the new digest.
    #[error("{old} would become another")]
    DigestWouldChange {
        /// In the input.
        old: Digest,
    },
    /// Something that this version cannot convert.
    #[error("{what} cannot be converted yet")]
    Unsupported {
        /// A noun phrase.
        what: String,
    },
    /// What the format of the output has no place for.
    #[error("{what} has no place in {format}")]
    NotInFormat {
        /// A noun phrase.
        what: String,
        /// The format of the output.
        format: &'static str,
    },
    /// Schema 1 is made of the history, with one entry for each layer.
    #[error(
        "the config's history has {history} entries that created a layer, expected {layers}, one for each layer of the image"
    )]
    HistoryMismatch {
        /// Entries that are not empty.
        history: usize,
        /// The image's layers.
        layers: usize,
    },
    /// Two images have the same name.
    #[error("two images are named {name}: {first} and {second}")]
    NameConflict {
        /// The name.
        name: String,
        /// Input and digest of the first image.
        first: String,
        /// Input and digest of the second image.
        second: String,
        /// Whether they are for different platforms.
        platforms_differ: bool,
    },
    /// Two parts of a multi-platform image that engines could not tell apart.
    #[error("two images are for {platform}: {first} and {second}")]
    SamePlatform {
        /// The platform.
        platform: String,
        /// Input and name of the first image.
        first: String,
        /// Input and name of the second image.
        second: String,
    },
    /// A part of a multi-platform image must have a platform.
    #[error("the config lacks os or architecture, which a part of a multi-platform image needs")]
    NoPlatform,
    /// A list of digests has something else in it.
    #[error(
        "{place}: {found:?} is not a digest, expected one such as sha256:0123456789abcdef… with 64 digits"
    )]
    NotADigest {
        /// Which line.
        place: String,
        /// What is there.
        found: String,
    },
    /// An option names what no engine takes.
    #[error("`{name}` is not an image name, expected one such as registry.local/app:1.0")]
    ImageName {
        /// As it was given.
        name: String,
    },

    /// Options that contradict each other.
    #[error("`{option}` cannot be used with `{other}`")]
    Conflict {
        /// The option as it would be typed.
        option: &'static str,
        /// The option or value that it contradicts.
        other: &'static str,
        /// What to type instead.
        hint: &'static str,
    },

    // Outputs.
    /// A blob that no volume could hold.
    #[error(
        "blob {digest} has {blob} bytes, too many for a volume of {size} bytes; it needs a volume of {needed} bytes"
    )]
    BlobLargerThanVolume {
        /// The blob.
        digest: Digest,
        /// Its size in bytes.
        blob: u64,
        /// The size of a volume.
        size: u64,
        /// The size of a volume that could hold it.
        needed: u64,
    },
    /// Each volume has all documents, which alone are larger.
    #[error(
        "a volume of {size} bytes is too small: index.json, manifests and configs, which every volume has, take {needed} bytes"
    )]
    VolumeSize {
        /// The size of a volume.
        size: u64,
        /// How much there must be at least.
        needed: u64,
    },
    /// A file in the place of a volume.
    #[error("{} exists", .path.display())]
    VolumeExists {
        /// The file.
        path: PathBuf,
    },
    /// The output is a symbolic link, which is not followed.
    #[error("{} is a symbolic link", .path.display())]
    OutputIsLink {
        /// The output.
        path: PathBuf,
    },
    /// The cache is inside the output.
    #[error("the cache {} is inside the output {}", .cache.display(), .output.display())]
    CacheInOutput {
        /// The cache's folder.
        cache: PathBuf,
        /// The output.
        output: PathBuf,
    },
    /// A document, such as a digest map, would replace a file of an input or be a file of the output.
    #[error("the {what} {} would be a file of {}", .path.display(), .of.display())]
    DocumentInside {
        /// The kind of document: "digest map".
        what: &'static str,
        /// The document.
        path: PathBuf,
        /// The input or output, as it was named.
        of: PathBuf,
    },
    /// The output is complete, but a document such as the digest map is missing.
    #[error("the output is complete, but its {what} is missing")]
    DocumentMissing {
        /// The kind of document: "digest map".
        what: &'static str,
        /// The cause.
        source: Box<Error>,
    },
    /// The output is changed in place, which needs a lock, and the file system has none.
    #[error("cannot lock it: the file system does not support locks")]
    NoLocks,
    /// The output is changed in place, which needs a lock that reaches all machines.
    #[error("cannot lock it on all machines: the file system is mounted with `{option}`")]
    LocalLocks {
        /// The mount option that keeps locks on one machine.
        option: &'static str,
    },
    /// The output is one of the inputs.
    #[error("the output {} is the input {}", .path.display(), .input.display())]
    OutputIsInput {
        /// The output.
        path: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// The output is inside an input, or an input is inside an output that would be replaced.
    #[error("{} is inside {}", .inner.display(), .outer.display())]
    OutputAndInputOverlap {
        /// The inner path.
        inner: PathBuf,
        /// The outer path.
        outer: PathBuf,
    },
    /// The file to overwrite is not a tar.
    #[error("the file exists and is not a tar archive")]
    NotATar,
    /// Only a layout in a folder can be pruned.
    #[error("not an OCI layout in a folder")]
    NotALayoutFolder,
    /// The references of a layout cannot be read, so nothing was removed.
    #[error("nothing was removed: cannot tell what {document} refers to: {reason}")]
    CannotPrune {
        /// `index.json`, `blobs/sha256/…`.
        document: String,
        /// The cause.
        reason: String,
    },
    /// The output is complete, but was not pruned.
    #[error("the output is complete, but was not pruned")]
    NotPruned {
        /// The cause.
        source: Box<Error>,
    },
    /// The output exists and is not a layout.
    #[error("{} exists and is not an OCI layout", .path.display())]
    NotALayout {
        /// The output.
        path: PathBuf,
    },
    /// Something else is in the place of a `dir:` folder.
    #[error("{} exists and is not a dir: folder", .path.display())]
    NotADirFolder {
        /// The output.
        path: PathBuf,
    },
    /// The output of a registry tree is something else.
    #[error("{} exists and is not the storage tree of a registry", .path.display())]
    NotARegistry {
        /// The output.
        path: PathBuf,
    },
    /// A name has no repository and tag that a registry takes.
    #[error("{name:?} is not a name that a registry accepts")]
    RegistryName {
        /// The name.
        name: String,
    },
    /// An image for a registry has no name.
    #[error("the image has no name, so it has no repository in a registry")]
    Unnamed,
}

impl Error {
    /// Whether the command line itself is wrong, not the files that it names.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        matches!(
            self.fact(),
            Error::OutputIsInput { .. }
                | Error::OutputAndInputOverlap { .. }
                | Error::ImageName { .. }
                | Error::Conflict { .. }
        )
    }

    /// An I/O error with its file; for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io {
            action,
            path: path.into(),
            source,
        }
    }

    /// An error for a finding, with its place.
    pub(crate) fn finding(mut finding: Finding) -> Error {
        let place = std::mem::take(&mut finding.place);
        let finding = Box::new(finding);
        Error::Finding { finding }.at(place)
    }

    /// An error about a document.
    pub(crate) fn document(document: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Document {
            document: document.into(),
            reason: reason.into(),
        }
    }

    /// The whole chain in one line: places, the fact, and the message of the system.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

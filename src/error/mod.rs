//! The error type of the library. Facts are fields, places form a chain.

mod chain;
mod hint;
mod output;
mod place;
mod request;
mod text;

use std::io;
use std::path::PathBuf;

pub(crate) use chain::chain;
pub(crate) use hint::CONTAINS_ARCHIVES;
pub use output::OutputError;
pub(crate) use place::ResultExt;
pub use request::RequestError;

use chain::shown;
use text::missing;

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
    /// What was asked for cannot be done with these inputs.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An output cannot be written or changed.
    #[error(transparent)]
    Output(#[from] OutputError),
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
}

impl Error {
    /// Whether the command line itself is wrong, not the files that it names.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        match self.fact() {
            Error::Request(error) => error.is_wrong_usage(),
            Error::Output(error) => error.is_wrong_usage(),
            _ => false,
        }
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

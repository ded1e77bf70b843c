//! One error type for the whole library: the facts as fields, the place as a chain.

mod hint;
mod place;

use std::io;
use std::path::PathBuf;

pub(crate) use place::ResultExt;

use crate::digest::Digest;
use crate::findings::{Finding, Place};

/// What the library's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a conversion failed.
///
/// [`Error::At`] adds a place on the way up; [`std::error::Error::source`] leads down to the fact. Text taken from an
/// archive is in the messages as it was found, so escape it before it reaches a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Where the error below happened.
    #[error("{place}")]
    At {
        /// The input, image, layer or file.
        place: Box<Place>,
        /// What happened there.
        source: Box<Error>,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// A verb phrase: "read", "rename the staged layout to".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Something is wrong with an input.
    #[error("{}", .finding.message)]
    Finding {
        /// What it is; its place is around this error.
        finding: Box<Finding>,
    },
    /// Something is wrong with an entry of the cache, not with an input.
    #[error("cache entry {}", .path.display())]
    CacheEntry {
        /// The entry's file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A signal or the caller asked to stop.
    #[error("interrupted")]
    Interrupted,

    // What an input is.
    /// The file or stream has no bytes at all.
    #[error("the file is empty")]
    Empty,
    /// Nothing in it tells of an image.
    #[error("not a container image: {found}")]
    NotAnImage {
        /// What was found instead.
        found: String,
    },
    /// The end of a file comes before the end of what it holds.
    #[error("{what} is cut short: it ends at byte {found}, expected {needed}")]
    Truncated {
        /// The file or member.
        what: String,
        /// Up to which byte it should reach.
        needed: u64,
        /// At which byte it ends.
        found: u64,
    },
    /// The archive ends without the two zero blocks that close a tar.
    #[error("the archive is cut short: it ends at byte {found} without an end-of-archive marker")]
    NoEndOfArchive {
        /// The archive's length in bytes.
        found: u64,
    },
    /// A tar header is not one.
    #[error("damaged tar header at byte {offset}: {reason}")]
    TarHeader {
        /// Where in the (uncompressed) archive.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A compressed stream cannot be decoded.
    #[error("the {codec} data is damaged")]
    Decode {
        /// gzip, zstd, bzip2, xz.
        codec: &'static str,
        /// The decoder's words.
        source: io::Error,
    },
    /// One of [`crate::limits`].
    #[error("{what} is {found}, more than the limit of {limit}")]
    Limit {
        /// What was counted or measured.
        what: String,
        /// How much of it there is.
        found: u64,
        /// How much is allowed.
        limit: u64,
    },

    /// A compressed archive that decodes to more than is allowed.
    #[error("the decoded archive is larger than the limit of {limit} bytes")]
    ArchiveTooLarge {
        /// How much is allowed.
        limit: u64,
    },
    /// An input is not what it was at the beginning.
    #[error("{} changed while it was read", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// What is being decoded or written would fill the disk.
    #[error("not enough free space in {}: at least {size} bytes are needed, {free} bytes were free at the start", .path.display())]
    InsufficientSpace {
        /// The folder that it is written to.
        path: PathBuf,
        /// How large it is already.
        size: u64,
        /// How much was free.
        free: u64,
    },

    // Names and links.
    /// A file that a document names is not there.
    #[error("{name} is missing")]
    Missing {
        /// The name as the document has it.
        name: String,
    },
    /// A part of an image that an index names is not there, and was not left out.
    #[error("{name} is missing")]
    Absent {
        /// The name as the input would have it.
        name: String,
    },
    /// The name is there, but it is a folder or a device.
    #[error("{name} is not a file")]
    NotAFile {
        /// The name as the document has it.
        name: String,
    },
    /// A link points to nothing.
    #[error("{name} is a link to {target}, which is missing")]
    DanglingLink {
        /// The link.
        name: String,
        /// What it points to, from the archive's root.
        target: String,
    },
    /// Links that lead to each other.
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
        /// The parser's words, with line and column.
        source: serde_json::Error,
    },
    /// A document parses but says something that it must not.
    #[error("{document}: {reason}")]
    Document {
        /// `manifest.json`, `config sha256:…`.
        document: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// The config has no `rootfs.diff_ids`.
    #[error("the config lacks rootfs.diff_ids")]
    NoRootfs,

    // Content.
    /// A blob's bytes are not what its descriptor says.
    #[error("digest of {what} is {found}, expected {expected}")]
    DigestMismatch {
        /// Which blob or document.
        what: String,
        /// From the descriptor or the file's name.
        expected: Digest,
        /// From the bytes.
        found: Digest,
    },
    /// A blob's size is not what its descriptor says.
    #[error("size of {what} is {found}, expected {expected}")]
    SizeMismatch {
        /// Which blob or document.
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

    // What was asked for.
    /// `--image` names nothing.
    #[error("no image {wanted}{} available: {available}", did_you_mean(near.as_deref()))]
    NoSuchImage {
        /// As it was asked for.
        wanted: String,
        /// The name that was most likely meant.
        near: Option<String>,
        /// The names there are.
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
    /// `--platform` names what no image is for.
    #[error("no image for {wanted}; available: {available}")]
    NoSuchPlatform {
        /// As they were asked for.
        wanted: String,
        /// The platforms there are.
        available: String,
    },
    /// All that is selected was left out.
    #[error("nothing is left to convert: {first}{}", more(*.others))]
    NothingLeft {
        /// What was left out first, and why.
        first: String,
        /// How much else was.
        others: usize,
    },
    /// One image is needed, and more are there.
    #[error("expected one image, found {}: {}", .available.len(), .available.join(", "))]
    SeveralImages {
        /// What each can be selected by.
        available: Vec<String>,
    },
    /// One platform is needed, and more are there.
    #[error("expected one platform, since {target} has no index; available: {available}")]
    SeveralPlatforms {
        /// The output or its format.
        target: &'static str,
        /// The platforms there are.
        available: String,
    },
    /// The input's format has no manifests of single images.
    #[error("the input has no manifest for this image: docker save wrote none before Docker 25")]
    NoManifest {
        /// Whether there is at least a config.
        has_config: bool,
    },
    /// The input's format has no configs.
    #[error(
        "the input has no config for this image, only v1 metadata, from which a conversion creates one"
    )]
    NoConfig,
    /// `--name` fits one image only.
    #[error("`--name` needs exactly one image, but {count} are selected")]
    NameForMany {
        /// How many there are.
        count: usize,
    },
    /// What this version does not convert.
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
    /// One name, two images.
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
    /// `--index` names what no engine takes.
    #[error("`{name}` is not an image name, expected one such as registry.local/app:1.0")]
    IndexName {
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

    // The output.
    /// The output's name is a symbolic link, which is not followed.
    #[error("{} is a symbolic link", .path.display())]
    OutputIsLink {
        /// The output.
        path: PathBuf,
    },
    /// The cache would be made inside of the output.
    #[error("the cache {} is inside the output {}", .cache.display(), .output.display())]
    CacheInOutput {
        /// The cache's folder.
        cache: PathBuf,
        /// The output.
        output: PathBuf,
    },
    /// A digest map or the like that would replace a file of an input, or be a file of the output.
    #[error("the {what} {} would be a file of {}", .path.display(), .of.display())]
    DocumentInside {
        /// What it is: "digest map".
        what: &'static str,
        /// The document.
        path: PathBuf,
        /// The input or output, as it was named.
        of: PathBuf,
    },
    /// The output is in its place, but the digest map or the like is not.
    #[error("the output is complete, but its {what} is missing")]
    DocumentMissing {
        /// What it is: "digest map".
        what: &'static str,
        /// What happened to it.
        source: Box<Error>,
    },
    /// An output that is one of the inputs.
    #[error("the output {} is the input {}", .path.display(), .input.display())]
    OutputIsInput {
        /// The output.
        path: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// An output in an input, or an input in an output that is replaced.
    #[error("{} is inside {}", .inner.display(), .outer.display())]
    OutputAndInputOverlap {
        /// The one that is in the other.
        inner: PathBuf,
        /// The one that has the other in it.
        outer: PathBuf,
    },
    /// A file that would be overwritten was never a tar.
    #[error("the file exists and is not a tar archive")]
    NotATar,
    /// Something that is pruned must be a layout, and a folder.
    #[error("not an OCI layout in a folder")]
    NotALayoutFolder,
    /// What a layout refers to cannot be found out, so nothing is removed from it.
    #[error("nothing was removed: cannot tell what {document} refers to: {reason}")]
    CannotPrune {
        /// `index.json`, `blobs/sha256/…`.
        document: String,
        /// Why.
        reason: String,
    },
    /// The output is in its place, but was not pruned.
    #[error("the output is complete, but was not pruned")]
    NotPruned {
        /// What happened.
        source: Box<Error>,
    },
    /// Something else is in the output's place.
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
}

/// The most missing blobs that are listed.
const MAX_LISTED: usize = 20;

fn missing(blobs: &[String]) -> String {
    let count = match blobs.len() {
        1 => "1 blob is missing".to_owned(),
        count => format!("{count} blobs are missing"),
    };
    let listed = &blobs[..blobs.len().min(MAX_LISTED)];
    format!(
        "{count}: {}{}",
        listed.join(", "),
        more(blobs.len() - listed.len())
    )
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(|| ";".to_owned(), |near| format!(", did you mean {near}?"))
}

fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} more"),
    }
}

impl Error {
    /// Whether the command line alone is wrong, not what it names.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        matches!(
            self.fact(),
            Error::OutputIsInput { .. }
                | Error::OutputAndInputOverlap { .. }
                | Error::IndexName { .. }
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

    /// What is wrong with an input, with its place.
    pub(crate) fn finding(mut finding: Finding) -> Error {
        let place = std::mem::take(&mut finding.place);
        let finding = Box::new(finding);
        Error::Finding { finding }.at(place)
    }

    /// What is wrong with a document, as its own words.
    pub(crate) fn document(document: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Document {
            document: document.into(),
            reason: reason.into(),
        }
    }

    /// The whole chain in one line: places, the fact, the system's words.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    line
}

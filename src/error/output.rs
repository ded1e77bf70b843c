//! Errors of outputs.

use std::path::{Path, PathBuf};

use super::Error;
use crate::digest::Digest;

/// An output cannot be written or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
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
    IsLink {
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
    IsInput {
        /// The output.
        path: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// The output is inside an input, or an input is inside an output that would be replaced.
    #[error("{} is inside {}", .inner.display(), .outer.display())]
    OverlapsInput {
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

impl OutputError {
    pub(crate) fn not_a_layout(path: &Path) -> Error {
        let path = path.to_owned();
        Error::Output(OutputError::NotALayout { path })
    }

    /// Whether the command line itself is wrong, not the files that it names.
    pub(super) fn is_wrong_usage(&self) -> bool {
        matches!(
            self,
            OutputError::IsInput { .. } | OutputError::OverlapsInput { .. }
        )
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            OutputError::BlobLargerThanVolume { .. } | OutputError::VolumeSize { .. } => {
                "choose a larger `--volume-size`"
            }
            OutputError::VolumeExists { .. } => {
                "remove the old volumes, choose another name, or use `--replace`"
            }
            OutputError::IsLink { .. } => "use the path that it points to",
            OutputError::CacheInOutput { .. } => "choose a folder outside the output for the cache",
            OutputError::DocumentInside { .. } => "choose another path for it",
            OutputError::DocumentMissing { .. } => "convert again to write it",
            OutputError::NoLocks | OutputError::LocalLocks { .. } => {
                "write to a new output, and pass the old one as an input too; simultaneous runs each need an output of their own"
            }
            OutputError::IsInput { .. } | OutputError::OverlapsInput { .. } => {
                "choose an output outside the inputs"
            }
            OutputError::NotALayout { .. }
            | OutputError::NotADirFolder { .. }
            | OutputError::NotARegistry { .. }
            | OutputError::NotATar => "choose another name for the output",
            OutputError::NotALayoutFolder => {
                "to prune a tar, convert it to a new one: only what is referred to is written"
            }
            OutputError::CannotPrune { .. } => "use `ocify verify` to see what is damaged",
            OutputError::NotPruned { .. } => "use `ocify prune` on the output",
            OutputError::RegistryName { .. } => {
                "use `--name` for one such as team/app:1.0: lower-case letters, digits and separators"
            }
            OutputError::Unnamed => "use `--image` to select an image and `--name` to name it",
        }
    }
}

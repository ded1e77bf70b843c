//! The result of a conversion: for each image its old and new digests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::compression::Codec;
use crate::digest::{DiffId, Digest};
use crate::error::Error;
use crate::findings::{Code, Finding};
use crate::formats;
use crate::image::{AbsentBlob, Platform};
use crate::output::MovedName;
use crate::prune::Pruned;

/// The result of [`crate::convert()`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The converted images, indexes and artifacts, in the order of the inputs.
    pub entries: Vec<EntryReport>,
    /// Warnings for the user.
    pub warnings: Vec<Finding>,
    /// Numbers of layers and bytes.
    pub layers: LayerCounts,
    /// The use of the cache, if there is one.
    pub cache: Option<CacheReport>,
    /// The names that belonged to other images in the output before.
    pub moved: Vec<MovedName>,
    /// The blobs that the output lacks, because another side has them or because the inputs lack them too.
    pub absent: Vec<AbsentBlob>,
    /// The files of an output of several volumes.
    pub volumes: Vec<PathBuf>,
    /// What was removed from the output, where that was asked for.
    pub pruned: Option<Pruned>,
    /// The inputs that failed, if the run continued without them.
    pub failed: Vec<Failure>,
    /// The files of the inputs, of `have` and of `fill_from` that were read, sorted.
    pub files: BTreeSet<PathBuf>,
}

impl Report {
    /// Number of converted images. An image with several names or in several indexes counts once.
    #[must_use]
    pub fn image_count(&self) -> usize {
        let images = self.entries.iter().flat_map(|entry| &entry.images);
        let ids: BTreeSet<Digest> = images.map(|image| image.image_id).collect();
        ids.len()
    }
}

/// Numbers of layers. A layer that several images have counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerCounts {
    /// Encoded.
    pub encoded: usize,
    /// Copied unchanged.
    pub kept: usize,
    /// Copied from the cache.
    pub cached: usize,
    /// Left out, because another side has them.
    pub left_out: usize,
    /// The size of their blobs in the inputs, in bytes.
    pub bytes_before: u64,
    /// The size of their blobs in the output, in bytes. What is left out is not counted.
    pub bytes_after: u64,
}

/// An input that failed and was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The input as the user named it. `None` if the remaining inputs could not be converted either.
    pub input: Option<String>,
    /// The image of a registry tree, if its other images are converted.
    pub image: Option<String>,
    /// The code of the problem, if it has one.
    pub code: Option<Code>,
    /// Place and problem, for people. Contains unchanged text from the input.
    pub message: String,
    /// An instruction, if there is a remedy.
    pub hint: Option<&'static str>,
}

impl Failure {
    /// The error of an input at `path`.
    #[must_use]
    pub fn of_input(path: &Path, error: &Error) -> Failure {
        Failure::new(Some(formats::name(path)), error)
    }

    /// The error of an image or of its layer.
    pub(crate) fn of_image(input: &str, image: String, error: &Error) -> Failure {
        let failure = Failure::new(Some(input.to_owned()), error);
        let message = if failure.message.contains(&image) {
            failure.message
        } else {
            format!(
                "{input}: {image}: has the same layer as {}",
                failure.message
            )
        };
        Failure {
            image: Some(image),
            message,
            ..failure
        }
    }

    pub(crate) fn new(input: Option<String>, error: &Error) -> Failure {
        Failure {
            code: match error.fact() {
                Error::Finding { finding } => Some(finding.code),
                Error::Io { .. } if input.is_some() => Some(Code::Unreadable),
                _ => None,
            },
            input,
            image: None,
            message: error.chain(),
            hint: error.hint(),
        }
    }
}

/// The use of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheReport {
    /// Number of layers that were encoded or copied from the cache. A layer that several images have counts once.
    pub layers: usize,
    /// Number of them that were copied from the cache.
    pub hits: usize,
}

/// An entry of index.json, with all its names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EntryReport {
    /// The input as the user named it.
    pub input: String,
    /// The names in the output. Empty for an image without a name.
    pub names: Vec<String>,
    /// Digest of the manifest or index in the output, or of the config if the output has no manifests.
    pub digest: Digest,
    /// Media type of the manifest or index in the output.
    pub media_type: String,
    /// Size of the manifest or index in the output, in bytes.
    pub size: u64,
    /// Its images: one, or those of an index. Empty for artifacts.
    pub images: Vec<ImageReport>,
}

/// An image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImageReport {
    /// From the config.
    pub platform: Option<Platform>,
    /// The indexes that contain it, the outermost first.
    pub indexes: Vec<IndexReport>,
    /// Digest of the payload of its schema 1 manifest in the input.
    pub schema1: Option<Digest>,
    /// Digest of the manifest in the input, if it had one.
    pub old_manifest: Option<Digest>,
    /// Media type of the manifest in the input.
    pub old_media_type: Option<String>,
    /// Digest of the config in the input. `None` if the config was created.
    pub old_image_id: Option<Digest>,
    /// Digest of the manifest in the output. `None` if the output has no manifests.
    pub manifest: Option<Digest>,
    /// Digest of the config in the output: the image ID.
    pub image_id: Digest,
    /// Digest of the schema 2 manifest that `skopeo copy --format v2s2` makes of the input, with unchanged blobs. `None` if the
    /// input has no manifest, or if skopeo cannot make one (zstd).
    pub v2s2_of_input: Option<Digest>,
    /// The same digest for the image in the output.
    pub v2s2_of_output: Option<Digest>,
    /// The base first.
    pub layers: Vec<LayerReport>,
}

/// An index that contains an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexReport {
    /// Digest in the input.
    pub old: Digest,
    /// Digest in the output. `None` if the output contains only some of its images.
    pub new: Option<Digest>,
}

/// A layer.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LayerReport {
    /// Digest of the blob in the input, if the input has it.
    pub old_digest: Option<Digest>,
    /// Size of the blob in the input, in bytes.
    pub old_size: u64,
    /// Digest of the blob in the output. `None` if the output lacks it (foreign layers).
    pub digest: Option<Digest>,
    /// Size of the blob in bytes.
    pub size: u64,
    /// Digest of the uncompressed layer.
    pub diff_id: Option<DiffId>,
    /// Codec of the blob in the output. `None` if it is not a file system layer.
    pub codec: Option<Codec>,
}

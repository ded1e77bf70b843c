//! What a conversion did: for each image the digests that it had and has now.

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

/// What [`crate::convert()`] gives back.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The converted images, indexes and artifacts, in the order of the inputs.
    pub entries: Vec<EntryReport>,
    /// What the user should know.
    pub warnings: Vec<Finding>,
    /// What became of the layers.
    pub layers: LayerCounts,
    /// What came from the cache, where there is one.
    pub cache: Option<CacheReport>,
    /// The names that led to other images in the output before.
    pub moved: Vec<MovedName>,
    /// The blobs that the output lacks, because another side has them or because the inputs lack them too.
    pub absent: Vec<AbsentBlob>,
    /// The files of an output of several volumes.
    pub volumes: Vec<PathBuf>,
    /// What was removed from the output, where that was asked for.
    pub pruned: Option<Pruned>,
    /// What failed, where the run goes on without it.
    pub failed: Vec<Failure>,
    /// The files of the inputs that were read, sorted.
    pub files: BTreeSet<PathBuf>,
}

impl Report {
    /// How many images were converted. One that several names or indexes lead to counts once.
    #[must_use]
    pub fn image_count(&self) -> usize {
        let images = self.entries.iter().flat_map(|entry| &entry.images);
        let ids: BTreeSet<Digest> = images.map(|image| image.image_id).collect();
        ids.len()
    }
}

/// How many layers were encoded and so on, each counted once, however many images have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerCounts {
    /// Encoded.
    pub encoded: usize,
    /// Copied with their bytes.
    pub kept: usize,
    /// Taken from the cache.
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
    /// The input as it was named; `None` where what is left could not be converted either.
    pub input: Option<String>,
    /// The image of a registry tree, where its others are converted.
    pub image: Option<String>,
    /// What kind of problem it is, where the code table has it.
    pub code: Option<Code>,
    /// Place and problem, for people. Text from the input is in it as it was found.
    pub message: String,
    /// What to do about it, where that helps.
    pub hint: Option<&'static str>,
}

impl Failure {
    /// The error of an input at `path`.
    #[must_use]
    pub fn of_input(path: &Path, error: &Error) -> Failure {
        Failure::new(Some(formats::name(path)), error)
    }

    /// An error that an image, or its layer, has.
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

/// What a cache was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheReport {
    /// How many layers had to be encoded or could be taken from the cache, each counted once.
    pub layers: usize,
    /// How many of them came from the cache.
    pub hits: usize,
}

/// One entry of index.json, whatever its number of names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EntryReport {
    /// The input as it was named.
    pub input: String,
    /// The names it has in the output. Empty for an image without a name.
    pub names: Vec<String>,
    /// Of the manifest or index in the output; of the config, where the output has no manifests.
    pub digest: Digest,
    /// Of the manifest or index in the output.
    pub media_type: String,
    /// Of the manifest or index in the output, in bytes.
    pub size: u64,
    /// The images in it: one, or those of an index. None for artifacts.
    pub images: Vec<ImageReport>,
}

/// One image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImageReport {
    /// From the config.
    pub platform: Option<Platform>,
    /// The indexes that it is in, the outermost first.
    pub indexes: Vec<IndexReport>,
    /// Of the payload of the schema 1 manifest that it was made from.
    pub schema1: Option<Digest>,
    /// Of the manifest in the input, if it had one.
    pub old_manifest: Option<Digest>,
    /// Of the manifest in the input.
    pub old_media_type: Option<String>,
    /// Of the config in the input; `None` when it had to be made.
    pub old_image_id: Option<Digest>,
    /// Of the manifest in the output; `None` where the output has no manifests.
    pub manifest: Option<Digest>,
    /// Of the config in the output: the image ID.
    pub image_id: Digest,
    /// Of the schema 2 manifest that `skopeo copy --format v2s2` makes of the input, its blobs as they are; `None` where
    /// the input has no manifest, or where skopeo has no schema 2 for it (zstd).
    pub v2s2_of_input: Option<Digest>,
    /// The same for the image in the output.
    pub v2s2_of_output: Option<Digest>,
    /// The base first.
    pub layers: Vec<LayerReport>,
}

/// An index that an image is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexReport {
    /// In the input.
    pub old: Digest,
    /// In the output; `None` when only some of its images are there.
    pub new: Option<Digest>,
}

/// One layer.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LayerReport {
    /// Of the blob in the input, where it was known by one.
    pub old_digest: Option<Digest>,
    /// Of the blob in the input, in bytes.
    pub old_size: u64,
    /// Of the blob in the output; `None` when it is not there (foreign layers).
    pub digest: Option<Digest>,
    /// Of the blob in bytes.
    pub size: u64,
    /// Of the uncompressed layer.
    pub diff_id: Option<DiffId>,
    /// Of the blob in the output; `None` for what is no layer.
    pub codec: Option<Codec>,
}

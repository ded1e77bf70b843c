//! The options of a conversion.

use std::path::PathBuf;

use crate::cache::CacheOptions;
use crate::compression::Compression;
use crate::digest_map::DigestMap;
use crate::formats::ReadOptions;
use crate::image::ManifestFormat;
use crate::output::OutputOptions;
use crate::plan::Check;
use crate::select::Selection;

/// Options of a conversion. The default converts everything and keeps compressed layers unchanged.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// How layers are compressed.
    pub compression: Compression,
    /// The format of the manifests.
    pub format: ManifestFormat,
    /// Which images are converted, and under which names.
    pub selection: Selection,
    /// How layers that are kept are checked.
    pub check: Check,
    /// The number of threads; `None` for one per core.
    pub threads: Option<usize>,
    /// How the inputs are read.
    pub read: ReadOptions,
    /// How the output is written.
    pub output: OutputOptions,
    /// A file that lists the old and new digests.
    pub digest_map: Option<DigestMap>,
    /// Where encoded layers are kept for later conversions. The output is the same with and without a cache.
    pub cache: Option<CacheOptions>,
    /// Whether unreferenced blobs are removed from a folder at the end. A tar never has any.
    pub prune: bool,
    /// Whether the other inputs are converted if an input fails.
    pub keep_going: bool,
    /// Whether to fail rather than change a manifest or index of an input.
    pub keep_digests: bool,
    /// What the other side has, which is left out: inputs, or lists of digests and `diff_ids`.
    pub have: Vec<PathBuf>,
    /// Inputs that have the blobs that the inputs leave out.
    pub fill_from: Vec<PathBuf>,
}

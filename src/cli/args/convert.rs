//! The options of `ocify convert`, in the groups that its help shows.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::builder::{
    NonEmptyStringValueParser, PathBufValueParser, PossibleValuesParser, TypedValueParser,
};
use ocify::{Check, Compression, DigestMap, ManifestFormat, Missing, OutputKind, Rename};

use super::{Common, Images, Inputs, LayerLimit, size};

/// Convert every image of the inputs to one layout
///
/// Prints a line "DIGEST NAME" for each name of each converted image.
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
Examples:
  ocify convert app.tar -o layout          a folder, for skopeo copy oci:layout
  ocify convert app.tar -o app-oci.tar     a tar for docker, podman and ctr
  ssh host docker save app | ocify convert - -o layout
  ocify convert *.tar -o layout --compression zstd"
)]
pub struct Convert {
    #[command(flatten)]
    pub inputs: Inputs,

    #[command(flatten)]
    pub output: Output,

    #[command(flatten)]
    pub select: Select,

    #[command(flatten)]
    pub layers: Layers,

    #[command(flatten)]
    pub gap: Gap,

    #[command(flatten)]
    pub record: Record,

    #[command(flatten)]
    pub common: Common,
}

/// What is written, and where.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// The OCI layout: a tar if the name ends in .tar, .tar.gz, .tgz, .tar.zst
    /// or .tzst, otherwise a folder; "-" is a tar on standard output. A tar is
    /// overwritten, a folder is added to
    #[arg(short = 'o', long = "output", value_name = "OUTPUT")]
    pub path: PathBuf,

    /// What the output is: layout is an OCI image layout; docker-archive is a
    /// tar for old engines; dir is a folder of one image for skopeo; registry
    /// is the storage tree of a registry
    #[arg(
        long,
        value_name = "layout|docker-archive|dir|registry",
        value_parser = one_of(KINDS),
        hide_possible_values = true,
        default_value = "layout"
    )]
    pub to: OutputKind,

    /// The format of the manifests: oci, or v2s2 or v2s1 for Docker's schema 2
    /// and 1
    #[arg(
        long,
        value_name = "oci|v2s2|v2s1",
        value_parser = one_of(FORMATS),
        hide_possible_values = true,
        default_value = "oci"
    )]
    pub format: ManifestFormat,

    #[command(flatten)]
    pub existing: Existing,

    /// Leave manifest.json, which docker load reads, out of a tar
    #[arg(long)]
    pub no_docker_manifest: bool,

    /// Do not wait until the output is safely on disk
    #[arg(long)]
    pub no_fsync: bool,
}

/// What happens to an existing output.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Existing {
    /// Add to an existing tar instead of overwriting it
    #[arg(long)]
    pub add: bool,

    /// Replace an existing folder instead of adding to it, or replace volumes
    #[arg(long, conflicts_with = "add")]
    pub replace: bool,

    /// After the conversion, remove unreferenced blobs from the folder
    #[arg(long)]
    pub prune: bool,
}

/// Which images are converted, and their names.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Images")]
pub struct Select {
    #[command(flatten)]
    pub images: Images,

    /// The name for the selected image; exactly one must be selected. A name
    /// without a tag gets `:latest`
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub name: Option<String>,

    /// Replace FROM with TO at the beginning of names, whole components only
    /// (repeatable; the longest FROM wins)
    #[arg(long, value_name = "FROM=TO", value_parser = |text: &str| text.parse::<Rename>())]
    pub rename: Vec<Rename>,

    /// Make one multi-platform image, named NAME, from all selected images
    ///
    /// The platform of each image comes from its config. The images and
    /// attestations of an index are included. The images lose their own names.
    /// An index that already contains all the other images keeps its digest.
    #[arg(long, value_name = "NAME", conflicts_with = "name",
          value_parser = NonEmptyStringValueParser::new())]
    pub index: Option<String>,

    /// What to do about images that an index lists and the input lacks
    ///
    /// drop: leave them out with a warning; if an index has one image left,
    /// that image replaces it. keep: the index keeps its bytes and digest.
    /// error: fail.
    #[arg(
        long,
        value_name = "drop|keep|error",
        value_parser = one_of(MISSING),
        hide_possible_values = true,
        default_value = "drop"
    )]
    pub missing: Missing,

    /// Fail if the digest of any manifest or index would change
    #[arg(long)]
    pub keep_digests: bool,

    /// Accept schema 1 manifests whose signatures do not verify
    #[arg(long)]
    pub ignore_signatures: bool,
}

/// How layers are encoded and checked.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Layers")]
pub struct Layers {
    /// keep, gzip, zstd or none; with a level, every layer is encoded again
    ///
    /// keep: gzip and zstd layers are kept, all others become gzip. gzip, zstd
    /// or none: every layer gets this codec; a layer that already has it is
    /// kept. gzip:1 to gzip:9, zstd:1 to zstd:22: every layer is encoded again
    /// at this level.
    #[arg(long, value_name = "CODEC[:LEVEL]", default_value = "keep",
          value_parser = |text: &str| text.parse::<Compression>())]
    pub compression: Compression,

    /// full: decode every layer and check its `diff_id`; blobs: check kept
    /// layers by digest and size only
    #[arg(
        long,
        value_name = "full|blobs",
        value_parser = one_of(CHECKS),
        hide_possible_values = true,
        default_value = "full"
    )]
    pub check: Check,

    #[command(flatten)]
    pub limit: LayerLimit,

    /// Keep encoded layers in this folder and reuse them in later runs; the
    /// output is the same. "" disables the cache
    #[arg(long, value_name = "DIR", env = "OCIFY_CACHE", hide_env_values = true,
          value_parser = clap::value_parser!(OsString))]
    pub cache: Option<OsString>,

    /// Maximum size of the cache; least recently used entries are removed first
    #[arg(long, value_name = "SIZE", default_value = "10G", value_parser = size::parse,
          allow_negative_numbers = true)]
    pub cache_size: u64,

    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024),
          allow_negative_numbers = true)]
    pub threads: Option<u16>,
}

/// What another side has.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Across a gap")]
pub struct Gap {
    /// Leave out the blobs that X has: any input, or a text file of digests
    /// and `diff_ids`, one per line (repeatable)
    #[arg(long, value_name = "X")]
    pub have: Vec<PathBuf>,

    /// Take blobs that the inputs leave out from X: any input (repeatable)
    #[arg(long, value_name = "X")]
    pub fill_from: Vec<PathBuf>,

    /// Write several tars, each at most this large: app.001.tar and so on for
    /// -o app.tar. Each is a layout of its own with the same index.json
    #[arg(long, value_name = "SIZE", value_parser = size::parse,
          allow_negative_numbers = true)]
    pub volume_size: Option<u64>,
}

/// Dry runs and records of the run.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reports")]
pub struct Record {
    /// Print what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Write each image's old and new digests to FILE, as CSV or JSON depending
    /// on its extension
    #[arg(long, value_name = "FILE",
          value_parser = PathBufValueParser::new().try_map(DigestMap::new))]
    pub digest_map: Option<DigestMap>,

    /// Write what --json prints to FILE
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(file))]
    pub report: Option<PathBuf>,

    /// Write a Makefile rule to FILE: OUTPUT depends on the files that were
    /// read
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(file))]
    pub depfile: Option<PathBuf>,
}

/// Refuses what would be a file with another name than a user expects.
fn file(path: PathBuf) -> Result<PathBuf, &'static str> {
    if path == Path::new("-") {
        return Err("expected the name of a file; /dev/stdout is standard output");
    }
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err("expected the name of a file, found that of a folder");
    }
    Ok(path)
}

/// Parses one of several words to a value of the library.
fn one_of<T: Copy + Send + Sync + 'static>(
    values: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let words = PossibleValuesParser::new(values.iter().map(|(word, _)| *word));
    words.try_map(|word| {
        let found = values.iter().find(|(known, _)| *known == word);
        found.map(|(_, value)| *value).ok_or("unknown value")
    })
}

const KINDS: &[(&str, OutputKind)] = &[
    ("layout", OutputKind::Layout),
    ("docker-archive", OutputKind::DockerArchive),
    ("dir", OutputKind::Dir),
    ("registry", OutputKind::Registry),
];

const FORMATS: &[(&str, ManifestFormat)] = &[
    ("oci", ManifestFormat::Oci),
    ("v2s2", ManifestFormat::V2s2),
    ("v2s1", ManifestFormat::V2s1),
];

const MISSING: &[(&str, Missing)] = &[
    ("drop", Missing::Drop),
    ("keep", Missing::Keep),
    ("error", Missing::Error),
];

const CHECKS: &[(&str, Check)] = &[("full", Check::Full), ("blobs", Check::Blobs)];

//! The command line: commands and their options.

use std::ffi::OsString;
use std::path::PathBuf;

use super::generate::Document;
use super::inputs::Inputs;
use super::progress::Show;
use super::size;
use clap::builder::TypedValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use ocify::{Compression, DigestMap, ImageSelector};
use ocify::{Platform, Rename};

/// Convert container images on disk to an OCI image layout, offline.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 80,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    after_help = "Exit status: 0 done, 1 failed (bad input, mismatch, I/O), 2 wrong usage."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print the manual page or the completions for a shell: man,
    /// complete-bash, complete-zsh or complete-fish
    #[arg(long, value_name = "DOCUMENT", value_enum, hide_possible_values = true)]
    pub generate: Option<Document>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Convert(Convert),
    Inspect(Inspect),
    Verify(Verify),
    Prune(Prune),
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Print one JSON document on standard output instead of text
    #[arg(long)]
    pub json: bool,

    /// Print only errors
    #[arg(short, long)]
    pub quiet: bool,

    /// Print more on standard error
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// auto: bars on a terminal, a line every 10 seconds elsewhere; plain: the
    /// lines on a terminal, too; none: no progress
    #[arg(
        long,
        value_name = "auto|plain|none",
        value_enum,
        hide_possible_values = true,
        default_value_t
    )]
    pub progress: Show,
}

/// Convert every image of the inputs to one layout
///
/// Prints a line "DIGEST NAME" for each name of each converted image.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ocify convert app.tar -o layout          a folder, for skopeo copy oci:layout
  ocify convert app.tar -o app-oci.tar     a tar for docker, podman and ctr
  ssh host docker save app | ocify convert - -o layout
  ocify convert *.tar -o layout --compression zstd")]
pub struct Convert {
    #[command(flatten)]
    pub inputs: Inputs,

    /// The OCI layout: a tar if the name ends in .tar, .tar.gz, .tgz, .tar.zst
    /// or .tzst, otherwise a folder; "-" is a tar on standard output. A tar is
    /// overwritten, a folder is added to
    #[arg(short, long, value_name = "OUTPUT")]
    pub output: PathBuf,

    /// What the output is: layout is an OCI image layout; docker-archive is a
    /// tar for old engines; dir is a folder of one image for skopeo; registry
    /// is the storage tree of a registry
    #[arg(
        long,
        value_name = "layout|docker-archive|dir|registry",
        value_enum,
        hide_possible_values = true,
        default_value_t
    )]
    pub to: To,

    /// The format of the manifests: oci, or v2s2 or v2s1 for Docker's schema 2
    /// and 1
    #[arg(
        long,
        value_name = "oci|v2s2|v2s1",
        value_enum,
        hide_possible_values = true,
        default_value_t
    )]
    pub format: Format,

    #[command(flatten)]
    pub existing: Existing,

    /// keep, gzip, zstd or none; with a level, every layer is encoded again
    ///
    /// keep: gzip and zstd layers are kept, all others become gzip. gzip, zstd
    /// or none: every layer gets this codec; a layer that already has it is
    /// kept. gzip:1 to gzip:9, zstd:1 to zstd:22: every layer is encoded again
    /// at this level.
    #[arg(long, value_name = "CODEC[:LEVEL]", default_value = "keep",
          value_parser = |text: &str| text.parse::<Compression>())]
    pub compression: Compression,

    /// Only this image: a name, @N (from 0), or a digest or 7 or more digits of
    /// its beginning (repeatable)
    #[arg(long, value_name = "NAME|@N|DIGEST",
          value_parser = clap::builder::NonEmptyStringValueParser::new()
              .try_map(|text| text.parse::<ImageSelector>()))]
    pub image: Vec<ImageSelector>,

    /// Only this platform: OS/ARCH[/VARIANT] (repeatable)
    #[arg(long, value_name = "PLATFORM", value_parser = |text: &str| text.parse::<Platform>())]
    pub platform: Vec<Platform>,

    /// The name for the selected image; exactly one must be selected. One
    /// without a tag gets `:latest`
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub name: Option<String>,

    /// Replace a leading part of names, whole components only (repeatable; the
    /// longest FROM wins)
    #[arg(long, value_name = "FROM=TO", value_parser = |text: &str| text.parse::<Rename>())]
    pub rename: Vec<Rename>,

    /// Fail rather than change any manifest
    #[arg(long)]
    pub keep_digests: bool,

    /// Create one multi-platform image with this name from all selected images
    ///
    /// The platform of each part is that of its config. The images and attestations
    /// of an index become parts of the new one. The parts' own names are left
    /// out. An index that contains all other images keeps its digest.
    #[arg(long, value_name = "NAME", conflicts_with = "name",
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub index: Option<String>,

    /// What to do about images that an index lists and the input lacks
    ///
    /// drop: leave them out with a warning, while something is left; an index
    /// of which one image is left becomes that image. keep: the index keeps its
    /// bytes and digest. error: fail.
    #[arg(
        long,
        value_name = "drop|keep|error",
        value_enum,
        hide_possible_values = true,
        default_value_t
    )]
    pub missing: Missing,

    #[command(flatten)]
    pub gap: Gap,

    /// Accept schema 1 manifests whose signatures do not verify
    #[arg(long)]
    pub ignore_signatures: bool,

    /// Write a tar without manifest.json, which docker load reads
    #[arg(long)]
    pub no_docker_manifest: bool,

    /// Write each image's old and new digests to FILE, as CSV or JSON depending
    /// on its extension
    #[arg(long, value_name = "FILE",
          value_parser = clap::builder::PathBufValueParser::new().try_map(DigestMap::new))]
    pub digest_map: Option<DigestMap>,

    /// full: decode every layer and check its `diff_id`; blobs: check layers
    /// that are kept by digest and size only
    #[arg(long, value_enum, default_value_t)]
    pub check: Check,

    /// Maximum size of a decoded layer: a number of bytes, or a number with a
    /// unit: K, M, G, T (or KiB and so on) count in 1024, KB, MB, GB, TB in 1000
    #[arg(long, value_name = "SIZE", default_value = "128G", value_parser = size::parse,
          allow_negative_numbers = true)]
    pub max_layer_size: u64,

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

    /// Do not wait until the output is safely on disk
    #[arg(long)]
    pub no_fsync: bool,

    #[command(flatten)]
    pub record: Record,

    #[command(flatten)]
    pub common: Common,
}

/// What happens to an existing output.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Existing {
    /// Add to an existing tar, which is otherwise overwritten
    #[arg(long)]
    pub add: bool,

    /// Replace an existing folder, which is otherwise added to, or volumes
    #[arg(long, conflicts_with = "add")]
    pub replace: bool,

    /// Then remove blobs that nothing refers to from the folder, as `ocify prune`
    #[arg(long)]
    pub prune: bool,
}

/// What another side has.
#[derive(Debug, clap::Args)]
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
pub struct Record {
    /// Say what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Write what --json prints to FILE
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Write a Makefile rule to FILE: OUTPUT depends on the files that were
    /// read
    #[arg(long, value_name = "FILE")]
    pub depfile: Option<PathBuf>,
}

/// Show what an input contains
///
/// Reads only the metadata and the first bytes of each layer. Text shortens the
/// digests of layers, JSON does not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ocify inspect app.tar
  ocify inspect -l *.tar
  ocify inspect --json app.tar | jq -r '.images[].names[]'
  ocify inspect --raw layout | jq .mediaType
  ocify inspect --config app.tar --image app:1.0 | jq .config.Env")]
pub struct Inspect {
    #[command(flatten)]
    pub inputs: Inputs,

    /// Only this image: a name, @N (from 0), or a digest or 7 or more digits of
    /// its beginning (repeatable)
    #[arg(long, value_name = "NAME|@N|DIGEST",
          value_parser = clap::builder::NonEmptyStringValueParser::new()
              .try_map(|text| text.parse::<ImageSelector>()))]
    pub image: Vec<ImageSelector>,

    /// Only this platform: OS/ARCH[/VARIANT] (repeatable)
    #[arg(long, value_name = "PLATFORM", value_parser = |text: &str| text.parse::<Platform>())]
    pub platform: Vec<Platform>,

    /// Print one line for each image: ID, platform, size, age and names
    #[arg(short, long, conflicts_with_all = ["raw", "config", "digests", "json"])]
    pub list: bool,

    /// Print the digests of all blobs and the `diff_ids` of all layers, one per
    /// line, sorted
    #[arg(long, conflicts_with_all = ["raw", "config", "json"])]
    pub digests: bool,

    /// Print the image's manifest (or index) byte for byte
    #[arg(long, conflicts_with_all = ["config", "json"])]
    pub raw: bool,

    /// Print the image's config byte for byte
    #[arg(long, conflicts_with = "json")]
    pub config: bool,

    /// Accept schema 1 manifests whose signatures do not verify
    #[arg(long)]
    pub ignore_signatures: bool,

    #[command(flatten)]
    pub common: Common,
}

/// Read everything in an input and report every problem
///
/// Checks digests, sizes, `diff_ids`, media types, the tar in each layer, and
/// the requirements of the image specification. Prints a line for each error
/// and warning, then a summary. The exit status is 1 if there are errors.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
-v also prints notes, -q prints only errors, --json prints all of them.

Examples:
  ocify verify app.tar
  ocify verify layout --json | jq -r '.problems[].code'")]
pub struct Verify {
    #[command(flatten)]
    pub inputs: Inputs,

    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024),
          allow_negative_numbers = true)]
    pub threads: Option<u16>,

    #[command(flatten)]
    pub common: Common,
}

/// Remove the blobs of layouts that nothing refers to
///
/// Keeps what index.json and the documents below it refer to. If one of these
/// cannot be read, nothing is removed. Conversions into the layout may run at
/// the same time; other programs must not write to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ocify prune layout
  ocify prune --dry-run layout")]
pub struct Prune {
    /// OCI layouts, each in a folder
    #[arg(required = true, value_name = "LAYOUT")]
    pub layouts: Vec<PathBuf>,

    /// Print what would be removed, remove nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Check {
    #[default]
    Full,
    Blobs,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum To {
    #[default]
    Layout,
    DockerArchive,
    Dir,
    Registry,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Format {
    #[default]
    Oci,
    V2s2,
    V2s1,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Missing {
    #[default]
    Drop,
    Keep,
    Error,
}

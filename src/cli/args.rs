//! The command line: commands and their options.

mod convert;

use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand};
use ocify::{ImageSelector, Platform};

pub use self::convert::{Convert, Existing, Record};
use super::generate::Document;
use super::inputs::Inputs;
use super::progress::Show;
use super::size;

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
#[command(next_help_heading = "Messages")]
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

    /// auto: bars on a terminal, a line every 10 seconds elsewhere; plain:
    /// lines on a terminal too; none: no progress
    #[arg(
        long,
        value_name = "auto|plain|none",
        value_enum,
        hide_possible_values = true,
        default_value_t
    )]
    pub progress: Show,

    // Clap's own flag would be in a group of its own.
    /// Print help; -h prints a summary
    #[arg(short, long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// Which images of the inputs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Images")]
pub struct Images {
    /// Only this image: a name, a position such as @0, or a digest, which may
    /// be shortened to 7 or more digits (repeatable)
    #[arg(long, value_name = "NAME|@N|DIGEST",
          value_parser = NonEmptyStringValueParser::new()
              .try_map(|text| text.parse::<ImageSelector>()))]
    pub image: Vec<ImageSelector>,

    /// Only this platform: OS/ARCH[/VARIANT] (repeatable)
    #[arg(long, value_name = "PLATFORM", value_parser = |text: &str| text.parse::<Platform>())]
    pub platform: Vec<Platform>,
}

/// How large layers may be.
#[derive(Debug, clap::Args)]
pub struct LayerLimit {
    /// Maximum size of a decoded layer: a number of bytes, or a number with a
    /// unit: K, M, G, T (or KiB and so on) are powers of 1024, KB, MB, GB, TB
    /// of 1000 [default: 128G, and for all layers of an input together 4G plus
    /// 100 times the input's size]
    #[arg(long, help_heading = "Layers", value_name = "SIZE", value_parser = size::parse, allow_negative_numbers = true)]
    pub max_layer_size: Option<u64>,
}

/// Show what an input contains
///
/// Reads only the metadata and the first bytes of each layer. The text shortens
/// the digests of layers; JSON has them in full.
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
Examples:
  ocify inspect app.tar
  ocify inspect -l *.tar
  ocify inspect --json app.tar | jq -r '.images[].names[]'
  ocify inspect --raw layout | jq .mediaType
  ocify inspect --config app.tar --image app:1.0 | jq .config.Env"
)]
pub struct Inspect {
    #[command(flatten)]
    pub inputs: Inputs,

    #[command(flatten)]
    pub images: Images,

    /// Accept schema 1 manifests whose signatures do not verify
    #[arg(long, help_heading = "Images")]
    pub ignore_signatures: bool,

    #[command(flatten)]
    pub display: Display,

    #[command(flatten)]
    pub common: Common,
}

/// What is printed of each image.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Display")]
pub struct Display {
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
}

/// Check everything in an input and report every problem
///
/// Checks digests, sizes, `diff_ids`, media types, the tar in each layer, and
/// the requirements of the image specification. Prints a line for each error
/// and warning, then a summary. The exit status is 1 if there are errors.
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
-v also prints notes, -q prints only errors, --json prints all of them.

Examples:
  ocify verify app.tar
  ocify verify layout --json | jq -r '.problems[].code'"
)]
pub struct Verify {
    #[command(flatten)]
    pub inputs: Inputs,

    /// Number of threads [default: all cores]
    #[arg(long, help_heading = "Layers", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024),
          allow_negative_numbers = true)]
    pub threads: Option<u16>,

    #[command(flatten)]
    pub limit: LayerLimit,

    #[command(flatten)]
    pub common: Common,
}

/// Remove unreferenced blobs from layouts
///
/// Keeps every blob that index.json refers to, directly or through other
/// documents. If one of these cannot be read, nothing is removed. Conversions
/// may write to the layout at the same time; other programs must not.
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
Examples:
  ocify prune layout
  ocify prune --dry-run layout"
)]
pub struct Prune {
    /// OCI layouts, each in a folder
    #[arg(required = true, value_name = "LAYOUT")]
    pub layouts: Vec<PathBuf>,

    /// Print what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub common: Common,
}

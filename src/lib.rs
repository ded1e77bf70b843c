//! Container images on disk (`docker save` archives, OCI image layouts, schema 1 folders) to an OCI image layout, without a
//! network.
//!
//! [`convert()`] reads inputs, checks and recompresses their layers, and writes a layout, folder or tar, that appears complete
//! or not at all. [`inspect()`] says what an input contains, [`verify()`] reads all of it and reports each problem, [`prune()`]
//! removes the blobs of a layout that nothing refers to. What is wrong with an input is a [`Finding`] with a stable [`Code`].
//!
//! ```
//! use ocify::{Interrupt, Options, Silent, Target, convert};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let target = Target::new(&folder.path().join("layout"));
//! let inputs = ["testdata/docker-save.tar".into()];
//! let report = convert(&inputs, &target, &Options::default(), &Silent, &Interrupt::new())?;
//! for entry in &report.entries {
//!     println!("{} {}", entry.digest, entry.names.join(" "));
//! }
//! # assert_eq!(report.entries.len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! The program's own documents are beside it: README.md and `docs/`.
#![forbid(unsafe_code)]

mod cache;
mod compression;
mod convert;
mod digest;
mod digest_map;
mod error;
mod findings;
mod formats;
mod fs;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod gap;
mod image;
mod inspect;
mod interrupt;
mod layer;
pub mod limits;
mod mutex;
mod output;
mod plan;
mod progress;
mod prune;
mod report;
mod resolve;
mod schema2;
mod select;
mod side_document;
mod source;
mod tar;
mod verify;

pub use cache::CacheOptions;
/// The stages of a conversion alone, for `benches/`.
#[doc(hidden)]
pub use compression::{ChunkEncoder, Encoding};
pub use compression::{Codec, Compression, CompressionError};
pub use convert::{DryEntry, DryImage, DryLayer, DryRun, Options, convert, dry_run};
#[doc(hidden)]
pub use digest::Hasher;
pub use digest::{DiffId, Digest, DigestError};
pub use digest_map::{DigestMap, DigestMapError};
pub use error::{Error, OutputError, RequestError, Result};
pub use findings::{Code, Finding, LayerNumber, Place, Response, Severity};
pub use formats::{Format, Input, ReadOptions};
pub use image::{AbsentBlob, Descriptor, HistoryEntry, ManifestFormat, Platform, PlatformError};
pub use inspect::{
    InspectedArtifact, InspectedEntry, InspectedImage, InspectedIndex, InspectedLayer,
    InspectedNode, Inspection, RuntimeConfig, digests, inspect, raw_config, raw_manifest,
};
pub use interrupt::Interrupt;
pub use output::{Existing, MovedName, OutputKind, OutputOptions, Target, TargetError};
pub use plan::Check;
pub use progress::{Progress, Silent, Step};
pub use prune::{PruneOptions, Pruned, prune};
pub use report::{
    CacheReport, EntryReport, Failure, ImageReport, IndexReport, LayerCounts, LayerReport, Report,
};
pub use select::{ImageSelector, Missing, Rename, RenameError, Selection};
pub use side_document::SideDocument;
pub use verify::{Verification, VerifyOptions, verify};

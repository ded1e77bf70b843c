#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod cache;
mod compression;
mod convert;
mod digest;
mod digest_map;
mod error;
mod findings;
pub mod formats;
mod fs;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod image;
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

/// The old names, until nothing needs them.
pub use formats::docker as v1;
/// The old names, until nothing needs them.
pub use image as oci;

pub use cache::CacheOptions;
pub use compression::{
    ChunkEncoder, Codec, Compression, CompressionError, EncodedChunk, Encoding, Framing,
};
pub use convert::{DryEntry, DryImage, DryLayer, DryRun, Options, convert, dry_run};
pub use digest::{DiffId, Digest, DigestError, Hasher};
pub use digest_map::{DigestMap, DigestMapError};
pub use error::{Error, Result};
pub use findings::{Code, Finding, LayerNumber, Place, Response, Severity};
pub use formats::docker::config_of_v1;
pub use formats::{Format, Input, ReadOptions};
pub use image::{
    Blob, Config, Entry, FsLayer, Index, KnownAs, Layer, Manifest, Node, Reference,
    Schema1Document, TarLayer,
};
pub use inspect::{
    InspectedArtifact, InspectedEntry, InspectedImage, InspectedIndex, InspectedLayer,
    InspectedNode, Inspection, inspect, raw_config, raw_manifest,
};
pub use interrupt::Interrupt;
pub use output::{Existing, MovedName, OutputOptions, Target, TargetError};
pub use plan::Check;
pub use progress::{Progress, Silent};
pub use prune::{PruneOptions, Pruned, prune};
pub use report::{
    CacheReport, EntryReport, Failure, ImageReport, IndexReport, LayerReport, Report,
};
pub use select::{ImageSelector, Missing, Selection};
pub use side_document::SideDocument;
pub use source::Content;
pub use verify::{Verification, VerifyOptions, verify};

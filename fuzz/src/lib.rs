//! Shared by the fuzz targets: tars with fuzzed documents, tars with correct checksums, a working folder.

pub mod documents;
pub mod scratch;
pub mod tars;

pub use scratch::Scratch;

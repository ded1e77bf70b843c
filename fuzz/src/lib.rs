//! What the fuzz targets share: tars around fuzzed documents, tars whose checksums fit, a folder to work in.

pub mod documents;
pub mod scratch;
pub mod tars;

pub use scratch::Scratch;

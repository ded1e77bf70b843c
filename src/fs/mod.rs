//! The file system: folder handles, staged files, free space.

mod dir;
mod free_space;
mod hole_writer;
mod lock;
mod mounts;
mod rename;
mod staged;
mod staged_document;
pub(crate) mod staging;

pub(crate) use dir::Dir;
pub(crate) use free_space::FreeSpace;
pub(crate) use hole_writer::HoleWriter;
pub(crate) use lock::{Locking, lock};
pub(crate) use staged::{StagedDir, StagedFile};
pub(crate) use staged_document::StagedDocument;

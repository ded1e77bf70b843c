//! The file system below everything: folders by their handles, staged files, free space.

pub(crate) mod dir;
mod free_space;
mod staged_file;
pub(crate) mod staging;

pub(crate) use dir::Dir;
pub(crate) use free_space::{FreeSpace, HoleWriter};
pub(crate) use staged_file::StagedFile;

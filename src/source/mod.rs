//! Opening inputs: files, folders and pipes; their files by name; content at an offset.

mod archive;
mod content;
mod files;
mod open;
pub(crate) mod registry;
mod spool;

pub(crate) use archive::Archive;
pub use content::Content;
pub(crate) use content::{ContentId, ContentReader};
pub(crate) use files::{Files, clean_name};
pub(crate) use open::{Opened, open};
pub(crate) use spool::Spool;

//! Standard output as a file.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::{Error, Result};

/// Opens standard output for writing. Not [`io::Stdout`], which ignores writes that fail with EBADF.
pub(super) fn open() -> Result<File> {
    let path = Path::new("standard output");
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let file = File::from(stdout.map_err(Error::io("write", path))?);
    let flags =
        rustix::fs::fcntl_getfl(&file).map_err(|errno| Error::io("write", path)(errno.into()))?;
    let access = flags & OFlags::RWMODE;
    // Rust's runtime replaces a closed standard output with /dev/null, opened for reading and writing. A shell opens
    // `> /dev/null` only for writing; Python's DEVNULL cannot be told from a closed one.
    let problem = match access {
        OFlags::RDONLY => "it is opened for reading only",
        OFlags::RDWR if is_null(&file) => {
            "it is closed, or is /dev/null opened for reading and writing; open /dev/null for writing only"
        }
        _ => return Ok(file),
    };
    Err(Error::io("write", path)(io::Error::other(problem)))
}

fn is_null(file: &File) -> bool {
    let same = |null: &std::fs::Metadata, found: &std::fs::Metadata| {
        found.file_type().is_char_device() && found.rdev() == null.rdev()
    };
    match (std::fs::metadata("/dev/null"), file.metadata()) {
        (Ok(null), Ok(found)) => same(&null, &found),
        _ => false,
    }
}

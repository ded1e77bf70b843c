//! Files and folders of a folder that cannot be read, and why.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::error::Error;

/// Why a file or folder cannot be read. An error is made of it each time that something asks for the file.
#[derive(Debug, Clone)]
pub(super) enum Broken {
    /// A link to nothing, with its target.
    Dangling(String),
    /// A link that leads back to itself, or to a folder around it.
    Cycle,
    /// The message of the system, which has a number unless the system did not say it.
    System {
        path: Arc<Path>,
        number: Option<i32>,
    },
}

impl Broken {
    /// The file or folder that a walk cannot examine or list. `None` if it is gone.
    pub fn of_walk(error: walkdir::Error) -> Option<(PathBuf, Broken)> {
        let path = error.path()?.to_owned();
        if error.loop_ancestor().is_some() {
            return Some((path, Broken::Cycle));
        }
        let broken = Broken::of(&path, &error.into_io_error()?)?;
        Some((path, broken))
    }

    /// The file or folder at `path`. `None` if it is gone.
    pub fn of(path: &Path, error: &io::Error) -> Option<Broken> {
        use io::ErrorKind::{NotADirectory, NotFound};
        let number = error.raw_os_error();
        if number == Some(Errno::LOOP.raw_os_error()) {
            return Some(Broken::Cycle);
        }
        if matches!(error.kind(), NotFound | NotADirectory) {
            let target = fs::read_link(path).ok()?;
            return Some(Broken::Dangling(target.to_string_lossy().into_owned()));
        }
        Some(Broken::System {
            path: path.into(),
            number,
        })
    }

    /// The error of asking for `name`, which is the file or folder, as it is spelled in messages.
    pub fn error(&self, name: &str) -> Error {
        let name = name.to_owned();
        match self {
            Broken::Dangling(target) => Error::DanglingLink {
                name,
                target: target.clone(),
            },
            Broken::Cycle => Error::LinkCycle { name },
            Broken::System { path, number } => {
                let source = number.map_or_else(
                    || io::Error::other("unknown error"),
                    io::Error::from_raw_os_error,
                );
                Error::io("read", &**path)(source)
            }
        }
    }
}

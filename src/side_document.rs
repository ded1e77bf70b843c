//! A file that is written together with an output: the digest map, the report, the depfile.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, OutputError, Result, ResultExt};
use crate::findings::Place;
use crate::fs::StagedDocument;
use crate::interrupt::Interrupt;
use crate::output::{Target, parent};

/// A document about an output. It is staged in its folder from the start, and published after the output.
pub struct SideDocument {
    what: &'static str,
    path: PathBuf,
    file: StagedDocument,
}

impl SideDocument {
    /// Stages a document: `what` is its name in messages, such as "report".
    ///
    /// # Errors
    /// A path inside the output, a path that would replace an input or a document of one, or a folder that cannot be written
    /// to.
    pub fn new(
        what: &'static str,
        path: &Path,
        inputs: &[PathBuf],
        target: &Target,
        fsync: bool,
        interrupt: &Interrupt,
    ) -> Result<SideDocument> {
        refuse_inside(what, path, inputs, target)?;
        SideDocument::stage(what, path, fsync, interrupt)
    }

    /// Stages a document without checking its path.
    pub(crate) fn stage(
        what: &'static str,
        path: &Path,
        fsync: bool,
        interrupt: &Interrupt,
    ) -> Result<SideDocument> {
        let file = StagedDocument::new(path, fsync, interrupt).at(|| place(path))?;
        Ok(SideDocument {
            what,
            path: path.to_owned(),
            file,
        })
    }

    /// Writes the whole content before the output is published.
    ///
    /// # Errors
    /// The document cannot be written.
    pub fn write(&mut self, content: &[u8]) -> Result<()> {
        self.file.write(content).at(|| place(&self.path))
    }

    /// Publishes the document after the output.
    ///
    /// # Errors
    /// [`OutputError::DocumentMissing`].
    pub fn publish(self) -> Result<()> {
        let published = self.file.publish().at(|| place(&self.path));
        published.map_err(|error| {
            Error::Output(OutputError::DocumentMissing {
                what: self.what,
                source: Box::new(error),
            })
        })
    }
}

fn place(path: &Path) -> Place {
    Place::input(path.display().to_string())
}

/// Whether a name in a folder is that of an output, or of one of its volumes.
fn is_file_of(output: &Path, folder: &Path, name: &OsStr) -> bool {
    if parent(output).canonicalize().ok().as_deref() != Some(folder) {
        return false;
    }
    // `images.tar` has the volumes `images.001.tar` and so on.
    let volume = || {
        let stem = output.file_stem()?.to_str()?;
        let number = name.to_str()?.strip_prefix(stem)?.strip_prefix('.')?;
        let number = number.strip_suffix(".tar")?;
        Some(number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    output.file_name() == Some(name) || volume() == Some(true)
}

/// Refuses a document that would replace an input or a document of one, or that would be inside the output.
pub(crate) fn refuse_inside(
    what: &'static str,
    path: &Path,
    inputs: &[PathBuf],
    target: &Target,
) -> Result<()> {
    let inside = |of: &Path| {
        Err(OutputError::DocumentInside {
            what,
            path: path.to_owned(),
            of: of.to_owned(),
        }
        .into())
    };
    // If the folder does not exist, staging reports it.
    let folder = parent(path).canonicalize().unwrap_or_default();
    if let Some(output) = target.folder()
        && (path.starts_with(output)
            || output
                .canonicalize()
                .is_ok_and(|output| folder.starts_with(output)))
    {
        return inside(output);
    }
    if let Some(output) = target.path()
        && let Some(name) = path.file_name()
        && is_file_of(output, &folder, name)
    {
        return inside(output);
    }
    let Ok(replaced) = std::fs::metadata(path) else {
        return Ok(());
    };
    // Inputs contain no CSV documents or depfiles, so an existing one is from an earlier run.
    let extension = path.extension().and_then(|extension| extension.to_str());
    let may_be_document = !matches!(extension, Some("csv" | "d"));
    for input in inputs {
        let Ok(metadata) = std::fs::metadata(input) else {
            continue;
        };
        let same = (metadata.dev(), metadata.ino()) == (replaced.dev(), replaced.ino());
        let document = metadata.is_dir()
            && may_be_document
            && input
                .canonicalize()
                .is_ok_and(|input| folder.starts_with(input));
        if same || document {
            return inside(input);
        }
    }
    Ok(())
}

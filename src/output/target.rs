//! The destination of an output, from the path that the user typed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::registry;
use crate::compression::Encoding;
use crate::error::{OutputError, Result};
use crate::findings::Place;
use crate::fs::Dir;

/// The kind of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OutputKind {
    /// An OCI image layout.
    #[default]
    Layout,
    /// A `dir:` folder of skopeo, with one image or index.
    Dir,
    /// A `docker save` archive for engines that cannot read OCI.
    DockerArchive,
    /// The storage tree of a registry.
    Registry,
}

impl OutputKind {
    /// Whether an output has manifests.
    pub(crate) fn has_manifests(self) -> bool {
        self != OutputKind::DockerArchive
    }
}

/// The destination of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A layout in a folder.
    Folder(PathBuf),
    /// A layout in a tar file, compressed if its name says so.
    Tar(PathBuf),
    /// A layout in a tar on standard output.
    Stdout,
    /// A `dir:` folder.
    Dir(PathBuf),
    /// A `docker save` archive in a file, compressed if its name says so.
    DockerArchive(PathBuf),
    /// A `docker save` archive on standard output.
    DockerArchiveStdout,
    /// A folder with the storage tree of a registry.
    Registry(PathBuf),
}

/// Why a path is not accepted for an output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct TargetError {
    message: String,
    /// An instruction.
    pub hint: String,
}

/// Endings of the names of tars, and their compression.
const ENDINGS: [(&str, Encoding); 5] = [
    (".tar", Encoding::None),
    (".tar.gz", Encoding::GZIP),
    (".tgz", Encoding::GZIP),
    (".tar.zst", Encoding::ZSTD),
    (".tzst", Encoding::ZSTD),
];

/// Endings of names with which a user probably wants a file, but would get a folder.
const OTHER_ENDINGS: [&str; 20] = [
    ".tar.xz",
    ".txz",
    ".tar.bz2",
    ".tbz2",
    ".tbz",
    ".tar.lzma",
    ".tar.lz4",
    ".tar.lz",
    ".tar.br",
    ".tar.z",
    ".tar.zstd",
    ".gz",
    ".zst",
    ".zstd",
    ".xz",
    ".bz2",
    ".zip",
    ".7z",
    ".rar",
    ".cpio",
];

/// The prefixes of skopeo and podman for locations.
const TRANSPORTS: [&str; 9] = [
    "oci",
    "oci-archive",
    "docker-archive",
    "dir",
    "docker",
    "docker-daemon",
    "containers-storage",
    "ostree",
    "sif",
];

impl Target {
    /// The output of a kind at a path.
    #[must_use]
    pub fn of(kind: OutputKind, path: &Path) -> Target {
        match kind {
            OutputKind::Layout => Target::new(path),
            OutputKind::Dir => Target::Dir(path.to_owned()),
            OutputKind::DockerArchive if path == Path::new("-") => Target::DockerArchiveStdout,
            OutputKind::DockerArchive => Target::DockerArchive(path.to_owned()),
            OutputKind::Registry => Target::Registry(path.to_owned()),
        }
    }

    /// The kind of the output.
    #[must_use]
    pub fn kind(&self) -> OutputKind {
        match self {
            Target::Folder(_) | Target::Tar(_) | Target::Stdout => OutputKind::Layout,
            Target::Dir(_) => OutputKind::Dir,
            Target::DockerArchive(_) | Target::DockerArchiveStdout => OutputKind::DockerArchive,
            Target::Registry(_) => OutputKind::Registry,
        }
    }

    /// A layout: a tar if the name ends in `.tar`, `.tar.gz`, `.tgz`, `.tar.zst` or `.tzst`, standard output if it is `-`,
    /// otherwise a folder.
    #[must_use]
    pub fn new(path: &Path) -> Target {
        if path == Path::new("-") {
            Target::Stdout
        } else if encoding(path).is_some() {
            Target::Tar(path.to_owned())
        } else {
            Target::Folder(path.to_owned())
        }
    }

    /// The output of a kind at a path that a user typed.
    ///
    /// # Errors
    /// The name fits neither a tar nor a folder, or does not fit the kind.
    pub fn parse(kind: OutputKind, path: &Path) -> Result<Target, TargetError> {
        let text = path.to_string_lossy();
        let refuse = |message: String, hint: &str| {
            Err(TargetError {
                message,
                hint: hint.to_owned(),
            })
        };
        let (needs_folder, example) = match kind {
            OutputKind::Layout | OutputKind::DockerArchive => (None, ""),
            OutputKind::Dir => (Some("a dir: output"), "name a folder, such as `-o image`"),
            OutputKind::Registry => {
                let example = "name a folder, such as `-o registry`";
                (Some("a registry tree"), example)
            }
        };
        if let Some(what) = needs_folder
            && (text == "-" || encoding(path).is_some())
        {
            let message = format!("the output `{text}` is a tar, but {what} is a folder");
            return refuse(message, example);
        }
        if text == "-" {
            return Ok(Target::of(kind, path));
        }
        if kind == OutputKind::DockerArchive && text.ends_with('/') {
            let message = format!("the output `{text}` is a folder, but a docker-archive is a tar");
            return refuse(message, "name a file, such as `-o images.tar`");
        }
        if let Some((transport, rest)) = text.split_once(':')
            && TRANSPORTS.contains(&transport)
        {
            let message = format!("the output `{text}` begins with a transport, expected a path");
            let hint = match transport {
                "docker" | "docker-daemon" | "containers-storage" => {
                    "write a folder with `-o images`, then pass `oci:images:NAME` to `skopeo copy`"
                        .to_owned()
                }
                _ if rest.is_empty() => "use `-o images` or `-o images.tar`".to_owned(),
                _ => {
                    let rest = rest.split(':').next().unwrap_or(rest);
                    let stem = rest.strip_suffix(".tar").unwrap_or(rest);
                    format!("use `-o {stem}` for a folder or `-o {stem}.tar` for a tar")
                }
            };
            return refuse(message, &hint);
        }
        if path.file_name().is_none() {
            let message = format!("the output cannot be `{text}`");
            return refuse(
                message,
                "name a folder or file, such as `images` or `images.tar`",
            );
        }
        if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(&&*text) {
            let message = format!("the output cannot be `{text}`");
            return refuse(message, "use `-o -` for a tar on standard output");
        }
        if text.ends_with('/') && encoding(path).is_some() {
            let message =
                format!("the output `{text}` has the ending of a tar and the slash of a folder");
            return refuse(
                message,
                "remove the slash for a tar, or the ending for a folder",
            );
        }
        if path.to_str().is_none() {
            let message = format!("the name of the output `{text}` is not valid UTF-8");
            return refuse(message, "choose another name, such as `images.tar`");
        }
        let lower = text.trim_end_matches('/').to_lowercase();
        let ends_with = |ending: &&str| lower.ends_with(*ending) && lower.len() > ending.len();
        let written = ENDINGS.map(|(ending, _)| ending);
        if encoding(path).is_none() && written.iter().any(ends_with) {
            let message = format!("the ending of the output `{text}` is in upper case");
            return refuse(
                message,
                "write the ending in lower case, such as `images.tar`",
            );
        }
        if encoding(path).is_none() && OTHER_ENDINGS.iter().any(ends_with) {
            let message =
                format!("the output `{text}` has the ending of a format that is not written");
            let hint =
                "use .tar, .tar.gz, .tgz, .tar.zst or .tzst for a tar, or no ending for a folder";
            return refuse(message, hint);
        }
        Ok(Target::of(kind, path))
    }

    /// A folder on the output's file system, where temporary files belong.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        match self {
            // Its parent may belong to another user, as the parent of a mounted folder does.
            Target::Folder(path) | Target::Registry(path) if path.is_dir() => path.clone(),
            Target::Folder(path)
            | Target::Tar(path)
            | Target::Dir(path)
            | Target::DockerArchive(path)
            | Target::Registry(path) => parent(path),
            Target::Stdout | Target::DockerArchiveStdout => std::env::temp_dir(),
        }
    }

    /// The path of a file or folder; `None` for standard output.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Target::Folder(path)
            | Target::Tar(path)
            | Target::Dir(path)
            | Target::DockerArchive(path)
            | Target::Registry(path) => Some(path),
            Target::Stdout | Target::DockerArchiveStdout => None,
        }
    }

    /// The path of a folder. `None` if the output is not a folder.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Target::Folder(path) | Target::Dir(path) | Target::Registry(path) => Some(path),
            Target::Tar(_)
            | Target::Stdout
            | Target::DockerArchive(_)
            | Target::DockerArchiveStdout => None,
        }
    }

    /// Refuses an existing file or folder that is not such an output.
    pub(crate) fn refuse_other(&self, found: &Metadata) -> Result<()> {
        let (fits, path, marker) = match self {
            Target::Folder(path) => (found.is_dir(), path, Some("oci-layout")),
            Target::Dir(path) => (found.is_dir(), path, Some("version")),
            Target::Registry(path) if found.is_dir() => {
                return registry::check(&Dir::open(path)?, path);
            }
            Target::Registry(path) => {
                return Err(OutputError::NotARegistry { path: path.clone() }.into());
            }
            Target::Tar(path) | Target::DockerArchive(path) => (found.is_file(), path, None),
            Target::Stdout | Target::DockerArchiveStdout => return Ok(()),
        };
        let is_empty = || std::fs::read_dir(path).is_ok_and(|mut names| names.next().is_none());
        let is_ours = |marker: &str| path.join(marker).is_file() || is_empty();
        let path = path.to_owned();
        match self {
            _ if fits && marker.is_none_or(is_ours) => Ok(()),
            Target::Dir(_) => Err(OutputError::NotADirFolder { path }.into()),
            _ => Err(OutputError::NotALayout { path }.into()),
        }
    }

    pub(crate) fn place(&self) -> Place {
        let path = self.path().map(|path| path.display().to_string());
        Place::input(path.unwrap_or_else(|| "standard output".to_owned()))
    }

    /// Refuses an output that is an input or inside one. With `replaces`, also refuses an output that contains an input,
    /// because it would be removed.
    pub(crate) fn refuse_inputs(&self, inputs: &[PathBuf], replaces: bool) -> Result<()> {
        let Some(output) = self.path() else {
            return Ok(());
        };
        let same = std::fs::metadata(output).map(|output| (output.dev(), output.ino()));
        let replaces = replaces || self.kind() == OutputKind::Dir;
        let above = parent(output).canonicalize();
        let inside = output.canonicalize();
        for input in inputs {
            let Ok(metadata) = std::fs::metadata(input) else {
                continue;
            };
            if same
                .as_ref()
                .is_ok_and(|same| *same == (metadata.dev(), metadata.ino()))
            {
                return Err(OutputError::IsInput {
                    path: output.to_owned(),
                    input: input.clone(),
                }
                .into());
            }
            let Ok(resolved) = input.canonicalize() else {
                continue;
            };
            let contains = metadata.is_dir()
                && above
                    .as_ref()
                    .is_ok_and(|above| above.starts_with(&resolved));
            let contained = replaces
                && inside
                    .as_ref()
                    .is_ok_and(|inside| resolved.starts_with(inside));
            if contains || contained {
                let (inner, outer) = if contains {
                    (output, &**input)
                } else {
                    (&**input, output)
                };
                return Err(OutputError::OverlapsInput {
                    inner: inner.to_owned(),
                    outer: outer.to_owned(),
                }
                .into());
            }
        }
        Ok(())
    }
}

/// The compression of a tar with this name. `None` if it is not the name of a tar.
pub(super) fn encoding(path: &Path) -> Option<Encoding> {
    let name = path.file_name()?.to_str()?;
    let (_, encoding) = ENDINGS.into_iter().find(|(ending, _)| {
        // A file named `.tar` has no ending.
        name.strip_suffix(ending)
            .is_some_and(|stem| !stem.is_empty())
    })?;
    Some(encoding)
}

/// The folder around a path.
pub(crate) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

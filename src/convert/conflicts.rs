//! Options that contradict each other.

use std::path::PathBuf;

use super::Options;
use crate::compression::{Codec, Compression, Encoding};
use crate::error::{RequestError, Result};
use crate::image::ManifestFormat;
use crate::output::{Existing, OutputKind, Target};

const ARCHIVE: &str = "--to docker-archive";

impl Options {
    /// Refuses options that contradict each other or the output, and an output that overlaps an input.
    pub(super) fn check(&self, inputs: &[PathBuf], target: &Target) -> Result<()> {
        self.refuse_conflicts(target)?;
        target.refuse_inputs(inputs, self.output.existing == Existing::Replace)?;
        match &self.digest_map {
            Some(map) => {
                let read = [inputs, &self.have, &self.fill_from].concat();
                map.refuse_inside(&read, target)
            }
            None => Ok(()),
        }
    }

    /// Refuses options that the output, or its format, cannot have.
    fn refuse_conflicts(&self, target: &Target) -> Result<()> {
        let format = option(self.format);
        if let (Some(format), Some(Codec::Zstd)) = (format, self.compression.codec()) {
            let hint = "use `--compression gzip`: Docker's formats have no zstd layers";
            return conflict("--compression zstd", format, hint);
        }
        if self.format == ManifestFormat::V2s1 {
            if target.kind() == OutputKind::Layout {
                let hint = "use `--to dir`, or `--format v2s2`";
                return conflict("--format v2s1", "--to layout", hint);
            }
            if self.selection.index.is_some() {
                let hint = "use `--format v2s2`: schema 1 has no index";
                return conflict("--index", "--format v2s1", hint);
            }
        }
        if self.output.volume_size.is_some() {
            let hint = "write volumes with `-o NAME.tar`";
            let other = match target {
                Target::Tar(path) if path.extension() == Some("tar".as_ref()) => None,
                Target::Tar(_) => Some(("a compressed tar", hint)),
                Target::Folder(_) => Some(("a folder", hint)),
                Target::Stdout => Some(("`-o -`", hint)),
                Target::DockerArchive(_) | Target::DockerArchiveStdout => Some((
                    "`--to docker-archive`",
                    "leave out `--to`: volumes are layouts",
                )),
                Target::Dir(_) => Some(("`--to dir`", hint)),
                Target::Registry(_) => Some(("`--to registry`", hint)),
            };
            if let Some((output, hint)) = other {
                return Err(RequestError::NoVolumes { output, hint }.into());
            }
            if self.output.existing == Existing::Add {
                let hint = "write the volumes to another name";
                return conflict("--volume-size", "--add", hint);
            }
        }
        let other_kind = match target.kind() {
            OutputKind::Layout => None,
            OutputKind::DockerArchive => Some(ARCHIVE),
            OutputKind::Dir => Some("--to dir"),
            OutputKind::Registry => Some("--to registry"),
        };
        if let (Some(kind), false) = (other_kind, self.have.is_empty()) {
            let hint = "write a layout: only a layout can leave out blobs";
            return conflict("--have", kind, hint);
        }
        if target.kind() == OutputKind::DockerArchive {
            self.refuse_in_archive()?;
        }
        if target.kind() == OutputKind::Dir {
            if self.output.existing == Existing::Add {
                let hint = "a dir: folder holds one image: choose another output for each";
                return conflict("--add", "--to dir", hint);
            }
            if self.prune {
                let hint = "omit `--prune`: a dir: folder is always replaced";
                return conflict("--prune", "--to dir", hint);
            }
        }
        if target.kind() == OutputKind::Registry {
            if self.output.existing == Existing::Replace {
                let hint =
                    "a registry tree is added to: name another folder, or remove the old one";
                return conflict("--replace", "--to registry", hint);
            }
            if self.prune {
                let hint = "omit `--prune`: the registry's `garbage-collect` removes what nothing refers to";
                return conflict("--prune", "--to registry", hint);
            }
        }
        Ok(())
    }

    fn refuse_in_archive(&self) -> Result<()> {
        if let Some(format) = option(self.format) {
            let hint = "omit `--format`: a docker-archive has no manifests of single images";
            return conflict(format, ARCHIVE, hint);
        }
        let compression = match self.compression.codec() {
            Some(Codec::Gzip) => Some("--compression gzip"),
            Some(Codec::Zstd) => Some("--compression zstd"),
            _ => None,
        };
        if let Some(compression) = compression {
            let hint = "omit `--compression`: old engines read only uncompressed layers; \
                        use `-o images.tar.gz` to compress the archive";
            return conflict(compression, ARCHIVE, hint);
        }
        if self.selection.index.is_some() {
            let hint = "use `--to layout`: a docker-archive has no index";
            return conflict("--index", ARCHIVE, hint);
        }
        if self.output.existing == Existing::Add {
            let hint = "pass all inputs in one run";
            return conflict("--add", ARCHIVE, hint);
        }
        if self.prune {
            return conflict(
                "--prune",
                ARCHIVE,
                "omit `--prune`: the file is always replaced",
            );
        }
        Ok(())
    }

    /// How layers are compressed in the output's format.
    pub(super) fn layer_compression(&self, target: &Target) -> Compression {
        if target.kind() == OutputKind::DockerArchive {
            return Compression::Into(Encoding::None);
        }
        match (self.format, self.compression) {
            // gzip layers are kept, and all others become gzip, including zstd.
            (ManifestFormat::V2s2 | ManifestFormat::V2s1, Compression::Keep) => {
                Compression::Into(Encoding::GZIP)
            }
            (_, compression) => compression,
        }
    }
}

/// The option that asks for a format other than the default.
fn option(format: ManifestFormat) -> Option<&'static str> {
    match format {
        ManifestFormat::Oci => None,
        ManifestFormat::V2s2 => Some("--format v2s2"),
        ManifestFormat::V2s1 => Some("--format v2s1"),
    }
}

fn conflict<T>(option: &'static str, other: &'static str, hint: &'static str) -> Result<T> {
    Err(RequestError::Conflict {
        option,
        other,
        hint,
    }
    .into())
}

//! Options that contradict each other.

use super::Options;
use crate::compression::{Codec, Compression, Encoding};
use crate::error::{Error, Result};
use crate::image::ManifestFormat;
use crate::output::{Existing, OutputKind, Target};

impl Options {
    /// Refuses options that the output, or its format, cannot have.
    pub(super) fn refuse_conflicts(&self, target: &Target) -> Result<()> {
        let conflict = |option, other, hint| {
            Err(Error::Conflict {
                option,
                other,
                hint,
            })
        };
        let format = match self.format {
            ManifestFormat::Oci => None,
            ManifestFormat::V2s2 => Some("--format v2s2"),
            ManifestFormat::V2s1 => Some("--format v2s1"),
        };
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
        if target.kind() != OutputKind::Layout && !self.have.is_empty() {
            let hint = "write a layout: only a layout can leave out blobs";
            return conflict("--have", "--to", hint);
        }
        if target.kind() == OutputKind::Dir {
            if self.output.existing == Existing::Add {
                let hint = "a dir: folder holds one image: choose another output for each";
                return conflict("--add", "--to dir", hint);
            }
            if self.prune {
                let hint = "omit `--prune`: a dir: folder is always written anew";
                return conflict("--prune", "--to dir", hint);
            }
        }
        Ok(())
    }

    /// What becomes of the layers' compression in the output's format.
    pub(super) fn layer_compression(&self) -> Compression {
        match (self.format, self.compression) {
            // gzip stays, and zstd becomes gzip like all others.
            (ManifestFormat::V2s2 | ManifestFormat::V2s1, Compression::Keep) => {
                Compression::Into(Encoding::GZIP)
            }
            (_, compression) => compression,
        }
    }
}

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
        if self.format == ManifestFormat::V2s2 && self.compression.codec() == Some(Codec::Zstd) {
            let hint = "use `--compression gzip`: schema 2 has no media type for zstd layers";
            return conflict("--compression zstd", "--format v2s2", hint);
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
            (ManifestFormat::V2s2, Compression::Keep) => Compression::Into(Encoding::GZIP),
            (_, compression) => compression,
        }
    }
}

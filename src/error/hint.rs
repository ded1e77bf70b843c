//! Hints for errors.

use super::Error;
use crate::findings::Code;

impl Error {
    /// An instruction for the user, if there is a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.fact() {
            Error::Finding { finding } => of_finding(finding.code),
            Error::NoEndOfArchive { .. }
            | Error::Truncated { .. }
            | Error::StreamTruncated { .. } => {
                Some("copy or save the input again, and compare the sizes")
            }
            Error::DigestMismatch { .. } | Error::SizeMismatch { .. } => {
                Some("copy or save the input again: it is damaged")
            }
            Error::NotALayout { .. }
            | Error::NotADirFolder { .. }
            | Error::NotARegistry { .. }
            | Error::NotATar => Some("choose another name for the output"),
            Error::RegistryName { .. } => Some(
                "use `--name` for one such as team/app:1.0: small letters, digits and separators",
            ),
            Error::Unnamed => Some("use `--image` to select an image and `--name` to name it"),
            Error::Conflict { hint, .. } => Some(hint),
            Error::SeveralPlatforms { .. } => Some("select one with `--platform`"),
            Error::NotInFormat { format, .. } if format.starts_with("a ") => {
                Some("use `--to layout`")
            }
            Error::NotInFormat { .. } => Some("use `--format oci`"),
            Error::HistoryMismatch { .. } => Some("use `--format v2s2` or `--format oci`"),
            Error::OutputIsInput { .. } | Error::OutputAndInputOverlap { .. } => {
                Some("choose an output outside the inputs")
            }
            Error::NoLocks | Error::LocalLocks { .. } => Some(
                "write to a new output, and pass the old one as an input too; runs at the same time need an output each",
            ),
            Error::CannotPrune { .. } => Some("use `ocify verify` to see what is damaged"),
            Error::NotALayoutFolder => {
                Some("to prune a tar, convert it to a new one: only what is referred to is written")
            }
            Error::NotPruned { .. } => Some("use `ocify prune` on the output"),
            Error::CacheInOutput { .. } => Some("choose a folder outside the output for the cache"),
            Error::DocumentInside { .. } => Some("choose another path for it"),
            Error::DocumentMissing { .. } => Some("convert again to write it"),
            Error::OutputIsLink { .. } => Some("use the path that it points to"),
            Error::Absent { .. } => {
                Some("use `--missing drop` or `--platform` to leave out what is missing")
            }
            Error::NameForMany { .. } => Some("select one with `--image`"),
            Error::InsufficientSpace { .. } => Some(
                "free some space, or write to another disk: a tenth of the free space is kept free",
            ),
            Error::BlobsMissing { .. } => Some(
                "add the inputs that have them, name what has them with `--fill-from`, or use `--missing keep`",
            ),
            Error::Limit { what, .. } if what.ends_with("the new manifest.json") => {
                Some("use `--no-docker-manifest`, or write a folder")
            }
            Error::DifferentBuilds { .. } => Some("convert the parts of each output by themselves"),
            Error::NotADigest { .. } => Some(
                "list one digest or diff_id per line, as `ocify inspect --digests` prints them",
            ),
            Error::BlobLargerThanVolume { .. } | Error::VolumeSize { .. } => {
                Some("choose a larger `--volume-size`")
            }
            Error::VolumeExists { .. } => {
                Some("remove the old volumes, choose another name, or use `--replace`")
            }
            Error::NotRemade { .. } => {
                Some("use the version of ocify that made the part, or fill from a copy of the blob")
            }
            Error::NoSuchImage { .. } => {
                Some("select by name, by position such as `@0`, or by digest")
            }
            Error::DigestChanges { .. } | Error::DigestWouldChange { .. } => Some(
                "use the input's format and `--compression keep`, and `--missing keep` where images are missing; or convert without `--keep-digests`",
            ),
            Error::ImageName { .. } => Some(
                "use lower-case letters, digits, `.`, `_` and `-` in each part, and a tag of at most 128 letters, digits, `.`, `_` and `-`",
            ),
            Error::AmbiguousDigest { .. } => Some("give more digits of the digest"),
            Error::SeveralImages { .. } => {
                Some("select one with `--image`: by name, by position such as `@0`, or by digest")
            }
            Error::NoManifest { has_config: true } => Some(
                "use `--config` to print its config; manifest.json in the archive lists its layers",
            ),
            Error::NoManifest { has_config: false } | Error::NoConfig => {
                Some("convert it and inspect the result")
            }
            Error::NameConflict {
                platforms_differ: true,
                ..
            } => Some("use `--index NAME` to make one multi-platform image of them"),
            Error::SamePlatform { .. } => {
                Some("leave one of them out, or select with `--image` or `--platform`")
            }
            Error::NameConflict { .. } => {
                Some("convert them one by one with `--image` and `--name`")
            }
            Error::NotAnImage { .. } => Some(
                "pass a docker save archive, an OCI layout, a dir: folder, a schema 1 folder or a registry tree",
            ),
            _ => None,
        }
    }
}

fn of_finding(code: Code) -> Option<&'static str> {
    match code {
        Code::ArchiveSize => Some("decompress it, and pass the archive that it contains"),
        Code::ArchiveDamaged => Some("copy or save the input again, and compare the sizes"),
        Code::LayerDiffId
        | Code::BlobDigest
        | Code::BlobSize
        | Code::LayerDecode
        | Code::LayerTrailingData => Some("copy or save the input again: it is damaged"),
        Code::Schema1Signature | Code::Schema1Unverified => {
            Some("use `--ignore-signatures` to convert it anyway")
        }
        Code::LayerSize => Some("use `--max-layer-size` to allow more"),
        Code::NotAnImage => Some(
            "pass a docker save archive, an OCI layout, a dir: folder, a schema 1 folder or a registry tree",
        ),
        Code::RegistryTrees => Some(
            "pass each tree as an input, or use `--recursive`; unpack an archive of several trees first",
        ),
        _ => None,
    }
}

//! Hints for errors.

use super::Error;
use crate::findings::{Code, Finding};

impl Error {
    /// An instruction for the user, if there is a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.fact() {
            Error::Finding { finding } => of_finding(finding),
            Error::Request(error) => error.hint(),
            Error::Output(error) => Some(error.hint()),
            Error::NoEndOfArchive { .. }
            | Error::Truncated { .. }
            | Error::StreamTruncated { .. } => {
                Some("copy or save the input again, and compare the sizes")
            }
            Error::DigestMismatch { .. } => Some("copy or save the input again: it is damaged"),
            Error::Absent { .. } => {
                Some("use `--missing drop` or `--platform` to leave out what is missing")
            }
            Error::InsufficientSpace { .. } => Some(
                "free some space, or write to another disk: a tenth of the free space is kept free",
            ),
            Error::BlobsMissing { .. } => Some(
                "add the inputs that have them, name what has them with `--fill-from`, or use `--missing keep`",
            ),
            Error::Limit { what, .. } if what.ends_with("the new manifest.json") => {
                Some("use `--no-docker-manifest`, or write a folder")
            }
            Error::DifferentBuilds { .. } => Some("convert the parts of each output separately"),
            Error::NotRemade { .. } => {
                Some("use the version of ocify that made the part, or fill from a copy of the blob")
            }
            Error::NotAnImage { found } => Some(of_no_image(found)),
            _ => None,
        }
    }
}

/// What the message about an input without an image says if it contains archives, which are inputs of their own.
pub(crate) const CONTAINS_ARCHIVES: &str = "it contains archives";

fn of_no_image(message: &str) -> &'static str {
    if message.contains(CONTAINS_ARCHIVES) {
        "pass the archives as inputs, or use `--recursive` for a folder"
    } else {
        "pass a docker save archive, an OCI layout, a dir: folder, a schema 1 folder or a registry tree"
    }
}

fn of_finding(finding: &Finding) -> Option<&'static str> {
    match finding.code {
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
        Code::NotAnImage => Some(of_no_image(&finding.message)),
        Code::RegistryTrees => Some(
            "pass each tree as an input, or use `--recursive`; unpack an archive of several trees first",
        ),
        _ => None,
    }
}

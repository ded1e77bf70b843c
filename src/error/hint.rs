//! What to do about an error.

use super::Error;
use crate::formats::docker::schema1::Schema1Error;

impl Error {
    /// What the user can do about it, where that helps.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.fact() {
            Error::NoEndOfArchive { .. } | Error::Truncated { .. } => {
                Some("copy or save it again, and compare the sizes")
            }
            Error::DiffId { .. } | Error::DigestMismatch { .. } | Error::SizeMismatch { .. } => {
                Some("the input is damaged: copy or save it again")
            }
            Error::Schema1 {
                source: Schema1Error::Signature { .. },
            } => Some("--ignore-signatures takes it all the same"),
            Error::NotALayout { .. } => {
                Some("give another output, or remove this one if it is not needed")
            }
            Error::CacheInOutput { .. } => Some("give the cache a folder of its own"),
            Error::DigestMapInside { .. } => Some("give the digest map a place of its own"),
            Error::OutputIsLink { .. } => Some("name what it points to"),
            Error::Absent { .. } => {
                Some("`--missing drop` or `--platform` leaves out what is missing")
            }
            Error::NameForMany { .. } => Some("select one with --image"),
            Error::LayerTooLarge { .. } => Some("--max-layer-size allows more"),
            Error::NoRoom { .. } => Some("a tenth of what is free is left free for others"),
            Error::NoSuchImage { .. } => {
                Some("select by a name, by @ and a number from 0, or by a digest")
            }
            Error::SeveralImages { .. } => {
                Some("select one with --image: a name, @ and a number from 0, or a digest")
            }
            Error::NoManifest { has_config: true } => {
                Some("--config prints its config; manifest.json in the archive lists its layers")
            }
            Error::NoManifest { has_config: false } | Error::NoConfig => {
                Some("convert it, and inspect the result")
            }
            Error::NameConflict { .. } => Some("convert them one by one, with --image and --name"),
            Error::NotAnImage { .. } => Some(
                "inputs are docker save archives, OCI layouts, dir: folders and schema 1 folders",
            ),
            _ => None,
        }
    }
}

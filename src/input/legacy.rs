use super::Files;
use crate::error::{Error, Result};
use crate::image::Entry;
pub(super) fn is_legacy(files: &Files) -> bool {
    files.has("repositories")
}
pub(super) fn read(_files: &Files, _warnings: &mut Vec<String>) -> Result<Vec<Entry>> {
    Err(Error::Unsupported {
        what: "a docker save archive from before Docker 1.10".to_owned(),
    })
}

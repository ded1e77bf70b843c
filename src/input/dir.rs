use super::{Files, Format, ReadOptions};
use crate::error::{Error, Result};
use crate::image::Entry;
pub(super) struct Read {
    pub format: Format,
    pub entries: Vec<Entry>,
    pub signatures: Vec<String>,
}
pub(super) fn read(
    _files: &Files,
    _manifest: &str,
    _options: &ReadOptions,
    _warnings: &mut Vec<String>,
) -> Result<Read> {
    Err(Error::Unsupported {
        what: "a dir: folder".to_owned(),
    })
}

//! Parts of the messages of errors.

use crate::digest::Digest;

/// The most missing blobs that are listed.
const MAX_LISTED: usize = 20;

pub(super) fn missing(blobs: &[String]) -> String {
    let count = match blobs.len() {
        1 => "1 blob is missing".to_owned(),
        count => format!("{count} blobs are missing"),
    };
    let listed = &blobs[..blobs.len().min(MAX_LISTED)];
    format!(
        "{count}: {}{}",
        listed.join(", "),
        more(blobs.len() - listed.len())
    )
}

pub(super) fn becomes(new: Option<&Digest>) -> String {
    match new {
        Some(new) => format!("would become {new}"),
        None => "would not be in the output".to_owned(),
    }
}

pub(super) fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(|| ";".to_owned(), |near| format!(", did you mean {near}?"))
}

pub(super) fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} more"),
    }
}

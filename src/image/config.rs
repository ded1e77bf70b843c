//! What a conversion reads of an image's config.

use super::{Document, Platform};
use crate::digest::DiffId;

/// An image's config: its bytes, which stay, and what was read from them.
#[derive(Debug, Clone)]
pub struct ImageConfig {
    /// The bytes, with what names them.
    pub document: Document,
    /// What was read from them.
    pub view: ConfigView,
}

/// The fields of a config that matter for a conversion.
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigView {
    /// What the image runs on; `None` where the config lacks `os` or `architecture`.
    pub platform: Option<Platform>,
    /// When the image was made, RFC 3339.
    pub created: Option<String>,
    /// The digests of the uncompressed layers, the base first; `None` where the config has no readable list of them.
    pub diff_ids: Option<Vec<DiffId>>,
    /// How the layers came about, the oldest first, with entries that made no layer.
    pub history: Vec<HistoryEntry>,
}

/// One line of a config's history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The command.
    pub created_by: Option<String>,
    /// Whether it made no layer.
    pub empty_layer: bool,
}

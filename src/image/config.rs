//! The fields of a config that conversions use.

use super::{Document, Platform};
use crate::digest::DiffId;

/// The config of an image: its bytes, and the fields read from them.
#[derive(Debug, Clone)]
pub struct ImageConfig {
    /// The bytes with media type and digest.
    pub document: Document,
    /// The fields read from the bytes.
    pub view: ConfigView,
}

/// The fields of a config that conversions use.
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigView {
    /// The platform. `None` if the config lacks `os` or `architecture`.
    pub platform: Option<Platform>,
    /// The creation time (RFC 3339).
    pub created: Option<String>,
    /// The digests of the uncompressed layers, the base first. `None` if the config has no readable list.
    pub diff_ids: Option<Vec<DiffId>>,
    /// The history, the oldest entry first, including entries without a layer.
    pub history: Vec<HistoryEntry>,
}

/// An entry of a config's history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The command.
    pub created_by: Option<String>,
    /// Whether the entry has no layer.
    pub empty_layer: bool,
}

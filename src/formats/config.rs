//! A view of an image's config.

use serde::Deserialize;

use super::parse;
use crate::digest::DiffId;
use crate::error::Error;
use crate::error::Result;
use crate::image::Platform;

/// The fields of a config that matter for a conversion.
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>
#[derive(Debug, Clone, Deserialize)]
pub struct ConfigView {
    /// What the image runs on.
    #[serde(flatten)]
    pub platform: Platform,
    /// When the image was made, RFC 3339.
    #[serde(default)]
    pub created: Option<String>,
    #[serde(default)]
    rootfs: Option<RootFs>,
    /// How the layers came about, the oldest first; with entries that made no layer.
    #[serde(default)]
    pub history: Option<Vec<HistoryEntry>>,
}

#[derive(Debug, Clone, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<DiffId>>,
}

/// One line of a config's history.
#[derive(Debug, Clone, Deserialize)]
pub struct HistoryEntry {
    /// The command.
    #[serde(default)]
    pub created_by: Option<String>,
    /// Whether it made no layer.
    #[serde(default)]
    pub empty_layer: bool,
}

impl ConfigView {
    /// Parses the bytes of a config; `name` is for the message.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<ConfigView> {
        parse(name, bytes)
    }

    /// The digests of the uncompressed layers, the base first.
    ///
    /// # Errors
    /// [`Error::NoRootfs`] when there are none at all; an image of no layers has an empty list or `null`.
    pub fn diff_ids(&self) -> Result<&[DiffId]> {
        let rootfs = self.rootfs.as_ref().ok_or(Error::NoRootfs)?;
        Ok(rootfs.diff_ids.as_deref().unwrap_or_default())
    }
}

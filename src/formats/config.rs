//! Reading an image's config.

use serde::Deserialize;

use super::parse;
use crate::digest::DiffId;
use crate::error::{Error, Result};
use crate::image::{ConfigView, HistoryEntry, Platform};

#[derive(Deserialize)]
struct View {
    #[serde(flatten)]
    platform: Platform,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    rootfs: Option<RootFs>,
    #[serde(default)]
    history: Option<Vec<History>>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<DiffId>>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    empty_layer: bool,
}

/// Parses the bytes of a config; `name` is for the message.
pub(crate) fn parse_config(name: &str, bytes: &[u8]) -> Result<ConfigView> {
    let view: View = parse(name, bytes)?;
    let is_known =
        |platform: &Platform| !platform.os.is_empty() && !platform.architecture.is_empty();
    Ok(ConfigView {
        platform: Some(view.platform).filter(is_known),
        created: view.created,
        diff_ids: view
            .rootfs
            .map(|rootfs| rootfs.diff_ids.unwrap_or_default()),
        history: view
            .history
            .unwrap_or_default()
            .into_iter()
            .map(|entry| HistoryEntry {
                created_by: entry.created_by,
                empty_layer: entry.empty_layer,
            })
            .collect(),
    })
}

/// The `diff_ids` of a config that must have some.
pub(crate) fn diff_ids(view: &ConfigView) -> Result<&[DiffId]> {
    view.diff_ids.as_deref().ok_or(Error::NoRootfs)
}

//! Determines the type of a manifest before it is read.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::digest::Digest;
use crate::limits;
use crate::source::Content;

/// The type of a document.
#[derive(Debug)]
pub(super) enum Peeked {
    Schema1,
    /// An index, with the manifests that it lists.
    Index(Vec<Digest>),
    Manifest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    schema_version: u64,
    fs_layers: Option<IgnoredAny>,
    manifests: Option<Vec<Child>>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Child {
    digest: String,
}

/// The type of a blob, or `None` if it is neither a manifest nor an index.
pub(super) fn peek(content: &Content) -> Option<Peeked> {
    if content.size() > limits::DOCUMENT_BYTES {
        return None;
    }
    let beginning = content.beginning(16).ok()?;
    let first = beginning.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return None;
    }
    let view: View = serde_json::from_slice(&content.document().ok()?).ok()?;
    if view.schema_version == 1 && view.fs_layers.is_some() {
        return Some(Peeked::Schema1);
    }
    if let Some(manifests) = view.manifests {
        let digests = manifests
            .iter()
            .filter_map(|child| child.digest.parse().ok());
        return Some(Peeked::Index(digests.collect()));
    }
    (view.config.is_some() || view.layers.is_some()).then_some(Peeked::Manifest)
}

//! Determines the type of a manifest before it is read.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::digest::Digest;
use crate::limits;
use crate::source::Content;

/// The type of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peeked {
    Schema1,
    Index,
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

/// The type of a blob, or `None` if it is neither a manifest nor an index. The digests that an index lists are added to
/// `children`, which has each of them once: together, the lists of many indexes may be very long.
pub(super) fn peek(content: &Content, children: &mut HashSet<Digest>) -> Option<Peeked> {
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
            .filter_map(|child| child.digest.parse::<Digest>().ok());
        children.extend(digests);
        return Some(Peeked::Index);
    }
    (view.config.is_some() || view.layers.is_some()).then_some(Peeked::Manifest)
}

//! The digests of an input, for `--have`.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::error::Result;
use crate::formats::Input;
use crate::image::{Config, Node};
use crate::select::Selection;

/// The digests of all selected blobs that the input has, and the `diff_ids` of layers.
///
/// # Errors
/// As [`super::inspect()`].
pub fn digests(input: &Input, selection: &Selection) -> Result<BTreeSet<Digest>> {
    input.warnings(|_, _| true)?;
    let mut digests = BTreeSet::new();
    for selected in selection.shown(std::slice::from_ref(input))? {
        selected
            .entry
            .node
            .walk(&mut |node| add(node, &mut digests));
    }
    Ok(digests)
}

fn add(node: &Node, digests: &mut BTreeSet<Digest>) {
    let Node::Manifest(manifest) = node else {
        if !matches!(node, Node::Absent { .. }) {
            digests.extend(node.digest());
        }
        return;
    };
    digests.extend(node.digest());
    match &manifest.config {
        Config::Image(config) => {
            digests.insert(config.document.digest);
        }
        Config::Other(config) => {
            digests.insert(config.descriptor.digest);
        }
        Config::V1 { .. } | Config::Unreadable => {}
    }
    for blob in manifest.present_layers() {
        digests.extend(blob.digest);
        digests.extend(blob.diff_id.map(|diff_id| diff_id.0));
    }
}

//! The platforms that `--platform` names, and those of the inputs.

use std::collections::HashSet;

use super::Selection;
use crate::error::{RequestError, Result};
use crate::formats::Input;
use crate::image::{Node, Platform};

impl Selection {
    /// Fails if a platform is not that of any selected image. `met` has the positions of the others.
    pub(super) fn refuse_unmet_platforms(
        &self,
        met: &HashSet<usize>,
        inputs: &[Input],
    ) -> Result<()> {
        let platforms = self.platforms.iter().enumerate();
        let unmet = platforms.filter(|(number, _)| !met.contains(number));
        let mut unmet: Vec<String> = unmet.map(|(_, platform)| platform.to_string()).collect();
        if unmet.is_empty() {
            return Ok(());
        }
        unmet.dedup();
        Err(RequestError::NoSuchPlatform {
            wanted: unmet.join(" or "),
            available: available(inputs),
        }
        .into())
    }
}

/// The platforms of all images that the inputs have.
fn available(inputs: &[Input]) -> String {
    let mut platforms: Vec<String> = Vec::new();
    for entry in inputs.iter().flat_map(|input| &input.entries) {
        collect(&entry.node, None, &mut platforms);
    }
    platforms.sort();
    platforms.dedup();
    platforms.join(", ")
}

/// `said` is the platform in the node's descriptor.
fn collect(node: &Node, said: Option<&Platform>, platforms: &mut Vec<String>) {
    match node {
        Node::Manifest(manifest) => {
            let own = manifest.platform().map(|own| own.with_variant_of(said));
            platforms.extend(own.map(|own| own.to_string()));
        }
        Node::Index(index) => {
            for (descriptor, child) in &index.children {
                collect(child, descriptor.platform.as_ref(), platforms);
            }
        }
        Node::Blob(_) | Node::Absent { .. } => {}
    }
}

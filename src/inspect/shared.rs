//! How much of each image is in others, too.

use std::collections::{HashMap, HashSet};

use super::{InspectedEntry, InspectedImage, InspectedLayer, InspectedNode};
use crate::digest::Digest;

/// Sets the own and shared sizes of all images. An image that is there several times is one.
pub(super) fn measure(entries: &mut [InspectedEntry]) {
    let mut uses: HashMap<Digest, HashSet<Option<Digest>>> = HashMap::new();
    for entry in entries.iter_mut() {
        images(&mut entry.node, &mut |image| {
            for layer in &image.layers {
                if let Some(key) = key(layer) {
                    uses.entry(key).or_default().insert(id(image));
                }
            }
        });
    }
    for entry in entries {
        images(&mut entry.node, &mut |image| {
            let mut counted = HashSet::new();
            let (mut own, mut shared) = (0, 0);
            for layer in &image.layers {
                let key = key(layer);
                if key.is_some_and(|key| !counted.insert(key)) {
                    continue;
                }
                let is_shared =
                    key.is_some_and(|key| uses.get(&key).is_some_and(|of| of.len() > 1));
                *(if is_shared { &mut shared } else { &mut own }) += layer.size;
            }
            (image.own_size, image.shared_size) = (own, shared);
        });
    }
}

fn images(node: &mut InspectedNode, visit: &mut dyn FnMut(&mut InspectedImage)) {
    match node {
        InspectedNode::Image(image) => visit(image),
        InspectedNode::Index(index) => {
            for (_, child) in &mut index.children {
                images(child, visit);
            }
        }
        InspectedNode::Artifact(_) | InspectedNode::Blob(_) | InspectedNode::Absent { .. } => {}
    }
}

/// What tells an image from others.
fn id(image: &InspectedImage) -> Option<Digest> {
    let manifest = image.manifest.as_ref().map(|manifest| manifest.digest);
    image.image_id.or(manifest)
}

/// What tells a layer from others: its blob, or where it has no digest its content.
fn key(layer: &InspectedLayer) -> Option<Digest> {
    layer.digest.or(layer.diff_id.map(|diff_id| diff_id.0))
}

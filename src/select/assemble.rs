//! Indexes whose images are in other inputs: skopeo's `--multi-arch=index-only` writes an index alone
//! (<https://github.com/containers/skopeo/issues/1935>).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Selected;
use crate::digest::Digest;
use crate::image::{Node, Reference};

/// Completes selected indexes with selected images that they list and lack. An unnamed image is then only part of its index.
pub(super) fn assemble(selected: &mut Vec<Selected>) {
    let mut wanted: HashSet<Digest> = HashSet::new();
    for one in selected.iter() {
        one.entry.node.walk(&mut |node| {
            if let Node::Absent { descriptor, .. } = node {
                wanted.insert(descriptor.digest);
            }
        });
    }
    if wanted.is_empty() {
        return;
    }
    let mut found: HashMap<Digest, Found> = HashMap::new();
    for one in selected.iter() {
        one.entry.node.walk(&mut |node| {
            if let (Node::Manifest(_), Some(digest)) = (node, node.digest())
                && wanted.contains(&digest)
            {
                found.entry(digest).or_insert_with(|| Found {
                    node: node.clone(),
                    entry: (one.input, one.position),
                });
            }
        });
    }
    let mut used = HashSet::new();
    for one in selected.iter_mut() {
        fill(&mut one.entry.node, &found, &mut one.filled_from);
        used.extend(one.filled_from.iter().copied());
    }
    selected.retain(|one| {
        let is_part = matches!(one.entry.node, Node::Manifest(_))
            && used.contains(&(one.input, one.position));
        let mut references = one.entry.references.iter();
        !is_part || references.any(|reference| Reference::display_name(reference).is_some())
    });
}

/// A missing image of an index, and the entry that contains it.
struct Found {
    node: Node,
    entry: (usize, usize),
}

/// Only images in an index, because an entry of index.json is a separate image.
fn fill(node: &mut Node, found: &HashMap<Digest, Found>, from: &mut Vec<(usize, usize)>) {
    let Node::Index(index) = node else {
        return;
    };
    for (descriptor, child) in &mut Arc::make_mut(index).children {
        match child {
            Node::Absent { .. } => {
                if let Some(found) = found.get(&descriptor.digest) {
                    *child = found.node.clone();
                    from.push(found.entry);
                }
            }
            child => fill(child, found, from),
        }
    }
}

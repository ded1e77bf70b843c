//! Copies of one image in several inputs, such as volumes.

use std::collections::HashMap;

use super::Selected;
use crate::digest::Digest;
use crate::findings::{Code, Response};
use crate::formats::Input;
use crate::image::{Layer, Node};

/// Keeps one copy of each manifest or index, with the names of all: the first that can be read and lacks least.
pub(super) fn merge_copies(selected: &mut Vec<Selected>, inputs: &[Input]) {
    let mut positions: HashMap<Digest, usize> = HashMap::new();
    let mut kept: Vec<Selected> = Vec::with_capacity(selected.len());
    for mut one in selected.drain(..) {
        let digest = one.entry.node.digest();
        let Some(digest) = digest.filter(|_| one.part.is_none()) else {
            kept.push(one);
            continue;
        };
        let position = *positions.entry(digest).or_insert(kept.len());
        let Some(known) = kept.get_mut(position) else {
            kept.push(one);
            continue;
        };
        if flaws(&one, inputs) < flaws(known, inputs) {
            std::mem::swap(known, &mut one);
        }
        let references = &mut known.entry.references;
        for reference in one.entry.references {
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
    }
    *selected = kept;
}

/// Whether something about a copy stops a conversion, and how much it lacks.
fn flaws(one: &Selected, inputs: &[Input]) -> (bool, usize) {
    let is_about = |entry: usize, manifest: Option<Digest>| {
        let is_left_out = manifest.is_some_and(|manifest| one.left_out.contains(&manifest));
        entry == one.position && !is_left_out
    };
    let mut about = inputs[one.input].about(is_about);
    let is_damaged = about.any(|(response, finding)| {
        response == Response::Stops && finding.code != Code::BlobLeftOut
    });
    let mut lacking = 0;
    one.entry.node.walk(&mut |node| match node {
        Node::Absent { .. } => lacking += 1,
        Node::Manifest(manifest) => {
            let layers = manifest.layers.iter();
            lacking += layers
                .filter(|layer| matches!(layer, Layer::Absent { .. }))
                .count();
        }
        Node::Index(_) | Node::Blob(_) => {}
    });
    (is_damaged, lacking)
}

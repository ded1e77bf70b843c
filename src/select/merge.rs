//! Merges selected images into one multi-platform image.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{Selected, rename};
use crate::digest::Digest;
use crate::error::{Error, RequestError, Result};
use crate::formats::Input;
use crate::image::{Descriptor, Entry, Node, Platform, REFERENCE_DIGEST};

/// A part of a merged image in its former index. An image without an index has none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    pub descriptor: Option<Descriptor>,
}

/// Merges all selected images. An index that contains all of them is kept with the new name. Otherwise each image becomes a
/// part, and so does each image of an index. Artifacts, such as signatures, are not merged.
pub(super) fn merge(
    selected: Vec<Selected>,
    name: &str,
    inputs: &[Input],
) -> Result<Vec<Selected>> {
    let reference = rename::given(name)?;
    let (mut images, others): (Vec<_>, Vec<_>) = selected
        .into_iter()
        .partition(|one| one.entry.node.has_image());
    let mut merged = if let Some(position) = whole(&images) {
        vec![images.swap_remove(position)]
    } else {
        let mut parts = Vec::new();
        for one in images {
            flatten(one, &mut parts);
        }
        let parts = distinct(parts);
        refuse_same_platforms(&parts, inputs)?;
        parts
    };
    if let Some(first) = merged.first_mut() {
        first.entry.references = vec![reference];
    }
    merged.extend(others);
    Ok(merged)
}

/// The position of an index that contains all the others.
fn whole(images: &[Selected]) -> Option<usize> {
    images.iter().position(|one| {
        let Node::Index(_) = one.entry.node else {
            return false;
        };
        let mut inside = HashSet::new();
        one.entry
            .node
            .walk(&mut |node| inside.extend(node.digest()));
        let mut digests = images.iter().map(|other| other.entry.node.digest());
        digests.all(|digest| digest.is_some_and(|digest| inside.contains(&digest)))
    })
}

/// The images of an index, or the image itself.
fn flatten(one: Selected, parts: &mut Vec<Selected>) {
    let Node::Index(index) = one.entry.node else {
        parts.push(Selected {
            part: Some(one.part.unwrap_or_default()),
            entry: Entry {
                references: Vec::new(),
                node: one.entry.node,
            },
            ..one
        });
        return;
    };
    for (descriptor, child) in Arc::unwrap_or_clone(index).children {
        let child = Selected {
            input: one.input,
            position: one.position,
            index: one.index,
            label: format!("{} {}", one.label, descriptor.label()),
            entry: Entry {
                references: Vec::new(),
                node: child,
            },
            left_out: one.left_out.clone(),
            filled_from: one.filled_from.clone(),
            part: Some(Part {
                descriptor: Some(descriptor),
            }),
        };
        flatten(child, parts);
    }
}

/// Removes duplicates, and sorts independently of the order of inputs: images by platform, then their attestations.
fn distinct(parts: Vec<Selected>) -> Vec<Selected> {
    let mut by_digest: HashMap<Digest, Selected> = HashMap::new();
    let mut distinct = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(digest) = part.entry.node.digest() else {
            distinct.push(part);
            continue;
        };
        let known = by_digest.get(&digest);
        if known.is_none_or(|known| description(&part) < description(known)) {
            by_digest.insert(digest, part);
        }
    }
    distinct.extend(by_digest.into_values());
    let key = |one: &Selected| {
        let platform = platform(one).map(key);
        (about(one).map(str::to_owned), platform, description(one))
    };
    distinct.sort_by_cached_key(key);
    distinct
}

/// The order of parts that are the same otherwise. Parts of an index come first.
fn description(part: &Selected) -> (bool, Option<Digest>, String) {
    let descriptor = part.part.as_ref().and_then(|part| part.descriptor.as_ref());
    let text = descriptor.and_then(|descriptor| serde_json::to_string(descriptor).ok());
    let node = &part.entry.node;
    let id = node
        .digest()
        .or_else(|| node.manifests().first()?.image_id());
    (text.is_none(), id, text.unwrap_or_default())
}

/// The subject of an attestation.
fn about(part: &Selected) -> Option<&str> {
    let descriptor = part.part.as_ref()?.descriptor.as_ref()?;
    descriptor.annotation(REFERENCE_DIGEST)
}

/// The platform in the index, or that of the config.
fn platform(part: &Selected) -> Option<&Platform> {
    let said = part.part.as_ref()?.descriptor.as_ref();
    let said = said.and_then(|descriptor| descriptor.platform.as_ref());
    said.or_else(|| match &part.entry.node {
        Node::Manifest(manifest) => manifest.platform(),
        _ => None,
    })
}

/// The fields that distinguish platforms, in sort order.
fn key(platform: &Platform) -> [String; 4] {
    [
        platform.os.clone(),
        platform.architecture.clone(),
        platform.variant.clone().unwrap_or_default(),
        platform.os_version.clone().unwrap_or_default(),
    ]
}

/// Refuses two images with the same platform, because engines select an image of an index by its platform.
fn refuse_same_platforms(parts: &[Selected], inputs: &[Input]) -> Result<()> {
    let mut seen: BTreeMap<[String; 4], &Selected> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.entry.node.has_image()) {
        if about(part).is_some() {
            continue;
        }
        let Some(platform) = platform(part) else {
            return Err(Error::Request(RequestError::NoPlatform).at(part.place(inputs)));
        };
        if let Some(first) = seen.insert(key(platform), part) {
            let mut places = [first, part].map(|one| one.place(inputs).to_string());
            places.sort();
            let [first, second] = places;
            let version = platform.os_version.as_ref();
            let version = version.map(|version| format!(" {version}"));
            return Err(RequestError::SamePlatform {
                platform: format!("{platform}{}", version.unwrap_or_default()),
                first,
                second,
            }
            .into());
        }
    }
    Ok(())
}

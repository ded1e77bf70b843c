//! The selected images that the output can contain.

use std::sync::Arc;

use super::Selected;
use super::copies::merge_copies;
use crate::digest::Digest;
use crate::error::{OutputError, RequestError, Result, ResultExt};
use crate::findings::{Code, Finding};
use crate::formats::Input;
use crate::image::{Config, Entry, Index, Layer, Manifest, ManifestFormat, Node, Reference};
use crate::output::OutputKind;

/// Leaves out what the output cannot contain, and warns of it.
///
/// # Errors
/// [`RequestError::NothingLeft`], and [`RequestError::SeveralImages`] if the output can contain only one.
pub(crate) fn fit(
    selected: Vec<Selected>,
    format: ManifestFormat,
    kind: OutputKind,
    inputs: &[Input],
    warnings: &mut Vec<Finding>,
) -> Result<Vec<Selected>> {
    let first = warnings.len();
    let mut kept = Vec::with_capacity(selected.len());
    let lacking = match (kind, format) {
        (OutputKind::DockerArchive, _) => Some(("a docker-archive", false)),
        (_, ManifestFormat::V2s1) => Some(("schema 1", false)),
        (_, ManifestFormat::V2s2) => Some(("schema 2", true)),
        (_, ManifestFormat::Oci) => None,
    };
    for mut one in selected {
        let Some((target, has_indexes)) = lacking else {
            kept.push(one);
            continue;
        };
        let place = one.place(inputs);
        let mut left_out = Vec::new();
        let node = images_only(one.entry.node, &mut left_out);
        if !left_out.is_empty() {
            let digests: Vec<String> = left_out.iter().map(Digest::to_string).collect();
            let message = format!(
                "left out, since {target} has no place for artifacts: {}",
                digests.join(", ")
            );
            warnings.push(Finding::new(Code::ArtifactLeftOut, &place, message));
            one.left_out.extend(left_out);
        }
        let node = match node {
            Some(node) if !has_indexes => Some(lone_image(node, target).at(|| place)?),
            node => node,
        };
        if let Some(node) = node {
            let references = one.entry.references;
            let entry = Entry { references, node };
            kept.push(Selected { entry, ..one });
        }
    }
    if let (true, [first, others @ ..]) = (kept.is_empty(), &warnings[first..]) {
        return Err(RequestError::NothingLeft {
            first: first.to_string(),
            others: others.len(),
        }
        .into());
    }
    for one in &mut kept {
        if kind == OutputKind::Registry {
            has_repository(one).map_err(|error| error.at(one.place(inputs)))?;
        } else {
            leave_repositories(&mut one.entry.references);
        }
    }
    if kind == OutputKind::Dir {
        merge_copies(&mut kept, inputs);
    }
    // The parts of a multi-platform image are one.
    let parts = kept.iter().filter(|one| one.part.is_some()).count();
    if kind == OutputKind::Dir && kept.len() - parts + parts.min(1) > 1 {
        return Err(RequestError::SeveralImages {
            available: kept.iter().map(|one| selector(one, inputs)).collect(),
        }
        .into());
    }
    Ok(kept)
}

/// Whether a registry can store an image: by its name, or next to its subject.
fn has_repository(one: &Selected) -> Result<()> {
    // A part of a multi-platform image needs no name.
    if one.part.is_some() {
        return Ok(());
    }
    let is_referrer =
        matches!(&one.entry.node, Node::Manifest(manifest) if manifest.subject.is_some());
    for reference in &one.entry.references {
        let repository = reference.repository.as_deref();
        match reference.display_name().or(repository) {
            Some(name) if reference.in_registry().is_none() => {
                return Err(OutputError::RegistryName {
                    name: name.to_owned(),
                }
                .into());
            }
            None if !is_referrer => return Err(OutputError::Unnamed.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Outside a registry, an image without a tag has no place of its own: it is listed once, if none of its names lists it.
fn leave_repositories(references: &mut Vec<Reference>) {
    let is_named = |reference: &Reference| reference.display_name().is_some();
    if references.iter().any(is_named) {
        references.retain(is_named);
    }
    for reference in &mut *references {
        reference.repository = None;
    }
    references.dedup();
}

/// The value of `--image` that selects it.
fn selector(one: &Selected, inputs: &[Input]) -> String {
    let mut references = one.entry.references.iter();
    let name = references.find_map(Reference::display_name);
    let by_digest = || one.entry.node.digest().map(|digest| digest.to_string());
    let name = name.map(str::to_owned).or_else(by_digest);
    let name = name.unwrap_or_else(|| one.label.clone());
    if inputs.len() > 1 {
        format!("{name} in {}", inputs[one.input].name)
    } else {
        name
    }
}

/// A node without artifacts. An index with one remaining image becomes that image.
fn images_only(node: Node, left_out: &mut Vec<Digest>) -> Option<Node> {
    let is_kept = match &node {
        Node::Manifest(manifest) => !is_artifact(manifest),
        Node::Blob(_) => false,
        Node::Index(_) | Node::Absent { .. } => true,
    };
    if !is_kept {
        left_out.extend(node.digest());
        return None;
    }
    let Node::Index(index) = node else {
        return Some(node);
    };
    let index = Arc::unwrap_or_clone(index);
    let before = index.children.len();
    let children = index.children.into_iter();
    let children = children
        .filter_map(|(descriptor, child)| Some((descriptor, images_only(child, left_out)?)));
    let mut children: Vec<_> = children.collect();
    if children.len() < before && children.len() <= 1 {
        return children.pop().map(|(_, child)| child);
    }
    Some(Node::Index(Arc::new(Index {
        document: index.document,
        children,
    })))
}

/// The only image of a node, for outputs without indexes.
fn lone_image(node: Node, target: &'static str) -> Result<Node> {
    let Node::Index(index) = node else {
        return Ok(node);
    };
    let mut index = Arc::unwrap_or_clone(index);
    match index.children.pop() {
        Some((_, child)) if index.children.is_empty() => lone_image(child, target),
        last => {
            index.children.extend(last);
            let children = index.children.iter();
            let labels = children.map(|(descriptor, _)| descriptor.label());
            Err(RequestError::SeveralPlatforms {
                target,
                available: labels.collect::<Vec<_>>().join(", "),
            }
            .into())
        }
    }
}

/// Whether a manifest is not that of an image: its config has another type, or one of its layers is not a file system layer.
fn is_artifact(manifest: &Manifest) -> bool {
    let is_other = |layer: &Layer| matches!(layer, Layer::Other(_));
    matches!(manifest.config, Config::Other(_)) || manifest.layers.iter().any(is_other)
}

//! Prints documents of an input byte for byte.

use crate::error::{Error, RequestError, Result, ResultExt};
use crate::findings::Place;
use crate::formats::Input;
use crate::image::{Blob, Config, Descriptor, Node, Reference};
use crate::select::Selection;

/// The manifest (or index) of the one image that is selected, byte for byte.
///
/// # Errors
/// [`RequestError::SeveralImages`], [`RequestError::NoSuchImage`], [`RequestError::NoManifest`].
pub fn raw_manifest(input: &Input, selection: &Selection) -> Result<Vec<u8>> {
    let bytes = |node: &Node| match node {
        Node::Manifest(manifest) => {
            let schema1 = manifest.schema1.as_ref();
            let document = manifest.document.as_ref().map(|document| &*document.bytes);
            let bytes = document.or(schema1.map(|schema1| &*schema1.bytes));
            let bytes = bytes.ok_or(RequestError::NoManifest {
                has_config: matches!(manifest.config, Config::Image(_)),
            })?;
            Ok(bytes.to_vec())
        }
        Node::Index(index) => Ok(index.document.bytes.to_vec()),
        Node::Blob(blob) => verified(blob),
        Node::Absent { missing, .. } => Err(Error::Missing {
            name: missing.clone(),
        }),
    };
    one(input, selection, bytes)
}

/// The config of the one image that is selected, byte for byte.
///
/// # Errors
/// As [`raw_manifest`]; [`RequestError::NoConfig`] if only a conversion creates the config.
pub fn raw_config(input: &Input, selection: &Selection) -> Result<Vec<u8>> {
    let bytes = |node: &Node| match node {
        Node::Manifest(manifest) => match &manifest.config {
            Config::Image(config) => Ok(config.document.bytes.to_vec()),
            Config::Other(blob) => verified(blob),
            Config::V1 { .. } | Config::Unreadable => Err(RequestError::NoConfig.into()),
        },
        Node::Index(index) => Err(RequestError::SeveralImages {
            available: index.children.iter().map(child_label).collect(),
        }
        .into()),
        Node::Blob(blob) => {
            let Descriptor {
                media_type, digest, ..
            } = &blob.descriptor;
            Err(Error::document(
                format!("blob {digest}"),
                format!("{media_type} is not the media type of a manifest, so there is no config"),
            ))
        }
        Node::Absent { missing, .. } => Err(Error::Missing {
            name: missing.clone(),
        }),
    };
    one(input, selection, bytes)
}

fn one<T>(
    input: &Input,
    selection: &Selection,
    take: impl FnOnce(&Node) -> Result<T>,
) -> Result<T> {
    let selected = selection.shown(std::slice::from_ref(input))?;
    let place = Place::input(&input.name);
    let [one] = &selected[..] else {
        let labels = selected.iter().map(|selected| {
            let mut names = selected
                .entry
                .references
                .iter()
                .filter_map(Reference::display_name);
            match names.next() {
                Some(name) => format!("@{} {name}", selected.position),
                None => selected.label.clone(),
            }
        });
        let error = Error::Request(RequestError::SeveralImages {
            available: labels.collect(),
        });
        return Err(error.at(place));
    };
    input.warnings(|entry, _| entry == one.position)?;
    take(&one.entry.node)
        .at(|| Place::image(one.label.clone()))
        .at(|| place)
}

/// The digest, which can be passed to `--image`, and the platform.
fn child_label((descriptor, _): &(Descriptor, Node)) -> String {
    match &descriptor.platform {
        Some(platform) => format!("{} ({platform})", descriptor.digest),
        None => descriptor.digest.to_string(),
    }
}

/// The bytes of a small blob, whose digest is checked.
fn verified(blob: &Blob) -> Result<Vec<u8>> {
    let expected = blob.descriptor.digest;
    let what = format!("blob {expected}");
    let bytes = blob.content.document()?;
    let found = expected.same_algorithm(&bytes);
    if found != expected {
        return Err(Error::DigestMismatch {
            what,
            expected,
            found,
        });
    }
    Ok(bytes)
}

//! Detached signatures of `dir:` folders, which are copied with their manifests.

use crate::digest::Digest;
use crate::error::Result;
use crate::findings::{Code, Finding, Place};
use crate::formats::Input;
use crate::image::Node;
use crate::report::EntryReport;
use crate::select::Selected;

/// The signatures of the input that sign a manifest of the output, by their names in the output. The warnings about the others
/// say that they are left out.
pub(super) fn signatures(
    input: &Input,
    selected: &Selected,
    written: &EntryReport,
    warnings: &mut Vec<Finding>,
) -> Result<Vec<(String, Vec<u8>)>> {
    let mut signatures = Vec::new();
    for file in &input.signatures {
        let place = Place::input(&input.name).enclosing(&Place::file(file));
        let is_about = |one: &Finding| one.code == Code::SignatureDetached && one.place == place;
        let (signed, number) = signed(file, input);
        let Some(prefix) = signed.and_then(|signed| prefix(signed, written)) else {
            for warning in warnings.iter_mut().filter(|one| is_about(one)) {
                let label = &selected.label;
                warning.message =
                    format!("left out, since it does not sign the new manifest of {label}");
            }
            continue;
        };
        let content = input.files.get(file)?;
        signatures.push((format!("{prefix}{number}"), input.files.read(&content)?));
        warnings.retain(|one| !is_about(one));
    }
    Ok(signatures)
}

/// The manifest of a signature, and the rest of the name of its file: `signature-1`.
fn signed<'a>(file: &'a str, input: &Input) -> (Option<Digest>, &'a str) {
    match file.split_once('.') {
        Some((hex, number)) => (Digest::from_sha256_hex(hex), number),
        None => (
            input.entries.first().and_then(|root| digest(&root.node)),
            file,
        ),
    }
}

fn digest(node: &Node) -> Option<Digest> {
    let schema1 = match node {
        Node::Manifest(manifest) => manifest.schema1.as_ref(),
        _ => None,
    };
    node.digest().or(schema1.map(|schema1| schema1.digest))
}

/// The prefix of the file's name in the output. `None` if the output lacks the manifest.
fn prefix(signed: Digest, written: &EntryReport) -> Option<String> {
    if signed == written.digest {
        return Some(String::new());
    }
    let mut images = written.images.iter();
    let is_there = images.any(|image| image.manifest == Some(signed));
    is_there.then(|| format!("{}.", signed.hex()))
}

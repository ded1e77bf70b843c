//! Which images the signatures of an input name.
//!
//! cosign 2 stores them under tags that name the signed manifest, cosign 3 as referrers with a bundle, and `cosign save`
//! as images of their own with an annotation:
//! <https://github.com/sigstore/cosign/blob/v2.5.0/specs/SIGNATURE_SPEC.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::reading::Reading;
use crate::digest::Digest;
use crate::findings::{Code, Place};
use crate::image::{Blob, Entry, Layer, Manifest, Node, Reference};

/// A signature, attestation or bill of materials, and the manifest that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signing {
    /// What it is called: its name or digest.
    pub label: String,
    /// The entry that it is.
    pub entry: usize,
    /// The manifest or index that it names.
    pub signed: Digest,
}

/// The annotation of `cosign save`, and of the stores of hauler (<https://github.com/hauler-dev/hauler>).
const KIND: &str = "kind";
const KINDS: [&str; 4] = [
    "dev.cosignproject.cosign/sigs",
    "dev.cosignproject.cosign/atts",
    "dev.hauler/sigs",
    "dev.hauler/atts",
];

/// The largest payload that is read: a signature's has a few hundred bytes.
const MAX_PAYLOAD: u64 = 1 << 20;

/// All that the entries of an input have.
pub(super) fn find(reading: &Reading, entries: &[Entry]) -> Vec<Signing> {
    let mut found = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let mut add = |label: String, signed: Digest| {
            let signing = Signing {
                label,
                entry: number,
                signed,
            };
            if !found.contains(&signing) {
                found.push(signing);
            }
        };
        for reference in &entry.references {
            if let Some(name) = reference.display_name()
                && let Some(signed) = by_tag(name)
            {
                add(name.to_owned(), signed);
            }
        }
        let is_saved = entry.references.iter().any(is_saved_by_cosign);
        for manifest in entry.node.manifests() {
            let label = || {
                let document = manifest.document.as_ref();
                document.map_or_else(|| entry.label(number), |one| one.digest.to_string())
            };
            if let Some(subject) = manifest.subject
                && has_bundle(manifest)
            {
                add(label(), subject);
            }
            let blobs = manifest.layers.iter().filter_map(|layer| match layer {
                Layer::Other(blob) if is_saved => Some(blob),
                _ => None,
            });
            for blob in blobs {
                for signed in by_payload(reading, blob) {
                    add(label(), signed);
                }
            }
        }
    }
    found
}

/// Notes the signatures that name what is not there.
pub(super) fn note_orphans(reading: &mut Reading, entries: &[Entry], found: &[Signing]) {
    let mut known = std::collections::HashSet::new();
    for entry in entries {
        entry.node.walk(&mut |node| {
            known.extend(node.digest());
            if let Node::Manifest(manifest) = node {
                let schema1 = manifest.schema1.as_ref();
                known.extend(schema1.map(|schema1| schema1.digest));
            }
        });
    }
    for signing in found.iter().filter(|one| !known.contains(&one.signed)) {
        let place = Place::image(entries[signing.entry].label(signing.entry));
        let message = format!("it names {}, which is not in the input", signing.signed);
        reading.entry = Some(signing.entry);
        reading.note(Code::SignatureOrphaned, &place, message);
    }
    reading.entry = None;
}

/// The manifest in a tag such as `sha256-<hex>.sig`, which may follow a repository.
fn by_tag(name: &str) -> Option<Digest> {
    let tag = name.rsplit([':', '/']).next()?;
    let (digest, kind) = tag.split_once('.')?;
    let hex = digest.strip_prefix("sha256-")?;
    matches!(kind, "sig" | "att" | "sbom").then(|| Digest::from_sha256_hex(hex))?
}

fn is_saved_by_cosign(reference: &Reference) -> bool {
    let kind = reference.annotations.get(KIND).and_then(Value::as_str);
    kind.is_some_and(|kind| KINDS.contains(&kind))
}

/// Whether what a manifest has is of cosign or sigstore: other referrers follow their subjects.
fn has_bundle(manifest: &Manifest) -> bool {
    let is_of_sigstore = |kind: &str| {
        kind.starts_with("application/vnd.dev.sigstore.")
            || kind.starts_with("application/vnd.dev.cosign.")
    };
    let artifact_type = manifest.artifact_type.as_deref();
    artifact_type.is_some_and(is_of_sigstore)
        || manifest.layers.iter().any(|layer| {
            matches!(layer, Layer::Other(blob) if is_of_sigstore(&blob.descriptor.media_type))
        })
}

/// The manifests that a signed payload names. One that cannot be read is a finding elsewhere.
fn by_payload(reading: &Reading, blob: &Blob) -> Vec<Digest> {
    if blob.content.size() > MAX_PAYLOAD {
        return Vec::new();
    }
    let bytes = reading.files.read(&blob.content).unwrap_or_default();
    let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let digest = document.pointer("/critical/image/docker-manifest-digest");
    let digest = digest.and_then(Value::as_str);
    if let Some(digest) = digest {
        return digest.parse().into_iter().collect();
    }
    // An in-toto statement in an envelope: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md
    let payload = document.get("payload").and_then(Value::as_str);
    let payload = STANDARD
        .decode(payload.unwrap_or_default())
        .unwrap_or_default();
    let statement: Value = serde_json::from_slice(&payload).unwrap_or_default();
    let subjects = statement.get("subject").and_then(Value::as_array);
    let subjects = subjects.into_iter().flatten();
    let digests = subjects.filter_map(|subject| {
        let hex = subject.pointer("/digest/sha256")?.as_str()?;
        Digest::from_sha256_hex(hex)
    });
    digests.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_digests() {
        let digest = Digest::sha256(b"a manifest");
        let hex = digest.hex();
        for tag in ["sig", "att", "sbom"] {
            assert_eq!(by_tag(&format!("sha256-{hex}.{tag}")), Some(digest));
            let name = format!("registry.test:5000/app:sha256-{hex}.{tag}");
            assert_eq!(by_tag(&name), Some(digest));
        }
        for name in [
            "app:1.0",
            "sha256-00.sig",
            &format!("sha256-{hex}"),
            &format!("{hex}.sig"),
        ] {
            assert_eq!(by_tag(name), None, "{name}");
        }
    }
}

//! Damage to folders with a manifest: schema 1 and `dir:`.

use serde_json::json;

use crate::folders_have;
use crate::support::parts::{spoiled, two};
use crate::support::{codec, oci, schema1};

#[test]
fn schema_1_folders() {
    let layers = two();
    let manifest = schema1::manifest("app", "1", &layers).to_string();
    let signed = schema1::folder(&schema1::sign(&manifest), &layers);
    let blob = crate::support::sha256_hex(&codec::gzip(&layers[0].tar));
    folders_have(vec![
        ("signed", signed.clone(), &[]),
        ("not signed", schema1::unsigned("app", "1", &layers), &[]),
        (
            "changed after it was signed",
            spoiled(signed.clone(), "manifest.json", |bytes| {
                let at = bytes
                    .windows(5)
                    .position(|bytes| bytes == b"amd64")
                    .unwrap();
                bytes[at..at + 5].copy_from_slice(b"arm64");
            }),
            &["error schema1-signature: stops"],
        ),
        (
            "signed in a way that nobody knows",
            spoiled(signed.clone(), "manifest.json", |bytes| {
                let at = bytes.windows(5).position(|bytes| bytes == b"ES256");
                bytes[at.unwrap()] = b'X';
            }),
            &["warning schema1-unverified: stops"],
        ),
        (
            "a blob is missing",
            signed.clone().without(&blob),
            &["error missing-blob: stops"],
        ),
        (
            "a byte of a blob's header",
            spoiled(signed.clone(), &blob, |bytes| bytes[4] ^= 1),
            &["error blob-digest: stops"],
        ),
        (
            "metadata without an architecture",
            schema1::unsigned("app", "1", &layers).edited("manifest.json", |manifest| {
                schema1::edit_v1(manifest, 0, |v1| v1["architecture"] = json!(""));
            }),
            &["error config-platform: warns"],
        ),
        (
            "metadata with a key twice",
            schema1::unsigned("app", "1", &layers).edited("manifest.json", |manifest| {
                let v1 = &mut manifest["history"][1]["v1Compatibility"];
                let text = v1.as_str().unwrap();
                *v1 = json!(text.replacen('{', r#"{"os":"plan9","#, 1));
            }),
            &["error json-duplicate-key: stops"],
        ),
        (
            "more layers than history",
            schema1::unsigned("app", "1", &layers).edited("manifest.json", |manifest| {
                manifest["history"].as_array_mut().unwrap().pop();
            }),
            &[
                "error schema1: stops",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
    ]);
}

#[test]
fn dir_folders() {
    let mut layout = oci::Layout::default();
    let image = layout.image("amd64", &two());
    let files = oci::dir(&layout, &image);
    let manifest = crate::support::sha256_hex(files.get("manifest.json"));
    let files = files.without(&manifest);
    let blob = crate::support::sha256_hex(&codec::gzip(&two()[1].tar));
    folders_have(vec![
        ("no damage", files.clone(), &[]),
        (
            "a blob is missing",
            files.clone().without(&blob),
            &["error missing-blob: stops"],
        ),
        (
            "a blob is another",
            files.clone().with(&blob, codec::gzip(&two()[0].tar)),
            &[
                "error blob-digest: stops",
                "error blob-size: stops",
                "error layer-diff-id: stops",
            ],
        ),
        (
            "a blob that nothing refers to",
            files.clone().with(&manifest, "x"),
            &["warning unreferenced-damaged", "note unreferenced-blob"],
        ),
    ]);
}

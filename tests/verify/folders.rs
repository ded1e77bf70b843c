//! Damage to folders with a manifest: schema 1 and `dir:`.

use crate::support::{codec, oci, schema1};
use crate::{folders_have, spoiled, two};

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
            &["error schema1-signature"],
        ),
        (
            "a blob is missing",
            signed.clone().without(&blob),
            &["error missing-blob"],
        ),
        (
            "a byte of a blob's header",
            spoiled(signed.clone(), &blob, |bytes| bytes[4] ^= 1),
            &["error blob-digest"],
        ),
        (
            "more layers than history",
            schema1::unsigned("app", "1", &layers).edited("manifest.json", |manifest| {
                manifest["history"].as_array_mut().unwrap().pop();
            }),
            &[
                "error schema1",
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
            &["error missing-blob"],
        ),
        (
            "a blob is another",
            files.clone().with(&blob, codec::gzip(&two()[0].tar)),
            &[
                "error blob-digest",
                "error blob-size",
                "error layer-diff-id",
            ],
        ),
        (
            "a blob that nothing refers to",
            files.clone().with(&manifest, "x"),
            &["error blob-digest", "note unreferenced-blob"],
        ),
    ]);
}

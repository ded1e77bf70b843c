//! Damage to folders with a manifest: schema 1 and `dir:`.

use serde_json::json;

use crate::support::sandbox::Sandbox;
use crate::support::{codec, oci, schema1};
use crate::{folders_have, found, spoiled, two};

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
            "signed in a way that nobody knows",
            spoiled(signed.clone(), "manifest.json", |bytes| {
                let at = bytes.windows(5).position(|bytes| bytes == b"ES256");
                bytes[at.unwrap()] = b'X';
            }),
            &["warning schema1-unverified"],
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
            "metadata without an architecture",
            schema1::unsigned("app", "1", &layers).edited("manifest.json", |manifest| {
                schema1::edit_v1(manifest, 0, |v1| v1["architecture"] = json!(""));
            }),
            &["error config-platform"],
        ),
        (
            "metadata with a key twice",
            schema1::unsigned("app", "1", &layers).edited("manifest.json", |manifest| {
                let v1 = &mut manifest["history"][1]["v1Compatibility"];
                let text = v1.as_str().unwrap();
                *v1 = json!(text.replacen('{', r#"{"os":"plan9","#, 1));
            }),
            &["error json-duplicate-key"],
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
            &["note unreferenced-blob", "warning unreferenced-damaged"],
        ),
    ]);
}

/// A file that is there when the folder is listed, and gone when it is read.
struct RemovesBlob(std::path::PathBuf);

impl ocify::Progress for RemovesBlob {
    fn total(&self, _layers: usize, _bytes: u64) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn a_file_that_cannot_be_read() {
    let files = oci::one("app:1.0", &two()).files();
    let layer = crate::layer_path(&files, 1);
    let sandbox = Sandbox::with_folder(&files);
    let verification = ocify::verify(
        &sandbox.path("app"),
        &ocify::VerifyOptions::default(),
        &RemovesBlob(sandbox.path("app").join(&layer)),
        &ocify::Interrupt::new(),
    );
    let verification = verification.unwrap();
    assert_eq!(found(&verification), ["error unreadable"]);
    let problem = &verification.problems[0];
    assert_eq!(problem.place.file.as_deref(), Some(layer.as_str()));
}

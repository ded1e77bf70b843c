//! Images that some readers do not recognise as images, and do not check.

use serde_json::{Value, json};

use crate::archives_have;
use crate::support::docker;
use crate::support::oci::{self, Layout};
use crate::support::parts::{Parts, two};

const NOT_HERE: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// An image whose second layer does not match its config.
fn with_another_layer(layout: &mut Layout) -> Value {
    Parts::new()
        .config(|config| config["rootfs"]["diff_ids"][1] = json!(NOT_HERE))
        .add(layout)
}

/// Engines run any image with file system layers, whatever its annotations.
#[test]
fn an_image_that_calls_itself_an_attestation() {
    let mut layout = Layout::default();
    let image = with_another_layer(&mut layout);
    let disguised = oci::annotated(&image, &[(oci::REFERENCE_DIGEST, oci::digest(&image))]);
    let listing = |entries: &[&Value]| {
        let mut layout = layout.clone();
        layout.manifests = entries.iter().copied().cloned().collect();
        layout.files()
    };
    archives_have(vec![
        (
            "alone",
            listing(&[&disguised]),
            &["error layer-diff-id: stops"],
        ),
        (
            "before the image itself",
            listing(&[&disguised, &image]),
            &["error layer-diff-id: stops"],
        ),
        (
            "behind it",
            listing(&[&image, &disguised]),
            &["error layer-diff-id: stops"],
        ),
    ]);
}

/// Fewer rules apply to attestations than to images, so the manifest is read as both.
#[test]
fn a_manifest_that_is_listed_as_an_attestation_and_as_an_image() {
    let mut layout = Layout::default();
    let manifest = layout.manifest(
        oci::CONFIG,
        b"{}",
        &[("application/vnd.in-toto+json", b"{}".to_vec())],
    );
    let attestation = oci::annotated(
        &manifest,
        &[(oci::REFERENCE_DIGEST, oci::digest(&manifest))],
    );
    archives_have(vec![
        (
            "an attestation",
            layout.clone().listing(attestation.clone()).files(),
            &[],
        ),
        (
            "an attestation, and an image without a platform",
            layout.listing(attestation).listing(manifest).files(),
            &[
                "error config-platform: warns",
                "error config-platform: warns",
                "error config-rootfs: warns",
                "warning layer-unknown-media-type: warns",
            ],
        ),
    ]);
}

/// A manifest must be listed as a manifest, otherwise its config and layers are not checked.
#[test]
fn an_image_that_is_listed_as_something_else() {
    let mut layout = Layout::default();
    let image = oci::named(&Parts::new().add(&mut layout), "app");
    let mut text = oci::named(&image, "notes");
    text["mediaType"] = json!("text/plain");
    let listing = |entries: [&Value; 2]| {
        let mut layout = layout.clone();
        layout.manifests = entries.map(Clone::clone).to_vec();
        layout.files()
    };
    let mut unnamed = Layout::default();
    let silent = Parts::new()
        .manifest(|manifest| {
            manifest.as_object_mut().unwrap().shift_remove("mediaType");
        })
        .add(&mut unnamed);
    let mut plain = silent.clone();
    plain["mediaType"] = json!("text/plain");
    archives_have(vec![
        (
            "as text, then as an image",
            listing([&text, &image]),
            &[
                "error media-type-mismatch: stops",
                "error media-type-mismatch: stops",
                // The image is not read, so its config and layers are unreferenced.
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
        (
            "as an image, then as text",
            listing([&image, &text]),
            &["error media-type-mismatch: stops"],
        ),
        (
            "as both, without a mediaType of its own",
            unnamed.listing(silent).listing(plain).files(),
            &[
                "error media-type-mismatch: stops",
                "warning media-type-absent",
            ],
        ),
    ]);
}

/// Go treats a key in another case as the known one, so engines see another image.
#[test]
fn keys_in_another_case() {
    let found: &[&str] = &["error json-duplicate-key: stops"];
    let alone: &[&str] = &["warning json-key-case: warns"];
    let manifest = |edit: fn(&mut Value)| Parts::new().manifest(edit).files();
    let config = |edit: fn(&mut Value)| Parts::new().config(edit).files();
    let saved = docker::save_one("app:1", &two());
    archives_have(vec![
        (
            "layers of a manifest",
            manifest(|manifest| manifest["Layers"] = json!([])),
            found,
        ),
        (
            "a long s, which Go takes for an s",
            manifest(|manifest| manifest["layer\u{17f}"] = json!([])),
            found,
        ),
        (
            "the digest of a layer",
            manifest(|manifest| manifest["layers"][0]["DIGEST"] = json!(NOT_HERE)),
            found,
        ),
        (
            "the system of a platform",
            Parts::new()
                .entry(|entry| {
                    *entry = oci::on(entry, "linux", "amd64");
                    entry["platform"]["OS"] = json!("windows");
                })
                .files(),
            found,
        ),
        (
            "the command of a config",
            config(|config| config["config"]["cmd"] = json!(["other"])),
            alone,
        ),
        (
            "two commands of a config",
            config(|config| config["config"] = json!({ "Cmd": ["a"], "cmd": ["b"] })),
            found,
        ),
        (
            "the same command twice",
            config(|config| config["config"] = json!({ "Cmd": ["a"], "cmd": ["a"] })),
            alone,
        ),
        (
            "the diff_ids of a config",
            config(|config| config["rootfs"]["Diff_IDs"] = json!([])),
            found,
        ),
        (
            "the layers of a saved image",
            saved.edited("manifest.json", |manifest| {
                manifest[0]["layers"] = json!([]);
            }),
            found,
        ),
        (
            "labels and annotations, whose case counts",
            Parts::new()
                .config(|config| config["config"]["Labels"] = json!({ "a": "", "A": "" }))
                .manifest(|manifest| manifest["annotations"] = json!({ "a": "", "A": "" }))
                .files(),
            &[],
        ),
    ]);
}

#[test]
fn manifests_of_two_formats_and_of_no_type() {
    archives_have(vec![
        (
            "schema 1 too",
            Parts::new()
                .manifest(|manifest| manifest["fsLayers"] = json!([]))
                .files(),
            &["error ambiguous-document: stops"],
        ),
        (
            "an artifactType that is no media type",
            Parts::new()
                .manifest(|manifest| manifest["artifactType"] = json!("thing"))
                .files(),
            &["error document-field: stops"],
        ),
    ]);
}

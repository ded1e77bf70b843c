//! Damage to indexes, and damage in many places at once.

use serde_json::{Value, json};

use crate::support::oci::{self, Layout};
use crate::support::sandbox::Sandbox;
use crate::{Parts, archives_have, found, layer_path, verify};

const NOT_HERE: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// A table.
#[allow(clippy::too_many_lines)]
#[test]
fn indexes() {
    let mut layout = Layout::default();
    let amd64 = Parts::new().add(&mut layout);
    let arm64 = Parts::new()
        .config(|config| config["architecture"] = json!("arm64"))
        .add(&mut layout);
    let of = |layout: &Layout, manifests: &[Value]| {
        let mut layout = layout.clone();
        let index = layout.index(manifests);
        layout.listing(oci::named(&index, "app")).files()
    };
    let (amd64, arm64) = (
        oci::on(&amd64, "linux", "amd64"),
        oci::on(&arm64, "linux", "arm64"),
    );
    let both = of(&layout, &[amd64.clone(), arm64.clone()]);
    let about = |digest: &str| {
        let mut layout = layout.clone();
        let attestation = layout.manifest(
            oci::CONFIG,
            b"{}",
            &[("application/vnd.in-toto+json", b"{}".to_vec())],
        );
        let attestation = oci::annotated(&attestation, &[(oci::REFERENCE_DIGEST, digest)]);
        let attestation = oci::on(&attestation, "unknown", "unknown");
        of(&layout, &[amd64.clone(), arm64.clone(), attestation])
    };
    let twice = |first: &str, second: &str| {
        let layout = layout.clone().listing(oci::named(&amd64, first));
        layout.listing(oci::named(&arm64, second)).files()
    };
    archives_have(vec![
        ("no damage", both.clone(), &[]),
        ("an attestation", about(oci::digest(&amd64)), &[]),
        (
            "an attestation of something else",
            about(NOT_HERE),
            &["warning attestation-reference"],
        ),
        (
            "one platform was saved",
            both.clone().without(&crate::path(&arm64)),
            &["note platform-absent", "note unreferenced-blob"],
        ),
        (
            "no platform was saved",
            both.clone()
                .without(&crate::path(&arm64))
                .without(&crate::path(&amd64)),
            &[
                "error missing-blob",
                "error missing-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
        (
            "the platforms are mixed up",
            of(
                &layout,
                &[
                    oci::on(&arm64, "linux", "amd64"),
                    oci::on(&amd64, "linux", "arm64"),
                ],
            ),
            &["warning platform-mismatch", "warning platform-mismatch"],
        ),
        ("two names", twice("a", "b"), &[]),
        (
            "one name for two images",
            twice("a", "a"),
            &["warning ref-name-duplicate"],
        ),
        (
            "no list of manifests",
            both.clone()
                .edited("index.json", |index| index["manifests"] = json!(null)),
            &[
                "error document-field",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
        (
            "another layout version",
            both.clone()
                .with("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#),
            &["error layout-version"],
        ),
        (
            "no oci-layout",
            both.clone().without("oci-layout"),
            &["error layout-version"],
        ),
        (
            "no blobs",
            Layout::default().files(),
            &["error layout-blobs", "note no-images"],
        ),
    ]);
}

#[test]
fn several_damages_in_several_images_are_all_found_each_in_its_place() {
    let mut layout = Layout::default();
    let first = Parts::new()
        .config(|config| config["os"] = json!("Linux"))
        .manifest(|manifest| manifest["layers"][1]["size"] = json!(1))
        .add(&mut layout);
    let mut parts = Parts::plain(&crate::support::layers::Layer::new("other").tar);
    parts.layers[0].0 = oci::LAYER_ZSTD;
    let second = parts
        .config(|config| config["rootfs"]["diff_ids"][0] = json!(NOT_HERE))
        .add(&mut layout);
    let third = oci::descriptor(oci::MANIFEST, b"not here");
    let mut files = layout
        .listing(oci::named(&first, "first"))
        .listing(oci::named(&second, "second"))
        .listing(oci::named(&third, "no such"))
        .files();
    files.put("blobs/sha256/x", "");
    let sandbox = Sandbox::with_archive(&files);
    let verification = verify(&sandbox.path("app.tar"));
    assert_eq!(
        found(&verification),
        [
            "error blob-size",
            "error layer-diff-id",
            "error layer-media-type",
            "error missing-blob",
            "warning blob-name",
            "warning platform-value",
            "warning ref-name",
        ]
    );
    let place = |code: &str| {
        let mut problems = verification.problems.iter();
        let problem = problems
            .find(|problem| problem.code.name() == code)
            .unwrap();
        problem.place.to_string()
    };
    let layer = layer_path(&files, 1);
    assert_eq!(place("blob-size"), format!("first: layer 2 of 2: {layer}"));
    assert!(place("layer-diff-id").starts_with("second: layer 1 of 1: blobs/sha256/"));
    assert_eq!(
        place("missing-blob"),
        format!("no such: {}", crate::path(&third))
    );
    assert_eq!(place("ref-name"), "no such: index.json");
    assert_eq!(place("blob-name"), "blobs/sha256/x");
    assert_eq!((verification.images, verification.blobs), (2, 9));
}

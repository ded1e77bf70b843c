//! Damage to indexes, and damage in many places at once.

use serde_json::{Value, json};

use crate::archives_have;
use crate::support::oci::{self, Layout};
use crate::support::parts::{Parts, path};

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
    let two_damaged = || {
        let mut layout = layout.clone();
        let s390x = Parts::new()
            .config(|config| config["architecture"] = json!("s390x"))
            .add(&mut layout);
        let files = of(&layout, &[amd64.clone(), s390x.clone(), arm64.clone()]);
        let files = files.with(&path(&amd64), "{").with(&path(&s390x), "{");
        files.without(&path(&arm64))
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
            &["warning attestation-reference: warns"],
        ),
        (
            "one platform was saved",
            both.clone().without(&path(&arm64)),
            &["note platform-absent: warns", "note unreferenced-blob"],
        ),
        (
            "no platform was saved",
            both.clone().without(&path(&arm64)).without(&path(&amd64)),
            &[
                "error missing-blob: stops",
                "error missing-blob: stops",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
        (
            "two platforms are damaged and one was not saved",
            two_damaged(),
            &[
                "error blob-digest: stops",
                "error blob-digest: stops",
                "error blob-size: stops",
                "error blob-size: stops",
                "error json-syntax: stops",
                "error json-syntax: stops",
                "note platform-absent: warns",
                "note unreferenced-blob",
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
            &[
                "warning platform-mismatch: warns",
                "warning platform-mismatch: warns",
            ],
        ),
        ("two names", twice("a", "b"), &[]),
        (
            "one name for two images",
            twice("a", "a"),
            &["warning ref-name-duplicate: warns"],
        ),
        (
            "no list of manifests",
            both.clone()
                .edited("index.json", |index| index["manifests"] = json!(null)),
            &[
                "error document-field: stops",
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
            &["error layout-version: stops"],
        ),
        (
            "no oci-layout",
            both.clone().without("oci-layout"),
            &["error layout-version: stops"],
        ),
        (
            "no blobs",
            Layout::default().files(),
            &["error layout-blobs: warns", "note no-images: stops"],
        ),
    ]);
}

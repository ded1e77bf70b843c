//! skopeo's `dir:` folders.

use serde_json::json;

use crate::support::layers::layers;
use crate::support::oci::{self, Layout, digest, on};
use crate::support::sandbox::Sandbox;
use crate::support::{codec, docker};

#[test]
fn an_oci_manifest_keeps_its_bytes() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let files = oci::dir(&layout, &image);
    let output = Sandbox::with_folder(&files).converted(&["app"]);
    assert_eq!(output.only(), on(&image, "linux", "amd64"));
    // Without a media type, the fields of the manifest decide.
    let files = files.edited("manifest.json", |manifest| {
        manifest.as_object_mut().unwrap().shift_remove("mediaType");
    });
    let sandbox = Sandbox::with_folder(&files);
    sandbox.convert(&["app", "-o", "out"]).succeeds();
}

#[test]
fn a_schema_2_manifest_becomes_an_oci_one() {
    let mut layout = Layout::default();
    let config = docker::config(&layers("top"));
    let blobs = oci::docker_layers(&layers("top"));
    let image = layout.manifest(oci::DOCKER_CONFIG, &config, &blobs);
    let output =
        Sandbox::with_folder(&oci::dir(&layout, &image)).converted(&["app", "--name", "app:1.0"]);
    let image = output.named("app:1.0");
    assert_eq!(output.config(&image), config);
    assert_eq!(output.layers(&image), layers("top").map(|layer| layer.tar));
}

#[test]
fn indexes_with_their_manifests_beside_them() {
    let mut layout = Layout::default();
    let amd64 = layout.image("amd64", &layers("amd64"));
    let arm64 = layout.image("arm64", &layers("arm64"));
    let index = layout.index(&[on(&amd64, "linux", "amd64"), on(&arm64, "linux", "arm64")]);
    let hexes =
        [&amd64, &arm64].map(|image| digest(image).strip_prefix("sha256:").unwrap().to_owned());
    let files = oci::dir(&layout, &index).renamed(|name| {
        if hexes.iter().any(|hex| hex == name) {
            format!("{name}.manifest.json")
        } else {
            name.to_owned()
        }
    });
    let sandbox = Sandbox::with_folder(&files);
    assert_eq!(sandbox.converted(&["app"]).only(), index);
    sandbox
        .convert(&["app", "-o", "arm", "--platform", "linux/arm64"])
        .succeeds();
    assert_eq!(sandbox.layout("arm").only()["digest"], arm64["digest"]);
}

#[test]
fn signatures_are_not_lost_silently() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let files = oci::dir(&layout, &image)
        .with("signature-1", "x")
        .with("signature-2", "y");
    let sandbox = Sandbox::with_folder(&files);
    let warning = |number: u32| {
        format!(
            "ocify: warning: app: signature-{number}: a detached signature, which has no place in an OCI layout \
             (signature-detached)\n"
        )
    };
    let expected = format!("{}{}", warning(1), warning(2));
    sandbox.convert(&["app", "-o", "out"]).warns(&expected);
    sandbox.convert(&["app", "-o", "quiet", "-q"]).succeeds();
    assert_eq!(sandbox.layout("quiet"), sandbox.layout("out"));
    let run = sandbox.convert(&["app", "-o", "out", "--json"]);
    let report: serde_json::Value = serde_json::from_str(run.stdout()).unwrap();
    assert_eq!(report["warnings"].as_array().unwrap().len(), 2);
    assert_eq!(
        report["warnings"][0]["place"],
        json!({ "input": "app", "file": "signature-1" })
    );
    assert_ne!(report["images"], json!([]));
}

#[test]
fn missing_blobs() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let blob = digest(&oci::descriptor("", &codec::gzip(&layers("top")[1].tar))).to_owned();
    let hex = blob.strip_prefix("sha256:").unwrap();
    let files = oci::dir(&layout, &image).without(hex);
    Sandbox::with_folder(&files)
        .convert(&["app", "-o", "out"])
        .fails(&format!(
            "ocify: app: @0: layer 2 of 2: {hex}: missing from the input\n"
        ));
}

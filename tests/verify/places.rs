//! The place of each problem.

use serde_json::json;

use crate::support::layers::Layer;
use crate::support::oci::{self, Layout};
use crate::support::parts::{Parts, layer_path, path, two};
use crate::support::sandbox::Sandbox;
use crate::support::sha256;
use crate::support::tar::Body;
use crate::{found, verify};

const NOT_HERE: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn several_damages_in_several_images_are_all_found_each_in_its_place() {
    let mut layout = Layout::default();
    let first = Parts::new()
        .config(|config| config["os"] = json!("Linux"))
        .manifest(|manifest| manifest["layers"][1]["size"] = json!(1))
        .add(&mut layout);
    let mut parts = Parts::plain(&Layer::new("other").tar);
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
    assert_eq!(place("missing-blob"), format!("no such: {}", path(&third)));
    assert_eq!(place("ref-name"), "no such: index.json");
    assert_eq!(place("blob-name"), "blobs/sha256/x");
    assert_eq!((verification.images, verification.blobs), (2, 9));
}

/// A problem of a manifest, and one of a layer.
#[test]
fn an_image_in_an_index_is_named_with_its_platform() {
    let mut layout = Layout::default();
    let sound = Parts::new().add(&mut layout);
    let damaged = Parts::plain(&Layer::new("other").tar)
        .config(|config| {
            config["architecture"] = json!("arm64");
            config["rootfs"]["diff_ids"][0] = json!(NOT_HERE);
        })
        .manifest(|manifest| manifest["schemaVersion"] = json!(3))
        .add(&mut layout);
    let index = layout.index(&[
        oci::on(&sound, "linux", "amd64"),
        oci::on(&damaged, "linux", "arm64"),
    ]);
    let files = layout.listing(oci::named(&index, "app:1.0")).files();
    let sandbox = Sandbox::with_archive(&files);
    let verification = verify(&sandbox.path("app.tar"));
    let places = verification.problems.iter().map(|problem| {
        let place = problem.place.to_string();
        let (place, _) = place.split_once("blobs/").unwrap();
        format!("{}: {place}", problem.code)
    });
    assert_eq!(
        places.collect::<Vec<_>>(),
        [
            "schema-version: app:1.0 linux/arm64: ",
            "layer-diff-id: app:1.0 linux/arm64: layer 1 of 1: ",
        ]
    );
}

/// A file that is removed after the folder was listed and before it is read.
struct RemovesBlob(std::path::PathBuf);

impl ocify::Progress for RemovesBlob {
    fn total(&self, _layers: usize, _bytes: u64) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn a_file_that_cannot_be_read() {
    let files = oci::one("app:1.0", &two()).files();
    let layer = layer_path(&files, 1);
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

#[test]
fn what_is_no_image_has_no_format() {
    for bytes in [&b""[..], b"hello", &[0; 1024], &[0x1f, 0x8b, 8, 0, 0]] {
        let sandbox = Sandbox::new();
        sandbox.write("app", bytes);
        let verification = verify(&sandbox.path("app"));
        assert!(!verification.is_sound());
        assert_eq!(verification.format, None);
    }
}

/// Both names are checked, although the bytes are the same.
#[test]
fn an_unreferenced_blob_with_a_second_name() {
    let mut files = oci::one("app:1.0", &[Layer::new("base")]).files();
    let blob = oci::blob_path(&sha256(b"loose"));
    files.put(&blob, "loose");
    files.add(&oci::blob_path(NOT_HERE), Body::HardLink(blob));
    let sandbox = Sandbox::with_archive(&files);
    assert_eq!(
        found(&verify(&sandbox.path("app.tar"))),
        [
            "note unreferenced-blob",
            "note unreferenced-blob",
            "warning unreferenced-damaged",
        ]
    );
}

//! Schema 1 manifests that the index.json of a layout, or an index in it, lists.

use serde_json::{Value, json};

use crate::support::layers::{Layer, layers};
use crate::support::layout;
use crate::support::oci::{self, Layout, blob_path, digest, named, on};
use crate::support::sandbox::Sandbox;
use crate::support::schema1::{edit_v1, manifest, sign};
use crate::support::{codec, sha256};

const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
const SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// Adds a manifest and the blobs of its layers.
fn add(layout: &mut Layout, media_type: &str, manifest: &str, layers: &[Layer]) -> Value {
    for layer in layers {
        layout.blob(oci::LAYER_GZIP, &codec::gzip(&layer.tar));
    }
    layout.blob(media_type, manifest.as_bytes())
}

/// A layout of one image, `app:2`.
fn one(media_type: &str, manifest: &str, layers: &[Layer]) -> Layout {
    let mut layout = Layout::default();
    let image = add(&mut layout, media_type, manifest, layers);
    layout.listing(named(&image, "app:2"))
}

fn payload(layers: &[Layer]) -> String {
    // Its own name is not the one in the layout.
    manifest("old/app", "1", layers).to_string()
}

#[test]
fn an_image_keeps_its_layers() {
    let layers = layers("old");
    let payload = payload(&layers);
    for (media_type, manifest) in [(SCHEMA1, payload.clone()), (SIGNED, sign(&payload))] {
        let files = one(media_type, &manifest, &layers).files();
        let sandbox = Sandbox::with_folder(&files);
        let out = sandbox.converted(&["app", "--digest-map", "map.json"]);
        let image = out.only();
        assert_eq!(layout::annotation(&image, oci::REF_NAME), Some("app:2"));
        assert_eq!(out.layers(&image), layers.clone().map(|layer| layer.tar));
        // Registries knew it by the digest of its payload.
        let map: Value = serde_json::from_slice(&sandbox.read("map.json")).unwrap();
        let old = sha256(payload.as_bytes());
        assert!(map.to_string().contains(&old), "{map}");
        sandbox.run(&["verify", "app"]).succeeds();
    }
}

#[test]
fn an_image_in_an_index() {
    let old = layers("old");
    let new = [Layer::new("new")];
    let mut layout = Layout::default();
    let manifest = add(&mut layout, SIGNED, &sign(&payload(&old)), &old);
    let image = layout.image("arm64", &new);
    let index = layout.index(&[
        on(&manifest, "linux", "amd64"),
        on(&image, "linux", "arm64"),
    ]);
    layout.add(named(&index, "app:2"));
    let out = Sandbox::with_folder(&layout.files()).converted(&["app"]);
    let index = out.document(&out.named("app:2"));
    let found: Vec<Vec<Vec<u8>>> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| out.layers(image))
        .collect();
    let tars = |layers: &[Layer]| layers.iter().map(|layer| layer.tar.clone()).collect();
    let expected: [Vec<Vec<u8>>; 2] = [tars(&old), tars(&new)];
    assert_eq!(found, expected);
}

#[test]
fn damage_is_found() {
    let layers = layers("old");
    let payload = payload(&layers);
    let layer = blob_path(&sha256(&codec::gzip(&layers[1].tar)));
    let layout = one(SCHEMA1, &payload, &layers);
    let hint = "hint: copy or save the input again: it is damaged\n";
    let other = codec::gzip(&Layer::new("other").tar);
    let forged = sign(&payload).replace("amd64", "arm64");
    let forged_path = blob_path(&sha256(forged.as_bytes()));
    let no_manifest = blob_path(&sha256(b"{}"));
    for (files, message) in [
        (
            layout.files().without(&layer),
            format!("layer 2 of 2: {layer}: missing from the input\n"),
        ),
        (
            layout.files().with(&layer, other.clone()),
            format!(
                "layer 2 of 2: digest is {}, expected {}\n{hint}",
                sha256(&other),
                sha256(&codec::gzip(&layers[1].tar))
            ),
        ),
        (
            one(SIGNED, &forged, &layers).files(),
            format!(
                "{forged_path}: signature 1 of 1: the ES256 signature does not match the payload\n\
                 hint: use `--ignore-signatures` to convert it anyway\n"
            ),
        ),
        (
            one(SCHEMA1, "{}", &layers).files(),
            format!(
                "{no_manifest}: not a schema 1 manifest: missing field `schemaVersion` at line 1 column 2\n"
            ),
        ),
    ] {
        let sandbox = Sandbox::with_folder(&files);
        let before = sandbox.snapshot();
        let expected = format!("ocify: app: app:2: {message}");
        sandbox.convert(&["app", "-o", "out"]).fails(&expected);
        assert_eq!(sandbox.snapshot(), before);
        assert_eq!(sandbox.run(&["verify", "app"]).status.code(), Some(1));
    }
}

/// A tar that is added to is written anew.
#[test]
fn adding_to_a_tar_keeps_all_blobs() {
    let layers = [Layer::new("base"), Layer::new("empty"), Layer::new("top")];
    let mut manifest = manifest("old/app", "1", &layers);
    edit_v1(&mut manifest, 1, |v1| v1["throwaway"] = json!(true));
    let old = one(SIGNED, &sign(&manifest.to_string()), &layers).files();
    let sandbox = Sandbox::new();
    sandbox.write("out.tar", &old.tar());
    let new = oci::one("new:1", &[Layer::new("new")]).files();
    sandbox.write("new.tar", &new.tar());
    let args = ["new.tar", "-o", "out.tar", "--add", "--no-docker-manifest"];
    sandbox.convert(&args).succeeds();
    let out = layout::Layout::open(&sandbox.path("out.tar"));
    for member in &old.members {
        if member.name.starts_with("blobs/sha256/") {
            assert_eq!(out.file(&member.name), member.bytes(), "{}", member.name);
        }
    }
    let image = out.named("app:2");
    assert_eq!(out.blob_count(), 4 + 3);
    assert!(out.files.contains_key(&blob_path(digest(&image))));
}

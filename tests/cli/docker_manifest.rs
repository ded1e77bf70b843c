//! The manifest.json of a tar: which images it lists, and under which names.

use serde_json::{Value, json};

use crate::support::docker::{self, Image, save};
use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::oci;
use crate::support::sandbox::Sandbox;
use crate::support::{codec, sha256};

const COSIGN: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

#[test]
fn names_that_docker_cannot_take_are_no_tags_for_it() {
    let mut layout = oci::one("app:1.0", &[Layer::new("base")]);
    let other = layout.image("amd64", &[Layer::new("other")]);
    layout.add(oci::named(&other, "1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.convert(&["app", "-o", "out.tar"]).succeeds();
    let docker = sandbox.layout("out.tar").json("manifest.json");
    // In the order of the names.
    assert_eq!(docker[0]["RepoTags"], Value::Null);
    assert_eq!(docker[1]["RepoTags"], json!(["app:1.0"]));
}

/// An artifact with a config that could be an image's, as cosign writes it.
fn signature(layout: &mut oci::Layout) -> Value {
    layout.manifest(
        oci::CONFIG,
        &docker::config(&[Layer::new("x")]),
        &[(COSIGN, b"{}".to_vec())],
    )
}

#[test]
fn what_is_no_file_system_is_not_listed() {
    let mut layout = oci::one("app:1.0", &[Layer::new("base")]);
    let signature = signature(&mut layout);
    layout.add(oci::named(&signature, "signature:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.convert(&["app", "-o", "out.tar"]);
    let output = sandbox.layout("out.tar");
    assert_eq!(output.descriptors().len(), 2);
    let docker = output.json("manifest.json");
    assert_eq!(docker.as_array().unwrap().len(), 1);
    assert_eq!(docker[0]["RepoTags"], json!(["app:1.0"]));
}

#[test]
fn without_images_there_is_no_list() {
    let mut layout = oci::Layout::default();
    let signature = signature(&mut layout);
    layout.add(oci::named(&signature, "signature:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.convert(&["app", "-o", "out.tar"]);
    let output = sandbox.layout("out.tar");
    assert!(!output.files.contains_key("manifest.json"));
}

#[test]
fn an_image_without_layers_is_listed() {
    // `null` is what Go writes for an empty list.
    for layers in [json!([]), Value::Null] {
        let mut layout = oci::Layout::default();
        let config = layout.blob(oci::CONFIG, &docker::config(&[]));
        let mut manifest = oci::manifest(&config, &[]);
        manifest["layers"] = layers;
        let image = layout.document(&manifest);
        layout.add(oci::named(&image, "empty:1"));
        let sandbox = Sandbox::with_folder(&layout.files());
        sandbox.convert(&["app", "-o", "out.tar"]);
        let docker = Layout::open(&sandbox.path("out.tar")).json("manifest.json");
        assert_eq!(docker[0]["Layers"], json!([]));
        assert_eq!(docker[0]["RepoTags"], json!(["empty:1"]));
    }
}

/// Of an index, that for linux/amd64 is listed, wherever it is; otherwise the first.
#[test]
fn the_image_for_linux_amd64_is_listed() {
    let platforms = [
        ("linux", "arm64"),
        ("windows", "amd64"),
        ("linux", "amd64"),
        ("linux", "s390x"),
    ];
    for (listed, expected) in [
        (&platforms[..], 2),
        (&[platforms[0], platforms[1], platforms[3]], 0),
        (&[platforms[1], platforms[0]], 0),
    ] {
        let mut layout = oci::Layout::default();
        let mut configs = Vec::new();
        let mut children = Vec::new();
        for (os, architecture) in listed {
            let config = docker::config_for(architecture, &[Layer::new(os)]);
            let config = String::from_utf8(config).unwrap().replace("linux", os);
            let blobs = [(oci::LAYER_GZIP, codec::gzip(&Layer::new(os).tar))];
            let image = layout.manifest(oci::CONFIG, config.as_bytes(), &blobs);
            children.push(oci::on(&image, os, architecture));
            configs.push(sha256(config.as_bytes()));
        }
        // An index may be in another one.
        let inner = layout.index(&children);
        let outer = layout.index(std::slice::from_ref(&inner));
        for (name, index) in [("app:inner", &inner), ("app:outer", &outer)] {
            layout.add(oci::named(index, name));
        }
        let sandbox = Sandbox::with_folder(&layout.files());
        sandbox.convert(&["app", "-o", "out.tar"]).succeeds();
        let docker = Layout::open(&sandbox.path("out.tar")).json("manifest.json");
        let names = json!(["app:inner", "app:outer"]);
        let config = oci::blob_path(&configs[expected]);
        assert_eq!(docker.as_array().unwrap().len(), 1, "{docker}");
        assert_eq!(docker[0]["Config"], config, "{listed:?}");
        assert_eq!(docker[0]["RepoTags"], names);
    }
}

#[test]
fn names_are_the_same_by_way_of_a_tar() {
    let digest = format!("app@{}", Layer::new("x").diff_id());
    let names = [
        "app:1.0",
        "team/app:2",
        "app",
        "host.test:5000/a/b:c",
        &digest,
    ];
    let images: Vec<Image> = names
        .iter()
        .map(|name| Image::new(&[name], &[Layer::new(name)]))
        .collect();
    let layout = oci::one("1.0", &[Layer::new("base")]).files();
    for files in [save(&images), layout] {
        let sandbox = Sandbox::with_archive(&files);
        // Names that `docker load` refuses cause warnings.
        for args in [
            ["app.tar", "-o", "out"],
            ["out", "-o", "out.tar"],
            ["out.tar", "-o", "again"],
        ] {
            let run = sandbox.convert(&args);
            assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
        }
        assert!(sandbox.layout("again") == sandbox.layout("out"));
    }
}

//! Names and rewritten documents of inputs from other programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::findings::two;
use crate::support::agreement;
use crate::support::docker::{self, Image, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::layout;
use crate::support::oci::{self, Layout, annotated, digest, named, on};
use crate::support::sandbox::Sandbox;
use crate::support::{codec, sha256};

/// A layout of one image with names as from buildx, ctr and Docker's containerd store: the tag, and the full name.
fn tagged(repository: &str, tag: &str, seed: &str) -> Files {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new(seed)]);
    let whole = format!("docker.io/{repository}:{tag}");
    let names = [(oci::CONTAINERD_NAME, whole.as_str()), (oci::REF_NAME, tag)];
    layout.listing(annotated(&image, &names)).files()
}

/// Each `ref.name`, with `io.containerd.image.name` and the first layer.
fn names(layout: &layout::Layout) -> BTreeMap<String, (Option<String>, Vec<u8>)> {
    let descriptors = layout.descriptors();
    let descriptors = descriptors.iter();
    descriptors
        .map(|descriptor| {
            let name = layout::annotation(descriptor, oci::REF_NAME).unwrap_or_default();
            let whole = layout::containerd_name(descriptor).map(str::to_owned);
            (
                name.to_owned(),
                (whole, layout.layers(descriptor).remove(0)),
            )
        })
        .collect()
}

#[test]
fn images_whose_tags_are_the_same_keep_their_names() {
    let sandbox = Sandbox::new();
    let inputs = ["a", "b", "c"];
    for seed in inputs {
        let files = tagged(&format!("x/{seed}"), "latest", seed);
        sandbox.write(&format!("{seed}.tar"), &files.tar());
    }
    let expected: BTreeMap<_, _> = inputs
        .iter()
        .map(|seed| {
            let whole = format!("docker.io/x/{seed}:latest");
            (whole.clone(), (Some(whole), Layer::new(seed).tar))
        })
        .collect();
    let output = sandbox.converted(&["a.tar", "b.tar", "c.tar"]);
    assert_eq!(names(&output), expected);
    // Separate runs have the same result.
    for input in ["a.tar", "b.tar", "c.tar"] {
        sandbox.convert(&[input, "-o", "added"]).succeeds();
    }
    assert_eq!(names(&sandbox.layout("added")), expected);
}

/// A name moves only to an image with the same full name: tag `1` of one repository is not that of another.
#[test]
fn an_image_is_added_beside_one_of_the_same_tag() {
    let sandbox = Sandbox::with_folder(&tagged("x/a", "1", "a"));
    sandbox.write("b.tar", &tagged("x/b", "1", "b").tar());
    sandbox.convert(&["b.tar", "-o", "app"]).succeeds();
    let found = names(&layout::Layout::open(&sandbox.path("app")));
    let found: BTreeMap<_, _> = found.into_values().collect();
    let name = |name: &str| Some(format!("docker.io/x/{name}:1"));
    let expected = [
        (name("a"), Layer::new("a").tar),
        (name("b"), Layer::new("b").tar),
    ];
    assert_eq!(found, BTreeMap::from(expected));
}

/// index.json has only the tag, manifest.json the full name, as in exports of regctl.
#[test]
fn an_image_has_one_name_in_two_documents() {
    let image = docker::image_of_blobs(&["host.example/m:1"], &two());
    let files = docker::save_hybrid(&[image], &[true]).edited("index.json", |index| {
        index["manifests"][0]["annotations"] = json!({ oci::REF_NAME: "1" });
    });
    let sandbox = Sandbox::with_archive(&files);
    sandbox.convert(&["app.tar", "-o", "out"]);
    let found: Vec<String> = names(&sandbox.layout("out")).into_keys().collect();
    assert_eq!(found, ["host.example/m:1"]);
}

/// The name is for the image, not for the referrer.
#[test]
fn the_image_that_is_named_has_a_referrer() {
    let mut layout = oci::one("app:1.0", &two());
    let image = layout.manifests[0].clone();
    let config = layout.blob(oci::EMPTY, b"{}");
    let note = layout.blob("text/plain", b"a note");
    let mut referrer = oci::manifest(&config, &[note]);
    referrer["artifactType"] = json!("application/x-note");
    referrer["subject"] = json!({
        "mediaType": oci::MANIFEST, "digest": image["digest"], "size": image["size"],
    });
    let referrer = layout.document(&referrer);
    layout.add(referrer.clone());
    let files = layout.files();
    for select in [&[][..], &["--image", digest(&image)]] {
        let sandbox = Sandbox::with_folder(&files);
        let args = [&["app", "--name", "new:1.0"], select].concat();
        let output = sandbox.converted(&args);
        assert_eq!(output.named("new:1.0")["digest"], image["digest"]);
        if select.is_empty() {
            let carried = (None, digest(&referrer).to_owned());
            assert!(output.names().contains(&carried));
        }
    }
}

/// oras lists the images of an index also in index.json.
#[test]
fn images_of_an_index_that_are_listed_beside_it() {
    let mut layout = Layout::default();
    let manifests = ["amd64", "arm64", "s390x"].map(|architecture| {
        let image = layout.image(architecture, &[Layer::new(architecture)]);
        on(&image, "linux", architecture)
    });
    let index = layout.index(&manifests);
    layout.add(named(&index, "app:1.0"));
    for manifest in manifests {
        layout.add(manifest);
    }
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.convert(&["app", "-o", "out.tar"]).succeeds();
    let manifest = sandbox.layout("out.tar").json("manifest.json");
    let mut configs: Vec<&Value> = Vec::new();
    for entry in manifest.as_array().unwrap() {
        assert!(!configs.contains(&&entry["Config"]), "{manifest}");
        configs.push(&entry["Config"]);
    }
    assert!(configs.len() <= 3, "{manifest}");
}

/// The two are different images with the same config.
#[test]
fn one_image_in_two_encodings_in_one_tar() {
    for same_name in [true, false] {
        let sandbox = Sandbox::with_archive(&save_one("app:1.0", &two()));
        for (compression, name) in [("gzip", "app:1.0"), ("zstd", "app:2.0")] {
            let name = if same_name { "app:1.0" } else { name };
            let args = [
                "app.tar",
                "-o",
                "out.tar",
                "--compression",
                compression,
                "--name",
                name,
                "--add",
                "-q",
            ];
            sandbox.convert(&args).succeeds();
        }
        let said = agreement::ask(&sandbox, "out.tar", "again", &[]);
        let transcript = said.transcript();
        assert!(
            said.violations().is_empty(),
            "{:?}\n{transcript}",
            said.violations()
        );
        assert_ne!(
            said.converted,
            agreement::Converted::Stopped,
            "{transcript}"
        );
        let error = said.found.iter().find(|found| found.starts_with("error"));
        assert_eq!(error, None, "{transcript}");
    }
}

/// As skopeo writes it: <https://github.com/containers/image>, compact, with a list of no layers.
#[test]
fn the_digest_map_of_an_image_without_layers() {
    let image = Image::new(&["app:1.0"], &[]);
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"config\":{{\"mediaType\":\"{}\",\"size\":{},\"digest\":\"{}\"}},\
         \"layers\":[]}}",
        oci::DOCKER_MANIFEST,
        oci::DOCKER_CONFIG,
        image.config.len(),
        image.id(),
    );
    let sandbox = Sandbox::with_archive(&save(&[image]));
    let args = ["app.tar", "-o", "out", "--digest-map", "map.csv"];
    sandbox.convert(&args).succeeds();
    let map = String::from_utf8(sandbox.read("map.csv")).unwrap();
    let (header, row) = map.trim_end().split_once('\n').unwrap();
    let row: BTreeMap<&str, &str> = header.split(',').zip(row.split(',')).collect();
    assert_eq!(row["v2s2_of_output"], sha256(manifest.as_bytes()));
}

/// A registry expects a blob of this type at its `urls`, where the new blob is not.
#[test]
fn a_foreign_layer_that_is_encoded_again() {
    let mut layout = Layout::default();
    let config = layout.blob(oci::DOCKER_CONFIG, &docker::config(&two()));
    let layers = two().map(|layer| {
        let mut foreign = layout.blob(oci::DOCKER_FOREIGN_GZIP, &codec::gzip(&layer.tar));
        foreign["urls"] = json!(["https://example.invalid/layer"]);
        foreign
    });
    let image = layout.document(&oci::manifest(&config, &layers));
    let sandbox = Sandbox::with_folder(&layout.listing(named(&image, "app:1.0")).files());
    let output = sandbox.converted(&["app", "--compression", "zstd"]);
    let manifest = output.document(&output.named("app:1.0"));
    for layer in manifest["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], json!(oci::LAYER_ZSTD));
        assert_eq!(layer.get("urls"), None);
    }
}

/// They describe the chunks of the old blob.
#[test]
fn annotations_of_a_layer_that_is_encoded_again() {
    let mut layout = Layout::default();
    let config = layout.blob(oci::CONFIG, &docker::config(&two()[..1]));
    let mut layer = layout.blob(oci::LAYER_ZSTD, &codec::zstd(&two()[0].tar));
    let older = "io.containers.zstd-chunked.manifest-checksum";
    let newer = "io.github.containers.zstd-chunked.manifest-checksum";
    layer["annotations"] = json!({ older: "a", newer: "b", "com.example.kept": "c" });
    let image = layout.document(&oci::manifest(&config, &[layer]));
    let sandbox = Sandbox::with_folder(&layout.listing(named(&image, "app:1.0")).files());
    let output = sandbox.converted(&["app", "--compression", "gzip"]);
    let manifest = output.document(&output.named("app:1.0"));
    assert_eq!(
        manifest["layers"][0]["annotations"],
        json!({ "com.example.kept": "c" })
    );
}

//! Docker 25 and later: archives that are `docker save` archives and OCI layouts at once.

use serde_json::{Value, json};

use crate::support::docker::{Image, image_of_blobs, save_hybrid};
use crate::support::layers::Layer;
use crate::support::layout::{annotation, containerd_name};
use crate::support::oci::{self, Layout, annotated, digest, on};
use crate::support::sandbox::Sandbox;

fn layers(seed: &str) -> [Layer; 3] {
    [Layer::new("base"), Layer::new("middle"), Layer::new(seed)]
}

fn image(tags: &[&str], seed: &str) -> Image {
    image_of_blobs(tags, &layers(seed))
}

fn tars(seed: &str) -> [Vec<u8>; 3] {
    layers(seed).map(|layer| layer.tar)
}

#[test]
fn names_are_those_of_manifest_json() {
    let one = image(&["app:1.0", "app:latest"], "one");
    let files = save_hybrid(std::slice::from_ref(&one), &[true]);
    let layout = Sandbox::with_archive(&files).converted(&["app.tar"]);
    let names: Vec<Value> = layout.descriptors();
    assert_eq!(names.len(), 2);
    for name in ["app:1.0", "app:latest"] {
        let descriptor = layout.named(name);
        assert_eq!(
            containerd_name(&descriptor),
            Some(format!("docker.io/library/{name}").as_str())
        );
        assert_eq!(layout.layers(&descriptor), tars("one"));
        assert_eq!(layout.config(&descriptor), one.config);
    }
}

#[test]
fn images_that_the_index_forgets() {
    let images = [
        image(&["app:1.0"], "one"),
        image(&[], "two"),
        image(&[], "three"),
    ];
    // Docker up to now lists one untagged image only; 25.0.0 to 25.0.2 wrote null when there was no tagged one.
    for listed in [
        [true, true, true],
        [true, true, false],
        [true, false, false],
        [false; 3],
    ] {
        let files = save_hybrid(&images, &listed);
        let files = files.edited("index.json", |index| {
            if !listed[0] {
                index["manifests"] = Value::Null;
            }
        });
        // A named image is missing from the index only if that is null.
        let warning = format!(
            "ocify: warning: app.tar: app:1.0: manifest.json: index.json does not lead to image {}; the images of both \
             files are read (docker-manifest-unindexed)\n",
            images[0].id()
        );
        let warning = if listed[0] { "" } else { &warning };
        let layout = Sandbox::with_archive(&files).converted_with(&["app.tar"], warning);
        let mut found: Vec<(Option<String>, Vec<Vec<u8>>)> = layout
            .descriptors()
            .iter()
            .map(|image| {
                (
                    annotation(image, oci::REF_NAME).map(str::to_owned),
                    layout.layers(image),
                )
            })
            .collect();
        let mut expected = vec![
            (Some("app:1.0".to_owned()), tars("one").to_vec()),
            (None, tars("two").to_vec()),
            (None, tars("three").to_vec()),
        ];
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{listed:?}");
    }
}

#[test]
fn layers_in_random_order_are_put_right() {
    let one = image(&["app:1.0"], "one");
    let mut shuffled = Layout::default();
    let blobs: Vec<(&str, Vec<u8>)> = [2, 0, 1]
        .iter()
        .map(|&layer| (oci::LAYER, tars("one")[layer].clone()))
        .collect();
    let manifest = shuffled.manifest(oci::CONFIG, &one.config, &blobs);
    let names = [
        (oci::CONTAINERD_NAME, "docker.io/library/app:1.0"),
        (oci::REF_NAME, "1.0"),
    ];
    shuffled.add(annotated(&manifest, &names));
    let mut files = save_hybrid(std::slice::from_ref(&one), &[false]);
    for member in shuffled.files().members {
        files.put(&member.name, member.bytes());
    }
    for compression in ["keep", "none"] {
        let sandbox = Sandbox::with_archive(&files);
        sandbox.convert(&["app.tar", "-o", "out", "--compression", compression]).warns(&format!(
            "ocify: warning: app.tar: docker.io/library/app:1.0: {}: the manifest lists its layers in another order than \
             its config (docker-layer-order; corrected in the output)\n",
            oci::blob_path(digest(&manifest))
        ));
        let layout = sandbox.layout("out");
        assert_eq!(layout.layers(&layout.named("app:1.0")), tars("one"));
    }
}

/// As Docker 29 with containerd's store saves a multi-platform image: all of the index, the blobs of one platform.
fn containerd() -> (Layout, Value, [Value; 2]) {
    let mut layout = Layout::default();
    let amd64 = layout.image("amd64", &layers("amd64"));
    let arm64 = layout.image("arm64", &layers("arm64"));
    let index = layout.index(&[on(&amd64, "linux", "amd64"), on(&arm64, "linux", "arm64")]);
    let names = [
        (oci::CONTAINERD_NAME, "docker.io/library/app:1.0"),
        (oci::REF_NAME, "1.0"),
    ];
    layout.add(annotated(&index, &names));
    (layout, index, [amd64, arm64])
}

#[test]
fn a_multi_platform_image_keeps_its_index() {
    let (layout, index, [amd64, arm64]) = containerd();
    let manifest = layout.files().get(&oci::blob_path(digest(&amd64))).to_vec();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let path = |descriptor: &Value| oci::blob_path(digest(descriptor));
    let layers: Vec<String> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(path)
        .collect();
    let docker = json!([{
        "Config": path(&manifest["config"]),
        "RepoTags": ["app:1.0"],
        "Layers": layers,
    }]);
    let files = layout.files().with("manifest.json", docker.to_string());
    let sandbox = Sandbox::with_archive(&files);
    let output = sandbox.converted(&["app.tar"]);
    assert_eq!(output.named("app:1.0")["digest"], index["digest"]);
    // A tar of it names the one image that Docker can load.
    sandbox.convert(&["app.tar", "-o", "out.tar"]).succeeds();
    let mut expected = docker.clone();
    expected[0]["RepoTags"] = json!(["docker.io/library/app:1.0"]);
    assert_eq!(sandbox.layout("out.tar").json("manifest.json"), expected);

    // Without the manifest of the other platform and its blobs.
    let here = files.without(&oci::blob_path(digest(&arm64)));
    let sandbox = Sandbox::with_archive(&here);
    let run = sandbox.convert(&["app.tar", "-o", "out"]);
    run.warns(
        "ocify: warning: app.tar: app:1.0: missing from the input and left out: linux/arm64 (platform-absent)\n",
    );
    let output = sandbox.layout("out");
    assert_eq!(output.named("app:1.0")["digest"], amd64["digest"]);
    let output = sandbox.converted(&["app.tar", "--platform", "linux/amd64"]);
    assert_eq!(output.named("app:1.0")["digest"], amd64["digest"]);
}

/// Tools write names to index.json that manifest.json does not have.
#[test]
fn names_that_only_the_index_has_are_kept() {
    let one = image(&["app:1.0"], "one");
    let files = save_hybrid(std::slice::from_ref(&one), &[true]);
    let files = files.edited("index.json", |index| {
        let entries = index["manifests"].as_array_mut().unwrap();
        let plain = |name: &str| oci::named(&json!(entries[0]), name);
        *entries = vec![plain("1.0"), plain("other:2.0")];
    });
    let layout = Sandbox::with_archive(&files).converted_with(
        &["app.tar"],
        "ocify: warning: app.tar: app:1.0: manifest.json: index.json lacks the name app:1.0; \
         manifest.json takes precedence (docker-manifest-unindexed)\n",
    );
    let names: Vec<Option<String>> = layout.names().into_iter().map(|(name, _)| name).collect();
    let expected = ["app:1.0", "other:2.0"].map(|name| Some(name.to_owned()));
    assert_eq!(names, expected);
}

#[test]
fn an_image_whose_only_name_is_that_of_another_stays_without_a_name() {
    let images = [image(&["app:1.0"], "one"), image(&[], "two")];
    let files = save_hybrid(&images, &[true, true]);
    let files = files.edited("index.json", |index| {
        let entries = index["manifests"].as_array_mut().unwrap();
        let annotations = entries[0].as_object_mut().unwrap().remove("annotations");
        entries[1]["annotations"] = annotations.unwrap();
    });
    let sandbox = Sandbox::with_archive(&files);
    let run = sandbox.convert(&["app.tar", "-o", "out"]);
    assert!(run.status.success(), "{}", run.stderr);
    let layout = sandbox.layout("out");
    assert_eq!(layout.layers(&layout.named("app:1.0")), tars("one"));
    let unnamed = layout.descriptors();
    let unnamed = unnamed.iter().find(|one| one.get("annotations").is_none());
    assert_eq!(layout.layers(unnamed.unwrap()), tars("two"));
}

/// Damage of an image that the index forgets is that of no other image.
#[test]
fn damage_of_an_image_that_the_index_forgets() {
    let images = ["one", "two", "three"].map(|seed| image(&[&format!("app:{seed}")], seed));
    let mut files = save_hybrid(&images, &[true, false, false]);
    let (name, _) = &images[2].layers[2];
    files = files.without(name);
    let sandbox = Sandbox::with_archive(&files);
    for (tag, code) in [("one", 0), ("two", 0), ("three", 1)] {
        let image = format!("app:{tag}");
        let run = sandbox.convert(&["app.tar", "-o", tag, "--image", &image]);
        assert_eq!(run.status.code(), Some(code), "{tag}: {}", run.stderr);
    }
}

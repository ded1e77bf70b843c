//! Selection by digest and name, and names in the output.

use serde_json::{Value, json};

use crate::support::docker::save_one;
use crate::support::layers::layers;
use crate::support::oci::{self, Layout, annotated, digest, named, on};
use crate::support::sandbox::Sandbox;
use crate::support::{schema1, sha256};

/// A layout of an image and a signature about it.
fn with_referrer() -> (Layout, Value, Value) {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let empty = layout.blob(oci::EMPTY, b"{}");
    let mut referrer = oci::manifest(&empty, &[]);
    referrer["artifactType"] = json!("application/vnd.example.signature");
    referrer["subject"] = image.clone();
    let referrer = layout.document(&referrer);
    layout.add(named(&image, "app:1.0"));
    layout.add(referrer.clone());
    (layout, image, referrer)
}

#[test]
fn a_name_goes_to_the_image_and_not_to_its_referrer() {
    let (layout, image, referrer) = with_referrer();
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app", "--name", "new:1"]);
    assert_eq!(digest(&output.named("new:1")), digest(&image));
    assert_eq!(
        output.names(),
        [
            (Some("new:1".to_owned()), digest(&image).to_owned()),
            (None, digest(&referrer).to_owned()),
        ]
    );
    // A selected artifact gets the name.
    let args = [
        "app",
        "-o",
        "one",
        "--image",
        digest(&referrer),
        "--name",
        "new:1",
    ];
    sandbox.convert(&args).succeeds();
    let output = sandbox.layout("one");
    assert_eq!(digest(&output.named("new:1")), digest(&referrer));
}

/// oras and others list the images of an index also in index.json.
fn listed_twice() -> (Layout, Vec<Value>) {
    let mut layout = Layout::default();
    let images: Vec<Value> = ["amd64", "arm64", "s390x"]
        .iter()
        .map(|architecture| {
            let image = layout.image(architecture, &layers(architecture));
            on(&image, "linux", architecture)
        })
        .collect();
    let index = layout.index(&images);
    layout.add(named(&index, "app:1.0"));
    for image in &images {
        layout.add(image.clone());
    }
    (layout, images)
}

#[test]
fn an_image_that_is_listed_beside_its_index_is_one() {
    let (layout, images) = listed_twice();
    let sandbox = Sandbox::with_folder(&layout.files());
    let args = [
        "app",
        "-o",
        "one",
        "--image",
        digest(&images[1]),
        "--name",
        "new:1",
    ];
    sandbox.convert(&args).succeeds();
    let output = sandbox.layout("one");
    assert_eq!(digest(&output.only()), digest(&images[1]));

    sandbox.convert(&["app", "-o", "out.tar"]).succeeds();
    let docker = sandbox.layout("out.tar").json("manifest.json");
    let tags: Vec<&Value> = docker
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["RepoTags"])
        .collect();
    assert_eq!(json!(tags), json!([["app:1.0"], null, null]));
}

#[test]
fn a_schema_1_image_by_the_digest_that_inspect_shows() {
    let sandbox = Sandbox::with_folder(&schema1::unsigned("team/app", "1.0", &layers("top")));
    let run = sandbox.run(&["inspect", "--json", "app"]);
    let shown: Value = serde_json::from_slice(&run.stdout).unwrap();
    let manifest = sha256(&sandbox.read("app/manifest.json"));
    assert!(shown.to_string().contains(&manifest), "{shown}");
    let output = sandbox.converted(&["app", "--image", &manifest]);
    output.named("team/app:1.0");
}

/// buildx, containerd and Docker's containerd store write the tag as name, and the full name in another annotation.
#[test]
fn images_with_the_same_tag_keep_their_names() {
    let sandbox = Sandbox::new();
    for (input, seed) in [("a", "one"), ("b", "two")] {
        let mut layout = Layout::default();
        let image = layout.image("amd64", &layers(seed));
        let whole = format!("docker.io/x/{input}:1");
        let names = [(oci::REF_NAME, "1"), (oci::CONTAINERD_NAME, &whole)];
        layout.add(annotated(&image, &names));
        layout.files().write(&sandbox.path(input));
    }
    sandbox.convert(&["a", "b", "-o", "together"]).succeeds();
    sandbox.convert(&["a", "-o", "added"]).succeeds();
    sandbox.convert(&["b", "-o", "added"]).succeeds();
    for output in ["together", "added"] {
        let output = sandbox.layout(output);
        for name in ["docker.io/x/a:1", "docker.io/x/b:1"] {
            let descriptor = output.named(name);
            assert_eq!(descriptor["annotations"][oci::CONTAINERD_NAME], name);
        }
    }
}

#[test]
fn an_image_in_two_codecs_in_one_tar() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    for (codec, name) in [("gzip", "app:1.0"), ("zstd", "app:2.0")] {
        let args = ["app.tar", "-o", "out.tar", "--add", "-q", "--name", name];
        let args = [&args[..], &["--compression", codec]].concat();
        sandbox.convert(&args).succeeds();
    }
    let output = sandbox.layout("out.tar");
    let gzip = output.named("app:1.0");
    assert_eq!(output.layer_types(&gzip), [oci::LAYER_GZIP; 2]);
    let zstd = output.named("app:2.0");
    assert_eq!(output.layer_types(&zstd), [oci::LAYER_ZSTD; 2]);
    sandbox.run(&["verify", "out.tar", "-q"]).succeeds();
    sandbox.convert(&["out.tar", "-o", "again"]).succeeds();
    let again = sandbox.layout("again");
    assert_eq!(again.names(), output.names());
}

#[test]
fn an_index_is_completed_from_another_input() {
    let (layout, images) = listed_twice();
    let whole = layout.files();
    let sandbox = Sandbox::new();
    let index = whole.get("index.json").to_vec();
    let mut listed: Value = serde_json::from_slice(&index).unwrap();
    listed["manifests"].as_array_mut().unwrap().truncate(1);
    let whole = whole.with("index.json", listed.to_string());
    whole.write(&sandbox.path("whole"));
    listed["manifests"][0]["annotations"][oci::REF_NAME] = json!("part:1");
    let path = oci::blob_path(digest(&images[2]));
    let part = whole.without(&path).with("index.json", listed.to_string());
    part.write(&sandbox.path("part"));
    for (output, inputs) in [("one", ["whole", "part"]), ("two", ["part", "whole"])] {
        let run = sandbox.convert(&[&inputs[..], &["-o", output, "-q"]].concat());
        run.succeeds();
        let output = sandbox.layout(output);
        let children = |name: &str| output.document(&output.named(name))["manifests"].clone();
        assert_eq!(children("app:1.0"), json!(images));
        assert_eq!(children("part:1"), json!(images));
    }
}

//! `--index`: combines several images into one multi-platform image.

use serde_json::{Value, json};

use crate::support::docker::{self, Image};
use crate::support::layers::layers;
use crate::support::layout;
use crate::support::oci::{self, Layout, annotated, digest, named, on};
use crate::support::sandbox::Sandbox;

/// A `docker save` archive of an image for another architecture.
fn archive(architecture: &str) -> Vec<u8> {
    let layers = layers(architecture);
    let config = docker::config_for(architecture, &layers);
    docker::save(&[Image::new(&["app:1"], &layers).with_config(config)]).tar()
}

/// The platforms that an index lists.
fn platforms(index: &Value) -> Vec<Value> {
    let manifests = index["manifests"].as_array().unwrap().iter();
    manifests.map(|one| one["platform"].clone()).collect()
}

#[test]
fn single_images_become_one_index() {
    let sandbox = Sandbox::new();
    sandbox.write("arm64.tar", &archive("arm64"));
    sandbox.write("amd64.tar", &archive("amd64"));
    let args = ["arm64.tar", "amd64.tar", "--index", "registry.local/app:1"];
    let run = sandbox.convert(&[&args[..], &["-o", "out"]].concat());
    run.succeeds();
    let layout = sandbox.layout("out");
    let descriptor = layout.only();
    assert_eq!(descriptor["mediaType"], oci::INDEX);
    let annotations = json!({
        oci::REF_NAME: "registry.local/app:1", oci::CONTAINERD_NAME: "registry.local/app:1",
    });
    assert_eq!(descriptor["annotations"], annotations);
    let line = format!("{} registry.local/app:1\n", digest(&descriptor));
    assert_eq!(run.stdout(), line);
    let index = layout.document(&descriptor);
    let of = |architecture: &str| json!({ "architecture": architecture, "os": "linux" });
    assert_eq!(platforms(&index), [of("amd64"), of("arm64")]);
    for (manifest, architecture) in index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["amd64", "arm64"])
    {
        let expected = docker::config_for(architecture, &layers(architecture));
        assert_eq!(layout.config(manifest), expected);
    }
    // The order of the inputs does not matter.
    let args = [
        "amd64.tar",
        "arm64.tar",
        "--index",
        "registry.local/app:1",
        "-o",
        "again",
    ];
    sandbox.convert(&args).succeeds();
    assert_eq!(sandbox.layout("again"), layout);
    sandbox.run(&["verify", "out"]).succeeds();
}

#[test]
fn a_name_without_a_tag_is_latest_and_others_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", &archive("amd64"));
    sandbox
        .convert(&["a.tar", "--index", "app", "-o", "out"])
        .succeeds();
    let annotations = json!({
        oci::REF_NAME: "app:latest", oci::CONTAINERD_NAME: "docker.io/library/app:latest",
    });
    assert_eq!(sandbox.layout("out").only()["annotations"], annotations);
    for bad in ["App x", "../../etc:1"] {
        let run = sandbox.convert(&["a.tar", "--index", bad, "-o", "bad"]);
        run.is_wrong_usage(&format!(
            "ocify: `{bad}` is not an image name, expected one such as registry.local/app:1.0\n"
        ));
    }
}

#[test]
fn indexes_give_their_images_and_attestations() {
    let mut layout = Layout::default();
    let image = on(&layout.image("amd64", &layers("amd64")), "linux", "amd64");
    let mut old = on(&layout.image("arm", &layers("arm")), "linux", "arm");
    old["platform"]["variant"] = json!("v7");
    let empty = layout.blob(oci::EMPTY, b"{}");
    let statement = layout.blob("application/vnd.in-toto+json", br#"{"a":1}"#);
    let attestation = layout.document(&oci::attestation(&empty, &[statement]));
    let about = [
        (oci::REFERENCE_DIGEST, digest(&image)),
        ("vnd.docker.reference.type", "attestation-manifest"),
    ];
    let attestation = on(&annotated(&attestation, &about), "unknown", "unknown");
    let index = layout.index(&[old.clone(), attestation.clone(), image.clone()]);
    let sandbox = Sandbox::with_folder(&layout.listing(named(&index, "app:1")).files());
    sandbox.write("s390x.tar", &archive("s390x"));
    // Without re-encoding, all descriptors are unchanged.
    let output = sandbox.converted(&["app", "s390x.tar", "--index", "app:2"]);
    let merged = output.document(&output.named("app:2"));
    let manifests = merged["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 4);
    assert_eq!([&manifests[0], &manifests[1]], [&image, &old]);
    assert_eq!(manifests[2]["platform"]["architecture"], "s390x");
    assert_eq!(manifests[3], attestation);
    // After re-encoding, the attestation refers to the new image.
    let args = [
        "app",
        "s390x.tar",
        "--index",
        "app:2",
        "--compression",
        "zstd",
        "-o",
        "zstd",
    ];
    sandbox.convert(&args).succeeds();
    let output = sandbox.layout("zstd");
    let merged = output.document(&output.named("app:2"));
    let manifests = merged["manifests"].as_array().unwrap();
    assert_ne!(manifests[0]["digest"], image["digest"]);
    assert_eq!(
        manifests[3]["annotations"][oci::REFERENCE_DIGEST],
        manifests[0]["digest"]
    );
    sandbox.run(&["verify", "zstd"]).succeeds();
}

#[test]
fn two_images_of_one_platform() {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", &archive("amd64"));
    let other = docker::save(&[Image::new(&["app:2"], &layers("other"))]);
    sandbox.write("b.tar", &other.tar());
    for inputs in [["a.tar", "b.tar"], ["b.tar", "a.tar"]] {
        sandbox
            .convert(&[&inputs[..], &["--index", "app:3", "-o", "out"]].concat())
            .fails(
                "ocify: two images are for linux/amd64: a.tar: app:1 and b.tar: app:2\n\
                 hint: leave one of them out, or select with `--image` or `--platform`\n",
            );
    }
    // There can be several images for different versions of Windows.
    let sandbox = Sandbox::new();
    for version in ["10.0.17763.1", "10.0.20348.1"] {
        let layers = layers(version);
        let config = String::from_utf8(docker::config_for("amd64", &layers)).unwrap();
        let fields =
            format!("\"os\":\"windows\",\"os.version\":\"{version}\",\"os.features\":[\"win32k\"]");
        let config = config.replace("\"os\":\"linux\"", &fields);
        let image = Image::new(&["app:1"], &layers).with_config(config);
        sandbox.write(&format!("{version}.tar"), &docker::save(&[image]).tar());
    }
    let inputs = ["10.0.20348.1.tar", "10.0.17763.1.tar"];
    let output = sandbox.converted(&[&inputs[..], &["--index", "app:1"]].concat());
    let of = |version: &str| {
        json!({
            "architecture": "amd64", "os": "windows", "os.version": version, "os.features": ["win32k"],
        })
    };
    let index = output.document(&output.only());
    assert_eq!(platforms(&index), [of("10.0.17763.1"), of("10.0.20348.1")]);
}

#[test]
fn an_image_without_a_platform() {
    let layers = layers("x");
    let config = String::from_utf8(docker::config(&layers)).unwrap();
    let config = config.replace("\"os\":\"linux\",", "");
    let image = Image::new(&["app:1"], &layers).with_config(config);
    let sandbox = Sandbox::with_archive(&docker::save(&[image]));
    let run = sandbox.convert(&["app.tar", "--index", "app:1", "-o", "out", "-q"]);
    run.fails(
        "ocify: app.tar: app:1: the config lacks os or architecture, which a part of a multi-platform \
         image needs\n",
    );
}

/// skopeo's `--multi-arch=index-only` only writes the index.
#[test]
fn an_index_alone_keeps_its_bytes() {
    let mut layout = Layout::default();
    let (index, images) = layout.two_platforms();
    let sandbox = Sandbox::new();
    for (name, image) in ["amd64", "arm64"].iter().zip(&images) {
        oci::dir(&layout, image).write(&sandbox.path(name));
    }
    let mut alone = Layout::default();
    let bytes = layout.files().get(&oci::blob_path(digest(&index))).to_vec();
    alone.blob(oci::INDEX, &bytes);
    oci::dir(&alone, &index).write(&sandbox.path("index"));
    for name in [&["--name", "app:1"][..], &["--index", "app:1"]] {
        for inputs in [["index", "amd64", "arm64"], ["arm64", "index", "amd64"]] {
            let output = sandbox.path("out");
            let _ = std::fs::remove_dir_all(&output);
            let output = sandbox.converted(&[&inputs[..], name].concat());
            assert_eq!(output.only()["digest"], index["digest"], "{inputs:?}");
        }
    }
    // A missing image is treated as one that was not saved.
    let run = sandbox.convert(&["index", "amd64", "-o", "one", "--index", "app:1"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("linux/arm64 (platform-absent)"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_hint_of_a_shared_name() {
    let sandbox = Sandbox::new();
    sandbox.write("amd64.tar", &archive("amd64"));
    sandbox.write("arm64.tar", &archive("arm64"));
    let run = sandbox.convert(&["amd64.tar", "arm64.tar", "-o", "out"]);
    let hint = "hint: use `--index NAME` to make one multi-platform image of them\n";
    assert!(run.stderr.ends_with(hint), "{}", run.stderr);
    let run = sandbox.run(&[
        "convert",
        "--dry-run",
        "amd64.tar",
        "arm64.tar",
        "-o",
        "out",
    ]);
    assert!(run.stderr.ends_with(hint), "{}", run.stderr);
    let args = [
        "convert",
        "--dry-run",
        "amd64.tar",
        "arm64.tar",
        "-o",
        "out",
        "--index",
        "app:1",
    ];
    sandbox.run(&args).succeeds();
    assert!(!sandbox.path("out").exists());
}

#[test]
fn schema_2_images_become_a_manifest_list() {
    let sandbox = Sandbox::new();
    sandbox.write("arm64.tar", &archive("arm64"));
    sandbox.write("amd64.tar", &archive("amd64"));
    let args = ["--index", "app:1", "--format", "v2s2", "-o"];
    let inputs = ["arm64.tar", "amd64.tar"];
    sandbox
        .convert(&[&inputs, &args[..], &["out"]].concat())
        .succeeds();
    let open = |name: &str| layout::Layout::open(&sandbox.path(name));
    let layout = open("out");
    let descriptor = layout.only();
    assert_eq!(descriptor["mediaType"], oci::DOCKER_LIST);
    let list = layout.document(&descriptor);
    assert_eq!(list["mediaType"], oci::DOCKER_LIST);
    assert_eq!(list["schemaVersion"], 2);
    for manifest in list["manifests"].as_array().unwrap() {
        assert_eq!(manifest["mediaType"], oci::DOCKER_MANIFEST);
        let image = layout.document(manifest);
        assert_eq!(image["mediaType"], oci::DOCKER_MANIFEST);
        assert_eq!(image["config"]["mediaType"], oci::DOCKER_CONFIG);
    }
    let of = |architecture: &str| json!({ "architecture": architecture, "os": "linux" });
    assert_eq!(platforms(&list), [of("amd64"), of("arm64")]);
    sandbox.run(&["verify", "out"]).succeeds();
    // In one step or in two.
    for architecture in ["amd64", "arm64"] {
        let input = format!("{architecture}.tar");
        let args = [&*input, "--format", "v2s2", "-o", architecture];
        sandbox.convert(&args).succeeds();
    }
    sandbox
        .convert(&[&["amd64", "arm64"], &args[..], &["again"]].concat())
        .succeeds();
    assert_eq!(open("again").only(), descriptor);
    // A part of it is put together again.
    sandbox.write(
        "base.tar",
        &docker::save_one("base:1", &layers("x")[..1]).tar(),
    );
    let have = ["--have", "base.tar"];
    sandbox
        .convert(&[&inputs, &have[..], &args, &["part"]].concat())
        .succeeds();
    let fill = [
        "part",
        "--fill-from",
        "base.tar",
        "--format",
        "v2s2",
        "-o",
        "whole",
    ];
    sandbox.convert(&fill).succeeds();
    assert_eq!(open("whole"), layout);
}

//! `--format v2s2`: schema 2 manifests and manifest lists.

use serde_json::{Value, json};

use crate::support::docker::{config, config_for, save_one};
use crate::support::layers::layers;
use crate::support::layout::Layout as Output;
use crate::support::oci::{self, Layout, digest, named, on};
use crate::support::sandbox::Sandbox;
use crate::support::{codec, schema1, sha256};

/// `--format v2s2` into the folder `out`.
fn convert(sandbox: &Sandbox, args: &[&str]) -> Output {
    let args = [args, &["-o", "out", "--format", "v2s2"]].concat();
    sandbox.convert(&args).succeeds();
    Output::open(&sandbox.path("out"))
}

/// A schema 2 manifest as written by skopeo with Go's encoder.
fn manifest(config: &[u8], layers: &[(&str, &[u8])]) -> String {
    let blob = |media_type: &str, bytes: &[u8]| {
        format!(
            r#"{{"mediaType":"{media_type}","size":{},"digest":"{}"}}"#,
            bytes.len(),
            sha256(bytes)
        )
    };
    let layers: Vec<String> = layers
        .iter()
        .map(|(media_type, bytes)| blob(media_type, bytes))
        .collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        oci::DOCKER_MANIFEST,
        blob(oci::DOCKER_CONFIG, config),
        layers.join(",")
    )
}

#[test]
fn an_oci_image_becomes_a_schema_2_image_of_the_same_id() {
    let layout = oci::one("app:1.0", &layers("top"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = convert(&sandbox, &["app"]);
    let image = output.named("app:1.0");
    assert_eq!(image["mediaType"], oci::DOCKER_MANIFEST);
    let config = config_for("amd64", &layers("top"));
    let gzip = layers("top").map(|layer| codec::gzip(&layer.tar));
    let blobs = [&gzip[0], &gzip[1]].map(|blob| (oci::DOCKER_LAYER_GZIP, blob.as_slice()));
    let expected = manifest(&config, &blobs);
    assert_eq!(String::from_utf8_lossy(output.blob(&image)), expected);
    assert_eq!(output.config(&image), config);
    // Converting it back yields the original manifest.
    sandbox.convert(&["out", "-o", "back"]).succeeds();
    let back = sandbox.layout("back");
    assert!(back.layers(&back.only()) == layers("top").map(|layer| layer.tar));
    assert_eq!(back.config(&back.only()), config);
}

#[test]
fn a_schema_2_manifest_keeps_its_bytes() {
    let mut layout = Layout::default();
    let config = config(&layers("top"));
    let image = layout.manifest(
        oci::DOCKER_CONFIG,
        &config,
        &oci::docker_layers(&layers("top")),
    );
    let list = oci::index(&[on(&image, "linux", "amd64")]);
    let mut list = layout.document(&with(&list, "mediaType", oci::DOCKER_LIST));
    list["mediaType"] = json!(oci::DOCKER_LIST);
    layout.add(named(&image, "app:1.0"));
    layout.add(named(&list, "app:list"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = convert(&sandbox, &["app"]);
    assert_eq!(digest(&output.named("app:1.0")), digest(&image));
    assert_eq!(digest(&output.named("app:list")), digest(&list));
    // Its layers have changed, so that a new manifest is written.
    let output = convert(&sandbox, &["app", "--replace", "--compression", "none"]);
    let image = output.named("app:1.0");
    let plain = layers("top").map(|layer| layer.tar);
    let media_type = "application/vnd.docker.image.rootfs.diff.tar";
    let blobs = [&plain[0], &plain[1]].map(|blob| (media_type, blob.as_slice()));
    let expected = manifest(&config, &blobs);
    assert_eq!(String::from_utf8_lossy(output.blob(&image)), expected);
}

/// Manifest and index as Go's encoder writes them, which engines and skopeo use, to schema 2 and back.
#[test]
fn oci_digests_come_back() {
    let mut layout = Layout::default();
    let blob = |blob: &Value| {
        format!(
            r#"{{"mediaType":{},"digest":{},"size":{}"#,
            blob["mediaType"], blob["digest"], blob["size"]
        )
    };
    let config = layout.blob(oci::CONFIG, &config(&layers("top")));
    let gzip = layers("top").map(|layer| layout.blob(oci::LAYER_GZIP, &codec::gzip(&layer.tar)));
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let mut foreign = blob(
        &json!({ "mediaType": foreign, "digest": gzip[0]["digest"], "size": gzip[0]["size"] }),
    );
    foreign.push_str(r#","urls":["https://example.invalid/?a\u0026b"]"#);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{}}},"layers":[{}}},{}}}]}}"#,
        oci::MANIFEST,
        blob(&config),
        foreign,
        blob(&gzip[1]),
    );
    let manifest = layout.blob(oci::MANIFEST, manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},"platform":{{"architecture":"amd64","os":"linux","variant":"v2"}}}},{},"platform":{{"architecture":"amd64","os":"linux","os.version":"10.0","os.features":["a","b"]}}}}]}}"#,
        oci::INDEX,
        blob(&manifest),
        blob(&manifest),
    );
    let index = layout.blob(oci::INDEX, index.as_bytes());
    layout.add(named(&manifest, "app:1.0"));
    layout.add(named(&index, "app:index"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let between = convert(&sandbox, &["app"]);
    assert_ne!(digest(&between.named("app:1.0")), digest(&manifest));
    sandbox.convert(&["out", "-o", "back"]).succeeds();
    let back = sandbox.layout("back");
    assert_eq!(digest(&back.named("app:1.0")), digest(&manifest));
    assert_eq!(digest(&back.named("app:index")), digest(&index));
}

/// What Docker's formats do not define has no other place than a document of the same structure.
#[test]
fn other_fields_of_schema_2_are_kept() {
    let mut layout = Layout::default();
    let image = layout.manifest(
        oci::DOCKER_CONFIG,
        &config(&layers("top")),
        &oci::docker_layers(&layers("top")),
    );
    let mut manifest: Value =
        serde_json::from_slice(layout.files().get(&oci::blob_path(digest(&image)))).unwrap();
    manifest["annotations"] = json!({"a": "b"});
    let manifest = layout.blob(oci::DOCKER_MANIFEST, manifest.to_string().as_bytes());
    let mut entry = on(&manifest, "linux", "amd64");
    entry["platform"]["features"] = json!(["sse4"]);
    let list = json!({
        "schemaVersion": 2, "mediaType": oci::DOCKER_LIST, "manifests": [entry],
    });
    let list = layout.blob(oci::DOCKER_LIST, list.to_string().as_bytes());
    layout.add(list);
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app"]);
    let list = output.document(&output.only());
    assert_eq!(list["mediaType"], oci::INDEX);
    let entry = &list["manifests"][0];
    assert_eq!(entry["platform"]["features"], json!(["sse4"]));
    assert_eq!(output.document(entry)["annotations"], json!({"a": "b"}));
}

/// Fields that OCI does not define are kept in every descriptor of a manifest.
#[test]
fn other_fields_of_descriptors_are_kept() {
    for pointer in ["/config", "/layers/0"] {
        let mut layout = Layout::default();
        let image = layout.manifest(
            oci::DOCKER_CONFIG,
            &config(&layers("top")),
            &oci::docker_layers(&layers("top")),
        );
        let manifest = layout.files();
        let manifest = manifest.get(&oci::blob_path(digest(&image)));
        let mut manifest: Value = serde_json::from_slice(manifest).unwrap();
        manifest.pointer_mut(pointer).unwrap()["x-note"] = json!("a");
        // The descriptor has it too.
        manifest.as_object_mut().unwrap().shift_remove("mediaType");
        let manifest = layout.blob(oci::DOCKER_MANIFEST, manifest.to_string().as_bytes());
        let sandbox = Sandbox::with_folder(&layout.listing(manifest).files());
        let output = sandbox.converted(&["app"]);
        let manifest = output.document(&output.only());
        assert_eq!(manifest["mediaType"], oci::MANIFEST);
        assert_eq!(manifest.pointer(pointer).unwrap()["x-note"], "a");
    }
}

/// Documents of both kinds are mixed by some tools: the output has only Docker's.
#[test]
fn documents_of_both_kinds() {
    let mut layout = Layout::default();
    let config_of = |architecture| config_for(architecture, &layers("top"));
    let blobs = oci::docker_layers(&layers("top"));
    // An OCI manifest with Docker's layers, and an OCI index of Docker's manifests.
    let mixed = layout.manifest(oci::CONFIG, &config_of("amd64"), &blobs);
    let images = ["amd64", "arm64", "s390x"].map(|architecture| {
        let image = layout.manifest(oci::DOCKER_CONFIG, &config_of(architecture), &blobs);
        on(&image, "linux", architecture)
    });
    let index = layout.index(&images);
    let list = with(&oci::index(&images), "mediaType", oci::DOCKER_LIST);
    let list = layout.document(&list);
    layout.add(named(&mixed, "app:mixed"));
    layout.add(named(&index, "app:index"));
    layout.add(named(&list, "app:list"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = convert(&sandbox, &["app"]);
    let expected = [oci::DOCKER_MANIFEST, oci::DOCKER_LIST, oci::DOCKER_LIST];
    for (name, media_type) in ["app:mixed", "app:index", "app:list"].iter().zip(expected) {
        let entry = output.named(name);
        assert_eq!(entry["mediaType"], media_type, "{name}");
        assert_eq!(output.document(&entry)["mediaType"], media_type, "{name}");
    }
    assert_eq!(digest(&output.named("app:list")), digest(&list));

    // With other layers, the manifests are others, and the list has these.
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = convert(&sandbox, &["app", "--compression", "gzip:1"]);
    let list_of_new = output.document(&output.named("app:list"));
    let listed = list_of_new["manifests"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    for (new, old) in listed.iter().zip(&images) {
        assert_ne!(digest(new), digest(old));
        assert_eq!(output.document(new)["mediaType"], oci::DOCKER_MANIFEST);
    }

    // An image that is missing is not listed.
    let layout = layout_of(layout, named(&list, "app:list"));
    let sandbox = Sandbox::with_folder(&layout.files_without(&images[1]));
    let args = ["app", "-o", "out", "--format", "v2s2"];
    let run = sandbox.convert(&args);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let output = Output::open(&sandbox.path("out"));
    let list = output.document(&output.named("app:list"));
    let listed = list["manifests"].as_array().unwrap().iter();
    let listed: Vec<&str> = listed.map(digest).collect();
    assert_eq!(listed, [digest(&images[0]), digest(&images[2])]);
}

fn with(value: &Value, key: &str, text: &str) -> Value {
    let mut value = value.clone();
    value[key] = json!(text);
    value
}

#[test]
fn an_index_becomes_a_manifest_list() {
    let mut layout = Layout::default();
    let amd64 = on(&layout.image("amd64", &layers("amd64")), "linux", "amd64");
    let mut arm = on(&layout.image("arm", &layers("arm")), "linux", "arm");
    arm["platform"]["variant"] = json!("v7");
    let index = layout.index(&[amd64, arm]);
    layout.add(named(&index, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = convert(&sandbox, &["app"]);
    let list = output.named("app:1.0");
    assert_eq!(list["mediaType"], oci::DOCKER_LIST);
    let text = String::from_utf8(output.blob(&list).to_vec()).unwrap();
    let images = output.document(&list)["manifests"].clone();
    let entry = |position: usize, platform: &str| {
        let image = &images[position];
        format!(
            r#"{{"mediaType":"{}","size":{},"digest":"{}","platform":{platform}}}"#,
            oci::DOCKER_MANIFEST,
            output.blob(image).len(),
            digest(image)
        )
    };
    let expected = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},{}]}}"#,
        oci::DOCKER_LIST,
        entry(0, r#"{"architecture":"amd64","os":"linux"}"#),
        entry(1, r#"{"architecture":"arm","os":"linux","variant":"v7"}"#),
    );
    assert_eq!(text, expected);
}

#[test]
fn zstd_becomes_gzip() {
    let mut layout = Layout::default();
    let blobs = layers("top").map(|layer| (oci::LAYER_ZSTD, codec::zstd(&layer.tar)));
    let image = layout.manifest(oci::CONFIG, &config_for("amd64", &layers("top")), &blobs);
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = convert(&sandbox, &["app"]);
    let image = output.named("app:1.0");
    assert_eq!(output.layer_types(&image), [oci::DOCKER_LAYER_GZIP; 2]);
    for option in ["zstd", "zstd:9"] {
        let args = ["app", "-o", "no", "--format", "v2s2", "--compression"];
        let run = sandbox.convert(&[&args[..], &[option]].concat());
        run.is_wrong_usage(
            "ocify: `--compression zstd` cannot be used with `--format v2s2`\n\
             hint: use `--compression gzip`: Docker's formats have no zstd layers\n",
        );
    }
    assert!(!sandbox.path("no").exists());
}

#[test]
fn artifacts_are_left_out_with_a_warning() {
    let mut layout = Layout::default();
    let image = on(&layout.image("amd64", &layers("top")), "linux", "amd64");
    let empty = layout.blob(oci::EMPTY, b"{}");
    let statement = layout.blob("application/vnd.in-toto+json", b"{}");
    let attestation = layout.document(&oci::attestation(&empty, &[statement]));
    let about = oci::annotated(&attestation, &[(oci::REFERENCE_DIGEST, digest(&image))]);
    let index = layout.index(&[image.clone(), on(&about, "unknown", "unknown")]);
    layout.add(named(&index, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let warning = format!(
        "ocify: warning: app: app:1.0: left out, since schema 2 has no place for artifacts: {} (artifact-left-out)\n",
        digest(&attestation)
    );
    let args = ["app", "-o", "out", "--format", "v2s2"];
    sandbox.convert(&args).warns(&warning);
    let output = Output::open(&sandbox.path("out"));
    // An index with one remaining image is replaced by that image.
    assert_eq!(output.only()["mediaType"], oci::DOCKER_MANIFEST);
    let layout = layout_of(layout, named(&attestation, "app:att"));
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.convert(&args).fails(&format!(
        "ocify: nothing is left to convert: app: app:att: left out, since schema 2 has no place for artifacts: {}\n",
        digest(&attestation)
    ));
}

/// The layout with only this descriptor in index.json.
fn layout_of(mut layout: Layout, descriptor: Value) -> Layout {
    layout.manifests = vec![descriptor];
    layout
}

#[test]
fn a_tar_is_one_for_docker_load_too() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    let args = ["app.tar", "-o", "out.tar", "--format", "v2s2"];
    sandbox.convert(&args).succeeds();
    let output = Output::open(&sandbox.path("out.tar"));
    let manifest = output.json("manifest.json");
    assert_eq!(
        manifest[0]["RepoTags"],
        json!(["docker.io/library/app:1.0"])
    );
    assert_eq!(manifest[0]["Layers"].as_array().unwrap().len(), 2);
    assert_eq!(output.only()["mediaType"], oci::DOCKER_MANIFEST);
}

#[test]
fn images_that_are_merged_become_a_manifest_list() {
    let mut layout = Layout::default();
    for architecture in ["amd64", "arm64"] {
        let image = layout.image(architecture, &layers(architecture));
        layout.add(named(&image, &format!("app:{architecture}")));
    }
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = convert(&sandbox, &["app", "--index", "app:1.0"]);
    let list = output.named("app:1.0");
    assert_eq!(list["mediaType"], oci::DOCKER_LIST);
    let list = output.document(&list);
    assert_eq!(list["manifests"][1]["platform"]["architecture"], "arm64");
    // Also as a dir: folder, if it is a single image.
    let args = ["app", "-o", "dir", "--to", "dir", "--index", "app:1.0"];
    sandbox
        .convert(&[&args[..], &["--format", "v2s2"]].concat())
        .succeeds();
    let manifest: Value = serde_json::from_slice(&sandbox.read("dir/manifest.json")).unwrap();
    assert_eq!(manifest, list);
}

/// skopeo declares all of its layers as gzip, and pinned digests are those of such manifests.
#[test]
fn plain_layers_of_schema_1_are_called_gzip() {
    let layers = layers("top");
    let mut manifest = schema1::manifest("team/app", "1.0", &layers);
    for (entry, layer) in layers.iter().rev().enumerate() {
        manifest["fsLayers"][entry]["blobSum"] = json!(layer.diff_id());
    }
    let mut files = schema1::folder(&manifest.to_string(), &[]);
    for layer in &layers {
        files.put(&layer.hex(), layer.tar.clone());
    }
    let sandbox = Sandbox::with_folder(&files);
    let output = convert(&sandbox, &["app", "--compression", "none"]);
    let image = output.named("team/app:1.0");
    assert_eq!(output.layer_types(&image), [oci::DOCKER_LAYER_GZIP; 2]);
    assert_eq!(
        output.document(&image)["layers"][0]["digest"],
        layers[0].diff_id()
    );
}

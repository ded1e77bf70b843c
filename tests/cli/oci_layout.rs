//! OCI layouts as inputs: what needs no change keeps its bytes, what changes takes along what points to it.

use serde_json::{Value, json};

use crate::support::codec;
use crate::support::docker;
use crate::support::layers::Layer;
use crate::support::layout;
use crate::support::oci::{self, Layout, annotated, digest, named, on};
use crate::support::sandbox::Sandbox;
use crate::support::sha512;

fn layers(seed: &str) -> [Layer; 2] {
    [Layer::new("base"), Layer::new(seed)]
}

/// Converts the layout; all of its blobs and descriptors must come out as they went in.
#[track_caller]
fn is_unchanged(input: &Layout) -> layout::Layout {
    let sandbox = Sandbox::with_folder(&input.files());
    let output = sandbox.converted(&["app"]);
    assert_eq!(output.descriptors(), input.manifests);
    for member in input.files().members {
        if member.name.starts_with("blobs/") {
            assert_eq!(output.file(&member.name), member.bytes(), "{}", member.name);
        }
    }
    output
}

fn platform(descriptor: &Value) -> Value {
    on(descriptor, "linux", "amd64")
}

#[test]
fn what_needs_no_change_keeps_its_bytes() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let zstd: Vec<(&str, Vec<u8>)> = layers("z")
        .iter()
        .map(|layer| (oci::LAYER_ZSTD, codec::zstd(&layer.tar)))
        .collect();
    let other = layout.manifest(oci::CONFIG, &docker::config(&layers("z")), &zstd);
    layout.add(platform(&named(&image, "app:1.0")));
    layout.add(platform(&named(&image, "app:latest")));
    layout.add(platform(&annotated(&other, &[("com.example.note", "yes")])));
    is_unchanged(&layout);
}

#[test]
fn folder_and_tar_and_every_spelling_are_the_same_input() {
    let files = oci::one("app:1.0", &layers("top")).files();
    let sandbox = Sandbox::with_folder(&files);
    let expected = sandbox.converted(&["app"]);
    for (number, files) in [
        files.clone(),
        files.clone().reversed(),
        files.clone().renamed(|name| format!("./{name}")),
        files.clone().renamed(|name| format!("layout/{name}")),
    ]
    .iter()
    .enumerate()
    {
        for (codec, encode) in codec::ALL {
            let (input, output) = (format!("{codec}{number}"), format!("{codec}{number}.out"));
            sandbox.write(&input, &encode(&files.tar()));
            sandbox.convert(&[&input, "-o", &output]).succeeds();
            assert_eq!(sandbox.layout(&output), expected, "{input}");
        }
    }
}

#[test]
fn indexes_are_kept_as_they_are_however_deep() {
    let mut layout = Layout::default();
    let amd64 = layout.image("amd64", &layers("amd64"));
    let arm64 = layout.image("arm64", &layers("arm64"));
    let mut index = layout.index(&[on(&amd64, "linux", "amd64"), on(&arm64, "linux", "arm64")]);
    for _ in 1..8 {
        index = layout.index(&[index]);
    }
    layout.add(named(&index, "deep"));
    is_unchanged(&layout);
}

#[test]
fn artifacts_and_unknown_things_are_carried_along() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let empty = layout.blob(oci::EMPTY, b"{}");
    let sbom = layout.blob("application/spdx+json", b"{\"spdx\": true}");
    let mut manifest = oci::manifest(&empty, &[sbom]);
    manifest["artifactType"] = json!("application/spdx+json");
    manifest["subject"] = image.clone();
    let artifact = layout.document(&manifest);
    // A subject that is not here is no error.
    manifest["subject"]["digest"] = json!(format!("sha256:{}", "1".repeat(64)));
    let orphan = layout.document(&manifest);
    let unknown = layout.blob("application/vnd.example.thing", b"thing");
    let index = layout.index(&[platform(&image), artifact, orphan, unknown.clone()]);
    layout.add(named(&index, "app:1.0"));
    layout.add(named(&unknown, "thing"));
    is_unchanged(&layout);
}

#[test]
fn attestations_and_referrers_follow_a_manifest_that_changes() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let statement = codec::gzip(b"not a tar at all");
    let attestation = layout.manifest(
        oci::CONFIG,
        br#"{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}"#,
        &[("application/vnd.in-toto+json", statement.clone())],
    );
    let attestation = annotated(
        &on(&attestation, "unknown", "unknown"),
        &[
            (oci::REFERENCE_DIGEST, digest(&image)),
            ("vnd.docker.reference.type", "attestation-manifest"),
        ],
    );
    let empty = layout.blob(oci::EMPTY, b"{}");
    let mut referrer = oci::manifest(&empty, &[]);
    referrer["subject"] = image.clone();
    let referrer = layout.document(&referrer);
    let index = layout.index(&[attestation.clone(), on(&image, "linux", "amd64"), referrer]);
    layout.add(named(&index, "app:1.0"));
    is_unchanged(&layout);

    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app", "--compression", "zstd"]);
    let index = output.document(&output.named("app:1.0"));
    let [new_attestation, new_image, new_referrer] = &index["manifests"].as_array().unwrap()[..]
    else {
        panic!("{index}");
    };
    assert_ne!(digest(new_image), digest(&image));
    assert_eq!(
        new_image["platform"],
        json!({ "architecture": "amd64", "os": "linux" })
    );
    // The attestation itself is what it was, to the byte; only what points to the image has moved.
    assert_eq!(digest(new_attestation), digest(&attestation));
    assert_eq!(
        new_attestation["annotations"][oci::REFERENCE_DIGEST],
        new_image["digest"]
    );
    let subject = &output.document(new_referrer)["subject"];
    assert_eq!(
        (&subject["digest"], &subject["size"]),
        (&new_image["digest"], &new_image["size"])
    );
}

#[test]
fn docker_media_types_become_oci_ones() {
    let mut layout = Layout::default();
    let config = docker::config(&layers("top"));
    let blobs = oci::docker_layers(&layers("top"));
    let image = layout.manifest(oci::DOCKER_CONFIG, &config, &blobs);
    let mut list = oci::index(&[on(&image, "linux", "amd64")]);
    list["mediaType"] = json!(oci::DOCKER_LIST);
    let list = layout.document(&list);
    layout.add(named(&list, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app"]);
    let index = output.document(&output.named("app:1.0"));
    assert_eq!(index["mediaType"], oci::INDEX);
    let image = &index["manifests"][0];
    assert_eq!(output.config(image), config);
    assert_eq!(output.document(image)["config"]["mediaType"], oci::CONFIG);
    assert_eq!(
        output.layer_types(image),
        [oci::LAYER_GZIP, oci::LAYER_GZIP]
    );
    // The layers are the blobs that they were.
    let manifest = output.document(image);
    let kept: Vec<&[u8]> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| output.blob(layer))
        .collect();
    assert_eq!(
        kept,
        blobs
            .iter()
            .map(|(_, blob)| blob.as_slice())
            .collect::<Vec<_>>()
    );
}

#[test]
fn media_types_that_lie_about_the_codec_are_put_right() {
    let mut layout = Layout::default();
    let blobs = [
        (oci::LAYER_GZIP, codec::zstd(&layers("top")[0].tar)),
        (oci::LAYER, codec::gzip(&layers("top")[1].tar)),
    ];
    let image = layout.manifest(oci::CONFIG, &docker::config(&layers("top")), &blobs);
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let warning = |layer: usize, media_type: &str, codec: &str| {
        format!(
            "ocify: warning: app: app:1.0: layer {layer} of 2: the media type is {media_type}, but the layer's codec is \
             {codec} (layer-media-type; corrected in the output)\n"
        )
    };
    let warnings = warning(1, oci::LAYER_GZIP, "zstd") + &warning(2, oci::LAYER, "gzip");
    sandbox.convert(&["app", "-o", "out"]).warns(&warnings);
    let output = sandbox.layout("out");
    assert_eq!(
        output.layer_types(&output.only()),
        [oci::LAYER_ZSTD, oci::LAYER_GZIP]
    );
}

#[test]
fn foreign_layers_here_and_away() {
    let mut layout = Layout::default();
    let blobs: Vec<Vec<u8>> = layers("top")
        .iter()
        .map(|layer| codec::gzip(&layer.tar))
        .collect();
    let mut foreign = layout.blob(oci::DOCKER_FOREIGN_GZIP, &blobs[0]);
    foreign["urls"] = json!(["https://example.com/layer"]);
    let layer = layout.blob(oci::DOCKER_LAYER_GZIP, &blobs[1]);
    let config = layout.blob(oci::DOCKER_CONFIG, &docker::config(&layers("top")));
    let image = layout.document(&oci::manifest(&config, &[foreign.clone(), layer]));
    layout.add(named(&image, "app:1.0"));
    let media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app", "--compression", "zstd"]);
    let here = &output.document(&output.only())["layers"][0];
    assert_eq!(here["mediaType"], media_type.replace("gzip", "zstd"));
    // The urls are of other bytes.
    assert_eq!(here.get("urls"), None);

    let sandbox = Sandbox::with_folder(&layout.files_without(&foreign));
    sandbox.convert(&["app", "-o", "out", "--compression", "zstd"]).warns(&format!(
        "ocify: warning: app: app:1.0: layer 1 of 2: {} is a foreign layer that is not in the input: only its urls are kept\n",
        digest(&foreign)
    ));
    let output = sandbox.layout("out");
    let away = &output.document(&output.only())["layers"][0];
    assert_eq!(away["mediaType"], media_type);
    assert_eq!(
        (&away["digest"], &away["urls"]),
        (&foreign["digest"], &foreign["urls"])
    );
}

#[test]
fn platforms_whose_blobs_are_missing() {
    let mut layout = Layout::default();
    let amd64 = layout.image("amd64", &layers("amd64"));
    let arm64 = layout.image("arm64", &layers("arm64"));
    let index = layout.index(&[on(&amd64, "linux", "amd64"), on(&arm64, "linux", "arm64")]);
    layout.add(named(&index, "app:1.0"));
    let path = oci::blob_path(digest(&arm64));
    let hint = "hint: use `--allow-missing` or `--platform` to leave out what is missing\n";
    let sandbox = Sandbox::with_folder(&layout.files_without(&arm64));
    sandbox.convert(&["app", "-o", "out"]).fails(&format!(
        "ocify: app: app:1.0: linux/arm64: {path} is missing\n{hint}"
    ));

    sandbox
        .convert(&["app", "-o", "allowed", "--allow-missing"])
        .warns(&format!(
            "ocify: warning: app: app:1.0: left out {}: {path} is missing\n",
            digest(&arm64)
        ));
    let output = sandbox.layout("allowed");
    assert_eq!(output.named("app:1.0")["digest"], amd64["digest"]);

    let output = sandbox.converted(&["app", "--platform", "linux/amd64"]);
    assert_eq!(output.named("app:1.0")["digest"], amd64["digest"]);

    let files = layout.files();
    let manifest: Value = serde_json::from_slice(files.get(&path)).unwrap();
    let layer = oci::blob_path(digest(&manifest["layers"][1]));
    Sandbox::with_folder(&files.without(&layer))
        .convert(&["app", "-o", "out"])
        .fails(&format!(
            "ocify: app: app:1.0: linux/arm64: layer 2 of 2: {layer} is missing\n{hint}"
        ));
}

#[test]
fn an_output_of_nothing_is_refused() {
    let mut layout = Layout::default();
    let images: Vec<Value> = ["amd64", "arm64"]
        .iter()
        .map(|architecture| {
            let image = layout.image(architecture, &layers(architecture));
            on(&image, "linux", architecture)
        })
        .collect();
    let index = layout.index(&images);
    layout.add(named(&index, "app:1.0"));
    let paths: Vec<String> = images
        .iter()
        .map(|image| oci::blob_path(digest(image)))
        .collect();
    let files = layout.files().without(&paths[0]).without(&paths[1]);
    let sandbox = Sandbox::with_folder(&files);
    let left_out = format!(
        "ocify: nothing is left to convert: app: app:1.0: left out {}: {} is missing",
        digest(&images[0]),
        paths[0]
    );
    let args = ["app", "-o", "out", "--allow-missing"];
    sandbox
        .convert(&args)
        .fails(&format!("{left_out} and 1 more\n"));
    sandbox
        .convert(&[&args[..], &["--platform", "linux/amd64"]].concat())
        .fails(&format!("{left_out}\n"));
    assert!(!sandbox.path("out").exists());
    // What index.json itself names is the same.
    let sandbox = Sandbox::with_folder(&layout.files_without(&index));
    let path = oci::blob_path(digest(&index));
    sandbox.convert(&args).fails(&format!(
        "ocify: nothing is left to convert: app: app:1.0: left out {}: {path} is missing\n",
        digest(&index)
    ));
}

/// An output may be its own input: what is there stays, what is made anew is added.
#[test]
fn a_layout_into_itself() {
    for output in ["app", "app.tar"] {
        let files = oci::one("app:1.0", &layers("top")).files();
        let sandbox = Sandbox::with_folder(&files);
        sandbox.write("app.tar", &files.tar());
        sandbox.convert(&[output, "-o", output]).succeeds();
        let kept = sandbox.layout(output);
        sandbox
            .convert(&[output, "-o", output, "--compression", "zstd"])
            .succeeds();
        let both = sandbox.layout(output);
        let (old, new) = (kept.named("app:1.0"), both.named("app:1.0"));
        assert_ne!(old["digest"], new["digest"]);
        assert_eq!(both.config(&new), kept.config(&old));
        for (name, bytes) in &kept.files {
            if name.starts_with("blobs/") {
                assert_eq!(both.file(name), bytes, "{output}: {name}");
            }
        }
    }
}

#[test]
fn sha512_digests_are_kept() {
    let mut files = oci::one("app:1.0", &layers("top")).files();
    let index: Value = serde_json::from_slice(files.get("index.json")).unwrap();
    let manifest = files
        .get(&oci::blob_path(digest(&index["manifests"][0])))
        .to_vec();
    let mut index = index.clone();
    index["manifests"][0]["digest"] = json!(sha512(&manifest));
    index["manifests"][0]["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    files.put(&oci::blob_path(&sha512(&manifest)), manifest);
    files.put("index.json", index.to_string());
    let sandbox = Sandbox::with_folder(&files);
    for output in ["out", "out.tar"] {
        sandbox.convert(&["app", "-o", output]).succeeds();
        assert_eq!(sandbox.layout(output).only(), index["manifests"][0]);
    }
}

#[test]
fn an_embedded_copy_of_a_blob_is_kept_while_it_is_true() {
    let mut layout = Layout::default();
    let mut empty = layout.blob(oci::EMPTY, b"{}");
    empty["data"] = json!("e30=");
    let artifact = layout.document(&oci::manifest(&empty, &[]));
    layout.add(named(&artifact, "thing"));
    is_unchanged(&layout);
}

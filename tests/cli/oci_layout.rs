//! OCI layouts as inputs: unchanged documents keep their bytes, and references follow changed documents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::codec;
use crate::support::docker;
use crate::support::files::Files;
use crate::support::layers::layers;
use crate::support::layout::{self, Layout as Output};
use crate::support::oci::{self, Layout, annotated, digest, named, on};
use crate::support::sandbox::Sandbox;
use crate::support::sha512;

/// Converts the layout. All blobs and descriptors must stay the same.
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
    // A missing subject is not an error.
    manifest["subject"]["digest"] = json!(format!("sha256:{}", "1".repeat(64)));
    let orphan = layout.document(&manifest);
    let unknown = layout.blob("application/vnd.example.thing", b"thing");
    let index = layout.index(&[platform(&image), artifact, orphan, unknown.clone()]);
    layout.add(named(&index, "app:1.0"));
    layout.add(named(&unknown, "thing"));
    let mut typed = named(&unknown, "typed");
    typed["artifactType"] = json!("application/vnd.example.of-the-descriptor");
    layout.add(typed);
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
    let path = oci::blob_path(digest(&attestation));
    let data = STANDARD.encode(layout.files().get(&path));
    let mut attestation = annotated(
        &on(&attestation, "unknown", "unknown"),
        &[
            (oci::REFERENCE_DIGEST, digest(&image)),
            ("vnd.docker.reference.type", "attestation-manifest"),
        ],
    );
    attestation["data"] = json!(data);
    attestation["artifactType"] = json!("application/vnd.example.statement");
    let empty = layout.blob(oci::EMPTY, b"{}");
    let mut referrer = oci::manifest(&empty, &[]);
    referrer["artifactType"] = json!("application/vnd.example.thing");
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
    // The attestation itself keeps its bytes. Only the reference to the image changes.
    assert_eq!(digest(new_attestation), digest(&attestation));
    assert_eq!(
        new_attestation["annotations"][oci::REFERENCE_DIGEST],
        new_image["digest"]
    );
    for field in ["data", "artifactType"] {
        assert_eq!(new_attestation[field], attestation[field]);
    }
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
    // The layers keep their blobs.
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

    // It stays foreign as long as it is the blob at the urls.
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app"]);
    let here = &output.document(&output.only())["layers"][0];
    assert_eq!(here["mediaType"], media_type);
    assert_eq!(
        (&here["digest"], &here["urls"]),
        (&foreign["digest"], &foreign["urls"])
    );

    // After encoding it is an ordinary layer, which every tool pushes.
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app", "--compression", "zstd"]);
    let here = &output.document(&output.only())["layers"][0];
    assert_eq!(here["mediaType"], oci::LAYER_ZSTD);
    assert_eq!(here.get("urls"), None);

    // In a manifest of OCI too, whose other fields are kept.
    let mut layer = layout.blob(media_type, &blobs[0]);
    layer["urls"] = json!(["https://example.com/layer"]);
    let config = layout.blob(oci::CONFIG, &docker::config(&layers("top")[..1]));
    let mut manifest = oci::manifest(&config, &[layer]);
    manifest["x-note"] = json!("a");
    let manifest = layout.document(&manifest);
    let mut of_oci = layout.clone();
    of_oci.manifests = vec![manifest];
    let sandbox = Sandbox::with_folder(&of_oci.files());
    let output = sandbox.converted(&["app", "--compression", "zstd"]);
    let new = output.document(&output.only());
    assert_eq!(new["x-note"], "a");
    assert_eq!(new["layers"][0]["mediaType"], oci::LAYER_ZSTD);
    assert_eq!(new["layers"][0].get("urls"), None);

    let sandbox = Sandbox::with_folder(&layout.files_without(&foreign));
    sandbox.convert(&["app", "-o", "out", "--compression", "zstd"]).warns(&format!(
        "ocify: warning: app: app:1.0: layer 1 of 2: {}: a foreign layer that is missing from the input: \
         only its urls are kept (foreign-layer-absent)\n",
        oci::blob_path(digest(&foreign))
    ));
    let output = sandbox.layout("out");
    let away = &output.document(&output.only())["layers"][0];
    assert_eq!(away["mediaType"], media_type);
    assert_eq!(
        (&away["digest"], &away["urls"]),
        (&foreign["digest"], &foreign["urls"])
    );
}

/// A layout with an index of images for amd64, arm64 and s390x, each with an attestation. Returns the descriptors in order.
fn multi_platform() -> (Layout, Value, Vec<Value>) {
    let mut layout = Layout::default();
    let mut children = Vec::new();
    for architecture in ["amd64", "arm64", "s390x"] {
        let image = layout.image(architecture, &layers(architecture));
        let attestation = attestation_of(&mut layout, &image);
        children.extend([on(&image, "linux", architecture), attestation]);
    }
    let index = layout.index(&children);
    layout.add(named(&index, "app:1.0"));
    (layout, index, children)
}

fn attestation_of(layout: &mut Layout, image: &Value) -> Value {
    let statement = format!("statement about {}", digest(image));
    let attestation = layout.manifest(
        oci::CONFIG,
        br#"{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}"#,
        &[("application/vnd.in-toto+json", statement.into_bytes())],
    );
    let attestation = on(&attestation, "unknown", "unknown");
    annotated(&attestation, &[(oci::REFERENCE_DIGEST, digest(image))])
}

fn without(layout: &Layout, absent: &[&Value]) -> Files {
    let paths = absent.iter().map(|one| oci::blob_path(digest(one)));
    paths.fold(layout.files(), |files, path| files.without(&path))
}

#[test]
fn platforms_that_are_missing_are_left_out() {
    let (layout, index, children) = multi_platform();
    let [amd64, about_amd64, arm64, about_arm64, s390x, about_s390x] = &children[..] else {
        panic!("{children:?}");
    };
    let warning = |what: &str| {
        format!(
            "ocify: warning: app: app:1.0: missing from the input and left out: {what} (platform-absent)\n"
        )
    };
    // An attestation is left out with its image, even if it is not missing itself.
    let sandbox = Sandbox::with_folder(&without(&layout, &[arm64, s390x, about_s390x]));
    for args in [
        &["app", "-o", "out"][..],
        &["app", "-o", "out2", "--missing", "drop"],
    ] {
        sandbox
            .convert(args)
            .warns(&warning("linux/arm64, linux/s390x"));
        let output = sandbox.layout(args[2]);
        let new = output.document(&output.named("app:1.0"));
        assert_eq!(new["manifests"], json!([amd64, about_amd64]));
    }

    // A missing attestation of an image causes a warning. A single remaining image replaces its index.
    let absent = [about_amd64, arm64, about_arm64, s390x, about_s390x];
    let sandbox = Sandbox::with_folder(&without(&layout, &absent));
    let what = format!("{}, linux/arm64, linux/s390x", digest(about_amd64));
    sandbox
        .convert(&["app", "-o", "out"])
        .warns(&warning(&what));
    let output = sandbox.layout("out");
    let new = output.named("app:1.0");
    assert_eq!(new["digest"], amd64["digest"]);
    assert_eq!(new["platform"], amd64["platform"]);

    // A request for images that are not missing causes no warning.
    sandbox
        .convert(&["app", "-o", "one", "--platform", "linux/amd64"])
        .warns(&warning(digest(about_amd64)));
    assert_eq!(index["mediaType"], oci::INDEX);
}

#[test]
fn platforms_that_are_missing_are_kept_in_the_index() {
    let (layout, index, children) = multi_platform();
    let sandbox = Sandbox::with_folder(&without(&layout, &[&children[2], &children[3]]));
    for output in ["out", "out.tar"] {
        let run = sandbox.convert(&["app", "-o", output, "--missing", "keep"]);
        run.warns(
            "ocify: warning: app: app:1.0: missing from the input and kept in the index: linux/arm64 (platform-absent)\n",
        );
        let output = Output::open(&sandbox.path(output));
        assert_eq!(output.descriptors(), [named(&index, "app:1.0")]);
        assert_eq!(
            output.blob(&index),
            layout.files().get(&oci::blob_path(digest(&index)))
        );
        for child in [&children[0], &children[1], &children[4], &children[5]] {
            output.blob(child);
        }
    }

    // If an image changes, so does the index. Missing images stay listed.
    let args = [
        "app",
        "-o",
        "zstd",
        "--missing",
        "keep",
        "--compression",
        "zstd",
        "-q",
    ];
    sandbox.convert(&args).succeeds();
    let output = Output::open(&sandbox.path("zstd"));
    let new = output.document(&output.named("app:1.0"));
    assert_eq!(new["manifests"].as_array().unwrap()[2..4], children[2..4]);
    assert_ne!(new["manifests"][0]["digest"], children[0]["digest"]);

    // A descriptor of index.json is kept too, with all fields.
    let mut layout = oci::one("app:1.0", &layers("top"));
    let absent = on(
        &oci::descriptor(oci::MANIFEST, b"not here"),
        "linux",
        "arm64",
    );
    layout.add(named(&absent, "absent:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = sandbox.convert(&["app", "-o", "out", "--missing", "keep"]);
    run.warns(
        "ocify: warning: app: absent:1: missing from the input and kept in the index: linux/arm64 (platform-absent)\n",
    );
    let output = Output::open(&sandbox.path("out"));
    assert_eq!(output.named("absent:1"), named(&absent, "absent:1"));
}

#[test]
fn platforms_that_are_missing_are_an_error_on_demand() {
    let (layout, _, children) = multi_platform();
    let (amd64, arm64) = (&children[0], &children[2]);
    let path = oci::blob_path(digest(arm64));
    let hint = "hint: use `--missing drop` or `--platform` to leave out what is missing\n";
    let sandbox = Sandbox::with_folder(&layout.files_without(arm64));
    let strict = ["app", "-o", "out", "--missing", "error"];
    sandbox.convert(&strict).fails(&format!(
        "ocify: app: app:1.0 linux/arm64: {path} is missing\n{hint}"
    ));
    let args = [&strict[..], &["--platform", "linux/amd64"]].concat();
    sandbox.convert(&args).succeeds();
    let output = sandbox.layout("out");
    let new = output.document(&output.named("app:1.0"));
    assert_eq!(new["manifests"], json!(children[..2]));
    assert_eq!(new["manifests"][0], *amd64);

    // A manifest needs its config and layers, whatever the option.
    let manifest: Value = serde_json::from_slice(layout.files().get(&path)).unwrap();
    for missing in ["drop", "keep", "error"] {
        for (blob, place) in [
            (&manifest["config"], ""),
            (&manifest["layers"][1], "layer 2 of 2: "),
        ] {
            let sandbox = Sandbox::with_folder(&layout.files_without(blob));
            let run = sandbox.convert(&["app", "-o", "out", "--missing", missing]);
            run.fails(&format!(
                "ocify: app: app:1.0 linux/arm64: {place}{}: missing from the input\n",
                oci::blob_path(digest(blob))
            ));
            // Unless it is not selected.
            let wanted = [
                "app",
                "-o",
                "out",
                "--missing",
                missing,
                "--platform",
                "linux/amd64",
            ];
            sandbox.convert(&wanted).succeeds();
        }
    }
}

/// A damaged image does not count as missing.
#[test]
fn a_manifest_that_cannot_be_read_is_an_error() {
    let mut layout = oci::one("app:1.0", &layers("top"));
    let damaged = layout.image("arm64", &layers("arm64"));
    layout.add(named(&damaged, "damaged:1"));
    let path = oci::blob_path(digest(&damaged));
    let size = layout.files().get(&path).len();
    let files = layout.files().with(&path, vec![b'x'; size]);
    let sandbox = Sandbox::with_folder(&files);
    for missing in ["drop", "keep", "error"] {
        let run = sandbox.convert(&["app", "-o", "out", "--missing", missing]);
        assert_eq!(run.status.code(), Some(1), "{missing}");
        assert!(
            run.stderr.starts_with("ocify: app: damaged:1"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn an_output_of_nothing_is_refused() {
    let (layout, index, children) = multi_platform();
    let left_out =
        "ocify: nothing is left to convert: app: app:1.0: missing from the input and left out: ";
    let absent: Vec<&Value> = children.iter().collect();
    let sandbox = Sandbox::with_folder(&without(&layout, &absent));
    let args = ["app", "-o", "out"];
    sandbox.convert(&args).fails(&format!(
        "{left_out}linux/amd64, linux/arm64, linux/s390x\n"
    ));
    sandbox
        .convert(&[&args[..], &["--platform", "linux/amd64"]].concat())
        .fails(&format!("{left_out}linux/amd64\n"));
    assert!(!sandbox.path("out").exists());
    // An entry of index.json is an image, not a missing platform.
    let sandbox = Sandbox::with_folder(&layout.files_without(&index));
    let path = oci::blob_path(digest(&index));
    sandbox.convert(&args).fails(&format!(
        "ocify: app: app:1.0: {path}: missing from the input\n"
    ));
}

/// An output may be its own input: existing blobs stay, new ones are added.
#[test]
fn a_layout_in_another_codec_into_the_same_output() {
    let files = oci::one("app:1.0", &layers("top")).files();
    let sandbox = Sandbox::with_folder(&files);
    sandbox.convert(&["app", "-o", "out"]).succeeds();
    let kept = sandbox.layout("out");
    sandbox
        .convert(&["app", "-o", "out", "--compression", "zstd"])
        .succeeds();
    let both = Output::open(&sandbox.path("out"));
    let (old, new) = (kept.named("app:1.0"), both.only());
    assert_ne!(old["digest"], new["digest"]);
    assert_eq!(both.config(&new), kept.config(&old));
    for (name, bytes) in &kept.files {
        if name.starts_with("blobs/") {
            assert_eq!(both.file(name), bytes, "{name}");
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
    let mut artifact = oci::manifest(&empty, &[]);
    artifact["artifactType"] = json!("application/vnd.example.thing");
    let artifact = layout.document(&artifact);
    layout.add(named(&artifact, "thing"));
    is_unchanged(&layout);
}

/// Annotations about the compressed bytes of a layer are removed when these change. Others are kept.
#[test]
fn stale_annotations_go() {
    let mut layout = Layout::default();
    let config = layout.blob(oci::CONFIG, &docker::config(&layers("top")));
    let stale = [
        "io.github.containers.zstd-chunked.manifest-checksum",
        "io.containers.zstd-chunked.manifest-checksum",
        "io.containers.estargz.uncompressed-size",
        "containerd.io/snapshot/stargz/toc.digest",
    ];
    let mut descriptors = Vec::new();
    for layer in &layers("top") {
        let mut annotations = vec![("com.example.note", "yes")];
        annotations.extend(stale.iter().map(|key| (*key, "stale")));
        let blob = layout.blob(oci::LAYER_GZIP, &codec::gzip(&layer.tar));
        descriptors.push(annotated(&blob, &annotations));
    }
    let image = layout.document(&oci::manifest(&config, &descriptors));
    layout.add(platform(&named(&image, "app:1.0")));
    is_unchanged(&layout);
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app", "--compression", "zstd"]);
    for layer in output.document(&output.only())["layers"]
        .as_array()
        .unwrap()
    {
        assert_eq!(layer["annotations"], json!({ "com.example.note": "yes" }));
    }
}

/// `mediaType` is not added to a manifest without it, unless the manifest had another format.
#[test]
fn a_manifest_without_media_type_gets_none() {
    let mut layout = Layout::default();
    let config = layout.blob(oci::CONFIG, &docker::config(&layers("top")));
    let blobs = layers("top").map(|layer| layout.blob(oci::LAYER_GZIP, &codec::gzip(&layer.tar)));
    let mut manifest = oci::manifest(&config, &blobs);
    manifest.as_object_mut().unwrap().shift_remove("mediaType");
    let image = layout.blob(oci::MANIFEST, manifest.to_string().as_bytes());
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = sandbox.convert(&["app", "-o", "out", "--compression", "zstd"]);
    run.succeeds();
    let output = Output::open(&sandbox.path("out"));
    let image = output.named("app:1.0");
    assert_eq!(image["mediaType"], oci::MANIFEST);
    assert_eq!(output.document(&image).get("mediaType"), None);
}

/// An index may list a digest for two platforms.
#[test]
fn one_image_for_two_platforms() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let children = [on(&image, "linux", "amd64"), on(&image, "linux", "x86_64")];
    let index = layout.index(&children);
    layout.add(named(&index, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app", "--compression", "zstd", "-q"]);
    let index = output.document(&output.named("app:1.0"));
    for (new, old) in index["manifests"].as_array().unwrap().iter().zip(&children) {
        assert_eq!(new["platform"], old["platform"]);
        assert_ne!(new["digest"], old["digest"]);
    }
}

/// The images that stay keep their own platforms and annotations, whatever was before them.
#[test]
fn the_first_platforms_are_missing() {
    let (layout, _, children) = multi_platform();
    let sandbox = Sandbox::with_folder(&without(&layout, &[&children[0], &children[1]]));
    let run = sandbox.convert(&["app", "-o", "out"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let output = sandbox.layout("out");
    let new = output.document(&output.named("app:1.0"));
    assert_eq!(new["manifests"], json!(children[2..]));

    // Two images for one platform, and one of them for another platform too.
    let mut layout = Layout::default();
    let [gone, one, two] = ["gone", "one", "two"].map(|seed| layout.image("amd64", &layers(seed)));
    let mut children = vec![
        on(&gone, "linux", "amd64"),
        on(&one, "linux", "amd64"),
        on(&two, "linux", "amd64"),
    ];
    children[2]["platform"]["os.version"] = json!("1");
    children.push(on(&two, "linux", "amd64"));
    children[3]["platform"]["os.version"] = json!("2");
    for (number, child) in children.iter_mut().enumerate() {
        *child = annotated(child, &[("x-number", &number.to_string())]);
    }
    let index = layout.index(&children);
    layout.add(named(&index, "app:1.0"));
    let sandbox = Sandbox::with_folder(&without(&layout, &[&gone]));
    let run = sandbox.convert(&["app", "-o", "out"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let output = sandbox.layout("out");
    let new = output.document(&output.named("app:1.0"));
    assert_eq!(new["manifests"], json!(children[1..]));
}

/// Go writes `null` for an empty list of layers. A rewritten manifest has an empty list.
#[test]
fn no_layers_are_an_empty_list() {
    let mut layout = Layout::default();
    let config = layout.blob(oci::DOCKER_CONFIG, &docker::config(&[]));
    let mut manifest = oci::manifest(&config, &[]);
    manifest["layers"] = Value::Null;
    let image = layout.document(&manifest);
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.convert(&["app", "-o", "out", "-q"]).succeeds();
    let output = sandbox.layout("out");
    assert_eq!(output.document(&output.only())["layers"], json!([]));
}

#[test]
fn a_config_without_platform() {
    let mut layout = Layout::default();
    let config = json!({ "rootfs": { "type": "layers", "diff_ids": [] } });
    let image = layout.manifest(oci::CONFIG, config.to_string().as_bytes(), &[]);
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.convert(&["app", "-o", "out", "-q"]).succeeds();
    let output = Output::open(&sandbox.path("out"));
    assert_eq!(output.only(), named(&image, "app:1.0"));
}

/// Go treats a key in another case as the known one. A rewritten document has one of them.
#[test]
fn keys_in_another_case_are_written_as_they_are_read() {
    let mut layout = Layout::default();
    let config = layout.blob(oci::CONFIG, &docker::config(&layers("top")));
    let blobs = layers("top").map(|layer| layout.blob(oci::LAYER_GZIP, &codec::gzip(&layer.tar)));
    let manifest = oci::manifest(&config, &blobs).to_string();
    let manifest = manifest
        .replace("layers\":", "LAYERS\":")
        .replace("size\":", "SIZE\":");
    let image = layout.blob(oci::MANIFEST, manifest.as_bytes());
    layout.add(platform(&named(&image, "app:1.0")));
    let sandbox = Sandbox::with_folder(&layout.files());
    let output = sandbox.converted(&["app", "--compression", "zstd", "-q"]);
    assert_eq!(output.layer_types(&output.only()), [oci::LAYER_ZSTD; 2]);
    let manifest = output.document(&output.only());
    assert_eq!(
        (manifest.get("LAYERS"), manifest["layers"][0].get("SIZE")),
        (None, None)
    );
    sandbox.run(&["verify", "out", "-q"]).succeeds();
}

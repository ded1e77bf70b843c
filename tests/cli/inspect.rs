//! `ocify inspect`.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use serde_json::{Value, json};

use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, digest, named, on};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{expected, sha256, testdata};

/// The output of `--json` for an input.
#[track_caller]
fn inspect(sandbox: &Sandbox, input: &str) -> Value {
    let run = sandbox.run(&["inspect", "--json", input]);
    serde_json::from_slice(&run.succeeds().stdout).unwrap()
}

/// The output of a successful run of `inspect`.
#[track_caller]
fn printed(sandbox: &Sandbox, args: &[&str]) -> Vec<u8> {
    let run = sandbox.run(&[&["inspect"], args].concat());
    run.succeeds();
    run.stdout
}

#[track_caller]
fn text(sandbox: &Sandbox, input: &str) -> String {
    String::from_utf8(printed(sandbox, &[input])).unwrap()
}

/// A member of an archive.
fn member(archive: &str, name: &str) -> Vec<u8> {
    let mut archive = tar::Archive::new(File::open(testdata(archive)).unwrap());
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let mut entry = entries
        .find(|entry| entry.path().unwrap().to_str() == Some(name))
        .unwrap();
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn every_input_holds_what_its_maker_says() {
    let sandbox = Sandbox::new();
    for (input, expected) in expected().as_object().unwrap() {
        let kind = expected["kind"].as_str().unwrap();
        let found = inspect(&sandbox, &testdata(input));
        let format = match kind {
            "docker-save" => "docker-archive",
            "docker-save before 1.10" => "docker-archive before 1.10",
            "oci-layout tar" => "oci-layout",
            "dir" => "schema 1",
            other => panic!("{other}"),
        };
        assert_eq!(found["format"], format, "{input}");
        let images = expected["images"].as_array().unwrap();
        assert_eq!(found["images"].as_array().unwrap().len(), images.len());
        for image in images {
            let mut of_input = found["images"].as_array().unwrap().iter();
            let found = of_input
                .find(|found| found["names"] == image["names"])
                .unwrap();
            let diff_ids = image["diff_ids"].as_array().unwrap();
            let layers = found["layers"].as_array().unwrap();
            assert_eq!(layers.len(), diff_ids.len(), "{input}");
            let platform = &found["platform"];
            let (os, architecture) = (&platform["os"], &platform["architecture"]);
            let platform = format!(
                "{}/{}",
                os.as_str().unwrap(),
                architecture.as_str().unwrap()
            );
            assert_eq!(platform, image["platform"], "{input}");
            // Documents that only a conversion creates are not shown.
            let has_config = !matches!(format, "docker-archive before 1.10" | "schema 1");
            if has_config {
                assert_eq!(found["imageId"], image["image_id"], "{input}");
                let found: Vec<&Value> = layers.iter().map(|layer| &layer["diffId"]).collect();
                assert_eq!(json!(found), image["diff_ids"], "{input}");
            } else {
                assert_eq!(found["imageId"], Value::Null, "{input}");
            }
            let codec = match kind {
                "docker-save" | "docker-save before 1.10" => "none",
                _ => "gzip",
            };
            assert!(
                layers.iter().all(|layer| layer["codec"] == codec),
                "{input}"
            );
        }
    }
}

#[test]
fn layers_have_the_commands_that_made_them() {
    let sandbox = Sandbox::new();
    for input in ["docker-save.tar", "oci-archive.tar", "schema1"] {
        let found = inspect(&sandbox, &testdata(input));
        let layers = found["images"][0]["layers"].as_array().unwrap();
        let config = member("docker-save.tar", &config_name("docker-save.tar", 0));
        let config: Value = serde_json::from_slice(&config).unwrap();
        let history = config["history"].as_array().unwrap().iter();
        let made: Vec<&Value> = history
            .filter(|entry| entry["empty_layer"] != true)
            .map(|entry| &entry["created_by"])
            .collect();
        let found: Vec<&Value> = layers.iter().map(|layer| &layer["createdBy"]).collect();
        assert_eq!(found, made, "{input}");
    }
}

fn config_name(archive: &str, position: usize) -> String {
    let manifest: Value = serde_json::from_slice(&member(archive, "manifest.json")).unwrap();
    manifest[position]["Config"].as_str().unwrap().to_owned()
}

#[test]
fn documents_are_printed_byte_for_byte() {
    let sandbox = Sandbox::new();
    let archive = testdata("oci-archive.tar");
    let index: Value = serde_json::from_slice(&member("oci-archive.tar", "index.json")).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap();
    let raw = printed(&sandbox, &["--raw", &archive]);
    assert_eq!(sha256(&raw), digest);
    let manifest: Value = serde_json::from_slice(&raw).unwrap();
    let config = printed(&sandbox, &["--config", &archive]);
    assert_eq!(sha256(&config), manifest["config"]["digest"]);

    let schema1 = testdata("schema1");
    let raw = printed(&sandbox, &["--raw", &schema1]);
    assert_eq!(raw, fs::read(testdata("schema1/manifest.json")).unwrap());

    // The second image of the archive, by each way to select it.
    let archive = testdata("docker-save.tar");
    let expected = member("docker-save.tar", &config_name("docker-save.tar", 1));
    let id = sha256(&expected);
    for image in ["testdata/base:1", "docker.io/testdata/base:1", "@1", &id] {
        let config = printed(&sandbox, &["--config", &archive, "--image", image]);
        assert_eq!(config, expected, "{image}");
    }
}

#[test]
fn documents_that_are_not_there_are_explained() {
    let sandbox = Sandbox::new();
    for (input, args, message) in [
        (
            "docker-save.tar",
            &["--raw"][..],
            "expected one image, found 2: @0 testdata/app:1.0, @1 testdata/base:1\n\
             hint: select one with `--image`: by name, by position such as `@0`, or by digest\n",
        ),
        (
            "docker-save.tar",
            &["--raw", "--image", "@1"],
            "testdata/base:1: the input has no manifest for this image: docker save wrote none before Docker 25\n\
             hint: use `--config` to print its config; manifest.json in the archive lists its layers\n",
        ),
        (
            "docker-before-1.10.tar",
            &["--raw", "--image", "@1"],
            "testdata/base:1: the input has no manifest for this image: docker save wrote none before Docker 25\n\
             hint: convert it and inspect the result\n",
        ),
        (
            "schema1",
            &["--config"],
            "@0: the input has no config for this image, only v1 metadata, from which a conversion creates one\n\
             hint: convert it and inspect the result\n",
        ),
    ] {
        let input = testdata(input);
        let run = sandbox.run(&[&["inspect", &input], args].concat());
        run.fails(&format!("ocify: {input}: {message}"));
    }
    for [one, other] in [
        ["--raw", "--config"],
        ["--raw", "--json"],
        ["--config", "--json"],
    ] {
        sandbox
            .run(&["inspect", "x.tar", one, other])
            .is_wrong_usage("cannot be used with");
    }
}

/// An index with two platforms, one of them absent, an attestation and an index; an artifact about the first.
fn tree() -> (Sandbox, Value, Value) {
    let mut layout = Layout::default();
    let amd64 = on(&layout.image("amd64", &[Layer::new("a")]), "linux", "amd64");
    let absent = on(
        &oci::descriptor(oci::MANIFEST, b"not here"),
        "linux",
        "arm64",
    );
    let empty = layout.blob(oci::EMPTY, b"{}");
    let statement = layout.blob("application/vnd.in-toto+json", b"[]");
    let attestation = layout.document(&oci::attestation(&empty, &[statement]));
    let attestation = on(&attestation, "unknown", "unknown");
    let attestation = oci::annotated(&attestation, &[(oci::REFERENCE_DIGEST, digest(&amd64))]);
    let inner = on(
        &layout.image("riscv64", &[Layer::new("c")]),
        "linux",
        "riscv64",
    );
    let inner = layout.index(&[inner]);
    let index = layout.index(&[amd64.clone(), absent, attestation, inner]);
    let sbom = layout.blob("text/spdx+json", b"{}");
    let mut artifact = oci::artifact("application/vnd.example.sbom", &empty, &[sbom]);
    artifact["subject"] = amd64.clone();
    let artifact = layout.document(&artifact);
    layout.add(named(&index, "multi:1"));
    layout.add(artifact);
    (Sandbox::with_folder(&layout.files()), index, amd64)
}

#[test]
fn an_index_is_a_tree() {
    let (sandbox, index, amd64) = tree();
    let found = inspect(&sandbox, "app");
    let [entry, artifact] = found["images"].as_array().unwrap().as_slice() else {
        panic!("{found:#}");
    };
    assert_eq!(entry["names"], json!(["multi:1"]));
    assert_eq!(
        (&entry["kind"], &entry["digest"]),
        (&json!("index"), &index["digest"])
    );
    let children = entry["manifests"].as_array().unwrap();
    let kinds: Vec<&Value> = children.iter().map(|child| &child["kind"]).collect();
    assert_eq!(kinds, ["image", "absent", "attestation", "index"]);
    assert_eq!(children[0]["digest"], amd64["digest"]);
    assert_eq!(children[0]["created"], "2024-01-02T03:04:05.678901234Z");
    assert_eq!(children[1]["platform"]["architecture"], "arm64");
    assert_eq!(children[1]["missing"], oci::blob_path(&sha256(b"not here")));
    assert_eq!(children[2]["attests"], amd64["digest"]);
    assert_eq!(
        children[2]["layers"][0]["mediaType"],
        "application/vnd.in-toto+json"
    );
    let inner = &children[3]["manifests"][0];
    assert_eq!(inner["platform"]["architecture"], "riscv64");
    assert_eq!(artifact["kind"], "artifact");
    assert_eq!(artifact["artifactType"], "application/vnd.example.sbom");
    assert_eq!(artifact["subject"], amd64["digest"]);

    for (image, expected) in [
        ("multi:1", digest(&index)),
        (digest(&amd64), digest(&amd64)),
    ] {
        let raw = printed(&sandbox, &["--raw", "app", "--image", image]);
        assert_eq!(sha256(&raw), expected);
    }
    let run = sandbox.run(&["inspect", "--config", "app", "--image", "multi:1"]);
    assert_eq!(run.status.code(), Some(1));
    let message = format!(
        "expected one image, found 4: {} (linux/amd64), ",
        digest(&amd64)
    );
    assert!(run.stderr.contains(&message), "{}", run.stderr);
}

#[test]
fn text_fits_eighty_columns() {
    let (sandbox, index, amd64) = tree();
    let mut command = sandbox.command(&["inspect", "app"]);
    command.env("SOURCE_DATE_EPOCH", "1704337446");
    let run = Run::new(command.spawn().unwrap());
    let text = run.succeeds().stdout();
    let long: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert_eq!(long, [""; 0], "{text}");
    // Digests for --image are not shortened.
    for descriptor in [&index, &amd64] {
        assert!(text.contains(digest(descriptor)), "{text}");
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in [
        "app: oci-layout, 2 images",
        "@0  multi:1",
        "- linux/amd64",
        "created   2024-01-02T03:04:05.678901234Z, 2 days ago",
        "- linux/arm64",
        "absent    not in the input",
        "- attestation",
        "artifact  application/vnd.example.sbom",
    ] {
        assert!(lines.contains(&line), "{line:?} in {text}");
    }
    assert!(text.contains("  ADD file\n"), "{text}");
}

#[test]
fn text_is_harmless_on_a_terminal() {
    let layer = Layer::new("a");
    let config = json!({
        "architecture": "amd64",
        "os": "li\u{9b}nux",
        "rootfs": { "type": "layers", "diff_ids": [layer.diff_id()] },
        "history": [{ "created_by": "echo \u{1b}[2J\u{202e}" }],
    });
    let mut layout = Layout::default();
    let config = config.to_string();
    let image = layout.manifest(oci::CONFIG, config.as_bytes(), &[(oci::LAYER, layer.tar)]);
    layout.add(named(&image, "evil\u{1b}]0;x\u{7}\nname"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = sandbox.run(&["inspect", "app"]);
    run.warns(
        "ocify: warning: app: evil\\u{1b}]0;x\\u{7}\\u{a}name: index.json: the name does not match the grammar of \
         org.opencontainers.image.ref.name (ref-name)\n",
    );
    let text = run.stdout();
    let harmful = |character: char| character != '\n' && character.is_control();
    assert!(
        !text.contains(harmful) && !text.contains('\u{202e}'),
        "{text:?}"
    );
    for escaped in [
        r"evil\u{1b}]0;x\u{7}\u{a}name",
        r"li\u{9b}nux/amd64",
        r"echo \u{1b}[2J\u{202e}",
    ] {
        assert!(text.contains(escaped), "{text}");
    }
}

#[test]
fn detached_signatures_are_listed() {
    let layout = oci::one("app:1.0", &[Layer::new("a")]);
    let files = oci::dir(&layout, &layout.manifests[0]).with("signature-1", "a signature");
    let sandbox = Sandbox::with_folder(&files);
    assert_eq!(
        inspect(&sandbox, "app")["signatures"],
        json!(["signature-1"])
    );
    let text = text(&sandbox, "app");
    assert!(
        text.ends_with("\n\ndetached signatures:\n  signature-1\n"),
        "{text}"
    );
}

/// A layer that is too large for a test to read.
#[test]
fn layers_are_not_read() {
    const TEBIBYTE: u64 = 1 << 40;
    let sandbox = Sandbox::new();
    let mut archive = File::create(sandbox.path("large.tar")).unwrap();
    let mut add = |name: &str, size: u64, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_size(size);
        header.set_cksum();
        archive.write_all(header.as_bytes()).unwrap();
        archive.write_all(bytes).unwrap();
        let end = archive.stream_position().unwrap() - bytes.len() as u64 + size;
        archive
            .seek(SeekFrom::Start(end.next_multiple_of(512)))
            .unwrap();
    };
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [sha256(b"never computed")] },
    });
    let config = config.to_string();
    let manifest =
        json!([{ "Config": "c.json", "RepoTags": ["large:1"], "Layers": ["l/layer.tar"] }]);
    let manifest = manifest.to_string();
    add("l/layer.tar", TEBIBYTE, b"");
    add("c.json", config.len() as u64, config.as_bytes());
    add("manifest.json", manifest.len() as u64, manifest.as_bytes());
    archive.write_all(&[0; 1024]).unwrap();
    let found = inspect(&sandbox, "large.tar");
    assert_eq!(found["images"][0]["layers"][0]["size"], json!(TEBIBYTE));
    assert_eq!(
        found["images"][0]["imageId"],
        json!(sha256(config.as_bytes()))
    );
}

//! Inputs of other programs and crafted inputs that were once converted incorrectly, or refused.

use serde_json::{Value, json};

use crate::support::agreement::{self, Converted, Said};
use crate::support::docker::{self, Image, save, save_one, v1_id};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::layout::annotation;
use crate::support::oci::{self, Layout, named};
use crate::support::sandbox::Sandbox;
use crate::support::tar::{self, Member};
use crate::support::{codec, legacy, schema1, sha256, sha256_hex};

/// A change to a document.
type Edit = fn(&mut Value);

pub(super) fn two() -> [Layer; 2] {
    [Layer::new("base"), Layer::new("top")]
}

/// The results of `verify` and `convert` for an archive, which must agree.
#[track_caller]
pub(super) fn said(sandbox: &Sandbox, input: &str) -> Said {
    let said = agreement::ask(sandbox, input, "out", &[]);
    let violations = said.violations();
    assert!(
        violations.is_empty(),
        "{violations:?}\n{}",
        said.transcript()
    );
    said
}

/// The archive is converted with exactly these warnings.
#[track_caller]
fn warns(files: &Files, codes: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with_archive(files);
    let said = said(&sandbox, "app.tar");
    let Converted::Wrote(warnings) = &said.converted else {
        panic!("{}", said.transcript());
    };
    let mut found: Vec<&str> = warnings.iter().map(|(code, _)| code.as_str()).collect();
    found.dedup();
    assert_eq!(found, codes, "{}", said.transcript());
    sandbox
}

/// `verify` has this error, and `convert` fails.
#[track_caller]
fn stops(files: &Files, code: &str) {
    let said = said(&Sandbox::with_archive(files), "app.tar");
    assert!(
        said.found.contains(&format!("error {code}")),
        "{}",
        said.transcript()
    );
    assert_eq!(said.converted, Converted::Stopped, "{}", said.transcript());
}

#[test]
fn the_layer_of_an_old_image_is_missing() {
    let layers = two();
    let files = legacy::save("app", "1", &layers);
    let top = format!("{}/layer.tar", v1_id(&layers[1]));
    stops(&files.clone().without(&top), "missing-blob");
    stops(
        &files.clone().without("repositories").without(&top),
        "missing-blob",
    );
    // The base has a name, its child has none.
    let base = json!({ "base": { "1": v1_id(&layers[0]) } }).to_string();
    stops(
        &files.with("repositories", base).without(&top),
        "missing-blob",
    );
}

/// Go's decoder accepts keys in any case, so Docker, podman and skopeo load the output of jib.
#[test]
fn manifest_json_with_keys_in_lower_case() {
    let image = Image::new(&["app:1.0"], &two());
    let names: Vec<&String> = image.layers.iter().map(|(name, _)| name).collect();
    let entry = json!({ "config": image.config_name, "repoTags": ["app:1.0"], "layers": names });
    let files = save_one("app:1.0", &two()).with("manifest.json", json!([entry]).to_string());
    let sandbox = warns(&files, &["json-key-case"]);
    let layout = sandbox.layout("out");
    let tars = two().map(|layer| layer.tar);
    assert_eq!(layout.layers(&layout.named("app:1.0")), tars);
}

/// Go writes null for an empty list of layers.
#[test]
fn layers_that_are_null() {
    for config_type in [oci::CONFIG, oci::DOCKER_CONFIG] {
        let mut layout = Layout::default();
        let config = layout.blob(config_type, &docker::config(&[]));
        let mut manifest = oci::manifest(&config, &[]);
        manifest["layers"] = Value::Null;
        let image = layout.document(&manifest);
        layout.add(named(&image, "app:1.0"));
        let sandbox = warns(&layout.files(), &["layers-null"]);
        let written = sandbox.layout("out").descriptors();
        if config_type == oci::DOCKER_CONFIG {
            let document = sandbox.layout("out").document(&written[0]);
            assert_eq!(document["layers"], json!([]));
        }
        sandbox.convert(&["app.tar", "-o", "out.tar"]);
        let written = Sandbox::new();
        written.write("app.tar", &sandbox.read("out.tar"));
        said(&written, "app.tar");
        let manifest: Value = serde_json::from_slice(&tar_file(&sandbox, "manifest.json")).unwrap();
        assert_eq!(manifest[0]["Layers"], json!([]));
    }
}

/// A file of `out.tar`.
fn tar_file(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    let layout = crate::support::layout::Layout::open(&sandbox.path("out.tar"));
    layout.file(name).to_vec()
}

/// Its config has the media type of an image config, but no platform.
#[test]
fn a_signature_of_cosign() {
    let mut layout = oci::one("app:1.0", &two());
    let payload = br#"{"critical":{"type":"cosign container image signature"}}"#;
    let config = json!({
        "architecture": "", "os": "", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [sha256(payload)] },
    });
    let simple_signing = "application/vnd.dev.cosign.simplesigning.v1+json";
    let layers = [(simple_signing, payload.to_vec())];
    let signature = layout.manifest(oci::CONFIG, config.to_string().as_bytes(), &layers);
    layout.add(named(&signature, "sha256-1.sig"));
    let sandbox = warns(&layout.files(), &[]);
    let written = sandbox.layout("out").named("sha256-1.sig");
    assert_eq!(written["digest"], signature["digest"]);
    assert_eq!(written.get("platform"), None);
    let run = sandbox.run(&["inspect", "app.tar"]);
    assert!(run.stdout().contains("signature"), "{}", run.stdout());
}

#[test]
fn a_config_without_a_platform() {
    for platform in [json!({}), json!({ "os": "", "architecture": "" })] {
        let mut config: Value = serde_json::from_slice(&docker::config(&two())).unwrap();
        let fields = config.as_object_mut().unwrap();
        fields.shift_remove("os");
        fields.shift_remove("architecture");
        fields.extend(platform.as_object().unwrap().clone());
        let image = Image::new(&["app:1.0"], &two()).with_config(config.to_string());
        let sandbox = warns(&save(&[image]), &["config-platform"]);
        let index: Value = serde_json::from_slice(&sandbox.read("out/index.json")).unwrap();
        assert_eq!(index["manifests"][0].get("platform"), None);
    }
}

/// The two documents of a Docker 25 archive give a name to different images.
#[test]
fn index_json_and_manifest_json_disagree_about_names() {
    let images = [
        docker::image_of_blobs(&["app:1.0"], &two()),
        docker::image_of_blobs(&["other:1.0"], &two()[..1]),
    ];
    let files = docker::save_hybrid(&images, &[true, true]).edited("manifest.json", |entries| {
        entries[0]["RepoTags"] = json!(["other:1.0"]);
        entries[1]["RepoTags"] = json!(["app:1.0"]);
    });
    let sandbox = warns(&files, &["docker-manifest-mismatch"]);
    let mut names: Vec<(String, String)> = Vec::new();
    for descriptor in sandbox.layout("out").descriptors() {
        let name = |key| annotation(&descriptor, key).unwrap_or_default().to_owned();
        names.push((name(oci::REF_NAME), name(oci::CONTAINERD_NAME)));
    }
    names.sort();
    let name = |name: &str| (name.to_owned(), format!("docker.io/library/{name}"));
    assert_eq!(names, [name("app:1.0"), name("other:1.0")]);
}

#[test]
fn index_json_and_manifest_json_disagree_about_images() {
    let images = [
        docker::image_of_blobs(&["app:1.0"], &two()),
        docker::image_of_blobs(&["other:1.0"], &two()[..1]),
    ];
    let files = docker::save_hybrid(&images, &[true, true]);
    let only_second = files.edited("manifest.json", |entries| {
        entries.as_array_mut().unwrap().remove(0);
    });
    let mut index = docker::save_hybrid(&images, &[true, false]);
    index.put("manifest.json", only_second.get("manifest.json"));
    warns(&index, &["docker-manifest-unindexed"]);
}

/// skopeo reads the first, Docker the last.
#[test]
fn two_members_are_called_manifest_json() {
    let images = [
        Image::new(&["app:1.0"], &two()),
        Image::new(&["other:1.0"], &two()[..1]),
    ];
    let mut files = save(&images);
    let entries: Value = serde_json::from_slice(files.get("manifest.json")).unwrap();
    files.put("manifest.json", json!([entries[0]]).to_string());
    let other = Member::file("manifest.json", json!([entries[1]]).to_string());
    files.members.push(other);
    warns(&files, &["archive-duplicate-member"]);
}

/// A conversion must not add anything to a layout that standard readers refuse.
#[test]
fn what_is_added_to_a_layout_does_not_break_it() {
    let sound = oci::one("app:1.0", &two()).files();
    let added = oci::one("other:1.0", &two()[..1]).files();
    let edits: [Edit; 4] = [
        |index| index["manifests"][0]["annotations"]["z"] = json!(1),
        |index| index["manifests"][0]["annotations"] = json!([]),
        |index| index["schemaVersion"] = json!("2"),
        |index| index["manifests"][0]["urls"] = json!("https://example.invalid"),
    ];
    for edit in edits {
        let sandbox = Sandbox::with_archive(&sound);
        sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
        sandbox.write("other.tar", &added.clone().edited("index.json", edit).tar());
        let run = sandbox.convert(&["other.tar", "-o", "out"]);
        assert!(matches!(run.status.code(), Some(0 | 1)));
        let layout = sandbox.layout("out");
        layout.named("app:1.0");
        for descriptor in layout.descriptors() {
            let annotations = descriptor["annotations"].as_object().unwrap();
            assert!(annotations.values().all(Value::is_string), "{descriptor}");
            assert_eq!(descriptor.get("urls"), None);
        }
        assert_eq!(layout.json("index.json")["schemaVersion"], json!(2));
        assert_eq!(sandbox.run(&["verify", "out"]).status.code(), Some(0));
    }
}

#[test]
fn the_digest_that_inspect_shows_selects_a_schema_1_image() {
    let manifest = schema1::manifest("app", "1.0", &two()).to_string();
    let files = schema1::folder(&schema1::sign(&manifest), &two());
    let sandbox = Sandbox::with_folder(&files);
    let run = sandbox.run(&["inspect", "--json", "app"]);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let shown = report["images"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(shown, sha256(manifest.as_bytes()));
    let run = sandbox.convert(&["app", "-o", "out", "--image", &shown]);
    run.succeeds();
    sandbox.layout("out").named("app:1.0");
}

/// A config that engines refuse is copied, and the other images are converted.
#[test]
fn one_config_has_no_rootfs() {
    let mut config: Value = serde_json::from_slice(&docker::config(&two())).unwrap();
    config.as_object_mut().unwrap().shift_remove("rootfs");
    let mut layout = oci::one("app:1.0", &two());
    let blobs = two().map(|layer| (oci::LAYER_GZIP, codec::gzip(&layer.tar)));
    let image = layout.manifest(oci::CONFIG, config.to_string().as_bytes(), &blobs);
    layout.add(named(&image, "odd:1.0"));
    let sandbox = Sandbox::with_archive(&layout.files());
    let said = said(&sandbox, "app.tar");
    let Converted::Wrote(warnings) = &said.converted else {
        panic!("{}", said.transcript());
    };
    assert!(
        warnings.iter().any(|(code, _)| code == "config-rootfs"),
        "{}",
        said.transcript()
    );
    let written = crate::support::layout::Layout::open(&sandbox.path("out"));
    assert_eq!(written.named("odd:1.0")["digest"], image["digest"]);
    written.named("app:1.0");
}

/// Both are valid JSON, so they are refused with the code `limit`.
#[test]
fn json_that_few_decoders_take() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    for value in [deep.as_str(), "1e400"] {
        let config = String::from_utf8(docker::config(&two())).unwrap();
        let config = config.replacen('{', &format!("{{\"x-odd\":{value},"), 1);
        let image = Image::new(&["app:1.0"], &two()).with_config(config);
        let said = said(&Sandbox::with_archive(&save(&[image])), "app.tar");
        let calls_it_invalid = said.found.contains(&"error json-syntax".to_owned());
        assert!(!calls_it_invalid, "{}", said.transcript());
    }
}

/// Go reads all of these as files: <https://github.com/golang/go/blob/go1.25.0/src/archive/tar/reader.go>.
#[test]
fn members_of_types_that_go_takes_for_files() {
    let image = Image::new(&["app:1.0"], &two());
    let (layer, config) = (image.layers[0].0.clone(), image.config_name.clone());
    let archive = save(&[image]).tar();
    for kind in [b'7', b'\0', b'Z', b'!'] {
        for name in [&layer, &config, &"manifest.json".to_owned()] {
            let mut bytes = archive.clone();
            let at = (0..bytes.len()).step_by(512);
            let mut at = at.filter(|at| bytes[*at..].starts_with(format!("{name}\0").as_bytes()));
            let at = at.next().unwrap();
            bytes[at + 156] = kind;
            let header: [u8; 512] = bytes[at..at + 512].try_into().unwrap();
            bytes[at..at + 512].copy_from_slice(&tar::checksummed(header));
            let sandbox = Sandbox::new();
            sandbox.write("app.tar", &bytes);
            let said = said(&sandbox, "app.tar");
            assert_ne!(said.converted, Converted::Stopped, "{}", said.transcript());
            let layout = sandbox.layout("out");
            let tars = two().map(|layer| layer.tar);
            assert_eq!(layout.layers(&layout.named("app:1.0")), tars);
        }
    }
}

#[test]
fn strings_and_keys_that_go_takes() {
    let config = |field: &str| {
        let config = String::from_utf8(docker::config(&two())).unwrap();
        let config = config.replacen('{', &format!("{{{field},"), 1);
        save(&[Image::new(&["app:1.0"], &two()).with_config(config)])
    };
    warns(&config(r#""author":"\ud800""#), &["json-surrogate"]);
    warns(&config(r#""os":"linux""#), &["json-repeated-key"]);
}

/// Engines trust a digest in the name of a file.
#[test]
fn a_file_is_named_by_a_digest_that_is_not_its_own() {
    let mut image = docker::image_of_blobs(&["app:1.0"], &two());
    image.layers[0].0 = format!("blobs/sha256/{}", sha256_hex(b"something else"));
    let files = save(std::slice::from_ref(&image));
    let said_of_layer = said(&Sandbox::with_archive(&files), "app.tar");
    assert!(
        said_of_layer
            .found
            .contains(&"error blob-digest".to_owned())
    );
    let mut image = Image::new(&["app:1.0"], &two());
    image.config_name = format!("{}.json", sha256_hex(b"something else"));
    let said_of_config = said(&Sandbox::with_archive(&save(&[image])), "app.tar");
    assert!(
        said_of_config
            .found
            .contains(&"error blob-digest".to_owned())
    );
}

#[test]
fn an_index_json_that_skopeo_refuses() {
    let files = || oci::one("app:1.0", &two()).files();
    let edits: [(Edit, &str); 6] = [
        (
            |index| index["schemaVersion"] = Value::Null,
            "schema-version",
        ),
        (
            |index| index["schemaVersion"] = json!("2"),
            "document-field",
        ),
        (|index| index["schemaVersion"] = json!(3), "schema-version"),
        (
            |index| {
                index.as_object_mut().unwrap().shift_remove("schemaVersion");
            },
            "schema-version",
        ),
        (
            |index| {
                let descriptor = index["manifests"][0].as_object_mut().unwrap();
                descriptor.shift_remove("mediaType");
            },
            "descriptor-media-type",
        ),
        (
            |index| index["manifests"][0]["annotations"][oci::REF_NAME] = json!(7),
            "descriptor-field",
        ),
    ];
    for (edit, code) in edits {
        let sandbox = Sandbox::with_archive(&files().edited("index.json", edit));
        let said = said(&sandbox, "app.tar");
        assert!(
            said.found.contains(&format!("error {code}")),
            "{}",
            said.transcript()
        );
    }
}

/// The table of contents of an eStargz layer is in a second tar, which readers ignore.
#[test]
fn a_layer_of_estargz() {
    let layer = two()[0].clone();
    let contents = Layer::of(&[Member::file(
        "stargz.index.json",
        r#"{"version":1,"entries":[]}"#,
    )]);
    let blob = [codec::gzip(&layer.tar), codec::gzip(&contents.tar)].concat();
    let whole = Layer {
        tar: [layer.tar, contents.tar].concat(),
    };
    let mut layout = Layout::default();
    let config = docker::config(std::slice::from_ref(&whole));
    let image = layout.manifest(oci::CONFIG, &config, &[(oci::LAYER_GZIP, blob)]);
    warns(&layout.listing(named(&image, "app:1.0")).files(), &[]);
}

//! `--missing`: an index lists platforms that the input lacks, as when Docker saves a pulled image.

use serde_json::{Value, json};

use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, annotated, blob_path, digest, named, on};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{agreement, codec};

const ARCHITECTURES: [&str; 3] = ["amd64", "arm64", "s390x"];

/// An index of three images, each with an attestation.
struct Saved {
    layout: Layout,
    index: Value,
    images: Vec<Value>,
    attestations: Vec<Value>,
}

impl Saved {
    fn new() -> Saved {
        let mut layout = Layout::default();
        let images = ARCHITECTURES.map(|architecture| {
            let layers = [Layer::new("base"), Layer::new(architecture)];
            on(&layout.image(architecture, &layers), "linux", architecture)
        });
        let attestations = images.clone().map(|image| {
            let statement = format!("{{\"about\":\"{}\"}}", digest(&image)).into_bytes();
            let statements = [("application/vnd.in-toto+json", statement)];
            let config = json!({
                "architecture": "unknown", "os": "unknown", "config": {},
                "rootfs": { "type": "layers", "diff_ids": [crate::support::sha256(&statements[0].1)] },
            });
            let config = config.to_string().into_bytes();
            let attestation = layout.manifest(oci::CONFIG, &config, &statements);
            let about = [
                (oci::REFERENCE_DIGEST, digest(&image)),
                ("vnd.docker.reference.type", "attestation-manifest"),
            ];
            on(&annotated(&attestation, &about), "unknown", "unknown")
        });
        let index = layout.index(&[&images[..], &attestations].concat());
        layout.add(named(&index, "app:1.0"));
        Saved {
            layout,
            index,
            images: images.to_vec(),
            attestations: attestations.to_vec(),
        }
    }

    /// Without the manifests, and with or without the blobs, of images.
    fn without(&self, missing: &[usize]) -> Sandbox {
        let mut files = self.layout.files();
        for &position in missing {
            files = files.without(&blob_path(digest(&self.images[position])));
            let layer = codec::gzip(&Layer::new(ARCHITECTURES[position]).tar);
            files = files.without(&blob_path(&crate::support::sha256(&layer)));
        }
        Sandbox::with_folder(&files)
    }
}

/// The run succeeded with exactly one warning, about missing platforms.
#[track_caller]
fn warns_once(run: &Run) {
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let warnings: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(warnings.len(), 1, "{}", run.stderr);
    assert!(
        warnings[0].starts_with("ocify: warning: app: app:1.0: "),
        "{}",
        run.stderr
    );
    assert!(warnings[0].contains("platform-absent"), "{}", run.stderr);
}

/// The digests that an index of the output lists.
fn listed(sandbox: &Sandbox) -> Vec<Value> {
    let layout = sandbox.layout("out");
    let index = layout.document(&layout.named("app:1.0"));
    let manifests = index["manifests"].as_array().unwrap().iter();
    manifests
        .map(|manifest| manifest["digest"].clone())
        .collect()
}

#[test]
fn images_that_are_missing_are_left_out_with_their_attestations() {
    let saved = Saved::new();
    for args in [&[][..], &["--missing", "drop"]] {
        let sandbox = saved.without(&[1]);
        warns_once(&sandbox.convert(&[&["app", "-o", "out"], args].concat()));
        let kept = [
            &saved.images[0],
            &saved.images[2],
            &saved.attestations[0],
            &saved.attestations[2],
        ];
        let kept: Vec<Value> = kept
            .iter()
            .map(|manifest| manifest["digest"].clone())
            .collect();
        assert_eq!(listed(&sandbox), kept);
    }
}

#[test]
fn one_image_is_left() {
    let mut saved = Saved::new();
    // Without its attestation, because the index then has one manifest.
    let manifests = [&saved.images[..], &saved.attestations[1..]].concat();
    saved.index = saved.layout.index(&manifests);
    saved.layout.manifests = vec![named(&saved.index, "app:1.0")];
    let sandbox = saved.without(&[1, 2]);
    warns_once(&sandbox.convert(&["app", "-o", "out"]));
    let output = sandbox.layout("out");
    let descriptor = output.named("app:1.0");
    assert_eq!(descriptor["digest"], saved.images[0]["digest"]);
    assert_eq!(descriptor["mediaType"], json!(oci::MANIFEST));
    assert_eq!(
        descriptor["platform"],
        json!({ "architecture": "amd64", "os": "linux" })
    );
}

#[test]
fn no_image_is_left() {
    let saved = Saved::new();
    for args in [&[][..], &["--missing", "drop"], &["--missing", "error"]] {
        let sandbox = saved.without(&[0, 1, 2]);
        let run = sandbox.convert(&[&["app", "-o", "out"], args].concat());
        assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
        assert!(!sandbox.path("out").exists());
    }
}

#[test]
fn the_index_is_kept_as_it_is() {
    let saved = Saved::new();
    let sandbox = saved.without(&[1, 2]);
    let run = sandbox.convert(&["app", "-o", "out", "--missing", "keep"]);
    warns_once(&run);
    let path = blob_path(digest(&saved.index));
    assert_eq!(
        sandbox.read(&format!("out/{path}")),
        saved.layout.files().get(&path)
    );
    let index: Value = serde_json::from_slice(&sandbox.read("out/index.json")).unwrap();
    assert_eq!(index["manifests"][0]["digest"], saved.index["digest"]);
}

#[test]
fn missing_images_are_an_error_if_so_wanted() {
    let saved = Saved::new();
    let sandbox = saved.without(&[1]);
    let run = sandbox.convert(&["app", "-o", "out", "--missing", "error"]);
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert!(!sandbox.path("out").exists());
    let sandbox = saved.without(&[]);
    sandbox
        .convert(&["app", "-o", "out", "--missing", "error"])
        .succeeds();
    assert_eq!(
        sandbox.layout("out").named("app:1.0")["digest"],
        saved.index["digest"]
    );
}

#[test]
fn a_manifest_that_is_here_lacks_a_blob() {
    let saved = Saved::new();
    let files = saved.layout.files();
    let manifest: Value =
        serde_json::from_slice(files.get(&blob_path(digest(&saved.images[1])))).unwrap();
    for blob in [&manifest["config"], &manifest["layers"][1]] {
        for missing in ["drop", "keep", "error"] {
            let sandbox = Sandbox::with_folder(&files.clone().without(&blob_path(digest(blob))));
            let run = sandbox.convert(&["app", "-o", "out", "--missing", missing]);
            assert_eq!(run.status.code(), Some(1), "{missing}: {}", run.stderr);
            assert!(!sandbox.path("out").exists());
        }
    }
}

/// It is not a platform of an image. The whole image with its name is missing.
#[test]
fn an_image_without_an_index_is_missing() {
    let mut layout = oci::one("app:1.0", &[Layer::new("base")]);
    let other = layout.image("amd64", &[Layer::new("other")]);
    layout.add(named(&other, "other:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files_without(&other));
    let said = agreement::ask(&sandbox, "app", "out", &[]);
    let transcript = said.transcript();
    assert!(
        said.violations().is_empty(),
        "{:?}\n{transcript}",
        said.violations()
    );
    assert!(transcript.contains("other:1.0"), "{transcript}");
}

#[test]
fn other_values_are_wrong_usage() {
    let sandbox = Saved::new().without(&[]);
    let run = sandbox.convert(&["app", "-o", "out", "--missing", "ignore"]);
    run.is_wrong_usage("ignore");
    let run = sandbox.convert(&["app", "-o", "out", "--allow-missing"]);
    run.is_wrong_usage("--allow-missing");
}

//! Signatures that name digests: they are never lost in silence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, annotated, digest, named};
use crate::support::sandbox::Sandbox;

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The manifest of a signature of `signed`, as cosign 2 writes it.
fn cosign2(layout: &mut Layout, signed: &Value) -> Value {
    let payload = json!({ "critical": {
        "identity": { "docker-reference": "app" },
        "image": { "docker-manifest-digest": digest(signed) },
        "type": "cosign container image signature",
    }});
    let payload = layout.blob(SIMPLE_SIGNING, payload.to_string().as_bytes());
    let config = json!({
        "architecture": "", "os": "", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [payload["digest"]] },
    });
    let config = layout.blob(oci::CONFIG, config.to_string().as_bytes());
    layout.document(&json!({
        "schemaVersion": 2, "mediaType": oci::MANIFEST, "config": config, "layers": [payload],
    }))
}

fn tag(signed: &Value, kind: &str) -> String {
    let hex = digest(signed).strip_prefix("sha256:").unwrap();
    format!("app:sha256-{hex}.{kind}")
}

/// An image that is signed in each way that cosign knows.
fn signed(way: &str) -> (Sandbox, Value) {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("a")]);
    layout.add(named(&image, "app:1.0"));
    match way {
        "bundle" => {
            let empty = layout.blob(oci::EMPTY, b"{}");
            let bundle = layout.blob(BUNDLE, b"{\"mediaType\":\"x\"}");
            let mut artifact = oci::artifact(BUNDLE, &empty, &[bundle]);
            artifact["subject"] = image.clone();
            let artifact = layout.document(&artifact);
            layout.add(artifact);
        }
        "saved" => {
            let signature = cosign2(&mut layout, &image);
            layout.add(annotated(
                &signature,
                &[("kind", "dev.cosignproject.cosign/sigs")],
            ));
        }
        kind => {
            let signature = cosign2(&mut layout, &image);
            layout.add(named(&signature, &tag(&image, kind)));
        }
    }
    (Sandbox::with_folder(&layout.files()), image)
}

#[test]
fn a_digest_that_changes_under_a_signature_is_warned_of() {
    for way in ["sig", "att", "sbom", "bundle", "saved"] {
        let (sandbox, image) = signed(way);
        // As it is, nothing changes.
        let run = sandbox.convert(&["app", "-o", "same", "--keep-digests"]);
        assert_eq!(run.status.code(), Some(0), "{way}: {}", run.stderr);
        assert!(
            !run.stderr.contains("signature-stale"),
            "{way}: {}",
            run.stderr
        );

        let args = ["app", "-o", "out", "--compression", "zstd", "--json"];
        let run = sandbox.convert(&args);
        assert_eq!(run.status.code(), Some(0), "{way}: {}", run.stderr);
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        let warnings = report["warnings"].as_array().unwrap().iter();
        let stale: Vec<&Value> = warnings
            .filter(|warning| warning["code"] == "signature-stale")
            .collect();
        let [warning] = stale.as_slice() else {
            panic!("{way}: {report:#}");
        };
        assert_eq!(
            warning["place"],
            json!({ "input": "app", "image": "app:1.0" })
        );
        assert_eq!(warning["expected"], digest(&image));
        let images = report["images"].as_array().unwrap().iter();
        let mut new = images.filter(|image| image["names"] == json!(["app:1.0"]));
        assert_eq!(warning["found"], new.next().unwrap()["digest"]);
        assert!(
            run.stderr
                .contains(" no longer matches it (signature-stale)\n"),
            "{}",
            run.stderr
        );
        // Nobody needs to have selected the signature.
        let run = sandbox.convert(&[
            "app",
            "--image",
            "app:1.0",
            "-o",
            "one",
            "--compression",
            "zstd",
        ]);
        assert!(
            run.stderr.contains("signature-stale"),
            "{way}: {}",
            run.stderr
        );
    }
}

#[test]
fn digests_are_kept_or_nothing_is_written() {
    let (sandbox, image) = signed("sig");
    let before = sandbox.snapshot();
    for (output, option) in [
        ("out", "--compression=zstd"),
        ("out.tar", "--compression=gzip:9"),
    ] {
        let run = sandbox.convert(&["app", "-o", output, "--keep-digests", option]);
        assert_eq!(run.status.code(), Some(1));
        let message = format!(
            "ocify: app: app:1.0: {} would become sha256:",
            digest(&image)
        );
        assert!(run.stderr.starts_with(&message), "{}", run.stderr);
        assert!(
            run.stderr
                .contains("\nhint: use the input's format and `--compression keep`")
        );
        assert_eq!(sandbox.snapshot(), before);
    }
    // An index of which one image is selected is changed, too.
    let mut layout = Layout::default();
    let amd64 = oci::on(&layout.image("amd64", &[Layer::new("a")]), "linux", "amd64");
    let arm64 = oci::on(&layout.image("arm64", &[Layer::new("b")]), "linux", "arm64");
    let index = layout.index(&[amd64, arm64]);
    layout.add(named(&index, "multi:1"));
    layout.files().write(&sandbox.path("multi"));
    let all = ["multi", "-o", "all", "--keep-digests"];
    sandbox.convert(&all).succeeds();
    let one = [
        "multi",
        "-o",
        "one",
        "--keep-digests",
        "--platform",
        "linux/amd64",
    ];
    let run = sandbox.convert(&one);
    let message = format!("multi:1: {} would not be in the output\n", digest(&index));
    assert!(run.stderr.contains(&message), "{}", run.stderr);
}

#[test]
fn signatures_of_images_that_are_not_there_are_found() {
    for way in ["sig", "bundle", "saved"] {
        let (sandbox, _) = signed(way);
        let run = sandbox.run(&["verify", "app"]);
        assert!(
            !run.stdout().contains("signature-orphaned"),
            "{way}: {}",
            run.stdout()
        );
    }
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("a")]);
    layout.add(named(&image, "app:1.0"));
    let other = oci::descriptor(oci::MANIFEST, b"not here");
    let signature = cosign2(&mut layout, &other);
    layout.add(named(&signature, &tag(&other, "sig")));
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = sandbox.run(&["verify", "app"]);
    let line = format!(
        "warning[signature-orphaned]: {}: it names {}, which is not in the input\n",
        tag(&other, "sig"),
        digest(&other)
    );
    assert!(run.stdout().contains(&line), "{}", run.stdout());
    assert_eq!(run.status.code(), Some(0));
}

/// What another tool attaches to an image is of sigstore by its own type, or by that of what it has.
#[test]
fn bundles_by_either_of_their_types() {
    for (artifact_type, layer_type, is_signature) in [
        (BUNDLE, "application/octet-stream", true),
        ("application/x-test", BUNDLE, true),
        ("application/x-test", "application/octet-stream", false),
    ] {
        let mut layout = Layout::default();
        let image = layout.image("amd64", &[Layer::new("a")]);
        layout.add(named(&image, "app:1.0"));
        let empty = layout.blob(oci::EMPTY, b"{}");
        let bundle = layout.blob(layer_type, b"{\"mediaType\":\"x\"}");
        let mut artifact = oci::artifact(artifact_type, &empty, &[bundle]);
        artifact["subject"] = oci::descriptor(oci::MANIFEST, b"not here");
        let artifact = layout.document(&artifact);
        layout.add(artifact);
        let run = Sandbox::with_folder(&layout.files()).run(&["verify", "app"]);
        let found = run.stdout().contains("signature-orphaned");
        assert_eq!(found, is_signature, "{}", run.stdout());
    }
}

/// `cosign save` lists an index, its signatures and its attestations, none of which has a name.
fn saved_by_cosign(prefix: &str) -> (Layout, Value) {
    let mut layout = Layout::default();
    let images = ["amd64", "arm64"].map(|architecture| {
        let image = layout.image(architecture, &[Layer::new(architecture)]);
        oci::on(&image, "linux", architecture)
    });
    let index = layout.index(&images);
    let kind = |descriptor: &Value, kind: &str| {
        annotated(descriptor, &[("kind", &format!("{prefix}/{kind}"))])
    };
    let signature = cosign2(&mut layout, &index);
    let hex = digest(&index).strip_prefix("sha256:").unwrap();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{ "name": "app", "digest": { "sha256": hex } }], "predicate": {},
    });
    let envelope = json!({
        "payloadType": "application/vnd.in-toto+json",
        "payload": STANDARD.encode(statement.to_string()),
        "signatures": [{ "keyid": "", "sig": "bm8gc2lnbmF0dXJl" }],
    });
    let envelope = layout.blob(DSSE, envelope.to_string().as_bytes());
    let config = json!({
        "architecture": "", "os": "", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [envelope["digest"]] },
    });
    let config = layout.blob(oci::CONFIG, config.to_string().as_bytes());
    let attestation = layout.document(&oci::manifest(&config, &[envelope]));
    layout.add(kind(&index, "imageIndex"));
    layout.add(kind(&signature, "sigs"));
    layout.add(kind(&attestation, "atts"));
    (layout, index)
}

#[test]
fn what_cosign_saved_keeps_its_signatures_and_attestations() {
    for prefix in ["dev.cosignproject.cosign", "dev.hauler"] {
        let (layout, index) = saved_by_cosign(prefix);
        let sandbox = Sandbox::with_folder(&layout.files());
        sandbox.run(&["verify", "app"]).succeeds();
        sandbox
            .convert(&["app", "-o", "same", "--keep-digests"])
            .succeeds();
        let same = sandbox.layout("same");
        let mut listed = same.descriptors();
        let mut expected = layout.manifests.clone();
        for list in [&mut listed, &mut expected] {
            list.sort_by_key(|one| digest(one).to_owned());
        }
        let facts = |list: &[Value]| -> Vec<(Value, Value)> {
            let facts = list.iter();
            facts
                .map(|one| (one["digest"].clone(), one["annotations"].clone()))
                .collect()
        };
        assert_eq!(facts(&listed), facts(&expected));
        for member in &layout.files().members {
            if member.name.starts_with("blobs/") {
                assert_eq!(same.file(&member.name), member.bytes(), "{}", member.name);
            }
        }
        // Both name the index, whose digest changes.
        let run = sandbox.convert(&["app", "-o", "zstd", "--compression", "zstd"]);
        assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
        let stale = run.stderr.lines();
        let stale = stale.filter(|line| line.ends_with(" no longer matches it (signature-stale)"));
        let stale: Vec<&str> = stale.collect();
        assert_eq!(stale.len(), 2, "{}", run.stderr);
        assert!(stale.iter().all(|line| line.contains(digest(&index))));
        let run = sandbox.run(&["verify", "zstd"]);
        assert!(
            run.stdout().contains("[signature-orphaned]"),
            "{}",
            run.stdout()
        );
        let args = ["app", "-o", "x", "--compression", "zstd", "--keep-digests"];
        for dry in [&[][..], &["--dry-run"]] {
            let run = sandbox.convert(&[&args[..], dry].concat());
            assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
            assert!(!sandbox.path("x").exists());
        }
        // The index gets a name, and the others do not.
        let args = ["app", "-o", "one", "--image", "@0", "--name", "app:1.0"];
        sandbox.convert(&args).succeeds();
        let one = sandbox.layout("one").only();
        assert_eq!(one["digest"], index["digest"]);
        assert_eq!(one["annotations"][oci::REF_NAME], "app:1.0");
    }
}

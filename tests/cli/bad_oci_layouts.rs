//! Damaged OCI layouts, and the complete message for each.

use serde_json::{Value, json};

use crate::support::docker;
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, blob_path, digest, named};
use crate::support::sandbox::Sandbox;
use crate::support::{codec, sha256};

const DAMAGED: &str = "hint: copy or save the input again: it is damaged\n";

/// Converting the folder `app` fails with these lines and leaves nothing behind.
#[track_caller]
fn refuses(files: &Files, stderr: &str) {
    let sandbox = Sandbox::with_folder(files);
    let before = sandbox.snapshot();
    for output in ["out", "out.tar"] {
        sandbox.convert(&["app", "-o", output]).fails(stderr);
        assert_eq!(sandbox.snapshot(), before, "{output}");
    }
}

fn layers() -> [Layer; 2] {
    [Layer::new("base"), Layer::new("top")]
}

fn image() -> (Layout, Value, Value) {
    let layout = oci::one("app:1.0", &layers());
    let descriptor = layout.manifests[0].clone();
    let manifest =
        serde_json::from_slice(layout.files().get(&blob_path(digest(&descriptor)))).unwrap();
    (layout, descriptor, manifest)
}

/// A layout whose one image has this manifest.
fn with_manifest(edit: impl FnOnce(&mut Value)) -> (Files, Value) {
    let (mut layout, _, mut manifest) = image();
    edit(&mut manifest);
    let descriptor = layout.document(&manifest);
    layout.manifests = vec![named(&descriptor, "app:1.0")];
    (layout.files(), descriptor)
}

#[test]
fn the_layout_file() {
    let (layout, _, _) = image();
    refuses(
        &layout
            .files()
            .with("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#),
        "ocify: app: oci-layout: imageLayoutVersion is \"2.0.0\", expected \"1.0.0\"\n",
    );
    refuses(
        &layout.files().with("oci-layout", "{}"),
        "ocify: app: oci-layout: imageLayoutVersion is missing, expected \"1.0.0\"\n",
    );
    refuses(
        &Layout::default().files(),
        "ocify: app: index.json: no images are listed\n",
    );
    refuses(
        &layout.files().without("oci-layout"),
        "ocify: app: oci-layout: missing from the input\n",
    );
    refuses(
        &layout.files().with("index.json", "[]x"),
        "ocify: app: index.json: not valid JSON: trailing characters at line 1 column 3\n",
    );
}

#[test]
fn blobs_that_are_missing_or_others() {
    let (layout, descriptor, manifest) = image();
    for missing in [&descriptor, &manifest["config"], &manifest["layers"][1]] {
        let layer = missing == &manifest["layers"][1];
        let place = if layer { "layer 2 of 2: " } else { "" };
        let path = blob_path(digest(missing));
        let message = format!(
            "ocify: app: app:1.0: {place}{path}: missing from the input
"
        );
        refuses(&layout.files_without(missing), &message);
    }
    // An empty list of urls is the same as none.
    let (files, _) = with_manifest(|manifest| manifest["layers"][1]["urls"] = json!([]));
    let path = blob_path(digest(&manifest["layers"][1]));
    refuses(
        &files.without(&path),
        &format!("ocify: app: app:1.0: layer 2 of 2: {path}: missing from the input\n"),
    );
    for (changed, place) in [
        (&descriptor, ""),
        (&manifest["config"], ""),
        (&manifest["layers"][1], "layer 2 of 2: "),
    ] {
        let path = blob_path(digest(changed));
        let mut bytes = layout.files().get(&path).to_vec();
        let size = bytes.len();
        bytes.push(b' ');
        refuses(
            &layout.files().with(&path, bytes),
            &format!(
                "ocify: app: app:1.0: {place}{path}: size is {}, expected {size}\n{DAMAGED}",
                size + 1
            ),
        );
    }
    for changed in [&descriptor, &manifest["config"]] {
        let path = blob_path(digest(changed));
        let mut bytes = layout.files().get(&path).to_vec();
        bytes[1] ^= 1;
        refuses(
            &layout.files().with(&path, bytes.clone()),
            &format!(
                "ocify: app: app:1.0: {path}: digest is {}, expected {}\n{DAMAGED}",
                sha256(&bytes),
                digest(changed),
            ),
        );
    }
    // The same content in another encoding of the same length. Only the digest of the blob differs.
    let layer = &manifest["layers"][1];
    let path = blob_path(digest(layer));
    let mut bytes = layout.files().get(&path).to_vec();
    // RFC 1952: the operating system that the member was made on.
    bytes[9] ^= 1;
    refuses(
        &layout.files().with(&path, bytes.clone()),
        &format!(
            "ocify: app: app:1.0: layer 2 of 2: digest is {}, expected {}\n{DAMAGED}",
            sha256(&bytes),
            digest(layer),
        ),
    );
}

#[test]
fn layers_unlike_their_diff_ids() {
    let mut layout = Layout::default();
    let wrong = Layer::new("wrong");
    let blobs = [
        (oci::LAYER_GZIP, codec::gzip(&layers()[0].tar)),
        (oci::LAYER_GZIP, codec::gzip(&wrong.tar)),
    ];
    let image = layout.manifest(oci::CONFIG, &docker::config(&layers()), &blobs);
    layout.add(named(&image, "app:1.0"));
    let expected = layers()[1].diff_id();
    refuses(
        &layout.files(),
        &format!(
            "ocify: app: app:1.0: layer 2 of 2: diff_id is {}, expected {expected}\n{DAMAGED}",
            wrong.diff_id()
        ),
    );
    // `--check blobs` checks only blobs.
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox
        .convert(&["app", "-o", "out", "--check", "blobs"])
        .succeeds();

    let (files, descriptor) = with_manifest(|manifest| {
        manifest["layers"].as_array_mut().unwrap().pop();
    });
    refuses(
        &files,
        &format!(
            "ocify: app: app:1.0: {}: the number of layers is 1, expected 2, the number of diff_ids in the config\n",
            blob_path(digest(&descriptor))
        ),
    );
}

#[test]
fn documents_that_are_two_things_at_once() {
    let (layout, _, manifest) = image();
    let (files, descriptor) = with_manifest(|manifest| manifest["manifests"] = json!([]));
    let both = "the document is both an index and an image manifest, so readers disagree about it";
    refuses(
        &files,
        &format!(
            "ocify: app: app:1.0: {}: {both}\n",
            blob_path(digest(&descriptor))
        ),
    );
    refuses(
        &layout.files().edited("index.json", |index| {
            index["layers"] = manifest["layers"].clone();
        }),
        &format!("ocify: app: index.json: {both}\n"),
    );
    let (files, descriptor) =
        with_manifest(|manifest| manifest["mediaType"] = json!(oci::DOCKER_MANIFEST));
    let files = files.edited("index.json", |index| {
        index["manifests"][0]["mediaType"] = json!(oci::MANIFEST);
    });
    refuses(
        &files,
        &format!(
            "ocify: app: app:1.0: {}: mediaType is {}, expected {}\n",
            blob_path(digest(&descriptor)),
            oci::DOCKER_MANIFEST,
            oci::MANIFEST,
        ),
    );
}

#[test]
fn descriptors_that_must_not_be() {
    let (layout, descriptor, _) = image();
    let with = |key: &str, value: Value| {
        layout
            .files()
            .edited("index.json", |index| index["manifests"][0][key] = value)
    };
    let refused = |files: &Files, reason: &str| {
        refuses(files, &format!("ocify: app: index.json: {reason}\n"));
    };
    refused(
        &with("size", json!(-1)),
        "size of manifests[0] is -1, expected a number of bytes",
    );
    refused(
        &with("size", json!(1.5)),
        "size of manifests[0] is 1.5, expected a number of bytes",
    );
    let upper = digest(&descriptor)
        .to_uppercase()
        .replace("SHA256", "sha256");
    for bad in [upper.as_str(), "sha256:../../../../etc/passwd", "sha256:"] {
        let reason =
            format!("manifests[0]: digest {bad:?} is malformed, expected 64 lower-case hex digits");
        refused(&with("digest", json!(bad)), &reason);
    }
    let reason = "digest of manifests[0] is md5:d41d8cd98f00b204e9800998ecf8427e, expected a sha256 or sha512 digest";
    refused(
        &with("digest", json!("md5:d41d8cd98f00b204e9800998ecf8427e")),
        reason,
    );
    refused(
        &with("digest", json!("../../etc/passwd")),
        "manifests[0]: digest \"../../etc/passwd\" lacks an algorithm",
    );
}

#[test]
fn embedded_data_unlike_the_digest() {
    let mut layout = Layout::default();
    let mut empty = layout.blob(oci::EMPTY, b"{}");
    let refused = |mut layout: Layout, empty: &Value, reason: &str| {
        let artifact = layout.document(&oci::artifact("text/plain", empty, &[]));
        layout.add(named(&artifact, "thing"));
        refuses(
            &layout.files(),
            &format!(
                "ocify: app: thing: {}: {reason}\n",
                blob_path(digest(&artifact))
            ),
        );
    };
    let digest = sha256(b"{}");
    // "[]" in base64; "{}" with trailing data; not base64.
    for (data, reason) in [
        (
            "W10=",
            format!(
                "digest of the data of config is {}, expected {digest}",
                sha256(b"[]")
            ),
        ),
        (
            "e30K",
            format!(
                "digest of the data of config is {}, expected {digest}",
                sha256(b"{}\n")
            ),
        ),
        ("e30", "data of config is not valid base64".to_owned()),
        (
            "not base64",
            "data of config is not valid base64".to_owned(),
        ),
    ] {
        empty["data"] = json!(data);
        refused(layout.clone(), &empty, &reason);
    }
}

#[test]
fn indexes_that_are_too_deep_or_lead_back() {
    let mut layout = Layout::default();
    let mut index = layout.image("amd64", &layers());
    let mut digests = Vec::new();
    for _ in 0..9 {
        digests.push(digest(&index).to_owned());
        index = layout.index(&[index]);
    }
    digests.push(digest(&index).to_owned());
    layout.add(named(&index, "deep"));
    // The place has the digest of each index below the one with the name.
    let inner = &digests[1..digests.len() - 1];
    let inner: Vec<String> = inner.iter().rev().cloned().collect();
    refuses(
        &layout.files(),
        &format!(
            "ocify: app: deep {}: {}: the depth of nested indexes is 9, more than the limit of 8\n",
            inner.join(" "),
            blob_path(&digests[1]),
        ),
    );

    // No index can contain its own digest, so a cycle needs an index with a wrong name.
    let mut layout = Layout::default();
    let claimed = json!({ "mediaType": oci::INDEX, "digest": sha256(b"itself"), "size": 0 });
    let mut itself = oci::index(std::slice::from_ref(&claimed));
    let size = itself.to_string().len() + 2;
    itself["manifests"][0]["size"] = json!(size);
    let bytes = itself.to_string();
    let path = blob_path(&sha256(b"itself"));
    layout.add(named(&itself["manifests"][0], "circle"));
    refuses(
        &layout.files().with(&path, bytes.clone()),
        &format!(
            "ocify: app: circle: {path}: digest is {}, expected {}\n{DAMAGED}",
            sha256(bytes.as_bytes()),
            sha256(b"itself"),
        ),
    );
}

#[test]
fn configs_of_something_else() {
    let mut layout = Layout::default();
    let image = layout.manifest(oci::CONFIG, b"{}", &[(oci::LAYER_GZIP, codec::gzip(b""))]);
    layout.add(named(&image, "app:1.0"));
    let path = blob_path(&sha256(b"{}"));
    let warning = |message: &str| {
        format!(
            "ocify: warning: app: app:1.0: {path}: the config lacks {message}; copied unchanged)\n"
        )
    };
    Sandbox::with_folder(&layout.files())
        .convert(&["app", "-o", "out"])
        .warns(
            &[
                warning("os (config-platform"),
                warning("architecture (config-platform"),
                warning("rootfs (config-rootfs"),
            ]
            .concat(),
        );
    let (files, descriptor) = with_manifest(|manifest| {
        manifest.as_object_mut().unwrap().shift_remove("config");
    });
    refuses(
        &files,
        &format!(
            "ocify: app: app:1.0: {}: config is missing\n",
            blob_path(digest(&descriptor))
        ),
    );
}

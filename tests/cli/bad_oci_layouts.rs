//! What is wrong with an OCI layout, and the whole message that says so.

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
        "ocify: app: cannot parse oci-layout: missing field `imageLayoutVersion` at line 1 column 2\n",
    );
    refuses(
        &Layout::default().files(),
        "ocify: app: not a container image: index.json lists no images\n\
         hint: pass a docker save archive, an OCI layout, a dir: folder or a schema 1 folder\n",
    );
    refuses(
        &layout.files().without("oci-layout"),
        "ocify: app: oci-layout is missing\n",
    );
    refuses(
        &layout.files().with("index.json", "[]x"),
        "ocify: app: cannot parse index.json: trailing characters at line 1 column 3\n",
    );
}

#[test]
fn blobs_that_are_missing_or_others() {
    let (layout, descriptor, manifest) = image();
    let hint = "hint: use `--allow-missing` or `--platform` to leave out what is missing\n";
    for missing in [&descriptor, &manifest["config"], &manifest["layers"][1]] {
        let layer = missing == &manifest["layers"][1];
        let place = if layer { "layer 2 of 2: " } else { "" };
        let path = blob_path(digest(missing));
        refuses(
            &layout.files_without(missing),
            &format!("ocify: app: app:1.0: {place}{path} is missing\n{hint}"),
        );
    }
    // A list of urls that has none tells of no other place.
    let (files, _) = with_manifest(|manifest| manifest["layers"][1]["urls"] = json!([]));
    let path = blob_path(digest(&manifest["layers"][1]));
    refuses(
        &files.without(&path),
        &format!("ocify: app: app:1.0: layer 2 of 2: {path} is missing\n{hint}"),
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
                "ocify: app: app:1.0: {place}size of {path} is {}, expected {size}\n{DAMAGED}",
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
                "ocify: app: app:1.0: digest of {path} is {}, expected {}\n{DAMAGED}",
                sha256(&bytes),
                digest(changed),
            ),
        );
    }
    // The same content, encoded otherwise to the same length: only the blob's digest tells.
    let layer = &manifest["layers"][1];
    let path = blob_path(digest(layer));
    let mut bytes = layout.files().get(&path).to_vec();
    // RFC 1952: the operating system that the member was made on.
    bytes[9] ^= 1;
    refuses(
        &layout.files().with(&path, bytes.clone()),
        &format!(
            "ocify: app: app:1.0: layer 2 of 2: digest of the blob is {}, expected {}\n{DAMAGED}",
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
    // Whoever asks for blobs alone to be checked gets just that.
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox
        .convert(&["app", "-o", "out", "--check", "blobs"])
        .succeeds();

    let (files, _) = with_manifest(|manifest| {
        manifest["layers"].as_array_mut().unwrap().pop();
    });
    refuses(
        &files,
        "ocify: app: app:1.0: the manifest has 1 layers, the config has 2 diff_ids\n",
    );
}

#[test]
fn documents_that_are_two_things_at_once() {
    let (layout, _, manifest) = image();
    let (files, descriptor) = with_manifest(|manifest| manifest["manifests"] = json!([]));
    let both = "it is both an index and an image manifest, so readers would disagree about it";
    refuses(
        &files,
        &format!(
            "ocify: app: app:1.0: manifest {}: {both}\n",
            digest(&descriptor)
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
            "ocify: app: app:1.0: manifest {}: its media type is {}, its descriptor says {}\n",
            digest(&descriptor),
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
        let run = Sandbox::with_folder(files).convert(&["app", "-o", "out"]);
        assert_eq!(run.status.code(), Some(1));
        let start = format!("ocify: app: cannot parse index.json: {reason} at line 1 column ");
        let column = run
            .stderr
            .strip_prefix(&start)
            .unwrap_or_else(|| panic!("{}", run.stderr));
        assert!(column.trim_end().parse::<u32>().is_ok(), "{column}");
    };
    refused(
        &with("size", json!(-1)),
        "invalid value: integer `-1`, expected u64",
    );
    refused(
        &with("size", json!(1.5)),
        "invalid type: floating point `1.5`, expected u64",
    );
    let upper = digest(&descriptor)
        .to_uppercase()
        .replace("SHA256", "sha256");
    for bad in [upper.as_str(), "sha256:../../../../etc/passwd", "sha256:"] {
        let reason = format!("digest {bad:?} is malformed, expected 64 lower-case hex digits");
        refused(&with("digest", json!(bad)), &reason);
    }
    let reason = "the algorithm of digest \"md5:d41d8cd98f00b204e9800998ecf8427e\" is not supported, expected sha256 or sha512";
    refused(
        &with("digest", json!("md5:d41d8cd98f00b204e9800998ecf8427e")),
        reason,
    );
    refused(
        &with("digest", json!("../../etc/passwd")),
        "digest \"../../etc/passwd\" lacks an algorithm",
    );
}

#[test]
fn embedded_data_unlike_the_digest() {
    let mut layout = Layout::default();
    let mut empty = layout.blob(oci::EMPTY, b"{}");
    let refused = |mut layout: Layout, empty: &Value, reason: &str| {
        let artifact = layout.document(&oci::manifest(empty, &[]));
        layout.add(named(&artifact, "thing"));
        refuses(
            &layout.files(),
            &format!(
                "ocify: app: thing: manifest {}: {reason}\n",
                digest(&artifact)
            ),
        );
    };
    let digest = sha256(b"{}");
    // "[]" in base64; "{}" with something behind it; no base64.
    for (data, reason) in [
        (
            "W10=",
            format!(
                "data of {digest} is other content, of digest {}",
                sha256(b"[]")
            ),
        ),
        (
            "e30K",
            format!(
                "data of {digest} is other content, of digest {}",
                sha256(b"{}\n")
            ),
        ),
        ("e30", format!("data of {digest} is no base64")),
        ("not base64", format!("data of {digest} is no base64")),
    ] {
        empty["data"] = json!(data);
        refused(layout.clone(), &empty, &reason);
    }
}

#[test]
fn indexes_that_are_too_deep_or_lead_back() {
    let mut layout = Layout::default();
    let mut index = layout.image("amd64", &layers());
    for _ in 0..9 {
        index = layout.index(&[index]);
    }
    layout.add(named(&index, "deep"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = sandbox.convert(&["app", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr.starts_with("ocify: app: deep: sha256:"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .ends_with(": the depth of nested indexes is 9, more than the limit of 8\n"),
        "{}",
        run.stderr
    );

    // No index can have its own digest in it; one that has another's in its place can only be made with a false name.
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
            "ocify: app: circle: digest of {path} is {}, expected {}\n{DAMAGED}",
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
    refuses(
        &layout.files(),
        "ocify: app: app:1.0: the config lacks rootfs.diff_ids\n",
    );
    let (files, descriptor) = with_manifest(|manifest| {
        manifest.as_object_mut().unwrap().shift_remove("config");
    });
    refuses(
        &files,
        &format!(
            "ocify: app: app:1.0: manifest {}: it has no config\n",
            digest(&descriptor)
        ),
    );
}

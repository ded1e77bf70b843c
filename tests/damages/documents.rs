//! Damage to the documents of a layout, and to their blobs.

use serde_json::{Value, json};

use crate::support::oci;
use crate::support::parts::{Parts, config_path, layer_path, manifest_path, spoiled};
use crate::{Case, archives_have};

const NOT_HERE: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn blobs() {
    let files = Parts::new().files();
    let (manifest, config) = (manifest_path(&files), config_path(&files));
    let layer = layer_path(&files, 1);
    archives_have(vec![
        ("no damage", files.clone(), &[]),
        (
            "a layer is missing",
            files.clone().without(&layer),
            &["error missing-blob: stops"],
        ),
        (
            "the config is missing",
            files.clone().without(&config),
            &["error missing-blob: stops"],
        ),
        (
            "the manifest is missing",
            files.clone().without(&manifest),
            &[
                "error missing-blob: stops",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
        (
            "the manifest has one space more",
            spoiled(files.clone(), &manifest, |bytes| bytes.push(b' ')),
            &["error blob-digest: stops", "error blob-size: stops"],
        ),
        (
            "a byte of the config is another",
            spoiled(files.clone(), &config, |bytes| {
                let at = bytes.windows(3).position(|bytes| bytes == b"a<b").unwrap();
                bytes[at] = b'A';
            }),
            &["error blob-digest: stops"],
        ),
        (
            "a blob that nothing refers to",
            files.clone().with(&oci::blob_path(NOT_HERE), ""),
            &["note unreferenced-blob"],
        ),
        (
            "a blob that nothing refers to, damaged",
            files.clone().with(&oci::blob_path(NOT_HERE), "x"),
            &["warning unreferenced-damaged", "note unreferenced-blob"],
        ),
        (
            "a file that is no blob",
            files.clone().with("blobs/sha256/README", "x"),
            &["warning blob-name"],
        ),
        (
            "a blob of an unknown algorithm",
            files.clone().with("blobs/blake3/abc", "x"),
            &["warning blob-algorithm"],
        ),
    ]);
}

#[test]
fn layers_that_may_be_had_elsewhere_and_documents_that_are_too_large() {
    let foreign = Parts::new()
        .manifest(|manifest| manifest["layers"][1]["urls"] = json!(["https://example.invalid/x"]))
        .files();
    let layer = layer_path(&foreign, 1);
    let elsewhere = |edit: fn(&mut Value, Value), urls: &[&str]| {
        let urls = json!(urls);
        let edited = move |manifest: &mut Value| edit(manifest, urls.clone());
        Parts::new().manifest(edited).files()
    };
    let nowhere = elsewhere(|manifest, urls| manifest["layers"][1]["urls"] = urls, &[]);
    let config = elsewhere(
        |manifest, urls| manifest["config"]["urls"] = urls,
        &["https://example.invalid/x"],
    );
    let config_file = config_path(&config);
    let other = elsewhere(
        |manifest, urls| {
            manifest["layers"][1]["urls"] = urls;
            manifest["layers"][1]["mediaType"] = json!("text/plain");
        },
        &["https://example.invalid/x"],
    );
    let large = Parts::new()
        .config(|config| config["author"] = json!("x".repeat(8 << 20)))
        .files();
    archives_have(vec![
        ("a foreign layer", foreign.clone(), &[]),
        (
            "a foreign layer that is not here",
            foreign.without(&layer),
            &["note foreign-layer-absent: warns"],
        ),
        (
            "a layer that is not here, with an empty list of urls",
            nowhere.without(&layer),
            &["error missing-blob: stops"],
        ),
        (
            "a config that is not here, with urls",
            config.without(&config_file),
            &["error missing-blob: stops"],
        ),
        (
            "a blob that is no file system's, not here, with urls",
            other.without(&layer),
            &["error missing-blob: stops"],
        ),
        (
            "a config of more than 8 MiB",
            large,
            &["error limit: stops"],
        ),
    ]);
}

#[test]
fn descriptors() {
    let of_layer = |edit: fn(&mut Value)| {
        Parts::new()
            .manifest(move |manifest| edit(&mut manifest["layers"][0]))
            .files()
    };
    archives_have(vec![
        (
            "size is another",
            of_layer(|layer| layer["size"] = json!(7)),
            &["error blob-size: stops"],
        ),
        (
            "size is negative",
            of_layer(|layer| layer["size"] = json!(-1)),
            &["error descriptor-size: stops"],
        ),
        (
            "no mediaType",
            of_layer(|layer| {
                layer.as_object_mut().unwrap().shift_remove("mediaType");
            }),
            &[
                "error descriptor-media-type: warns",
                "warning layer-unknown-media-type: warns",
            ],
        ),
        (
            "the digest is in upper case",
            of_layer(|layer| {
                let upper = oci::digest(layer).to_uppercase().replace("SHA", "sha");
                layer["digest"] = json!(upper);
            }),
            &["error descriptor-digest: stops", "note unreferenced-blob"],
        ),
        (
            "the digest leads out of the layout",
            of_layer(|layer| layer["digest"] = json!("sha256:../../../etc/passwd")),
            &["error descriptor-digest: stops", "note unreferenced-blob"],
        ),
        (
            "the digest is of an unknown algorithm",
            of_layer(|layer| layer["digest"] = json!("blake3:abc")),
            &["note unreferenced-blob", "warning digest-algorithm: stops"],
        ),
        (
            "the digest is of an unknown algorithm, and malformed",
            of_layer(|layer| layer["digest"] = json!("blake3:../abc")),
            &["error descriptor-digest: stops", "note unreferenced-blob"],
        ),
        (
            "an annotation is a number",
            of_layer(|layer| layer["annotations"] = json!({ "a": 1 })),
            &["error descriptor-field: stops"],
        ),
        (
            "urls is a string",
            of_layer(|layer| layer["urls"] = json!("https://example.invalid")),
            &["error descriptor-field: stops"],
        ),
        (
            "a platform without architecture",
            Parts::new()
                .entry(|entry| entry["platform"] = json!({ "os": "linux" }))
                .files(),
            &["error platform-incomplete: warns"],
        ),
        (
            "the platform is another",
            Parts::new()
                .entry(|entry| *entry = oci::on(entry, "linux", "arm64"))
                .files(),
            &["warning platform-mismatch: warns"],
        ),
        (
            "the name does not fit the grammar",
            Parts::new()
                .entry(|entry| *entry = oci::named(entry, "app version 1"))
                .files(),
            &["warning ref-name: warns"],
        ),
    ]);
}

#[test]
fn embedded_data() {
    let of_layer = |data: &str| {
        let data = json!(data);
        Parts::new()
            .manifest(move |manifest| manifest["layers"][0]["data"] = data.clone())
            .files()
    };
    archives_have(vec![
        (
            "data is no base64",
            of_layer("?"),
            &["error descriptor-data: stops"],
        ),
        (
            "data is something else",
            of_layer("e30="),
            &["error descriptor-data: stops"],
        ),
        (
            "data of a subject that is not here is something else",
            Parts::new()
                .manifest(|manifest| {
                    manifest["subject"] = oci::descriptor(oci::MANIFEST, b"none");
                    manifest["subject"]["data"] = json!("e30=");
                })
                .files(),
            &["error descriptor-data: stops", "note subject-missing"],
        ),
        (
            "data of a manifest that is listed before is something else",
            Parts::new().files().edited("index.json", |index| {
                let mut second = index["manifests"][0].clone();
                second["data"] = json!("e30=");
                index["manifests"].as_array_mut().unwrap().push(second);
            }),
            &["error descriptor-data: stops"],
        ),
    ]);
}

// A table.
#[allow(clippy::too_many_lines)]
#[test]
fn manifests() {
    let with = |edit: fn(&mut Value)| Parts::new().manifest(edit).files();
    let in_bytes = |from: &str, to: &[u8]| {
        let files = Parts::new().files();
        let manifest = manifest_path(&files);
        let text = String::from_utf8(files.get(&manifest).to_vec()).unwrap();
        let at = text.find(from).unwrap();
        let bytes = [
            &text.as_bytes()[..at],
            to,
            &text.as_bytes()[at + from.len()..],
        ]
        .concat();
        // Digest and size are updated, so that there is no other damage.
        let digest = crate::support::sha256(&bytes);
        let size = bytes.len();
        files
            .without(&manifest)
            .with(&oci::blob_path(&digest), bytes)
            .edited("index.json", |index| {
                index["manifests"][0]["digest"] = json!(digest);
                index["manifests"][0]["size"] = json!(size);
            })
    };
    archives_have(vec![
        (
            "schemaVersion is 1",
            with(|manifest| manifest["schemaVersion"] = json!(1)),
            &["error schema-version: warns"],
        ),
        (
            "no mediaType",
            with(|manifest| {
                manifest.as_object_mut().unwrap().shift_remove("mediaType");
            }),
            &["warning media-type-absent"],
        ),
        (
            "another mediaType",
            with(|manifest| manifest["mediaType"] = json!(oci::DOCKER_MANIFEST)),
            &["error media-type-mismatch: stops"],
        ),
        (
            "an index too",
            with(|manifest| manifest["manifests"] = json!([])),
            &["error ambiguous-document: stops"],
        ),
        (
            "no config",
            with(|manifest| {
                manifest.as_object_mut().unwrap().shift_remove("config");
            }),
            &["error document-field: stops", "note unreferenced-blob"],
        ),
        (
            "no layers",
            with(|manifest| {
                manifest.as_object_mut().unwrap().shift_remove("layers");
            }),
            &[
                "error document-field: stops",
                "error layer-count: stops",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
        (
            "the empty config without artifactType",
            {
                let mut parts = Parts::new();
                parts.config = json!({});
                parts.config_type = oci::EMPTY;
                parts.files()
            },
            &["error artifact-type: warns"],
        ),
        (
            "an artifact of no layers",
            {
                let mut parts = Parts::new().manifest(|manifest| {
                    manifest["artifactType"] = json!("application/x-test");
                });
                parts.config = json!({});
                parts.config_type = oci::EMPTY;
                parts.layers.clear();
                parts.files()
            },
            &["warning layers-empty"],
        ),
        (
            "a subject that is not here",
            with(|manifest| manifest["subject"] = oci::descriptor(oci::MANIFEST, b"none")),
            &["note subject-missing"],
        ),
        (
            "a key that occurs twice",
            in_bytes(
                r#""schemaVersion":2"#,
                br#""schemaVersion":2,"schemaVersion":2"#,
            ),
            &["warning json-repeated-key: warns"],
        ),
        (
            "a byte that is not UTF-8",
            in_bytes(
                r#""schemaVersion":2"#,
                b"\"schemaVersion\":2,\"x\":\"\xff\"",
            ),
            &["error json-utf8: stops"],
        ),
        (
            "no JSON",
            in_bytes(r#""schemaVersion":2"#, b"schemaVersion=2"),
            &[
                "error json-syntax: stops",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
    ]);
}

#[test]
fn configs() {
    let with = |edit: fn(&mut Value)| Parts::new().config(edit).files();
    let wrong = [
        ("/created", json!("yesterday")),
        ("/config/Env", json!("A=b")),
        ("/config/Cmd", json!([1])),
        ("/config/Labels", json!({ "a": 1 })),
        ("/config/ExposedPorts", json!(["80/tcp"])),
        ("/config/User", json!(0)),
        ("/config/WorkingDir", json!(0.5)),
        ("/history/0/created", json!("2024-02-30T00:00:00Z")),
        ("/history/0/empty_layer", json!("yes")),
    ];
    let mut cases: Vec<Case> = vec![
        (
            "no os",
            with(|config| config["os"] = json!(null)),
            &["error config-platform: warns"],
        ),
        (
            "an architecture that Go does not know",
            with(|config| config["architecture"] = json!("x86_64")),
            &["warning platform-value"],
        ),
        (
            "no rootfs",
            with(|config| config["rootfs"] = json!(null)),
            &["error config-rootfs: warns"],
        ),
        (
            "rootfs of another type",
            with(|config| config["rootfs"]["type"] = json!("tree")),
            &["error config-rootfs: warns"],
        ),
        (
            "a diff_id that is no digest",
            with(|config| config["rootfs"]["diff_ids"][1] = json!("abc")),
            &["error config-rootfs: warns"],
        ),
        (
            "a diff_id of something else",
            with(|config| config["rootfs"]["diff_ids"][1] = json!(NOT_HERE)),
            &["error layer-diff-id: stops"],
        ),
        (
            "a diff_id too many",
            with(|config| {
                let diff_ids = config["rootfs"]["diff_ids"].as_array_mut().unwrap();
                diff_ids.push(json!(NOT_HERE));
            }),
            &["error layer-count: stops", "warning history-short"],
        ),
        (
            "a line of history too many",
            with(|config| config["history"].as_array_mut().unwrap().push(json!({}))),
            &["error history-excess: warns"],
        ),
        (
            "a line of history too few",
            with(|config| {
                config["history"].as_array_mut().unwrap().pop();
            }),
            &["warning history-short"],
        ),
        (
            "no history at all",
            with(|config| config["history"] = json!([])),
            &[],
        ),
    ];
    for (pointer, value) in wrong {
        let edit = move |config: &mut Value| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            config.pointer_mut(parent).unwrap()[key] = value;
        };
        let files = Parts::new().config(edit).files();
        cases.push((pointer, files, &["error config-field: warns"]));
    }
    archives_have(cases);
}

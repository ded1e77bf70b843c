//! `--format v2s1`: schema 1 manifests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::support::docker::{Image, config, save, save_one};
use crate::support::layers::{Layer, layers};
use crate::support::oci::{self, Layout, digest, named};
use crate::support::sandbox::Sandbox;
use crate::support::{codec, schema1, sha256, sha256_hex};

/// The digest of the empty layer of engines.
const EMPTY: &str = "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";

fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

/// The signed text of a manifest. Verifies the signature.
fn payload(file: &[u8]) -> String {
    let manifest: Value = serde_json::from_slice(file).unwrap();
    let signature = &manifest["signatures"][0];
    let protected: Value = serde_json::from_slice(&decode(&signature["protected"])).unwrap();
    let length = usize::try_from(protected["formatLength"].as_u64().unwrap()).unwrap();
    let payload = [&file[..length], &decode(&protected["formatTail"])].concat();
    let message = format!(
        "{}.{}",
        signature["protected"].as_str().unwrap(),
        URL_SAFE_NO_PAD.encode(&payload)
    );
    let jwk = &signature["header"]["jwk"];
    let key = [&[4], &*decode(&jwk["x"]), &*decode(&jwk["y"])].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify(message.as_bytes(), &decode(&signature["signature"]))
        .unwrap();
    String::from_utf8(payload).unwrap()
}

/// A config with an empty layer at the end of its history.
fn with_empty_layer(layers: &[Layer]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(&config(layers)).unwrap();
    let history = value["history"].as_array_mut().unwrap();
    history[0]["author"] = json!("someone");
    history[0]["comment"] = json!("a<b");
    history[1]["created"] = json!("2024-01-02T03:04:05.60Z");
    history.push(json!({ "created_by": "CMD", "empty_layer": true }));
    value.to_string().into_bytes()
}

fn to_dir<'a>(input: &'a str, output: &'a str) -> [&'a str; 7] {
    ["convert", "--no-fsync", input, "-o", output, "--to", "dir"]
}

fn convert(sandbox: &Sandbox, input: &str, output: &str, args: &[&str]) {
    let args = [&to_dir(input, output)[..], &["--format", "v2s1"], args].concat();
    sandbox.run(&args).succeeds();
}

/// Derived by hand from the rules of Docker's registry:
/// <https://github.com/distribution/distribution/blob/v2.8.3/manifest/schema1/config_builder.go>
#[test]
fn the_payload_is_made_of_history_and_config() {
    let layers = layers("top");
    let config = with_empty_layer(&layers);
    let mut layout = Layout::default();
    let gzip = layers
        .each_ref()
        .map(|layer| (oci::LAYER_GZIP, codec::gzip(&layer.tar)));
    let image = layout.manifest(oci::CONFIG, &config, &gzip);
    let sandbox = Sandbox::with_folder(&layout.listing(image).files());
    convert(&sandbox, "app", "out", &[]);
    let file = sandbox.read("out/manifest.json");
    let payload = payload(&file);

    let blobs: Vec<String> = layers
        .iter()
        .map(|layer| sha256_hex(&codec::gzip(&layer.tar)))
        .collect();
    let first = sha256_hex(format!("{} ", blobs[0]).as_bytes());
    let second = sha256_hex(format!("{} {first}", blobs[1]).as_bytes());
    let text = String::from_utf8(config).unwrap();
    let third = sha256_hex(format!("{EMPTY} {second} {text}").as_bytes());
    let command = "/bin/sh -c #(nop) ADD file";
    let v1 = [
        format!(
            r#"{{"id":"{first}","comment":"a\u003cb","created":"0001-01-01T00:00:00Z","container_config":{{"Cmd":["{command}"]}},"author":"someone"}}"#
        ),
        format!(
            r#"{{"id":"{second}","parent":"{first}","created":"2024-01-02T03:04:05.6Z","container_config":{{"Cmd":["{command}"]}}}}"#
        ),
    ];
    let manifest: Value = serde_json::from_str(&payload).unwrap();
    for (entry, expected) in [(1, &v1[1]), (2, &v1[0])] {
        assert_eq!(manifest["history"][entry]["v1Compatibility"], **expected);
    }
    let top = manifest["history"][0]["v1Compatibility"].as_str().unwrap();
    let keys: Vec<String> = {
        let top: Value = serde_json::from_str(top).unwrap();
        assert_eq!(top["id"], third);
        assert_eq!(top["parent"], second);
        assert_eq!(top["throwaway"], true);
        top.as_object().unwrap().keys().cloned().collect()
    };
    let sorted = [
        "architecture",
        "config",
        "created",
        "id",
        "os",
        "parent",
        "throwaway",
        "x-unknown",
    ];
    assert_eq!(keys, sorted);
    let expected = format!(
        r#"{{"name":"","tag":"","architecture":"amd64","fsLayers":[{{"blobSum":"sha256:{EMPTY}"}},{{"blobSum":"sha256:{}"}},{{"blobSum":"sha256:{}"}}],"history":[{{"v1Compatibility":{}}},{{"v1Compatibility":{}}},{{"v1Compatibility":{}}}],"schemaVersion":1}}"#,
        blobs[1],
        blobs[0],
        json!(top)
            .to_string()
            .replace('<', "\\u003c")
            .replace('&', "\\u0026"),
        json!(v1[1]),
        json!(v1[0]),
    );
    assert_eq!(payload, expected);
    // The layout has the blobs that it refers to.
    for blob in [blobs[0].as_str(), &blobs[1], EMPTY] {
        assert_eq!(sha256_hex(&sandbox.read(&format!("out/{blob}"))), blob);
    }
    assert_eq!(sandbox.path("out").read_dir().unwrap().count(), 5);
}

#[test]
fn two_runs_give_the_same_bytes_and_the_digest_of_the_payload() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    let args = [
        &to_dir("app.tar", "one")[..],
        &["--format", "v2s1", "--json"],
    ]
    .concat();
    let run = sandbox.run(&args);
    convert(&sandbox, "app.tar", "two", &["--threads", "1"]);
    let file = sandbox.read("one/manifest.json");
    assert_eq!(file, sandbox.read("two/manifest.json"));
    let report: Value = serde_json::from_str(run.stdout()).unwrap();
    assert_eq!(
        digest(&report["images"][0]),
        sha256(payload(&file).as_bytes())
    );
    // The image ID is that of engines, and the one that results from reading it.
    let back = sandbox.converted(&["one"]);
    let id = sha256(back.config(&back.only()));
    assert_eq!(report["images"][0]["manifests"][0]["imageId"], id);
    assert!(back.layers(&back.only()) == layers("top").map(|layer| layer.tar));
    let verified = sandbox.run(&["verify", "one"]);
    assert_eq!(verified.status.code(), Some(0), "{}", verified.stdout());
}

/// `BuildKit` writes such layers, for example for `WORKDIR` of a folder that exists.
#[test]
fn a_layer_that_is_a_tar_without_entries_comes_back() {
    let [base, top] = layers("top");
    let layers = [base, Layer::empty(), top];
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers));
    convert(&sandbox, "app.tar", "image", &[]);
    let back = sandbox.converted(&["image"]);
    assert!(back.layers(&back.only()) == layers.map(|layer| layer.tar));
}

#[test]
fn a_schema_1_manifest_keeps_its_bytes_and_signatures() {
    let [base, top] = layers("top");
    let mut manifest = schema1::manifest(
        "team/app",
        "1.0",
        &[base.clone(), Layer::empty(), top.clone()],
    );
    // The middle one is empty and marked as such.
    schema1::edit_v1(&mut manifest, 1, |v1| v1["throwaway"] = json!(true));
    manifest["fsLayers"][1]["blobSum"] = json!(format!("sha256:{EMPTY}"));
    let signed = schema1::sign(&manifest.to_string());
    let sandbox = Sandbox::with_folder(&schema1::folder(&signed, &[base, top]));
    convert(&sandbox, "app", "out", &[]);
    assert_eq!(sandbox.read("out/manifest.json"), signed.as_bytes());
    assert!(sandbox.path("out").join(EMPTY).exists());
    // Other layers result in another manifest.
    convert(&sandbox, "app", "plain", &["--compression", "none"]);
    let payload = payload(&sandbox.read("plain/manifest.json"));
    let manifest: Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(
        manifest["fsLayers"][0]["blobSum"],
        layers("top")[1].diff_id()
    );
    assert_eq!(
        manifest["fsLayers"][1]["blobSum"],
        format!("sha256:{EMPTY}")
    );
}

/// Docker up to 1.8 had an empty layer that was not compressed. Nobody needs to have it.
#[test]
fn a_manifest_with_the_plain_empty_layer_keeps_its_bytes() {
    let [base, top] = layers("top");
    let all = [base.clone(), Layer::empty(), top.clone()];
    let mut manifest = schema1::manifest("team/app", "1.0", &all);
    let zeros = sha256(&[0; 1024]);
    manifest["fsLayers"][1]["blobSum"] = json!(zeros);
    let manifest = manifest.to_string();
    let sandbox = Sandbox::with_folder(&schema1::folder(&manifest, &[base, top]));
    convert(&sandbox, "app", "same", &[]);
    assert_eq!(sandbox.read("same/manifest.json"), manifest.as_bytes());
    let blob = format!("same/{}", zeros.strip_prefix("sha256:").unwrap());
    assert_eq!(sandbox.read(&blob), [0; 1024]);
    let output = sandbox.converted(&["app"]);
    assert!(output.layers(&output.only()) == layers("top").map(|layer| layer.tar));
}

/// The signature has the time of the image, in seconds, and never that of the run.
#[test]
fn the_time_of_a_signature_is_that_of_the_image() {
    for (created, expected) in [
        (
            json!("2024-01-02T03:04:05.678901234Z"),
            "2024-01-02T03:04:05Z",
        ),
        (
            json!("2024-01-02T03:04:05+02:00"),
            "2024-01-02T03:04:05+02:00",
        ),
        (
            json!("2024-01-02T03:04:05.5-07:30"),
            "2024-01-02T03:04:05-07:30",
        ),
        (json!("0001-01-01T00:00:00Z"), "1970-01-01T00:00:00Z"),
        (Value::Null, "1970-01-01T00:00:00Z"),
    ] {
        let mut config: Value = serde_json::from_slice(&config(&layers("top"))).unwrap();
        config["created"] = created;
        let image = Image::new(&["app:1.0"], &layers("top")).with_config(config.to_string());
        let sandbox = Sandbox::with_archive(&save(&[image]));
        convert(&sandbox, "app.tar", "out", &[]);
        let manifest: Value = serde_json::from_slice(&sandbox.read("out/manifest.json")).unwrap();
        let protected = decode(&manifest["signatures"][0]["protected"]);
        let protected: Value = serde_json::from_slice(&protected).unwrap();
        assert_eq!(protected["time"], expected);
    }
}

#[test]
fn options_that_schema_1_cannot_have() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    for (args, message) in [
        (
            &[][..],
            "ocify: `--format v2s1` cannot be used with `--to layout`\n\
             hint: use `--to dir`, or `--format v2s2`\n",
        ),
        (
            &["--to", "dir", "--compression", "zstd"],
            "ocify: `--compression zstd` cannot be used with `--format v2s1`\n\
             hint: use `--compression gzip`: Docker's formats have no zstd layers\n",
        ),
        (
            &["--to", "dir", "--index", "app:1.0"],
            "ocify: `--index` cannot be used with `--format v2s1`\n\
             hint: use `--format v2s2`: schema 1 has no index\n",
        ),
    ] {
        let args = [&["app.tar", "-o", "out", "--format", "v2s1"], args].concat();
        let run = sandbox.convert(&args);
        assert_eq!((run.status.code(), run.stderr.as_str()), (Some(2), message));
    }
    assert!(!sandbox.path("out").exists());
}

#[track_caller]
fn refuses(sandbox: &Sandbox, input: &str, message: &str) {
    let args = [input, "-o", "out", "--to", "dir", "--format", "v2s1"];
    let before = sandbox.snapshot();
    sandbox.convert(&args).fails(message);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn images_that_schema_1_cannot_describe() {
    let mut layout = Layout::default();
    let (index, _) = layout.two_platforms();
    layout.add(named(&index, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    refuses(
        &sandbox,
        "app",
        "ocify: app: app:1.0: expected one platform, since schema 1 has no index; available: linux/amd64, linux/arm64\n\
         hint: select one with `--platform`\n",
    );
    convert(&sandbox, "app", "arm", &["--platform", "linux/arm64"]);

    // A history that does not match, or no history.
    for (count, found) in [(1, 1), (0, 0)] {
        let layers = layers("top");
        let mut value: Value = serde_json::from_slice(&config(&layers)).unwrap();
        value["history"].as_array_mut().unwrap().truncate(count);
        let image = Image::new(&["app:1.0"], &layers).with_config(value.to_string());
        let sandbox = Sandbox::with_archive(&save(&[image]));
        refuses(
            &sandbox,
            "app.tar",
            &format!(
                "ocify: app.tar: app:1.0: the config's history has {found} entries that created a layer, expected 2, \
                 one for each layer of the image\n\
                 hint: use `--format v2s2` or `--format oci`\n"
            ),
        );
    }

    // A time of which no engine can make a config again.
    let layers = layers("top");
    let mut value: Value = serde_json::from_slice(&config(&layers)).unwrap();
    value["created"] = json!("yesterday");
    let image = Image::new(&["app:1.0"], &layers).with_config(value.to_string());
    let sandbox = Sandbox::with_archive(&save(&[image]));
    refuses(
        &sandbox,
        "app.tar",
        "ocify: app.tar: app:1.0: the config: v1 metadata of layer 2 of 2: created is \"yesterday\", expected an RFC 3339 time\n",
    );

    // A layer with URLs.
    let mut layout = Layout::default();
    let config = layout.blob(oci::DOCKER_CONFIG, &config(&layers));
    let blobs = oci::docker_layers(&layers);
    let [base, top] = [&blobs[0], &blobs[1]].map(|(_, blob)| blob);
    let base = layout.blob(oci::DOCKER_LAYER_GZIP, base);
    let mut top = oci::descriptor(oci::DOCKER_FOREIGN_GZIP, top);
    top["urls"] = json!(["https://example.invalid/layer"]);
    let image = layout.document(&oci::manifest(&config, &[base, top.clone()]));
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    refuses(
        &sandbox,
        "app",
        &format!(
            "ocify: app: app:1.0: layer {}, which is missing from the input, has no place in schema 1\n\
             hint: use `--format oci`\n",
            digest(&top)
        ),
    );
}

use serde_json::{Value, json};

use super::*;
use crate::formats::docker::jws::tests::{TestKey, format};

const BLOB: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn id(digit: &str) -> String {
    digit.repeat(64)
}

/// Three layers, `c` over `b` over `a`.
fn manifest() -> Value {
    let entry = |v1: Value| json!({"v1Compatibility": v1.to_string()});
    json!({
        "schemaVersion": 1,
        "name": "library/test",
        "tag": "1",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": BLOB}, {"blobSum": BLOB}, {"blobSum": BLOB}],
        "history": [
            entry(json!({"id": id("c"), "parent": id("b"), "throwaway": true})),
            entry(json!({"id": id("b"), "parent": id("a"), "Size": 0})),
            entry(json!({"id": id("a")})),
        ],
    })
}

fn v1(manifest: &mut Value, position: usize, v1: &Value) {
    manifest["history"][position]["v1Compatibility"] = v1.to_string().into();
}

fn read(manifest: &Value) -> Result<Schema1, Schema1Error> {
    parse(manifest.to_string().as_bytes())
}

/// The error and its sources, as the command line prints them.
fn message(result: Result<Schema1, Schema1Error>) -> String {
    let error = result.unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// A file with `signatures` over `payload`, in the form that libtrust gives it.
fn file(payload: &str, signatures: &[Value]) -> String {
    let head = payload.strip_suffix('}').unwrap();
    format!("{head},\"signatures\":{}}}", json!(signatures))
}

fn sign(payload: &str, key: &TestKey) -> Value {
    key.sign(payload.as_bytes(), &format(payload.len() - 1, "}"))
}

#[test]
fn layers_are_given_base_first() {
    let document = manifest().to_string();
    let read = parse(document.as_bytes()).unwrap();
    assert_eq!(
        (read.name.as_str(), read.tag.as_deref()),
        ("library/test", Some("1"))
    );
    assert_eq!(read.digest, Digest::sha256(document.as_bytes()));
    let layers: Vec<_> = read
        .layers
        .iter()
        .map(|layer| (layer.id.clone(), layer.throwaway, layer.size))
        .collect();
    assert_eq!(
        layers,
        [
            (id("a"), None, None),
            (id("b"), None, Some(0)),
            (id("c"), Some(true), None)
        ]
    );
}

#[test]
fn name_and_tag_may_be_empty_or_missing() {
    let mut document = manifest();
    document["tag"] = "".into();
    assert_eq!(read(&document).unwrap().tag, None);
    document
        .as_object_mut()
        .unwrap()
        .retain(|field, _| field != "tag" && field != "name");
    let read = read(&document).unwrap();
    assert_eq!((read.name.as_str(), read.tag), ("", None));
}

/// Of layers with the same ID that follow each other, c/image keeps the oldest.
#[test]
fn consecutive_duplicates_are_one_layer() {
    let mut document = manifest();
    v1(
        &mut document,
        1,
        &json!({"id": id("a"), "parent": "anything"}),
    );
    v1(&mut document, 0, &json!({"id": id("c"), "parent": id("a")}));
    document["fsLayers"][1]["blobSum"] = BLOB.replace('1', "2").into();
    let layers = read(&document).unwrap().layers;
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| (layer.id.clone(), layer.blob.to_string()))
        .collect();
    assert_eq!(
        layers,
        [(id("a"), BLOB.to_owned()), (id("c"), BLOB.to_owned())]
    );
}

#[test]
fn emptiness_follows_throwaway_then_the_blob_then_the_size() {
    for (v1_json, blob, expected) in [
        (json!({"throwaway": true, "Size": 9}), BLOB, Emptiness::Yes),
        (
            json!({"throwaway": false, "Size": 0}),
            EMPTY_GZIP,
            Emptiness::No,
        ),
        (json!({"Size": 9}), EMPTY_GZIP, Emptiness::Yes),
        (json!({}), EMPTY_PLAIN, Emptiness::Yes),
        (json!({"Size": 0}), BLOB, Emptiness::IfZerosOrMissing),
        (json!({"Size": 9}), BLOB, Emptiness::IfZeros),
        (
            json!({"throwaway": null, "Size": null}),
            BLOB,
            Emptiness::IfZeros,
        ),
    ] {
        let mut document = manifest();
        // No other layer is marked.
        v1(&mut document, 0, &json!({"id": id("c"), "parent": id("b")}));
        let mut v1_json = v1_json;
        v1_json["id"] = id("a").into();
        v1(&mut document, 2, &v1_json);
        document["fsLayers"][2]["blobSum"] = blob.into();
        assert_eq!(
            read(&document).unwrap().layers[0].emptiness(),
            expected,
            "{v1_json} {blob}"
        );
    }
}

#[test]
fn in_a_manifest_with_marks_a_layer_without_one_is_not_empty() {
    let marked = manifest();
    let mut history_only = manifest();
    v1(
        &mut history_only,
        0,
        &json!({"id": id("c"), "parent": id("b")}),
    );
    let base = json!({"id": id("a"), "created": "2024-01-02T03:04:05Z"});
    v1(&mut history_only, 2, &base);
    for mut document in [marked, history_only] {
        for blob in [BLOB, EMPTY_GZIP, EMPTY_PLAIN] {
            document["fsLayers"][2]["blobSum"] = blob.into();
            let emptiness = read(&document).unwrap().layers[0].emptiness();
            assert_eq!(emptiness, Emptiness::No, "{blob}");
        }
    }
}

/// The metadata of the top layer is that of the whole image, whoever wrote it.
#[test]
fn the_only_layer_does_not_say_who_marks_layers() {
    let mut document = manifest();
    for list in ["history", "fsLayers"] {
        let list = document[list].as_array_mut().unwrap();
        list.truncate(1);
    }
    let only = json!({"id": id("a"), "created": "2024-01-02T03:04:05Z"});
    v1(&mut document, 0, &only);
    document["fsLayers"][0]["blobSum"] = BLOB.into();
    let emptiness = read(&document).unwrap().layers[0].emptiness();
    assert_eq!(emptiness, Emptiness::IfZeros);
}

#[test]
fn the_empty_blob_is_two_blocks_of_zeros() {
    assert_eq!(Digest::sha256(&[0; 1024]).to_string(), EMPTY_PLAIN);
}

type Change = fn(&mut Value);

#[test]
fn bad_manifests_are_told_with_the_place() {
    let table: &[(Change, &str)] = &[
        (
            |m| m["schemaVersion"] = 2.into(),
            "schemaVersion is 2, expected 1",
        ),
        (
            |m| m["manifests"] = json!([]),
            "has manifests, which schema 1 manifests do not have",
        ),
        (
            |m| m["layers"] = json!([]),
            "has layers, which schema 1 manifests do not have",
        ),
        (
            |m| m["config"] = json!({}),
            "has config, which schema 1 manifests do not have",
        ),
        (
            |m| drop(m["history"].as_array_mut().unwrap().pop()),
            "history has 2 entries, fsLayers has 3",
        ),
        (
            |m| m["history"] = json!([m["history"][2]]),
            "history has 1 entry, fsLayers has 3",
        ),
        (
            |m| (m["history"], m["fsLayers"]) = (json!([]), json!([])),
            "history is empty",
        ),
        (
            |m| m["fsLayers"][1]["blobSum"] = "sha256:AB".into(),
            "blobSum of fsLayers[1]: digest \"sha256:AB\" is malformed, expected 64 lower-case hex digits",
        ),
        (
            |m| m["fsLayers"][0]["blobSum"] = "sha256:../x".into(),
            "blobSum of fsLayers[0]: digest \"sha256:../x\" is malformed, expected 64 lower-case hex digits",
        ),
        (
            |m| m["history"][1]["v1Compatibility"] = "{".into(),
            "v1Compatibility of history[1]: not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            |m| v1(m, 1, &json!({"id": 7})),
            "v1Compatibility of history[1]: id is a number, expected a string",
        ),
        (
            |m| v1(m, 1, &json!({"id": "B"})),
            "id of history[1] is \"B\", expected 64 lower-case hex digits",
        ),
        (
            |m| v1(m, 2, &json!({"id": id("A")})),
            "id of history[2] is \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", expected 64 lower-case hex digits",
        ),
        (
            |m| v1(m, 0, &json!({})),
            "id of history[0] is \"\", expected 64 lower-case hex digits",
        ),
        (
            |m| v1(m, 2, &json!({"id": id("a"), "parent": "x"})),
            "history[2] is the last and has parent \"x\", expected none",
        ),
        (
            |m| v1(m, 0, &json!({"id": id("c"), "parent": "x"})),
            "parent of history[0] is \"x\", expected bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, the next id",
        ),
        (
            |m| v1(m, 1, &json!({"id": id("b")})),
            "parent of history[1] is \"\", expected aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, the next id",
        ),
        (
            |m| v1(m, 0, &json!({"id": id("a"), "parent": id("b")})),
            "id aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa of history[0] is also the id of history[2]",
        ),
    ];
    for (change, expected) in table {
        let mut document = manifest();
        change(&mut document);
        assert_eq!(message(read(&document)), *expected);
    }
    let no_object = message(parse(b"[]"));
    assert!(
        no_object.starts_with("not a schema 1 manifest: "),
        "{no_object}"
    );
    let cut = message(parse(b"{\"schemaVersion\": 1"));
    assert!(
        cut.starts_with("not a schema 1 manifest: EOF while parsing"),
        "{cut}"
    );
}

#[test]
fn a_signed_manifest_has_the_digest_of_its_payload() {
    let payload = manifest().to_string();
    let signatures = [
        sign(&payload, &TestKey::p256()),
        sign(&payload, &TestKey::p256()),
    ];
    let read = parse(file(&payload, &signatures).as_bytes()).unwrap();
    assert_eq!(read.digest, Digest::sha256(payload.as_bytes()));
    assert!(matches!(
        read.signatures.as_slice(),
        [Verdict::Valid { .. }, Verdict::Valid { .. }]
    ));
}

#[test]
fn a_signature_that_does_not_match_is_told() {
    let payload = manifest().to_string();
    let key = TestKey::p256();
    let other = manifest()
        .to_string()
        .replace("library/test", "library/tess");
    let file = file(&payload, &[sign(&payload, &key), sign(&other, &key)]);
    let read = parse(file.as_bytes()).unwrap();
    assert!(matches!(
        read.signatures.as_slice(),
        [Verdict::Valid { .. }, Verdict::Invalid(reason)]
            if reason.to_string() == "the ES256 signature does not match the payload"
    ));
    assert_eq!(read.digest, Digest::sha256(payload.as_bytes()));
}

#[test]
fn a_signature_that_cannot_be_checked_is_told() {
    let payload = manifest().to_string();
    let mut signature = sign(&payload, &TestKey::p256());
    signature["header"]["alg"] = "ES512".into();
    let file = file(&payload, &[signature]);
    assert!(matches!(
        parse(file.as_bytes()).unwrap().signatures.as_slice(),
        [Verdict::Unsupported(reason)]
            if reason.to_string() == "algorithm \"ES512\" with a P-256 key is not supported"
    ));
}

#[test]
fn payloads_have_to_be_told_and_equal_even_if_signatures_are_ignored() {
    let payload = manifest().to_string();
    let key = TestKey::p256();
    let good = sign(&payload, &key);
    let length = payload.len() - 1;
    for (protected, expected) in [
        (
            format(length, " }"),
            "signature 2 of 2: signs other bytes than signature 1".to_owned(),
        ),
        (
            format(1_000_000, "}"),
            "signature 2 of 2: formatLength is 1000000, the file has SIZE bytes".to_owned(),
        ),
        (
            json!({"formatLength": length, "formatTail": "*"}),
            "signature 2 of 2: formatTail is not base64url".to_owned(),
        ),
    ] {
        let file = file(
            &payload,
            &[good.clone(), key.sign(payload.as_bytes(), &protected)],
        );
        let expected = expected.replace("SIZE", &file.len().to_string());
        assert_eq!(message(parse(file.as_bytes())), expected);
    }
}

/// What is behind `formatLength` is not signed: here a second history, which other readers may take.
#[test]
fn only_what_is_signed_counts() {
    let payload = manifest().to_string();
    let file = file(&payload, &[sign(&payload, &TestKey::p256())]);
    let forged = file.replacen(",\"signatures\"", ",\"history\":[],\"signatures\"", 1);
    assert_eq!(parse(forged.as_bytes()).unwrap().layers.len(), 3);
}

#[test]
fn a_payload_that_is_no_manifest_is_refused() {
    let file = file(
        "{\"schemaVersion\":1}",
        &[TestKey::p256().sign(b"{", &format(1, ""))],
    );
    let found = message(parse(file.as_bytes()));
    assert!(
        found.starts_with("the signed payload is not a schema 1 manifest: EOF"),
        "{found}"
    );
}

#[test]
fn every_truncation_is_an_error() {
    let payload = manifest().to_string();
    let file = file(&payload, &[sign(&payload, &TestKey::p256())]);
    for length in 0..file.len() {
        assert!(parse(&file.as_bytes()[..length]).is_err(), "{length}");
    }
}

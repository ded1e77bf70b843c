//! Schema 1 manifests, signed or not, and their blobs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::files::Files;
use super::layers::Layer;
use super::{codec, legacy, sha256, sha256_hex};

/// A manifest of these layers, the base first, in the order of the format: the newest first.
pub fn manifest(name: &str, tag: &str, layers: &[Layer]) -> Value {
    let mut fs_layers = Vec::new();
    let mut history = Vec::new();
    for (position, layer) in layers.iter().enumerate().rev() {
        let parent = position.checked_sub(1).map(|parent| &layers[parent]);
        let mut v1 = legacy::v1(layer, parent, "1.9.1");
        v1.as_object_mut().unwrap().shift_remove("Size");
        fs_layers.push(json!({ "blobSum": sha256(&codec::gzip(&layer.tar)) }));
        history.push(json!({ "v1Compatibility": v1.to_string() }));
    }
    json!({
        "schemaVersion": 1,
        "name": name,
        "tag": tag,
        "architecture": "amd64",
        "fsLayers": fs_layers,
        "history": history,
    })
}

/// A folder with a manifest and the gzip blobs of these layers.
pub fn folder(manifest: &str, layers: &[Layer]) -> Files {
    let mut files = Files::default();
    files.put("manifest.json", manifest);
    for layer in layers {
        let blob = codec::gzip(&layer.tar);
        files.put(&sha256_hex(&blob), blob);
    }
    files
}

/// A folder of one image, not signed.
pub fn unsigned(name: &str, tag: &str, layers: &[Layer]) -> Files {
    folder(&manifest(name, tag, layers).to_string(), layers)
}

/// Changes the metadata of one entry of `history`.
pub fn edit_v1(manifest: &mut Value, position: usize, edit: impl FnOnce(&mut Value)) {
    let entry = &mut manifest["history"][position]["v1Compatibility"];
    let mut v1: Value = serde_json::from_str(entry.as_str().unwrap()).unwrap();
    edit(&mut v1);
    *entry = json!(v1.to_string());
}

/// Signs a manifest like a registry: the signature is inserted before the last brace of the payload.
///
/// libtrust's form: <https://github.com/distribution/distribution/blob/v2.8.3/manifest/schema1/sign.go>.
pub fn sign(payload: &str) -> String {
    let length = payload.rfind('}').unwrap();
    sign_as(
        payload,
        i64::try_from(length).unwrap(),
        &payload[length..],
        payload,
    )
}

/// Signs `signed`, and claims that it is the first `length` bytes of the file and `tail`.
pub fn sign_as(payload: &str, length: i64, tail: &str, signed: &str) -> String {
    let signature = signature(length, tail, signed);
    let body = payload.strip_suffix('}').unwrap();
    format!("{body},\"signatures\":[{signature}]}}")
}

pub fn signature(length: i64, tail: &str, signed: &str) -> Value {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let protected = URL_SAFE_NO_PAD.encode(
        json!({
            "formatLength": length,
            "formatTail": URL_SAFE_NO_PAD.encode(tail),
            "time": "2016-01-01T00:00:00Z",
        })
        .to_string(),
    );
    let message = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(signed));
    let signature = pair.sign(&random, message.as_bytes()).unwrap();
    json!({
        "header": {
            "alg": "ES256",
            "jwk": {
                "kty": "EC", "crv": "P-256",
                "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
            },
        },
        "signature": URL_SAFE_NO_PAD.encode(signature),
        "protected": protected,
    })
}

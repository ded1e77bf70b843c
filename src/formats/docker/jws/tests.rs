use base64::engine::general_purpose::STANDARD;
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, KeyPair as _,
    },
};
use serde_json::{Value, json};

use super::*;

/// A new key with its JWK, which has no `kid`.
pub(crate) struct TestKey {
    pair: EcdsaKeyPair,
    pub(crate) algorithm: &'static str,
    pub(crate) jwk: Value,
}

impl TestKey {
    pub(crate) fn p256() -> Self {
        Self::new(&ECDSA_P256_SHA256_FIXED_SIGNING, "ES256", "P-256")
    }

    fn new(signing: &'static EcdsaSigningAlgorithm, algorithm: &'static str, curve: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(signing, document.as_ref(), &random).unwrap();
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({
            "kty": "EC", "crv": curve,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        Self {
            pair,
            algorithm,
            jwk,
        }
    }

    /// An entry of `signatures` that has `protected` as its protected header.
    pub(crate) fn sign(&self, payload: &[u8], protected: &Value) -> Value {
        let protected = URL_SAFE_NO_PAD.encode(protected.to_string());
        let message = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message.as_bytes())
            .unwrap();
        json!({
            "header": {"alg": self.algorithm, "jwk": self.jwk},
            "signature": URL_SAFE_NO_PAD.encode(signature),
            "protected": protected,
        })
    }
}

/// The protected header over a file whose payload is its first `length` bytes and `tail`.
pub(crate) fn format(length: usize, tail: &str) -> Value {
    json!({"formatLength": length, "formatTail": URL_SAFE_NO_PAD.encode(tail), "time": "2016-01-01T00:00:00Z"})
}

fn verify(signature: &Value, payload: &[u8]) -> Result<String, String> {
    let signature: Signature = serde_json::from_value(signature.clone()).unwrap();
    let error: Box<dyn std::error::Error> = match signature.verify(payload) {
        Verdict::Valid { key_id } => return Ok(key_id),
        Verdict::Invalid(error) => Box::new(error),
        Verdict::Unsupported(error) => Box::new(error),
    };
    Err(error
        .source()
        .map_or(error.to_string(), |source| format!("{error}: {source}")))
}

#[test]
fn a_signature_is_valid_over_its_payload_alone() {
    for key in [
        TestKey::p256(),
        TestKey::new(&ECDSA_P384_SHA384_FIXED_SIGNING, "ES384", "P-384"),
    ] {
        let mut signature = key.sign(b"{}", &format(1, "}"));
        let key_id = verify(&signature, b"{}").unwrap();
        let expected = format!("the {} signature does not match the payload", key.algorithm);
        assert_eq!(verify(&signature, b"{ }").unwrap_err(), expected);

        signature["header"]["jwk"]["kid"] = key_id.as_str().into();
        assert_eq!(verify(&signature, b"{}").unwrap(), key_id);
        signature["header"]["jwk"]["kid"] = "other".into();
        let expected = format!("the key ID is other, expected {key_id}");
        assert_eq!(verify(&signature, b"{}").unwrap_err(), expected);
    }
}

#[test]
fn key_and_algorithm_may_be_in_the_protected_header() {
    let key = TestKey::p256();
    let mut protected = format(1, "}");
    protected["alg"] = key.algorithm.into();
    protected["jwk"] = key.jwk.clone();
    let mut signature = key.sign(b"{}", &protected);
    signature["header"] = json!({});
    assert!(verify(&signature, b"{}").is_ok());
    assert!(verify(&signature, b"[]").is_err());
}

/// A DER element.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = match content.len() {
        0..=127 => vec![length[7]],
        128..=255 => vec![0x81, length[7]],
        _ => vec![0x82, length[6], length[7]],
    };
    [&[tag], length.as_slice(), content].concat()
}

/// The certificate of a key by its fields, with and without a version, and with a long or a short subject.
#[test]
fn signatures_are_checked_with_the_certificate_of_an_elliptic_curve() {
    let curves = [
        (
            TestKey::p256(),
            &b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"[..],
        ),
        (
            TestKey::new(&ECDSA_P384_SHA384_FIXED_SIGNING, "ES384", "P-384"),
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
        ),
    ];
    for (key, algorithm) in curves {
        let point = [&[0], key.pair.public_key().as_ref()].concat();
        let key_info = [der(0x30, algorithm), der(3, &point)].concat();
        for (version, subject) in [(vec![], 0), (der(0xa0, &der(2, &[2])), 300)] {
            let fields = [
                version,
                der(2, &[1]),
                der(0x30, &[]),
                der(0x30, &[]),
                der(0x30, &[]),
                der(0x30, &vec![0; subject]),
                der(0x30, &key_info),
            ];
            let certificate = der(0x30, &der(0x30, &fields.concat()));
            let mut signature = key.sign(b"{}", &format(1, "}"));
            let with_jwk = verify(&signature, b"{}").unwrap();
            signature["header"]["jwk"] = Value::Null;
            signature["header"]["x5c"] = json!([STANDARD.encode(&certificate)]);
            assert_eq!(verify(&signature, b"{}").unwrap(), with_jwk);
            let expected = format!("the {} signature does not match the payload", key.algorithm);
            assert_eq!(verify(&signature, b"[]").unwrap_err(), expected);
        }
    }
}

/// Made by scripts/make-signed-manifests.sh with openssl; the key IDs are libtrust's.
#[test]
fn rsa_signatures_are_checked_with_a_jwk_and_with_a_certificate() {
    for (file, key_id) in [
        (
            include_str!("../../../../testdata/signed/schema1-rs256.json"),
            "HUUA:LVPL:HI3K:BXV4:KWIZ:BVO5:35YL:INDC:HFGU:2X27:SFYA:G6JE",
        ),
        (
            include_str!("../../../../testdata/signed/schema1-x5c.json"),
            "NCFJ:NSDE:VRLW:FEPD:BC56:P5OS:FYNZ:JXS4:USJZ:S6JD:42NX:YFDY",
        ),
        (
            include_str!("../../../../testdata/signed/schema1-rs384.json"),
            "7VCM:XT74:FTXJ:EAHR:73RY:DHWH:TL7A:DYRR:OTTU:HCY7:V4FY:EGD7",
        ),
        (
            include_str!("../../../../testdata/signed/schema1-rs512.json"),
            "WDU4:YMSN:H744:WXM4:3AXJ:IFSO:2YAA:3QQC:DHWZ:JJK2:BRQK:FG43",
        ),
    ] {
        let manifest: Value = serde_json::from_str(file).unwrap();
        let signature = &manifest["signatures"][0];
        let parsed: Signature = serde_json::from_value(signature.clone()).unwrap();
        let mut payload = parsed.payload(file.as_bytes()).unwrap();
        assert_eq!(verify(signature, &payload).unwrap(), key_id);
        *payload.last_mut().unwrap() = b'\n';
        let algorithm = signature["header"]["alg"].as_str().unwrap();
        let mismatch = format!("the {algorithm} signature does not match the payload");
        assert_eq!(verify(signature, &payload).unwrap_err(), mismatch);
    }
}

#[test]
fn what_cannot_be_checked_is_told_from_what_is_wrong() {
    let key = TestKey::p256();
    let signature = key.sign(b"{}", &format(1, "}"));
    for (pointer, value, expected) in [
        (
            "/header/alg",
            json!("ES512"),
            "algorithm \"ES512\" with a P-256 key is not supported",
        ),
        (
            "/header/alg",
            json!("RS256"),
            "algorithm \"RS256\" with a P-256 key is not supported",
        ),
        (
            "/header/alg",
            json!("none"),
            "algorithm \"none\" with a P-256 key is not supported",
        ),
        ("/header/alg", json!(null), "the algorithm is missing"),
        ("/header/jwk", json!(null), "the key is missing"),
        (
            "/header/jwk/kty",
            json!("oct"),
            "the key is not supported: unknown key type \"oct\"",
        ),
        (
            "/header/jwk/crv",
            json!("P-521"),
            "the key is not supported: unknown curve \"P-521\"",
        ),
        (
            "/header/jwk/x",
            json!("AAAA"),
            "the key is not valid: x has 3 bytes, expected 32 for P-256",
        ),
        (
            "/header/jwk/y",
            json!(null),
            "the key is not valid: y is missing",
        ),
        (
            "/header/jwk/y",
            json!("+"),
            "the key is not valid: y is not base64url",
        ),
        (
            "/header/jwk",
            json!({"kty": "RSA", "n": "_w", "e": "AQAB"}),
            "algorithm \"ES256\" with an RSA key of 8 bits is not supported",
        ),
        (
            "/header/jwk",
            json!({"kty": "RSA", "n": "AAQB", "e": "AQAB"}),
            "algorithm \"ES256\" with an RSA key of 11 bits is not supported",
        ),
        (
            "/header",
            json!({"alg": "ES256", "x5c": ["*"]}),
            "the key is not valid: the certificate is not base64",
        ),
        (
            "/header",
            json!({"alg": "ES256", "x5c": ["MIIB"]}),
            "the key is not valid: the certificate is not X.509 in DER",
        ),
        ("/signature", json!("*"), "the signature is not base64url"),
        (
            "/signature",
            json!("AAAA"),
            "the ES256 signature does not match the payload",
        ),
    ] {
        let mut changed = signature.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        assert_eq!(verify(&changed, b"{}").unwrap_err(), expected);
    }
}

#[test]
fn the_payload_is_the_head_of_the_file_and_the_tail() {
    let key = TestKey::p256();
    let payload = |protected: &str| {
        let mut signature = key.sign(b"", &json!({}));
        signature["protected"] = protected.into();
        let signature: Signature = serde_json::from_value(signature).unwrap();
        signature
            .payload(b"0123456789")
            .map_err(|error| error.to_string())
    };
    let encoded = |protected: Value| URL_SAFE_NO_PAD.encode(protected.to_string());
    assert_eq!(payload(&encoded(format(4, "xyz"))).unwrap(), b"0123xyz");
    assert_eq!(payload(&encoded(format(10, ""))).unwrap(), b"0123456789");
    for (protected, expected) in [
        ("*".to_owned(), "the protected header is not base64url"),
        (
            "AAAA".to_owned(),
            "the protected header is not the expected JSON object",
        ),
        (
            encoded(json!({"formatTail": ""})),
            "the protected header lacks formatLength",
        ),
        (
            encoded(json!({"formatLength": 1})),
            "the protected header lacks formatTail",
        ),
        (
            encoded(format(11, "")),
            "formatLength is 11, the file has 10 bytes",
        ),
        (
            encoded(json!({"formatLength": -1, "formatTail": ""})),
            "formatLength is -1, the file has 10 bytes",
        ),
        (
            encoded(json!({"formatLength": 1.5, "formatTail": ""})),
            "formatLength is 1.5, the file has 10 bytes",
        ),
        (
            encoded(json!({"formatLength": 1, "formatTail": "*"})),
            "formatTail is not base64url",
        ),
    ] {
        assert_eq!(payload(&protected).unwrap_err(), expected);
    }
}

/// Cut short or changed in any byte: an answer, never a panic, and never valid without its end.
#[test]
fn a_broken_certificate_is_an_answer() {
    let file = include_str!("../../../../testdata/signed/schema1-x5c.json");
    let manifest: Value = serde_json::from_str(file).unwrap();
    let mut signature = manifest["signatures"][0].clone();
    let certificate = STANDARD
        .decode(signature["header"]["x5c"][0].as_str().unwrap())
        .unwrap();
    for at in 0..certificate.len() {
        signature["header"]["x5c"][0] = STANDARD.encode(&certificate[..at]).into();
        assert!(verify(&signature, b"{}").is_err());
        let mut changed = certificate.clone();
        changed[at] ^= 0x81;
        signature["header"]["x5c"][0] = STANDARD.encode(&changed).into();
        assert!(verify(&signature, b"{}").is_err());
    }
}

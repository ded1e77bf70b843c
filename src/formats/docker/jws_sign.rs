//! The signature that a registry wants of a schema 1 manifest. It proves nothing: the key is published here, and both key
//! and signature depend on nothing but the content, so that two runs give the same bytes.
//!
//! The form is libtrust's: <https://github.com/docker/libtrust/blob/master/jsonsign.go>

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::formats::docker::go_json::{self, object};
use crate::formats::docker::{go_time, jws_key};

/// The private key is the SHA-256 digest of this.
const KEY: &[u8] = b"This key is published with ocify. A signature made with it proves nothing.";

/// A compact payload with a signature in it. `created` is the time that the signature gets, if it is one.
pub(crate) fn signed(payload: &str, created: &str) -> Result<String> {
    let no_key = |_| Error::document("the key of schema 1 signatures", "not a key");
    let key = SigningKey::from_slice(&Sha256::digest(KEY)).map_err(no_key)?;
    // The payload's last brace.
    let body = payload.strip_suffix('}').unwrap_or(payload);
    let protected = object([
        ("formatLength", body.len().to_string()),
        ("formatTail", base64(&payload.as_bytes()[body.len()..])),
        ("time", go_json::quoted(&time(created))),
    ]);
    let protected = URL_SAFE_NO_PAD.encode(protected);
    let message = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload));
    // RFC 6979: the nonce is made of key and message.
    let signature: Signature = key.sign(message.as_bytes());
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = match (point.x(), point.y()) {
        (Some(x), Some(y)) => (base64(x), base64(y)),
        _ => return Err(no_key(p256::ecdsa::Error::new())),
    };
    let jwk = object([
        ("crv", go_json::quoted("P-256")),
        ("kid", go_json::quoted(&jws_key::p256_id(point.as_bytes()))),
        ("kty", go_json::quoted("EC")),
        ("x", x),
        ("y", y),
    ]);
    let header = object([("jwk", jwk), ("alg", go_json::quoted("ES256"))]);
    let signature = object([
        ("header", header),
        ("signature", base64(&signature.to_bytes())),
        ("protected", go_json::quoted(&protected)),
    ]);
    Ok(format!("{body},\"signatures\":[{signature}]}}"))
}

/// As a JSON string.
fn base64(bytes: &[u8]) -> String {
    go_json::quoted(&URL_SAFE_NO_PAD.encode(bytes))
}

/// A time without a fraction, as libtrust writes it; never the clock's.
fn time(created: &str) -> String {
    let time = go_time::normalized(created).filter(|time| time != go_time::ZERO);
    let Some(time) = time else {
        return "1970-01-01T00:00:00Z".to_owned();
    };
    match time.split_once('.') {
        Some((seconds, rest)) => {
            let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{seconds}{zone}")
        }
        None => time,
    }
}

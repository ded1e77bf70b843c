//! The public keys of JWS signatures, from a [JWK](https://www.rfc-editor.org/rfc/rfc7517) or a certificate.
use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA384, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::formats::docker::jws::base64_url;

/// A key in a JWS header.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Jwk {
    kty: String,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Jwk {
    /// The key ID in the header.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

/// Why a key cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A field of the JWK is missing.
    #[error("{name} is missing")]
    Missing {
        /// The field.
        name: &'static str,
    },
    /// A field of the JWK is not base64url.
    #[error("{name} is not base64url")]
    Base64 {
        /// The field.
        name: &'static str,
    },
    /// A coordinate has the wrong size.
    #[error("{name} has {found} bytes, expected {expected} for {curve}")]
    Coordinate {
        /// `x` or `y`.
        name: &'static str,
        /// The curve.
        curve: &'static str,
        /// Its size in bytes.
        expected: usize,
        /// The size found.
        found: usize,
    },
    /// A key type that is neither EC nor RSA.
    #[error("unknown key type {0:?}")]
    KeyType(String),
    /// A curve that is neither P-256 nor P-384.
    #[error("unknown curve {0:?}")]
    Curve(String),
    /// The certificate is not base64.
    #[error("the certificate is not base64")]
    CertificateBase64,
    /// The certificate is not X.509.
    #[error("the certificate is not X.509 in DER")]
    Certificate,
    /// The certificate's key is neither EC nor RSA.
    #[error("the kind of key in the certificate is not supported")]
    CertificateKey,
}

impl KeyError {
    /// Whether the key may be valid, but has an unknown type.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::KeyType(_) | Self::Curve(_) | Self::CertificateKey
        )
    }
}

/// A public key.
#[derive(Debug)]
pub(crate) struct PublicKey {
    kind: KeyKind,
    /// The bit string of a certificate: a point, or RSA's two numbers in DER.
    key: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    P256,
    P384,
    Rsa { bits: usize },
}

// DER: tags, and the contents of a certificate's AlgorithmIdentifier (RFC 3279, RFC 5480).
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

impl PublicKey {
    pub(crate) fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        match jwk.kty.as_str() {
            "EC" => {
                let (kind, curve, size) = match jwk.crv.as_deref() {
                    Some("P-256") => (KeyKind::P256, "P-256", 32),
                    Some("P-384") => (KeyKind::P384, "P-384", 48),
                    other => return Err(KeyError::Curve(other.unwrap_or_default().to_owned())),
                };
                // SEC 1, 2.3.3: 4 marks an uncompressed point.
                let mut key = vec![4];
                for (name, text) in [("x", &jwk.x), ("y", &jwk.y)] {
                    let coordinate = field(name, text.as_deref())?;
                    if coordinate.len() != size {
                        let found = coordinate.len();
                        return Err(KeyError::Coordinate {
                            name,
                            curve,
                            expected: size,
                            found,
                        });
                    }
                    key.extend(coordinate);
                }
                Ok(Self { kind, key })
            }
            "RSA" => {
                let modulus = field("n", jwk.n.as_deref())?;
                let exponent = field("e", jwk.e.as_deref())?;
                let numbers = [unsigned(&modulus), unsigned(&exponent)].concat();
                Ok(Self {
                    kind: KeyKind::Rsa {
                        bits: bits(&modulus),
                    },
                    key: der(SEQUENCE, &numbers),
                })
            }
            other => Err(KeyError::KeyType(other.to_owned())),
        }
    }

    /// The key of a certificate in base64 of DER. The certificate itself is not checked.
    pub(crate) fn from_certificate(base64: &str) -> Result<Self, KeyError> {
        let certificate = STANDARD
            .decode(base64)
            .map_err(|_| KeyError::CertificateBase64)?;
        let (algorithm, key) = subject_public_key(&certificate).ok_or(KeyError::Certificate)?;
        let kind = match algorithm {
            P256 => KeyKind::P256,
            P384 => KeyKind::P384,
            RSA => {
                let modulus = take(key, SEQUENCE).and_then(|(numbers, _)| take(numbers, INTEGER));
                let (modulus, _) = modulus.ok_or(KeyError::Certificate)?;
                KeyKind::Rsa {
                    bits: bits(modulus),
                }
            }
            _ => return Err(KeyError::CertificateKey),
        };
        Ok(Self {
            kind,
            key: key.to_owned(),
        })
    }

    /// libtrust's key ID: 240 bits of the SHA-256 of the key in DER (`SubjectPublicKeyInfo`), in
    /// base32, in groups of four.
    pub(crate) fn id(&self) -> String {
        const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let algorithm = match self.kind {
            KeyKind::P256 => P256,
            KeyKind::P384 => P384,
            KeyKind::Rsa { .. } => RSA,
        };
        let key = der(BIT_STRING, &[&[0], self.key.as_slice()].concat());
        let hash = Sha256::digest(der(SEQUENCE, &[der(SEQUENCE, algorithm), key].concat()));
        let mut id = String::with_capacity(59);
        // Five bytes become eight characters.
        for (position, bytes) in hash[..30].chunks(5).enumerate() {
            let bits = bytes
                .iter()
                .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for character in 0..8 {
                if character % 4 == 0 && (position, character) != (0, 0) {
                    id.push(':');
                }
                let [low, ..] = (bits >> (35 - 5 * character)).to_le_bytes();
                id.push(char::from(BASE32[usize::from(low % 32)]));
            }
        }
        id
    }

    /// Whether `signature` is a signature of `message` with this key. `None` if the algorithm is unknown, or not one for this
    /// key.
    pub(crate) fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> Option<bool> {
        let algorithm: &dyn VerificationAlgorithm = match (algorithm, self.kind) {
            ("ES256", KeyKind::P256) => &ECDSA_P256_SHA256_FIXED,
            ("ES384", KeyKind::P384) => &ECDSA_P384_SHA384_FIXED,
            // The key comes with the signature, so refusing short keys would not add security.
            ("RS256", KeyKind::Rsa { bits: 1024..=8192 }) => {
                &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
            }
            ("RS384", KeyKind::Rsa { bits: 2048..=8192 }) => &RSA_PKCS1_2048_8192_SHA384,
            ("RS512", KeyKind::Rsa { bits: 1024..=8192 }) => {
                &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
            }
            _ => return None,
        };
        Some(
            UnparsedPublicKey::new(algorithm, &self.key)
                .verify(message, signature)
                .is_ok(),
        )
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.kind {
            KeyKind::P256 => f.write_str("a P-256 key"),
            KeyKind::P384 => f.write_str("a P-384 key"),
            KeyKind::Rsa { bits } => write!(f, "an RSA key of {bits} bits"),
        }
    }
}

/// The ID of a P-256 key, given as a point that is not compressed.
pub(crate) fn p256_id(point: &[u8]) -> String {
    let key = PublicKey {
        kind: KeyKind::P256,
        key: point.to_vec(),
    };
    key.id()
}

fn field(name: &'static str, text: Option<&str>) -> Result<Vec<u8>, KeyError> {
    let text = text.ok_or(KeyError::Missing { name })?;
    base64_url(text).ok_or(KeyError::Base64 { name })
}

/// The algorithm and the key in a certificate (RFC 5280, 4.1).
fn subject_public_key(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (certificate, _) = take(certificate, SEQUENCE)?;
    let (mut fields, _) = take(certificate, SEQUENCE)?;
    if let Some((_, rest)) = take(fields, VERSION) {
        fields = rest;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        (_, fields) = take(fields, tag)?;
    }
    let (key_info, _) = take(fields, SEQUENCE)?;
    let (algorithm, rest) = take(key_info, SEQUENCE)?;
    let (key, _) = take(rest, BIT_STRING)?;
    // The first byte is the number of unused bits, which is 0 for keys.
    Some((algorithm, key.strip_prefix(&[0])?))
}

/// The content of the DER element with `tag` at the start of `input`, and the rest.
fn take(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = input.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (
                length
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte)),
                rest,
            )
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A DER element.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = without_zeros(&length);
    let mut element = vec![tag];
    match significant {
        [] => element.push(0),
        [short @ 0..=0x7f] => element.push(*short),
        long => {
            element.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            element.extend(long);
        }
    }
    element.extend(content);
    element
}

/// A non-negative number as a DER INTEGER.
fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let digits = without_zeros(big_endian);
    let sign = if digits.first().is_none_or(|first| *first > 0x7f) {
        &[0][..]
    } else {
        &[]
    };
    der(INTEGER, &[sign, digits].concat())
}

fn without_zeros(big_endian: &[u8]) -> &[u8] {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    &big_endian[zeros..]
}

fn bits(big_endian: &[u8]) -> usize {
    let digits = without_zeros(big_endian);
    let first = digits
        .first()
        .map_or(0, |first| first.leading_zeros() as usize);
    digits.len() * 8 - first
}

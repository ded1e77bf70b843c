//! The signatures of a schema 1 manifest: [JWS](https://www.rfc-editor.org/rfc/rfc7515) in the form of Docker's libtrust, which
//! contains the key and is embedded in the signed document.
//!
//! The key does not prove who signed, but a signature that does not verify shows that the manifest was changed after it was
//! signed.
use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD,
    },
};
use serde::Deserialize;

use crate::formats::docker::jws_key::{Jwk, KeyError, PublicKey};

/// An entry of `signatures`.
#[derive(Debug, Clone, Deserialize)]
pub struct Signature {
    header: JwsHeader,
    #[serde(rename = "signature")]
    value: String,
    protected: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct JwsHeader {
    alg: Option<String>,
    jwk: Option<Jwk>,
    #[serde(default)]
    x5c: Vec<String>,
}

#[derive(Deserialize)]
struct PayloadFormat {
    #[serde(rename = "formatLength")]
    length: Option<serde_json::Number>,
    #[serde(rename = "formatTail")]
    tail: Option<String>,
}

/// Why the signed bytes cannot be determined.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The protected header is not base64url.
    #[error("the protected header is not base64url")]
    ProtectedBase64,
    /// The protected header is not a JSON object of the right shape.
    #[error("the protected header is not the expected JSON object")]
    ProtectedJson(#[source] serde_json::Error),
    /// A field is missing from the protected header.
    #[error("the protected header lacks {name}")]
    Missing {
        /// `formatLength` or `formatTail`.
        name: &'static str,
    },
    /// `formatLength` is not a length within the file.
    #[error("formatLength is {length}, the file has {size} bytes")]
    Length {
        /// The number as written.
        length: String,
        /// The size of the manifest file.
        size: usize,
    },
    /// `formatTail` is not base64url.
    #[error("formatTail is not base64url")]
    TailBase64,
    /// A later signature signs other bytes than the first.
    #[error("signs other bytes than signature 1")]
    Unequal,
}

/// The result of checking a signature.
#[derive(Debug)]
pub enum Verdict {
    /// The signature verifies. The key has this libtrust key ID.
    Valid {
        /// Twelve groups of four characters, joined by colons, computed from the key.
        #[cfg_attr(
            not(test),
            expect(dead_code, reason = "tests compare it with the IDs in real signatures")
        )]
        key_id: String,
    },
    /// The signature does not verify.
    Invalid(InvalidSignature),
    /// The signature cannot be checked.
    Unsupported(UnsupportedSignature),
}

/// Why a signature is not valid.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSignature {
    /// The signature signs other bytes, or was made with another key.
    #[error("the {algorithm} signature does not match the payload")]
    Mismatch {
        /// The JWS name of the algorithm.
        algorithm: String,
    },
    /// The key ID in the header is that of another key.
    #[error("the key ID is {found}, expected {expected}")]
    KeyId {
        /// Computed from the key.
        expected: String,
        /// In the header.
        found: String,
    },
    /// The key is not valid.
    #[error("the key is not valid")]
    Key(#[source] KeyError),
    /// The signature itself is not base64url.
    #[error("the signature is not base64url")]
    Base64,
}

/// Why a signature cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum UnsupportedSignature {
    /// No algorithm is named.
    #[error("the algorithm is missing")]
    NoAlgorithm,
    /// There is no key.
    #[error("the key is missing")]
    NoKey,
    /// The algorithm is unknown, or is not one for this key.
    #[error("algorithm {algorithm:?} with {key} is not supported")]
    Algorithm {
        /// The JWS name of the algorithm.
        algorithm: String,
        /// The kind of key, such as `an RSA key of 2048 bits`.
        key: String,
    },
    /// The kind of key is unknown.
    #[error("the key is not supported")]
    Key(#[source] KeyError),
}

impl Signature {
    /// The signed bytes: the first `formatLength` bytes of `file`, which is the whole manifest, and `formatTail`.
    ///
    /// # Errors
    /// [`PayloadError`], but never [`PayloadError::Unequal`].
    pub fn payload(&self, file: &[u8]) -> Result<Vec<u8>, PayloadError> {
        let (head, tail) = self.parts(file)?;
        Ok([head, &tail].concat())
    }

    /// The same, but for what is between its parts in a signed file.
    ///
    /// # Errors
    /// [`PayloadError`], but never [`PayloadError::Unequal`].
    pub fn parts<'f>(&self, file: &'f [u8]) -> Result<(&'f [u8], Vec<u8>), PayloadError> {
        let protected = base64_url(&self.protected).ok_or(PayloadError::ProtectedBase64)?;
        let PayloadFormat { length, tail } =
            serde_json::from_slice(&protected).map_err(PayloadError::ProtectedJson)?;
        let length = length.ok_or(PayloadError::Missing {
            name: "formatLength",
        })?;
        let tail = tail.ok_or(PayloadError::Missing { name: "formatTail" })?;
        let head = length
            .as_u64()
            .and_then(|length| file.get(..usize::try_from(length).ok()?));
        let head = head.ok_or(PayloadError::Length {
            length: length.to_string(),
            size: file.len(),
        })?;
        let tail = base64_url(&tail).ok_or(PayloadError::TailBase64)?;
        Ok((head, tail))
    }

    /// Checks whether this is a signature of `payload`.
    ///
    /// Algorithm and key may be in the header or, as JWS allows, in the protected header.
    #[must_use]
    pub fn verify(&self, payload: &[u8]) -> Verdict {
        let protected = base64_url(&self.protected);
        let protected: JwsHeader = protected
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        let Some(algorithm) = self.header.alg.as_ref().or(protected.alg.as_ref()) else {
            return Verdict::Unsupported(UnsupportedSignature::NoAlgorithm);
        };
        let certificate = self.header.x5c.first().or(protected.x5c.first());
        let jwk = self.header.jwk.as_ref().or(protected.jwk.as_ref());
        let key = match (certificate, jwk) {
            (Some(certificate), _) => PublicKey::from_certificate(certificate),
            (None, Some(jwk)) => PublicKey::from_jwk(jwk),
            (None, None) => return Verdict::Unsupported(UnsupportedSignature::NoKey),
        };
        let key = match key {
            Ok(key) => key,
            Err(error) if error.is_unsupported() => {
                return Verdict::Unsupported(UnsupportedSignature::Key(error));
            }
            Err(error) => return Verdict::Invalid(InvalidSignature::Key(error)),
        };
        let key_id = key.id();
        if let (None, Some(found)) = (certificate, jwk.and_then(Jwk::key_id))
            && found != key_id
        {
            let found = found.to_owned();
            return Verdict::Invalid(InvalidSignature::KeyId {
                expected: key_id,
                found,
            });
        }
        let Some(signature) = base64_url(&self.value) else {
            return Verdict::Invalid(InvalidSignature::Base64);
        };
        let message = format!("{}.{}", self.protected, URL_SAFE_NO_PAD.encode(payload));
        match key.verify(algorithm, message.as_bytes(), &signature) {
            Some(true) => Verdict::Valid { key_id },
            Some(false) => Verdict::Invalid(InvalidSignature::Mismatch {
                algorithm: algorithm.clone(),
            }),
            None => {
                let (algorithm, key) = (algorithm.clone(), key.to_string());
                Verdict::Unsupported(UnsupportedSignature::Algorithm { algorithm, key })
            }
        }
    }
}

/// Decodes base64url with or without padding. Like Go, this ignores trailing bits.
pub(crate) fn base64_url(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&URL_SAFE, LENIENT).decode(text).ok()
}

#[cfg(test)]
pub(crate) mod tests;

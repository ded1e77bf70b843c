//! Digests of blobs, `diff_ids` of layers, and the hashers that compute them.
//!
//! A [`Digest`] names the bytes of a blob as it is stored, a [`DiffId`] the bytes of a layer's uncompressed tar. They
//! are two types because the two are never interchangeable.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// The digest of a blob: `sha256:` or `sha512:` and lower-case hex.
///
/// Other algorithms and upper-case hex are refused when parsing, so a digest is always safe as part of a path.
/// See <https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests>.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// The algorithm that every implementation must know.
    Sha256([u8; 32]),
    /// Rare, but allowed.
    Sha512([u8; 64]),
}

/// Why a string is not a [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The algorithm is missing.
    #[error("digest {0:?} lacks an algorithm")]
    NoAlgorithm(String),
    /// The algorithm is neither sha256 nor sha512.
    #[error("the algorithm of digest {0:?} is not supported, expected sha256 or sha512")]
    UnknownAlgorithm(String),
    /// The part after the colon is not lower-case hex of the right length.
    #[error("digest {digest:?} is malformed, expected {expected} lower-case hex digits")]
    BadHex {
        /// The whole string.
        digest: String,
        /// 64 or 128.
        expected: usize,
    },
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Digest {
        Digest::Sha256(Sha256::digest(bytes).into())
    }

    /// The digest of `bytes` by the algorithm of `self`.
    #[must_use]
    pub fn same_algorithm(&self, bytes: &[u8]) -> Digest {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// A hasher of this digest's algorithm.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        match self {
            Digest::Sha256(_) => Hasher::sha256(),
            Digest::Sha512(_) => Hasher::Sha512(Box::new(Sha512::new())),
        }
    }

    /// `sha256` or `sha512`.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Digest::Sha256(_) => "sha256",
            Digest::Sha512(_) => "sha512",
        }
    }

    /// The hex digits, 64 or 128.
    #[must_use]
    pub fn hex(&self) -> String {
        let bytes: &[u8] = match self {
            Digest::Sha256(bytes) => bytes,
            Digest::Sha512(bytes) => bytes,
        };
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
        bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect()
    }

    /// The path of the blob in a layout: `blobs/<algorithm>/<hex>`.
    #[must_use]
    pub fn blob_path(&self) -> String {
        format!("blobs/{}/{}", self.algorithm(), self.hex())
    }

    /// The first twelve hex digits.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }

    /// A digest from 64 lower-case hex digits without an algorithm, as in file names.
    #[must_use]
    pub fn from_sha256_hex(hex: &str) -> Option<Digest> {
        Some(Digest::Sha256(decode_hex::<32>(hex)?))
    }
}

fn decode_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let digits = hex.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let (algorithm, hex) = text
            .split_once(':')
            .ok_or_else(|| DigestError::NoAlgorithm(text.to_owned()))?;
        let bad_hex = |expected| DigestError::BadHex {
            digest: text.to_owned(),
            expected,
        };
        match algorithm {
            "sha256" => Ok(Digest::Sha256(decode_hex(hex).ok_or_else(|| bad_hex(64))?)),
            "sha512" => Ok(Digest::Sha512(decode_hex(hex).ok_or_else(|| bad_hex(128))?)),
            _ => Err(DigestError::UnknownAlgorithm(text.to_owned())),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The digest of a layer's uncompressed tar, as the config's `rootfs.diff_ids` lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiffId(pub Digest);

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Computes a digest.
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512, boxed for its size.
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// A SHA-256 hasher.
    #[must_use]
    pub fn sha256() -> Hasher {
        Hasher::Sha256(Sha256::new())
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes added.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self {
            Hasher::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Hasher::Sha512(hasher) => Digest::Sha512(hasher.finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6234 and FIPS 180-4 give these for the empty message and "abc".
    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC_512: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
        2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    #[test]
    fn known_digests() {
        assert_eq!(Digest::sha256(b"").to_string(), EMPTY);
        let digest: Digest = ABC_512.parse().unwrap();
        assert_eq!(digest.same_algorithm(b"abc"), digest);
        assert_eq!(digest.to_string(), ABC_512);
    }

    #[test]
    fn refuses_what_could_harm_a_path() {
        for bad in [
            "",
            "sha256",
            "sha256:",
            "sha256:../../../../etc/passwd",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            &EMPTY.to_uppercase().replace("SHA256", "sha256"),
            &EMPTY[..EMPTY.len() - 1],
            &format!("{EMPTY}0"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}

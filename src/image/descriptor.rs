//! Descriptors, and documents with their bytes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Platform;
use crate::digest::Digest;

/// What names a blob: media type, digest and size, and what else is said of it.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md>. Fields that are not listed here are lost:
/// documents that pass through are kept as bytes or edited as JSON, not by way of this type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The blob's media type; Docker leaves it out here and there.
    #[serde(default)]
    pub media_type: String,
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's size in bytes.
    pub size: u64,
    /// What kind of artifact a manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Where else the blob may be had. Never used to fetch anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// The blob's content in base64. Must agree with the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What the image runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Names and notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Map<String, Value>>,
}

impl Descriptor {
    /// A descriptor of `digest` with nothing else said of it.
    #[must_use]
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.into(),
            digest,
            size,
            artifact_type: None,
            urls: None,
            data: None,
            platform: None,
            annotations: None,
        }
    }

    /// Whether there is a place where else the blob may be had.
    #[must_use]
    pub fn has_urls(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }

    /// What it is called below an index: its platform or digest.
    #[must_use]
    pub fn label(&self) -> String {
        let platform = self.platform.as_ref();
        platform.map_or_else(|| self.digest.to_string(), ToString::to_string)
    }

    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key)?.as_str()
    }
}

/// A manifest, index or config: its bytes, with what names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its media type.
    pub media_type: String,
    /// The digest of `bytes`.
    pub digest: Digest,
    /// The document itself.
    pub bytes: Arc<[u8]>,
}

impl Document {
    /// Names `bytes` by their SHA-256 digest.
    #[must_use]
    pub fn new(media_type: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Document {
        let bytes = bytes.into();
        Document {
            media_type: media_type.into(),
            digest: Digest::sha256(&bytes),
            bytes,
        }
    }

    /// The descriptor of the document.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(
            self.media_type.clone(),
            self.digest,
            self.bytes.len() as u64,
        )
    }
}

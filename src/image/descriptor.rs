//! Descriptors, and documents with their bytes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Platform;
use super::media_type::{self, LayerKind};
use crate::digest::Digest;

/// A reference to a blob: media type, digest, size and further fields.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md>. Other fields are
/// lost, so documents are copied as bytes or edited as JSON, never rebuilt from this type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Descriptor {
    /// The media type of the blob. Empty where Docker leaves it out.
    #[serde(default)]
    pub media_type: String,
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's size in bytes.
    pub size: u64,
    /// What kind of artifact a manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Locations for downloading the blob. Never used to download anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// The content of the blob in base64. Must match the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The platform of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Map<String, Value>>,
}

impl Descriptor {
    /// A descriptor without optional fields.
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

    /// Whether the descriptor has at least one URL.
    #[must_use]
    pub fn has_urls(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }

    /// Whether the descriptor is of a layer that must not be distributed.
    pub(crate) fn is_foreign(&self) -> bool {
        media_type::layer_kind(&self.media_type) == LayerKind::Foreign
    }

    /// The label of the image inside an index: its platform or digest.
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

/// A manifest, index or config: its bytes with media type and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its media type.
    pub media_type: String,
    /// The digest of `bytes`.
    pub digest: Digest,
    /// The bytes of the document.
    pub bytes: Arc<[u8]>,
}

impl Document {
    /// A document with the SHA-256 digest of `bytes`.
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

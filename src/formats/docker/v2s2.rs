//! Schema 2 manifests, byte for byte as `skopeo copy --format v2s2` writes them.

pub(crate) mod write;

use crate::digest::Digest;
use crate::formats::docker::go_json;

/// A blob in a schema 2 manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema2Descriptor {
    /// The media type.
    pub media_type: Schema2MediaType,
    /// Size in bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Digest,
    /// Locations of a foreign layer. Empty for other blobs.
    pub urls: Vec<String>,
}

/// The [media types](https://distribution.github.io/distribution/spec/manifest-v2-2/) of blobs.
///
/// skopeo gives every layer of a schema 1 manifest and of a `docker save` archive the media type of a gzip layer, even if it
/// is plain. For layers of an OCI layout it distinguishes gzip and plain layers, and refuses zstd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema2MediaType {
    /// The image config.
    Config,
    /// A gzip layer, or one that may be plain.
    LayerGzip,
    /// A plain layer.
    Layer,
    /// A foreign layer, gzip.
    ForeignLayerGzip,
    /// A foreign layer, plain.
    ForeignLayer,
}

impl Schema2MediaType {
    /// Converts the media type of a layer in an OCI manifest as skopeo does. `None` if skopeo refuses it.
    #[must_use]
    pub fn of_oci(media_type: &str) -> Option<Schema2MediaType> {
        Some(match media_type {
            "application/vnd.oci.image.layer.v1.tar" => Self::Layer,
            "application/vnd.oci.image.layer.v1.tar+gzip" => Self::LayerGzip,
            "application/vnd.oci.image.layer.nondistributable.v1.tar" => Self::ForeignLayer,
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" => {
                Self::ForeignLayerGzip
            }
            _ => return None,
        })
    }

    /// The media type as a string.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "application/vnd.docker.container.image.v1+json",
            Self::LayerGzip => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            Self::Layer => "application/vnd.docker.image.rootfs.diff.tar",
            Self::ForeignLayerGzip => "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            Self::ForeignLayer => "application/vnd.docker.image.rootfs.foreign.diff.tar",
        }
    }
}

/// The bytes of the manifest. `layers` has the base first.
#[must_use]
pub fn schema2_manifest(config: &Schema2Descriptor, layers: &[Schema2Descriptor]) -> Vec<u8> {
    encoded_manifest(config, layers, "[]")
}

/// The same for an image of schema 1, for which skopeo writes an empty list of layers as `null`.
#[must_use]
pub fn schema2_manifest_of_schema1(
    config: &Schema2Descriptor,
    layers: &[Schema2Descriptor],
) -> Vec<u8> {
    encoded_manifest(config, layers, "null")
}

fn encoded_manifest(
    config: &Schema2Descriptor,
    layers: &[Schema2Descriptor],
    no_layers: &str,
) -> Vec<u8> {
    let layers: Vec<_> = layers.iter().map(encoded_descriptor).collect();
    let mut layers_list = String::new();
    go_json::list(layers.iter().map(String::as_str), &mut layers_list);
    let media_type = go_json::quoted("application/vnd.docker.distribution.manifest.v2+json");
    let mut out = String::new();
    let members = [
        ("schemaVersion", "2"),
        ("mediaType", &media_type),
        ("config", &encoded_descriptor(config)),
        (
            "layers",
            if layers.is_empty() {
                no_layers
            } else {
                &layers_list
            },
        ),
    ];
    go_json::object(members, &mut out);
    out.into_bytes()
}

fn encoded_descriptor(descriptor: &Schema2Descriptor) -> String {
    let members = encoded(
        descriptor.media_type.as_str(),
        descriptor.size,
        &descriptor.digest,
        &descriptor.urls,
    );
    object(&members)
}

/// What every descriptor has, in Go's order.
fn encoded(
    media_type: &str,
    size: u64,
    digest: &Digest,
    urls: &[String],
) -> Vec<(&'static str, String)> {
    let mut members = vec![
        ("mediaType", go_json::quoted(media_type)),
        ("size", size.to_string()),
        ("digest", go_json::quoted(&digest.to_string())),
    ];
    if !urls.is_empty() {
        members.push(("urls", list(urls)));
    }
    members
}

/// A list of strings.
pub(super) fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| go_json::quoted(text)).collect();
    let mut out = String::new();
    go_json::list(quoted.iter().map(String::as_str), &mut out);
    out
}

pub(super) fn object(members: &[(&str, String)]) -> String {
    let members = members.iter().map(|(name, value)| (*name, value.as_str()));
    let mut out = String::new();
    go_json::object(members, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(media_type: Schema2MediaType, size: u64, urls: &[&str]) -> Schema2Descriptor {
        let digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        Schema2Descriptor {
            media_type,
            size,
            digest,
            urls,
        }
    }

    #[test]
    fn a_foreign_layer_keeps_its_urls() {
        let config = descriptor(Schema2MediaType::Config, 1, &[]);
        let layer = descriptor(
            Schema2MediaType::ForeignLayerGzip,
            2,
            &["https://example.invalid/?a&b"],
        );
        let expected = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1,"digest":"DIGEST"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","size":2,"digest":"DIGEST","urls":["https://example.invalid/?a\u0026b"]}]}"#;
        let expected = expected.replace("DIGEST", &config.digest.to_string());
        assert_eq!(
            String::from_utf8(schema2_manifest(&config, &[layer])).unwrap(),
            expected
        );
    }

    /// As skopeo 1.9.3 writes an image of empty layers, from an OCI layout and from schema 1.
    #[test]
    fn no_layers_are_an_empty_list_or_null() {
        let config = descriptor(Schema2MediaType::Config, 163, &[]);
        let manifest = String::from_utf8(schema2_manifest(&config, &[])).unwrap();
        assert!(manifest.ends_with(r#""},"layers":[]}"#), "{manifest}");
        let manifest = String::from_utf8(schema2_manifest_of_schema1(&config, &[])).unwrap();
        assert!(manifest.ends_with(r#""},"layers":null}"#), "{manifest}");
    }
}

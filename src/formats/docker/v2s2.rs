//! Schema 2 manifests, byte for byte as `skopeo copy --format v2s2` writes them.
//!
//! skopeo gives every layer of a schema 1 manifest and of a `docker save` archive the media type of a gzip layer, even if it
//! is plain. For layers of an OCI layout it distinguishes gzip and plain layers, and refuses zstd. The
//! [media types](https://distribution.github.io/distribution/spec/manifest-v2-2/) are Docker's.

pub(crate) mod write;

use crate::formats::docker::go_json::{self, object};
use crate::image::{Descriptor, media_type};

/// The bytes of the manifest. `layers` has the base first; of the descriptors' optional fields only URLs are written.
#[must_use]
pub fn schema2_manifest(config: &Descriptor, layers: &[Descriptor]) -> Vec<u8> {
    encoded_manifest(config, layers, "[]")
}

/// The same for an image of schema 1, for which skopeo writes an empty list of layers as `null`.
#[must_use]
pub fn schema2_manifest_of_schema1(config: &Descriptor, layers: &[Descriptor]) -> Vec<u8> {
    encoded_manifest(config, layers, "null")
}

fn encoded_manifest(config: &Descriptor, layers: &[Descriptor], no_layers: &str) -> Vec<u8> {
    let layers = match layers {
        [] => no_layers.to_owned(),
        layers => go_json::list(layers.iter().map(encoded_descriptor)),
    };
    let members = [
        ("schemaVersion", "2".to_owned()),
        ("mediaType", go_json::quoted(media_type::DOCKER_MANIFEST)),
        ("config", encoded_descriptor(config)),
        ("layers", layers),
    ];
    object(members).into_bytes()
}

fn encoded_descriptor(descriptor: &Descriptor) -> String {
    let mut members = encoded(descriptor);
    if let Some(urls) = descriptor.urls.as_ref().filter(|urls| !urls.is_empty()) {
        members.push(("urls", go_json::list_of_texts(urls)));
    }
    object(members)
}

/// What every descriptor has, in Go's order.
fn encoded(descriptor: &Descriptor) -> Vec<(&'static str, String)> {
    vec![
        ("mediaType", go_json::quoted(&descriptor.media_type)),
        ("size", descriptor.size.to_string()),
        ("digest", go_json::quoted(&descriptor.digest.to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn config(size: u64) -> Descriptor {
        let digest = Digest::sha256(b"");
        Descriptor::new(media_type::DOCKER_CONFIG, digest, size)
    }

    #[test]
    fn a_foreign_layer_keeps_its_urls() {
        let config = config(1);
        let layer = Descriptor {
            media_type: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".to_owned(),
            size: 2,
            urls: Some(vec!["https://example.invalid/?a&b".to_owned()]),
            ..config.clone()
        };
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
        let config = config(163);
        let manifest = String::from_utf8(schema2_manifest(&config, &[])).unwrap();
        assert!(manifest.ends_with(r#""},"layers":[]}"#), "{manifest}");
        let manifest = String::from_utf8(schema2_manifest_of_schema1(&config, &[])).unwrap();
        assert!(manifest.ends_with(r#""},"layers":null}"#), "{manifest}");
    }
}

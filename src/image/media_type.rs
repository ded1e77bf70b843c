//! Media types of OCI and Docker, and the conversion from Docker's to OCI's.

use crate::compression::Codec;
use crate::findings::Code;

/// An image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image's config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The empty config of an artifact.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Docker's schema 2 manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's schema 1 manifest.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker's schema 1 manifest with signatures.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// Docker's layer, gzip.
pub(crate) const DOCKER_GZIP_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const FOREIGN_LAYER: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const DOCKER_FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";

/// The kinds of documents, by media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// An image manifest, OCI's or Docker's schema 2.
    Manifest,
    /// An index, OCI's or Docker's manifest list.
    Index,
    /// Docker's schema 1.
    Schema1,
    /// Anything else.
    Other,
}

/// The kind of document with this media type.
#[must_use]
pub fn kind(media_type: &str) -> DocumentKind {
    match media_type {
        MANIFEST | DOCKER_MANIFEST => DocumentKind::Manifest,
        INDEX | DOCKER_LIST => DocumentKind::Index,
        DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED => DocumentKind::Schema1,
        _ => DocumentKind::Other,
    }
}

/// Whether this is the media type of an image's config. Old schema 2 manifests use `application/octet-stream`.
#[must_use]
pub fn is_image_config(media_type: &str) -> bool {
    matches!(
        media_type,
        CONFIG | DOCKER_CONFIG | "application/octet-stream"
    )
}

/// The kinds of layers, by media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// A file system layer.
    Layer,
    /// A file system layer that must not be pushed to most registries.
    Foreign,
    /// Not a file system layer. Copied unchanged.
    Other,
}

/// The kind of layer with this media type of OCI or Docker, in any codec.
#[must_use]
pub fn layer_kind(media_type: &str) -> LayerKind {
    // The codec is detected from the bytes of the layer, so the suffix does not matter here.
    let bases = [
        (LAYER, LayerKind::Layer),
        (DOCKER_LAYER, LayerKind::Layer),
        (FOREIGN_LAYER, LayerKind::Foreign),
        (DOCKER_FOREIGN_LAYER, LayerKind::Foreign),
    ];
    for (base, kind) in bases {
        if let Some(suffix) = media_type.strip_prefix(base) {
            return match suffix {
                "" | "+gzip" | ".gzip" | "+zstd" | ".zstd" => kind,
                _ => LayerKind::Other,
            };
        }
    }
    LayerKind::Other
}

/// Whether a layer's media type is one of Docker's for plain or gzip file system layers.
pub(crate) fn is_docker_layer(media_type: &str) -> bool {
    [DOCKER_LAYER, DOCKER_FOREIGN_LAYER]
        .iter()
        .filter_map(|base| media_type.strip_prefix(base))
        .any(|suffix| matches!(suffix, "" | ".gzip"))
}

/// Whether a layer is a signature, an attestation or a bill of materials of cosign, which stores them in manifests with the
/// media type of an image config. <https://github.com/sigstore/cosign/blob/v2.5.0/specs/SIGNATURE_SPEC.md>
#[must_use]
pub fn is_of_cosign(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.dev.cosign.simplesigning.v1+json"
            | "application/vnd.dsse.envelope.v1+json"
            | "application/vnd.dev.sigstore.bundle.v0.3+json"
            | "text/spdx"
            | "text/spdx+json"
            | "text/spdx+xml"
            | "application/vnd.cyclonedx"
            | "application/vnd.cyclonedx+json"
            | "application/vnd.cyclonedx+xml"
            | "application/vnd.syft+json"
    )
}

/// The codec that a layer's media type names. `None` if it is not a file system layer.
#[must_use]
pub fn layer_codec(media_type: &str) -> Option<Codec> {
    if layer_kind(media_type) == LayerKind::Other {
        return None;
    }
    let endings = [("gzip", Codec::Gzip), ("zstd", Codec::Zstd)];
    let declared = endings
        .iter()
        .find(|(ending, _)| media_type.ends_with(ending));
    Some(declared.map_or(Codec::None, |(_, codec)| *codec))
}

/// OCI's media type for a file system layer in `codec`. `None` if OCI has none (bzip2, xz).
#[must_use]
pub fn layer(foreign: bool, codec: Codec) -> Option<String> {
    let base = if foreign { FOREIGN_LAYER } else { LAYER };
    match codec {
        Codec::None => Some(base.to_owned()),
        Codec::Gzip => Some(format!("{base}+gzip")),
        Codec::Zstd => Some(format!("{base}+zstd")),
        Codec::Bzip2 | Codec::Xz => None,
    }
}

/// Docker's media type for a file system layer in `codec`. `None` if schema 2 has none (zstd, bzip2, xz).
pub(crate) fn docker_layer(foreign: bool, codec: Codec) -> Option<String> {
    let base = if foreign {
        DOCKER_FOREIGN_LAYER
    } else {
        DOCKER_LAYER
    };
    match codec {
        Codec::None => Some(base.to_owned()),
        Codec::Gzip => Some(format!("{base}.gzip")),
        Codec::Zstd | Codec::Bzip2 | Codec::Xz => None,
    }
}

/// Converts OCI's media type of a layer to Docker's as skopeo does. `None` if skopeo refuses it.
pub(crate) fn to_docker_layer(oci: &str) -> Option<String> {
    let kinds =
        [false, true].map(|foreign| [Codec::None, Codec::Gzip].map(|codec| (foreign, codec)));
    let mut kinds = kinds.into_iter().flatten();
    let kind = kinds.find(|&(foreign, codec)| layer(foreign, codec).as_deref() == Some(oci));
    kind.and_then(|(foreign, codec)| docker_layer(foreign, codec))
}

/// Converts a media type of Docker to OCI's. Other media types are returned unchanged.
#[must_use]
pub fn to_oci(media_type: &str) -> String {
    match media_type {
        DOCKER_MANIFEST => MANIFEST.to_owned(),
        DOCKER_LIST => INDEX.to_owned(),
        DOCKER_CONFIG => CONFIG.to_owned(),
        other => {
            // The codec of a missing layer cannot be detected, so its media type is trusted.
            let renamed = other
                .strip_prefix(DOCKER_FOREIGN_LAYER)
                .map(|suffix| (FOREIGN_LAYER, suffix))
                .or_else(|| {
                    let suffix = other.strip_prefix(DOCKER_LAYER)?;
                    Some((LAYER, suffix))
                });
            match renamed {
                Some((base, "")) => base.to_owned(),
                Some((base, ".gzip")) => format!("{base}+gzip"),
                Some((base, ".zstd")) => format!("{base}+zstd"),
                _ => other.to_owned(),
            }
        }
    }
}

/// The problem of a layer's media type, if the layer is in another codec.
pub(crate) fn codec_mismatch(media_type: &str, found: Codec) -> Option<(Code, String)> {
    if layer_codec(media_type)? == found {
        return None;
    }
    // c/image calls every layer of a schema 2 manifest `.tar.gzip` when it copies plain ones into a folder.
    let code = if media_type.starts_with("application/vnd.docker.") {
        Code::LayerDockerMediaType
    } else {
        Code::LayerMediaType
    };
    let message = format!("the media type is {media_type}, but the layer's codec is {found}");
    Some((code, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The table of the two specifications' media types:
    // https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md#compatibility-matrix
    #[test]
    fn docker_media_types_become_oci_ones() {
        for (docker, oci) in [
            (DOCKER_MANIFEST, MANIFEST),
            (DOCKER_LIST, INDEX),
            (DOCKER_CONFIG, CONFIG),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "application/vnd.oci.image.layer.v1.tar+gzip",
            ),
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            ),
            (
                "application/vnd.in-toto+json",
                "application/vnd.in-toto+json",
            ),
        ] {
            assert_eq!(to_oci(docker), oci);
        }
    }

    #[test]
    fn layers_are_told_from_other_blobs() {
        for (media_type, kind) in [
            (
                "application/vnd.docker.image.rootfs.diff.tar",
                LayerKind::Layer,
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+zstd",
                LayerKind::Layer,
            ),
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                LayerKind::Foreign,
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+encrypted",
                LayerKind::Other,
            ),
            ("application/vnd.in-toto+json", LayerKind::Other),
        ] {
            assert_eq!(layer_kind(media_type), kind, "{media_type}");
        }
    }
}

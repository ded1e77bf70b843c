//! The codes of findings, with their severity, the response of a conversion, and their meaning.

use std::fmt;

use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Damage, something missing, or a broken MUST: some reader refuses it or reads something else.
    Error,
    /// A broken SHOULD, or something that different readers understand differently.
    Warning,
    /// Allowed, and worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        })
    }
}

/// What a conversion does about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Response {
    /// It stops.
    Stops,
    /// It warns, and copies the affected part unchanged.
    Warns,
    /// It warns, and the output is correct.
    Corrects,
    /// It continues without a message.
    Silent,
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Response::Stops => "stops",
            Response::Warns => "warns",
            Response::Corrects => "corrects",
            Response::Silent => "–",
        })
    }
}

/// Defines the codes in one table, so that each has a severity, a response and a meaning.
macro_rules! codes {
    ($($severity:ident $response:ident $code:ident $name:literal $meaning:literal)*) => {
        /// What kind of problem it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $meaning] $code,)*
        }

        impl Code {
            /// All codes, the errors first.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// The name: lower-case words joined by `-`. Its meaning never changes.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Code::$code => $name),* }
            }

            /// The meaning, in Markdown.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$code => $meaning),* }
            }

            /// How bad it is.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Code::$code => Severity::$severity),* }
            }

            /// What a conversion does about it.
            #[must_use]
            pub fn response(self) -> Response {
                match self { $(Code::$code => Response::$response),* }
            }
        }
    };
}

codes! {
    Error Stops ArchiveDamaged "archive-damaged" "The archive cannot be read to its end: it is truncated, a tar header is damaged, or a compressed stream is damaged. Everything before the damage is checked."
    Error Warns ArchiveAmbiguous "archive-ambiguous" "Known readers of tar disagree about the archive: Go (and so engines), GNU tar and Python do not see the same members or content."
    Error Stops NotAnImage "not-an-image" "The input does not contain a container image."
    Error Stops Unreadable "unreadable" "The operating system cannot read a file of the input."
    Error Stops Limit "limit" "Something exceeds one of the documented limits."
    Error Stops ArchiveSize "archive-size" "A compressed archive decodes to much more than any archive of its size."
    Error Stops MissingBlob "missing-blob" "A blob or file that a document refers to is missing."
    Error Stops AbsentList "absent-list" "`ocify-absent.json`, which lists the blobs that a layout leaves out on purpose, is malformed."
    Error Stops BadLink "bad-link" "A name leads to a dangling or circular link, or to something that is not a file."
    Error Stops BlobDigest "blob-digest" "A blob's content does not match its digest."
    Error Stops BlobSize "blob-size" "A blob's size differs from the size in its descriptor."
    Error Stops JsonSyntax "json-syntax" "A document is not valid JSON."
    Error Stops JsonUtf8 "json-utf8" "A document is not valid UTF-8."
    Error Stops JsonDuplicateKey "json-duplicate-key" "An object contains a key twice, or in two spellings that differ only in case, with different values, so readers disagree about the value."
    Error Stops LayoutVersion "layout-version" "`oci-layout` is missing, or its `imageLayoutVersion` is not 1.0.0."
    Error Warns LayoutBlobs "layout-blobs" "The folder `blobs` is missing."
    Error Stops DocumentField "document-field" "A field of a manifest or index is missing or has the wrong type."
    Error Warns SchemaVersion "schema-version" "`schemaVersion` is not 2."
    Error Stops AmbiguousDocument "ambiguous-document" "A document is both an index and an image manifest (CVE-2021-41190), or both a schema 1 manifest and a manifest of another format."
    Error Stops MediaTypeMismatch "media-type-mismatch" "A document's own `mediaType` differs from the one in its descriptor, or is not that of a manifest or index; or descriptors of one digest have different media types."
    Error Warns DescriptorMediaType "descriptor-media-type" "A descriptor has no `mediaType`, or one that RFC 6838 does not allow."
    Error Stops DescriptorDigest "descriptor-digest" "A descriptor has no digest, or a malformed one."
    Error Stops DescriptorSize "descriptor-size" "A descriptor's `size` is missing, negative, or not an integer."
    Error Stops DescriptorData "descriptor-data" "A descriptor's `data` is not the base64 encoding of the content that its digest identifies."
    Error Stops DescriptorField "descriptor-field" "`urls`, `annotations`, `artifactType` or `platform` of a descriptor, or the annotations of a document, are malformed."
    Error Warns PlatformIncomplete "platform-incomplete" "A descriptor's `platform` lacks `os` or `architecture`."
    Error Warns ArtifactType "artifact-type" "A manifest with the empty config lacks `artifactType`."
    Error Warns ConfigField "config-field" "A field of a config has the wrong type; engines refuse such a config."
    Error Warns ConfigPlatform "config-platform" "A config lacks `os` or `architecture`."
    Error Warns ConfigRootfs "config-rootfs" "A config lacks a `rootfs` of type `layers` with well-formed `diff_ids`."
    Error Warns HistoryExcess "history-excess" "A config's history has more entries that created a layer than there are layers; engines refuse such a config."
    Error Stops LayerCount "layer-count" "The number of layers in a manifest differs from the number of `diff_ids` in its config."
    Error Stops LayerOrder "layer-order" "The layers are those of the config, but in another order."
    Error Corrects DockerLayerOrder "docker-layer-order" "A manifest lists the `diff_ids` of its config in another order, as Docker 25.0.0 wrote it."
    Error Stops LayerDiffId "layer-diff-id" "A layer's uncompressed content does not match the `diff_id` in the config."
    Error Corrects LayerMediaType "layer-media-type" "A layer's codec is not the one that its OCI media type names."
    Error Stops LayerDecode "layer-decode" "A layer's compressed stream is damaged or cut short."
    Error Stops LayerCodec "layer-codec" "A layer does not begin like a tar or a known codec, and no `diff_id` tells whether its bytes are the layer's tar."
    Error Stops LayerSize "layer-size" "A decoded layer, or all decoded layers of the input together, exceed the limit; `--max-layer-size` sets another."
    Error Stops LayerTrailingData "layer-trailing-data" "A layer's compressed stream is followed by data that is not another member or frame."
    Error Warns LayerNotTar "layer-not-tar" "A layer's uncompressed content does not begin like a tar."
    Error Warns LayerTarHeader "layer-tar-header" "A header in a layer's tar is damaged."
    Error Warns LayerTarTruncated "layer-tar-truncated" "A layer's tar ends in the middle of a file or header."
    Error Warns LayerEntryType "layer-entry-type" "An entry in a layer's tar has a type that engines refuse to unpack, such as a sparse file in the old GNU format."
    Error Stops DockerManifest "docker-manifest" "manifest.json or `repositories` of a `docker save` archive is malformed."
    Error Warns DockerManifestMismatch "docker-manifest-mismatch" "manifest.json and index.json of one archive disagree about an image or a name."
    Error Stops LegacyChain "legacy-chain" "In an archive from before Docker 1.10, a layer's parent is missing, or the chain of parents leads back to the layer."
    Error Stops V1Config "v1-config" "The v1 metadata cannot be converted to a config."
    Error Stops Schema1 "schema1" "A schema 1 manifest breaks a rule of its format."
    Error Stops RegistryTrees "registry-trees" "The input contains several storage trees of registries; each must be an input of its own."
    Error Stops RegistryLink "registry-link" "A link in a registry's storage tree does not contain a digest."
    Error Stops Schema1Signature "schema1-signature" "A signature of a schema 1 manifest does not verify."


    Warning Warns JsonRepeatedKey "json-repeated-key" "An object contains a key twice, with the same value or in a part that nobody reads."
    Warning Warns JsonSurrogate "json-surrogate" "A string contains half of a surrogate pair: programs written in Go read U+FFFD, others refuse the document."
    Warning Warns LayersNull "layers-null" "`layers` of a manifest is null, which some readers refuse; Go writes it for an image without layers."
    Warning Warns ArchiveDuplicateMember "archive-duplicate-member" "The archive has two members with the same name: some readers take the first, others the last."
    Warning Warns JsonKeyCase "json-key-case" "A key differs from one of the specification only in case: programs written in Go, such as engines, accept it, and others do not."
    Warning Silent MediaTypeAbsent "media-type-absent" "A manifest or index lacks its own `mediaType` (SHOULD)."
    Warning Warns RefName "ref-name" "A name does not match the grammar of `org.opencontainers.image.ref.name`, or that of tags in manifest.json."
    Warning Warns RefNameDuplicate "ref-name-duplicate" "Two different images have the same name."
    Warning Stops DigestAlgorithm "digest-algorithm" "A digest uses an algorithm other than sha256 and sha512, so the blob cannot be checked."
    Warning Silent BlobAlgorithm "blob-algorithm" "The name of an unreferenced blob is a digest with an algorithm other than sha256 and sha512, so the blob cannot be checked."
    Warning Silent BlobName "blob-name" "A file below `blobs` does not have the name of a blob."
    Warning Warns PlatformMismatch "platform-mismatch" "A descriptor's platform differs from that of the image's config."
    Warning Silent PlatformValue "platform-value" "An `os` or `architecture` is not one that Go defines (SHOULD), such as `x86_64` in place of `amd64`."
    Warning Warns AttestationReference "attestation-reference" "An attestation refers to a manifest that is not in the same index."
    Warning Silent LayersEmpty "layers-empty" "An image or artifact has no layers (SHOULD have at least one)."
    Warning Warns LayerUnknownMediaType "layer-unknown-media-type" "A layer of an image has a media type that is not one of a file system layer; only its digest is checked."
    Warning Silent LayerDockerMediaType "layer-docker-media-type" "A layer's codec is not the one that its Docker media type names, as when podman labels uncompressed layers `.tar.gzip`; engines look at the content."
    Warning Silent HistoryShort "history-short" "A config's history has fewer entries that created a layer than there are layers."
    Warning Warns LayerDuplicatePath "layer-duplicate-path" "A layer has two entries for one path."
    Warning Warns LayerPath "layer-path" "A path in a layer contains `..`; engines refuse it."
    Warning Warns LayerTarAfterEnd "layer-tar-after-end" "A layer's end-of-archive marker is followed by data other than zeros, which no reader looks at."
    Warning Silent NullManifests "null-manifests" "`manifests` is null in an index.json next to a manifest.json, as Docker 25.0.0 to 25.0.2 wrote it."
    Warning Warns Repositories "repositories" "`repositories` next to a manifest.json is damaged. Only engines before Docker 1.10 read it."
    Warning Silent UnreferencedDamaged "unreferenced-damaged" "The content of an unreferenced blob does not match its digest."
    Warning Warns DockerManifestUnindexed "docker-manifest-unindexed" "manifest.json lists an image or a name that index.json does not lead to."
    Warning Silent LegacyId "legacy-id" "The `id` in the v1 metadata of a layer differs from the name of its folder."
    Warning Stops Schema1Unverified "schema1-unverified" "A signature of a schema 1 manifest uses an algorithm or key that cannot be checked."
    Warning Silent RegistryRevision "registry-revision" "A tag in a registry's storage tree leads to a manifest that its repository has no link to, so a registry does not serve it."
    Warning Warns SignatureStale "signature-stale" "Only `convert`: the digest of an image changes, and a signature, attestation or bill of materials names the old one."
    Warning Silent SignatureOrphaned "signature-orphaned" "A signature, attestation or bill of materials names an image that the input lacks."

    Warning Warns Cache "cache" "The cache cannot be used, or one of its entries is damaged; the layers are encoded again."

    Note Stops NoImages "no-images" "The input lists no images."
    Note Stops BlobLeftOut "blob-left-out" "A blob was left out on purpose and is listed in `ocify-absent.json`. `convert` needs another input that has it, or `--missing keep`."
    Note Silent UnreferencedBlob "unreferenced-blob" "No readable document refers to a blob."
    Note Silent SubjectMissing "subject-missing" "The manifest that is the `subject` of a referrer is missing."
    Note Warns PlatformAbsent "platform-absent" "An index lists a platform whose manifest is missing, as when only one platform was saved."
    Note Warns ForeignLayerAbsent "foreign-layer-absent" "A foreign layer is missing; its `urls` say where to get it."
    Note Warns SignatureDetached "signature-detached" "The image has a detached signature, which has no place in an OCI layout."
    Note Silent RegistrySignature "registry-signature" "A signature that a registry before 2.5 stored next to a schema 1 manifest is missing; the digest of the manifest does not depend on it."
    Note Silent LayerTarNoEnd "layer-tar-no-end" "A layer's tar lacks the end-of-archive marker."
    Note Silent LayerEmptyFile "layer-empty-file" "A layer without files was saved as an empty file."
    Note Silent LayerManyPaths "layer-many-paths" "A layer has so many entries that only the first 131,072 were searched for duplicates."
    Note Warns ArtifactLeftOut "artifact-left-out" "Only `convert`: an attestation, a signature or another artifact is left out, because the format of the output has no place for it."
    Note Warns DockerZstd "docker-zstd" "Only `convert`: a tar for `docker load` gets layers in zstd, which Docker 20.10 cannot load; Docker 29, podman 4 and containerd can."
    Note Warns LayerOtherEncoding "layer-other-encoding" "Only `convert --have`: a layer is written although the other side has it in another encoding, because another program encoded it and its bytes cannot be made again."
    Note Silent DockerManifestUnnamed "docker-manifest-unnamed" "manifest.json lists an image without a name that index.json does not lead to, as Docker 25 and later write it."
    Note Silent DockerManifestIncomplete "docker-manifest-incomplete" "index.json leads to an image that manifest.json does not list, so engines that read only manifest.json do not see it."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

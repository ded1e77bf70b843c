//! The kinds of problems: a word for each that programs can rely on, its severity, and what it means.

use std::fmt;

use super::finding::Severity;

/// Defines the codes as one table, so that none can lack a severity or a meaning.
macro_rules! codes {
    ($($severity:ident $code:ident $name:literal $meaning:literal)*) => {
        /// What kind of problem it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $meaning] $code,)*
        }

        impl Code {
            /// All codes, the errors first.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// The word for it: lower-case words joined by `-`. It never changes its meaning.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Code::$code => $name),* }
            }

            /// What it means, in Markdown.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$code => $meaning),* }
            }

            /// How bad it is.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Code::$code => Severity::$severity),* }
            }
        }
    };
}

codes! {
    Error ArchiveDamaged "archive-damaged" "The archive itself cannot be read to its end: cut short, a damaged tar header, a damaged compressed stream. What comes before the damage is checked."
    Error ArchiveAmbiguous "archive-ambiguous" "Known readers of tar archives disagree about what is in the archive: Go (and so engines), GNU tar and Python do not see the same members or bytes."
    Error NotAnImage "not-an-image" "Nothing in the input tells of an image."
    Error Unreadable "unreadable" "The system cannot read a file of the input."
    Error Limit "limit" "Something is larger than the documented limits."
    Error MissingBlob "missing-blob" "A blob or file that a document refers to is not there."
    Error BadLink "bad-link" "A name leads to a dangling or circular link, or to what is no file."
    Error BlobDigest "blob-digest" "A blob's bytes do not have the digest that names it."
    Error BlobSize "blob-size" "A blob is not as long as its descriptor says."
    Error JsonSyntax "json-syntax" "A document is no JSON."
    Error JsonUtf8 "json-utf8" "A document is not UTF-8."
    Error JsonDuplicateKey "json-duplicate-key" "An object has a key twice, or in two spellings that differ in case alone, with different values, so readers disagree about it."
    Error LayoutVersion "layout-version" "`oci-layout` is missing, or its `imageLayoutVersion` is not 1.0.0."
    Error LayoutBlobs "layout-blobs" "There is no folder `blobs`."
    Error DocumentField "document-field" "A field of a manifest or index is missing or of the wrong type."
    Error SchemaVersion "schema-version" "`schemaVersion` is not 2."
    Error AmbiguousDocument "ambiguous-document" "A document is an index and an image manifest at once (CVE-2021-41190), or a manifest of schema 1 and of another format."
    Error MediaTypeMismatch "media-type-mismatch" "A document's own `mediaType` is not its descriptor's, or is none of a manifest or index; or descriptors of one digest have different ones."
    Error DescriptorMediaType "descriptor-media-type" "A descriptor has no `mediaType`, or one that does not fit RFC 6838."
    Error DescriptorDigest "descriptor-digest" "A descriptor has no digest, or one that is not well-formed."
    Error DescriptorSize "descriptor-size" "A descriptor's `size` is missing, negative, or no integer."
    Error DescriptorData "descriptor-data" "A descriptor's `data` is not the base64 of the bytes that its digest names."
    Error DescriptorField "descriptor-field" "`urls`, `annotations`, `artifactType` or `platform` of a descriptor, or the annotations of a document, are of the wrong shape."
    Error ArtifactType "artifact-type" "A manifest with the empty config has no `artifactType`."
    Error ConfigField "config-field" "A field of a config is of the wrong type, so engines refuse the config."
    Error ConfigPlatform "config-platform" "A config has no `os` or no `architecture`."
    Error ConfigRootfs "config-rootfs" "A config has no `rootfs` of type `layers` with well-formed `diff_ids`."
    Error HistoryExcess "history-excess" "A config's history has more entries that made a layer than there are layers: engines refuse it."
    Error LayerCount "layer-count" "A manifest has not as many layers as its config has `diff_ids`."
    Error LayerOrder "layer-order" "The layers are the config's, but in another order."
    Error LayerDiffId "layer-diff-id" "A layer's uncompressed bytes do not have the `diff_id` that the config says."
    Error LayerMediaType "layer-media-type" "A layer is not in the codec that its OCI media type says."
    Error LayerDecode "layer-decode" "A layer's compressed stream is damaged or cut short."
    Error LayerTrailingData "layer-trailing-data" "Something that is no further member or frame stands behind a layer's compressed stream."
    Error LayerNotTar "layer-not-tar" "A layer's uncompressed bytes do not begin as a tar does."
    Error LayerTarHeader "layer-tar-header" "A header in a layer's tar is damaged."
    Error LayerTarTruncated "layer-tar-truncated" "A layer's tar ends within a file or header."
    Error LayerEntryType "layer-entry-type" "An entry in a layer's tar is of a type that engines refuse to unpack, such as a sparse file of GNU's old format."
    Error DockerManifest "docker-manifest" "manifest.json or `repositories` of a `docker save` archive is not of the shape it must have."
    Error DockerManifestMismatch "docker-manifest-mismatch" "manifest.json and index.json of one archive say different things of an image or a name."
    Error LegacyChain "legacy-chain" "In an archive before Docker 1.10, a layer's parents are missing or lead back to it."
    Error V1Config "v1-config" "No config can be made of the v1 metadata."
    Error Schema1 "schema1" "A schema 1 manifest breaks a rule of its format."
    Error Schema1Signature "schema1-signature" "A signature of a schema 1 manifest does not fit."

    Warning ArchiveDuplicateMember "archive-duplicate-member" "The archive has two members of one name: some readers take the first, some the last."
    Warning JsonKeyCase "json-key-case" "A key differs from one of the specification in case alone: programs written in Go, as engines are, take it for that one, and others do not."
    Warning MediaTypeAbsent "media-type-absent" "A manifest or index has no `mediaType` of its own (SHOULD)."
    Warning RefName "ref-name" "A name does not fit the grammar of `org.opencontainers.image.ref.name`, or of tags in manifest.json."
    Warning RefNameDuplicate "ref-name-duplicate" "One name is given to two different images."
    Warning DigestAlgorithm "digest-algorithm" "A digest is of an algorithm other than sha256 and sha512, so the blob cannot be checked."
    Warning BlobName "blob-name" "A file below `blobs` is not named as a blob is."
    Warning PlatformMismatch "platform-mismatch" "A descriptor's platform is not that of the image's config."
    Warning PlatformValue "platform-value" "An `os` or `architecture` is none that Go knows (SHOULD), as `x86_64` for `amd64`."
    Warning AttestationReference "attestation-reference" "An attestation is about a manifest that is not beside it in the index."
    Warning LayersEmpty "layers-empty" "An image or artifact has no layers at all (SHOULD have one)."
    Warning LayerUnknownMediaType "layer-unknown-media-type" "A layer of an image is of a media type that is no file system's; its content is checked by digest alone."
    Warning LayerDockerMediaType "layer-docker-media-type" "A layer is not in the codec that its Docker media type says, as where podman calls plain layers `.tar.gzip`; engines look at the bytes."
    Warning HistoryShort "history-short" "A config's history has fewer entries that made a layer than there are layers."
    Warning LayerDuplicatePath "layer-duplicate-path" "A layer has two entries of one path."
    Warning LayerPath "layer-path" "A path in a layer has `..` in it: engines refuse it."
    Warning LayerTarAfterEnd "layer-tar-after-end" "Something other than zeros stands behind a layer's end-of-archive marker, where no reader looks."
    Warning NullManifests "null-manifests" "`manifests` of an index.json beside a manifest.json is null, as Docker 25.0.0 to 25.0.2 wrote it."
    Warning DockerManifestUnindexed "docker-manifest-unindexed" "manifest.json lists an image or a name that index.json does not lead to."
    Warning LegacyId "legacy-id" "The v1 metadata of a layer has another `id` than its folder."
    Warning Schema1Unverified "schema1-unverified" "A signature of a schema 1 manifest is of an algorithm or key that cannot be checked."

    Note UnreferencedBlob "unreferenced-blob" "Nothing that could be read refers to a blob."
    Note SubjectMissing "subject-missing" "The manifest that a referrer is about is not there."
    Note PlatformAbsent "platform-absent" "An index names a platform whose manifest or layers are not there, as when one platform was saved."
    Note ForeignLayerAbsent "foreign-layer-absent" "A layer that may be had from its `urls` is not there."
    Note LayerTarNoEnd "layer-tar-no-end" "A layer's tar has no end-of-archive marker."
    Note LayerEmptyFile "layer-empty-file" "A layer without files was saved as a file of no bytes."
    Note LayerManyPaths "layer-many-paths" "A layer has so many entries that only the first 1,048,576 were looked through for duplicates."
    Note DockerManifestIncomplete "docker-manifest-incomplete" "index.json leads to an image that manifest.json does not list, so engines that read only the latter do not see it."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

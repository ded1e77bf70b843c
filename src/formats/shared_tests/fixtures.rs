//! The fixtures of other projects, each of them.

use std::collections::BTreeSet;
use std::{fs, path::Path};

use crate::findings::{Code, Finding, Response};
use crate::formats::{Format, Input, ReadOptions};
use crate::image::{Node, media_type};
use crate::interrupt::Interrupt;
use crate::progress::Silent;
use serde_json::Value;

use super::{json, read, shared};

/// What the reader makes of a fixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Index,
    Nothing,
}
use Kind::{Image, Index, Nothing};

/// Of a config in a manifest's place.
const CONFIG: &[&str] = &[
    "schema-version: schemaVersion is missing, expected 2",
    "descriptor-media-type: config lacks mediaType",
    "descriptor-size: config lacks size",
    "descriptor-digest: config lacks a digest",
    "document-field: layers is missing",
];

/// Of an image whose third layer may be elsewhere. Of an artifact, or an encrypted layer, nobody follows `urls`.
const FOREIGN: &[&str] =
    &["foreign-layer-absent: 8f5dc8a4b12c307ac84de90cdd9a7f3915d1be04c9388868ca118831099c67a9"];

/// Each fixture as the manifest of a folder without blobs: what it is, and all that `convert` would stop at or warn of besides
/// the blobs, each of which is missing.
const FIXTURES: &[(&str, Kind, &[&str])] = &[
    (
        "manifest/non-json.manifest.json",
        Nothing,
        &[
            "json-utf8: not valid UTF-8 at byte 0",
            "json-syntax: not valid JSON: expected value at line 1 column 1",
        ],
    ),
    (
        "manifest/oci1.index.everything.json",
        Index,
        &[
            "descriptor-data: digest of the data of subject is sha256:1e0bbd6c686ba050b8eb03ffeedc64fdc9d80947fce821abbe5d6dc8d252c5ac, expected sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "descriptor-data: digest of the data of manifests[0] is sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb, expected sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ],
    ),
    ("manifest/oci1.index.zstd-selection.json", Index, &[]),
    ("manifest/oci1.index.zstd-selection2.json", Index, &[]),
    ("manifest/oci1index.json", Index, &[]),
    ("manifest/ocilist-variants.json", Index, &[]),
    (
        "manifest/ociv1.artifact.json",
        Image,
        &[
            "descriptor-digest: config: digest \"\" lacks an algorithm",
            "layers-null: layers is null, expected a list",
        ],
    ),
    ("manifest/ociv1.image.index.json", Index, &[]),
    ("manifest/ociv1.manifest.json", Image, &[]),
    (
        "manifest/ociv1nomime.artifact.json",
        Image,
        &[
            "descriptor-digest: config: digest \"\" lacks an algorithm",
            "layers-null: layers is null, expected a list",
        ],
    ),
    ("manifest/ociv1nomime.image.index.json", Index, &[]),
    ("manifest/ociv1nomime.manifest.json", Image, &[]),
    ("manifest/schema2list-variants.json", Index, &[]),
    ("manifest/schema2list.json", Index, &[]),
    (
        "manifest/unknown-version.manifest.json",
        Image,
        &[
            "schema-version: schemaVersion is 99999, expected 2",
            "document-field: config is missing",
            "document-field: layers is missing",
        ],
    ),
    ("manifest/v2list.everything.json", Index, &[]),
    ("manifest/v2list.manifest.json", Index, &[]),
    (
        "manifest/v2s1-invalid-signatures.manifest.json",
        Nothing,
        &[
            "schema1: not a schema 1 manifest: invalid type: integer `1`, expected a sequence at line 10 column 18",
        ],
    ),
    ("manifest/v2s1-unsigned.manifest.json", Image, &[]),
    (
        "manifest/v2s1.manifest.json",
        Image,
        &["schema1-signature: signature 1 of 1: the ES256 signature does not match the payload"],
    ),
    ("manifest/v2s2.manifest.json", Image, &[]),
    ("manifest/v2s2nomime.manifest.json", Image, &[]),
    ("image/oci1-all-media-types-config.json", Image, CONFIG),
    (
        "image/oci1-all-media-types-to-schema2-config.json",
        Image,
        CONFIG,
    ),
    ("image/oci1-all-media-types-to-schema2.json", Image, &[]),
    ("image/oci1-all-media-types.json", Image, &[]),
    ("image/oci1-artifact.json", Image, &[]),
    ("image/oci1-config-extra-fields.json", Image, CONFIG),
    ("image/oci1-config.json", Image, CONFIG),
    ("image/oci1-extra-config-fields.json", Image, FOREIGN),
    ("image/oci1-invalid-media-type.json", Image, &[]),
    ("image/oci1-to-schema1.json", Image, &[]),
    ("image/oci1-to-schema2-config.json", Image, CONFIG),
    ("image/oci1-to-schema2.json", Image, FOREIGN),
    ("image/oci1.encrypted.json", Image, &[]),
    ("image/oci1.json", Image, FOREIGN),
    ("image/schema1-for-oci-config.json", Image, &[]),
    ("image/schema1-to-oci1-config.json", Image, CONFIG),
    (
        "image/schema1-to-oci1.json",
        Image,
        &["descriptor-size: size of config is -1, expected a number of bytes"],
    ),
    ("image/schema1-to-schema2-config.json", Image, CONFIG),
    (
        "image/schema1-to-schema2.json",
        Image,
        &["descriptor-size: size of config is -1, expected a number of bytes"],
    ),
    ("image/schema1.json", Image, &[]),
    ("image/schema2-all-media-types-to-oci1.json", Image, &[]),
    ("image/schema2-all-media-types.json", Image, &[]),
    ("image/schema2-config.json", Image, CONFIG),
    ("image/schema2-invalid-media-type.json", Image, &[]),
    ("image/schema2-to-oci1-config.json", Image, CONFIG),
    ("image/schema2-to-oci1.json", Image, &[]),
    (
        "image/schema2-to-schema1-by-docker.json",
        Nothing,
        &[
            "schema1: the signed payload is not a schema 1 manifest: expected `,` or `]` at line 99 column 1",
        ],
    ),
    ("image/schema2.json", Image, &[]),
];

#[test]
fn every_fixture_is_read_or_refused_with_a_reason() {
    for (file, expected_kind, findings) in FIXTURES {
        let folder = tempfile::tempdir().unwrap();
        let bytes = read(&format!("fixtures/container-libs/{file}"));
        fs::write(folder.path().join("manifest.json"), &bytes).unwrap();
        let input = open(folder.path()).unwrap();
        assert_eq!(kind(&input), *expected_kind, "{file}");
        let mut expected = match expected_kind {
            Nothing => BTreeSet::new(),
            Image | Index => missing(&serde_json::from_slice(&bytes).unwrap()),
        };
        if *findings == FOREIGN {
            expected.remove(&FOREIGN[0].replace("foreign-layer-absent", "missing-blob"));
        }
        expected.extend(findings.iter().map(|finding| (*finding).to_owned()));
        let heard = input
            .findings()
            .filter(|finding| finding.code.response() != Response::Silent);
        let found: BTreeSet<String> = heard.map(text).collect();
        assert_eq!(found, expected, "{file}");
    }
    let mut tested: Vec<&str> = FIXTURES.iter().map(|(file, ..)| *file).collect();
    tested.sort_unstable();
    let mut there = Vec::new();
    for folder in ["image", "manifest"] {
        for file in fs::read_dir(shared("fixtures/container-libs").join(folder)).unwrap() {
            let name = file.unwrap().file_name();
            there.push(format!("{folder}/{}", name.to_str().unwrap()));
        }
    }
    there.sort();
    assert_eq!(tested, there);
}

/// The well-known layers of nothing, compressed and plain, which a schema 1 manifest may list without their blobs.
const EMPTY: [&str; 2] = [
    "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4",
    "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
];

/// What is found of each blob that a manifest or index lists: it is missing.
fn missing(document: &Value) -> BTreeSet<String> {
    let lists = ["layers", "manifests", "fsLayers"].map(|key| document[key].as_array());
    let descriptors = lists.into_iter().flatten().flatten();
    let descriptors = descriptors.chain([&document["config"]]);
    let blobs = descriptors.filter_map(|descriptor| {
        let digest = descriptor.get("digest").or(descriptor.get("blobSum"))?;
        let digest = digest.as_str().filter(|digest| !EMPTY.contains(digest))?;
        let hex = digest.strip_prefix("sha256:")?;
        Some(format!("missing-blob: {hex}"))
    });
    blobs.collect()
}

/// The code of a finding, and the file where that is missing, or what is wrong with the document.
fn text(finding: &Finding) -> String {
    let file = finding.place.file.as_deref().unwrap();
    let what = match finding.code {
        Code::MissingBlob | Code::ForeignLayerAbsent => file,
        _ => {
            assert_eq!(file, "manifest.json");
            &finding.message
        }
    };
    format!("{}: {what}", finding.code)
}

fn open(path: &Path) -> crate::error::Result<Input> {
    let options = ReadOptions::default();
    Input::open(
        path,
        &std::env::temp_dir(),
        &options,
        &Silent,
        &Interrupt::new(),
    )
}

fn kind(input: &Input) -> Kind {
    match input.entries.as_slice() {
        [] => Nothing,
        [entry] => match entry.node {
            Node::Manifest(_) => Image,
            Node::Index(_) => Index,
            _ => panic!("neither image nor index"),
        },
        _ => panic!("several entries"),
    }
}

/// c/image's own conversion says which OCI media type stands for which of Docker's.
#[test]
fn docker_media_types_become_those_that_c_image_gives() {
    let layers = |file: &str| -> Vec<String> {
        let manifest = json(&format!("fixtures/container-libs/image/{file}"));
        let layers = manifest["layers"].as_array().unwrap().iter();
        let media_type = |layer: &Value| layer["mediaType"].as_str().unwrap().to_owned();
        layers.map(media_type).collect()
    };
    let found: Vec<String> = layers("schema2-all-media-types.json")
        .iter()
        .map(|docker| media_type::to_oci(docker))
        .collect();
    assert_eq!(found, layers("schema2-all-media-types-to-oci1.json"));
}

#[test]
fn an_archive_of_2017_is_read() {
    let input = open(&shared("fixtures/container-libs/almostempty.tar")).unwrap();
    assert_eq!(input.format, Some(Format::DockerArchive));
    assert_eq!(
        input.entries[0].references[0].name.as_deref(),
        Some("emptyimage:latest")
    );
}

//! The fixtures of other projects, each of them.

use std::{fs, path::Path};

use serde_json::Value;

use super::{json, read, shared};

/// Each manifest as the manifest of a folder without blobs: what can be read of it is read, and the rest has a message.
#[test]
fn every_fixture_is_read_or_refused_with_a_reason() {
    const MISSING: &str = " is missing";
    const NO_MANIFEST: &str = "missing field `digest`";
    let expected = [
        (
            "manifest/non-json.manifest.json",
            "expected value at line 1",
        ),
        // Its `data` is made up.
        ("manifest/oci1.index.everything.json", "is other content"),
        ("manifest/oci1.index.zstd-selection.json", "index"),
        ("manifest/oci1.index.zstd-selection2.json", "index"),
        ("manifest/oci1index.json", "index"),
        ("manifest/ocilist-variants.json", "index"),
        (
            "manifest/ociv1.artifact.json",
            "digest \"\" lacks an algorithm",
        ),
        ("manifest/ociv1.image.index.json", "index"),
        ("manifest/ociv1.manifest.json", MISSING),
        (
            "manifest/ociv1nomime.artifact.json",
            "digest \"\" lacks an algorithm",
        ),
        ("manifest/ociv1nomime.image.index.json", "index"),
        ("manifest/ociv1nomime.manifest.json", MISSING),
        ("manifest/schema2list-variants.json", "index"),
        ("manifest/schema2list.json", "index"),
        ("manifest/unknown-version.manifest.json", "it has no config"),
        ("manifest/v2list.everything.json", "index"),
        ("manifest/v2list.manifest.json", "index"),
        (
            "manifest/v2s1-invalid-signatures.manifest.json",
            "expected a sequence",
        ),
        ("manifest/v2s1-unsigned.manifest.json", "image"),
        ("manifest/v2s1.manifest.json", "does not match the payload"),
        ("manifest/v2s2.manifest.json", MISSING),
        ("manifest/v2s2nomime.manifest.json", MISSING),
        ("image/oci1-all-media-types-config.json", NO_MANIFEST),
        (
            "image/oci1-all-media-types-to-schema2-config.json",
            NO_MANIFEST,
        ),
        ("image/oci1-all-media-types-to-schema2.json", MISSING),
        ("image/oci1-all-media-types.json", MISSING),
        ("image/oci1-artifact.json", MISSING),
        ("image/oci1-config-extra-fields.json", NO_MANIFEST),
        ("image/oci1-config.json", NO_MANIFEST),
        ("image/oci1-extra-config-fields.json", MISSING),
        ("image/oci1-invalid-media-type.json", MISSING),
        ("image/oci1-to-schema1.json", MISSING),
        ("image/oci1-to-schema2-config.json", NO_MANIFEST),
        ("image/oci1-to-schema2.json", MISSING),
        ("image/oci1.encrypted.json", MISSING),
        ("image/oci1.json", MISSING),
        ("image/schema1-for-oci-config.json", MISSING),
        ("image/schema1-to-oci1-config.json", NO_MANIFEST),
        ("image/schema1-to-oci1.json", "integer `-1`"),
        ("image/schema1-to-schema2-config.json", NO_MANIFEST),
        ("image/schema1-to-schema2.json", "integer `-1`"),
        ("image/schema1.json", MISSING),
        ("image/schema2-all-media-types-to-oci1.json", MISSING),
        ("image/schema2-all-media-types.json", MISSING),
        ("image/schema2-config.json", NO_MANIFEST),
        ("image/schema2-invalid-media-type.json", MISSING),
        ("image/schema2-to-oci1-config.json", NO_MANIFEST),
        ("image/schema2-to-oci1.json", MISSING),
        // Edited after it was signed: the payload that the signature tells of is cut off in the middle.
        (
            "image/schema2-to-schema1-by-docker.json",
            "the signed payload is not",
        ),
        ("image/schema2.json", MISSING),
    ];
    for (file, reason) in expected {
        let folder = tempfile::tempdir().unwrap();
        let bytes = read(&format!("fixtures/container-libs/{file}"));
        fs::write(folder.path().join("manifest.json"), bytes).unwrap();
        let found = match open(folder.path()) {
            Ok(input) => kind(&input.entries[0].node).to_owned(),
            Err(error) => error.chain(),
        };
        assert!(found.contains(reason), "{file}: {found}");
    }
    let mut tested: Vec<String> = expected
        .iter()
        .map(|(file, _)| (*file).to_owned())
        .collect();
    tested.sort();
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

fn open(path: &Path) -> ocify::Result<ocify::Input> {
    let options = ocify::ReadOptions::default();
    ocify::Input::open(
        path,
        &std::env::temp_dir(),
        &options,
        &ocify::Interrupt::new(),
    )
}

fn kind(node: &ocify::Node) -> &'static str {
    match node {
        ocify::Node::Manifest(_) => "image",
        ocify::Node::Index(_) => "index",
        _ => "other",
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
        .map(|media_type| ocify::oci::media_type::to_oci(media_type))
        .collect();
    assert_eq!(found, layers("schema2-all-media-types-to-oci1.json"));
}

#[test]
fn an_archive_of_2017_is_read() {
    let input = open(&shared("fixtures/container-libs/almostempty.tar")).unwrap();
    assert_eq!(input.format, ocify::Format::DockerArchive);
    assert_eq!(
        input.entries[0].references[0].name.as_deref(),
        Some("emptyimage:latest")
    );
}

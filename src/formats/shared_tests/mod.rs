//! Against archives and documents that Docker, skopeo and libtrust made. The folder that has them is given in `OCIFY_SHARED`.

mod fixtures;

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::docker::{
    jws::Verdict,
    schema1::{self, Emptiness, Schema1},
    v1_config::{V1History, docker_load_config, schema2_config},
    v2s2::schema2_manifest,
};
use crate::digest::{DiffId, Digest};
use crate::image::{Descriptor, Document, media_type};
use serde_json::Value;

fn shared(path: &str) -> PathBuf {
    Path::new(&std::env::var_os("OCIFY_SHARED").expect("OCIFY_SHARED is not set")).join(path)
}

fn read(path: &str) -> Vec<u8> {
    fs::read(shared(path)).unwrap()
}

fn json(path: &str) -> Value {
    serde_json::from_slice(&read(path)).unwrap()
}

fn diff_ids(image: &Value, pointer: &str) -> Vec<DiffId> {
    let ids = image.pointer(pointer).unwrap().as_array().unwrap();
    ids.iter()
        .map(|id| DiffId(id.as_str().unwrap().parse().unwrap()))
        .collect()
}

/// The config of a manifest whose empty layers all have `throwaway`.
fn config(manifest: &Schema1, diff_ids: &[DiffId]) -> Vec<u8> {
    let entries = manifest.layers.iter().map(|layer| V1History {
        v1: layer.v1.as_bytes(),
        empty: layer.emptiness() == Emptiness::Yes,
    });
    schema2_config(&entries.collect::<Vec<_>>(), diff_ids).unwrap()
}

#[test]
fn archives_before_manifest_json_get_the_ids_that_docker_load_gives() {
    let expected = json("corpus/expected.json");
    for archive in [
        "docker-legacy-v1.tar",
        "docker-legacy-v1-1.7.1.tar",
        "docker-legacy-v1-none.tar",
    ] {
        let mut files = BTreeMap::new();
        let file = fs::File::open(shared("corpus").join(archive)).unwrap();
        for entry in ::tar::Archive::new(file).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry
                .path()
                .unwrap()
                .to_str()
                .unwrap()
                .trim_start_matches("./")
                .to_owned();
            if path.ends_with("/json") || path == "repositories" {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                files.insert(path, content);
            }
        }
        let tops: BTreeMap<String, BTreeMap<String, String>> = match files.get("repositories") {
            Some(repositories) => serde_json::from_slice(repositories).unwrap(),
            None => BTreeMap::new(),
        };
        let images = expected[archive]["images"].as_array().unwrap();
        assert!(!images.is_empty());
        for image in images {
            let name = image["names"][0].as_str().unwrap();
            let (repository, tag) = name.rsplit_once(':').unwrap();
            let mut chain: Vec<&[u8]> = Vec::new();
            let mut id = tops[repository][tag].clone();
            while !id.is_empty() {
                let v1 = &files[&format!("{id}/json")];
                chain.insert(0, v1);
                let v1: Value = serde_json::from_slice(v1).unwrap();
                id = v1["parent"].as_str().unwrap_or_default().to_owned();
            }
            let config = docker_load_config(&chain, &diff_ids(image, "/diff_ids")).unwrap();
            let found = Digest::sha256(&config).to_string();
            assert_eq!(
                found,
                image["image_id"].as_str().unwrap(),
                "{archive} {name}"
            );
        }
    }
}

#[test]
fn schema_1_folders_get_the_config_and_the_manifest_digest_that_skopeo_gives() {
    let expected = json("corpus/expected.json");
    for (folder, signatures) in [
        ("dir-v2s1", 1),
        ("dir-v2s1-1.6.2", 0),
        ("dir-v2s1-uncompressed", 1),
    ] {
        let image = &expected[folder]["images"][0];
        let manifest = schema1::parse(&read(&format!("corpus/{folder}/manifest.json"))).unwrap();
        assert_eq!(manifest.signatures.len(), signatures);
        assert!(
            manifest
                .signatures
                .iter()
                .all(|verdict| matches!(verdict, Verdict::Valid { .. }))
        );
        assert_eq!(
            manifest.layers.len() as u64,
            image["history"].as_u64().unwrap()
        );

        let config = config(&manifest, &diff_ids(image, "/diff_ids"));
        let config = Document::new(media_type::DOCKER_CONFIG, config);
        assert_eq!(
            config.digest.to_string(),
            image["image_id"].as_str().unwrap(),
            "{folder}"
        );

        let layers = manifest
            .layers
            .iter()
            .filter(|layer| layer.emptiness() != Emptiness::Yes);
        let layers: Vec<_> = layers.map(|layer| descriptor(folder, layer)).collect();
        let manifest = schema2_manifest(&config.descriptor(), &layers);
        let found = Digest::sha256(&manifest).to_string();
        assert_eq!(
            found,
            image["v2s2_manifest_digest_by_skopeo"].as_str().unwrap(),
            "{folder}"
        );
    }
}

fn descriptor(folder: &str, layer: &schema1::Schema1Layer) -> Descriptor {
    let file = shared("corpus").join(folder).join(layer.blob.hex());
    let size = fs::metadata(file).unwrap().len();
    Descriptor::new(media_type::DOCKER_GZIP_LAYER, layer.blob, size)
}

#[test]
fn the_twin_of_the_schema_1_fixture_has_the_same_config() {
    let twin = json("fixtures/skopeo/uncompressed-image-s2/manifest.json");
    let twin = twin["config"]["digest"]
        .as_str()
        .unwrap()
        .replace("sha256:", "");
    let twin = read(&format!("fixtures/skopeo/uncompressed-image-s2/{twin}"));
    let manifest =
        schema1::parse(&read("fixtures/skopeo/uncompressed-image-s1/manifest.json")).unwrap();
    let parsed: Value = serde_json::from_slice(&twin).unwrap();
    assert_eq!(
        config(&manifest, &diff_ids(&parsed, "/rootfs/diff_ids")),
        twin
    );
    assert_eq!(
        (manifest.name.as_str(), manifest.tag.as_deref()),
        ("nonempty", Some("nonempty"))
    );
}

/// The expected config is indented; it is what c/image's own test compares with, as values.
#[test]
fn a_real_schema_1_manifest_gets_the_config_that_c_image_expects() {
    let expected = json("fixtures/container-libs/image/schema1-to-schema2-config.json");
    let manifest = schema1::parse(&read("fixtures/container-libs/image/schema1.json")).unwrap();
    let found = config(&manifest, &diff_ids(&expected, "/rootfs/diff_ids"));
    let found: Value = serde_json::from_slice(&found).unwrap();
    assert_eq!(found, expected);

    let layers: Vec<_> = manifest
        .layers
        .iter()
        .map(|layer| layer.blob.to_string())
        .collect();
    let schema2 = json("fixtures/container-libs/image/schema1-to-schema2.json");
    let expected = schema2["layers"].as_array().unwrap().iter();
    let expected: Vec<_> = expected
        .map(|layer| layer["digest"].as_str().unwrap())
        .collect();
    assert_eq!(layers, expected);
}

/// pause-amd64, built by Docker 1.9.1: no `throwaway`, but the well-known empty blob.
#[test]
fn layers_without_throwaway_are_told_by_their_blob() {
    let manifest = schema1::parse(&read(
        "fixtures/container-libs/image/schema1-for-oci-config.json",
    ))
    .unwrap();
    let found: Vec<_> = manifest
        .layers
        .iter()
        .map(schema1::Schema1Layer::emptiness)
        .collect();
    assert_eq!(found, [Emptiness::Yes, Emptiness::IfZeros, Emptiness::Yes]);
}

/// The file was edited after it was signed: libtrust refuses its signature too. c/image does not look
/// at signatures, and its tests give both files the digest below.
#[test]
fn a_signed_manifest_has_the_digest_of_the_unsigned_one() {
    let signed = read("fixtures/container-libs/manifest/v2s1.manifest.json");
    let signed = schema1::parse(&signed).unwrap();
    assert!(matches!(
        signed.signatures.as_slice(),
        [Verdict::Invalid(_)]
    ));
    let unsigned = schema1::parse(&read(
        "fixtures/container-libs/manifest/v2s1-unsigned.manifest.json",
    ))
    .unwrap();
    let digest = "sha256:7364fea9d84ee548ab67d4c46c6006289800c98de3fbf8c0a97138dfcc23f000";
    assert_eq!(signed.digest.to_string(), digest);
    assert_eq!(unsigned.digest.to_string(), digest);
    assert!(unsigned.signatures.is_empty());
    assert!(
        signed
            .layers
            .iter()
            .all(|layer| layer.emptiness() == Emptiness::Yes)
    );
}

/// The keys of skopeo, Docker and libtrust, with the IDs that are in the files.
#[test]
fn real_signatures_are_valid() {
    for file in [
        "corpus/dir-v2s1/manifest.json",
        "corpus/dir-v2s1-uncompressed/manifest.json",
        "fixtures/container-libs/image/schema1.json",
        "fixtures/container-libs/image/schema1-for-oci-config.json",
        "fixtures/skopeo/uncompressed-image-s1/manifest.json",
    ] {
        let expected = json(file)
            .pointer("/signatures/0/header/jwk/kid")
            .cloned()
            .unwrap();
        let manifest = schema1::parse(&read(file)).unwrap();
        let [Verdict::Valid { key_id }] = manifest.signatures.as_slice() else {
            panic!("{file}")
        };
        assert_eq!(key_id, expected.as_str().unwrap(), "{file}");
    }
}

#[test]
fn signatures_that_are_no_list_are_refused() {
    let file = read("fixtures/container-libs/manifest/v2s1-invalid-signatures.manifest.json");
    assert!(matches!(
        schema1::parse(&file),
        Err(schema1::Schema1Error::Json(_))
    ));
}

/// Every byte of the payload is signed.
#[test]
fn a_changed_manifest_does_not_match_its_signature() {
    let file = String::from_utf8(read("corpus/dir-v2s1/manifest.json")).unwrap();
    let changed = file.replace(
        "2026-11-21T21:05:45.459113243Z",
        "2026-11-21T21:05:45.459113244Z",
    );
    assert_ne!(changed, file);
    let manifest = schema1::parse(changed.as_bytes()).unwrap();
    assert!(matches!(
        manifest.signatures.as_slice(),
        [Verdict::Invalid(_)]
    ));
}

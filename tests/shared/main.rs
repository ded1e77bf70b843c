//! Tests on archives that Docker and skopeo wrote, in the folder `OCIFY_SHARED`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn shared(path: &str) -> PathBuf {
    Path::new(&std::env::var_os("OCIFY_SHARED").expect("OCIFY_SHARED is not set")).join(path)
}

fn json(path: &str) -> Value {
    serde_json::from_slice(&fs::read(shared(path)).unwrap()).unwrap()
}

#[test]
fn the_digest_map_has_what_skopeo_gives() {
    let expected = json("corpus/expected.json");
    let output = tempfile::tempdir().unwrap();
    let map = output.path().join("map.json");
    for folder in ["dir-v2s1", "dir-v2s1-1.6.2", "dir-v2s1-uncompressed"] {
        let image = &expected[folder]["images"][0];
        let status = Command::new(env!("CARGO_BIN_EXE_ocify"))
            .args(["convert", "--quiet", "--no-fsync", "--digest-map"])
            .arg(&map)
            .arg(shared("corpus").join(folder))
            .arg("--output")
            .arg(output.path().join(folder))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{folder}");
        let map: Value = serde_json::from_slice(&fs::read(&map).unwrap()).unwrap();
        let found = &map["images"][0];
        let schema2 = &image["v2s2_manifest_digest_by_skopeo"];
        assert_eq!(&found["v2s2"]["ofInput"], schema2, "{folder}");
        assert_eq!(found["new"]["imageId"], image["image_id"], "{folder}");
        // skopeo's result for the output is the same if the blobs are the same.
        let same = folder != "dir-v2s1-uncompressed";
        assert_eq!(&found["v2s2"]["ofOutput"] == schema2, same, "{folder}");
    }
}

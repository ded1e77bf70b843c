//! `--digest-map`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::support::docker;
use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, digest, named, on};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{codec, expected, sha256, testdata};

const HEADER: &str = "name,input,platform,old_schema1,old_schema2,old_oci,old_index,old_image_id,\
    new_manifest,new_index,new_image_id,v2s2_of_input,v2s2_of_output,layers";

/// Converts with a map, and returns it with the printed lines.
#[track_caller]
fn convert(sandbox: &Sandbox, map: &str, args: &[&str]) -> (String, String) {
    let common = ["-o", "output", "--digest-map", map];
    let run = sandbox.convert(&[&common, args].concat());
    run.succeeds();
    let map = String::from_utf8(sandbox.read(map)).unwrap();
    (map, run.stdout().to_owned())
}

/// The lines of a map whose fields need no quotes, by column.
fn rows(map: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = map.lines();
    assert_eq!(lines.next(), Some(HEADER));
    let rows = lines.map(|line| {
        assert_eq!(line.split(',').count(), HEADER.split(',').count(), "{line}");
        HEADER.split(',').zip(line.split(',')).collect()
    });
    rows.collect()
}

fn json_map(map: &str) -> Value {
    serde_json::from_str(map).unwrap()
}

#[test]
fn csv_has_a_line_for_each_name() {
    let sandbox = Sandbox::new();
    let input = testdata("docker-save.tar");
    let (map, printed) = convert(&sandbox, "map.csv", &[&input]);
    let rows = rows(&map);
    let names: Vec<&str> = rows.iter().map(|row| row["name"]).collect();
    assert_eq!(
        names,
        ["testdata/app:1.0", "testdata/app:latest", "testdata/base:1"]
    );
    let lines: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}\n", row["new_manifest"], row["name"]))
        .collect();
    assert_eq!(lines.concat(), printed);
    let expected = expected();
    let images = expected["docker-save.tar"]["images"].as_array().unwrap();
    for row in &rows {
        let has_name = |image: &&Value| {
            image["names"]
                .as_array()
                .unwrap()
                .contains(&json!(row["name"]))
        };
        let image = images.iter().find(has_name).unwrap();
        assert_eq!(row["old_image_id"], image["image_id"]);
        assert_eq!(row["new_image_id"], image["image_id"]);
        assert_eq!(row["platform"], image["platform"]);
        assert_eq!(row["input"], input);
        for column in [
            "old_schema1",
            "old_schema2",
            "old_oci",
            "old_index",
            "new_index",
        ] {
            assert_eq!(row[column], "", "{column}");
        }
        // Archives have no digests of layers, so their diff_ids are used.
        let layers: Vec<&str> = row["layers"].split(' ').collect();
        let old: Vec<&str> = layers
            .iter()
            .map(|pair| pair.split_once('=').unwrap().0)
            .collect();
        assert_eq!(json!(old), image["diff_ids"]);
    }
}

/// The digest of the signed payload is what `skopeo manifest-digest` says.
#[test]
fn schema_1_becomes_what_skopeo_makes_of_it() {
    let sandbox = Sandbox::new();
    let (map, _) = convert(&sandbox, "map.json", &[&testdata("schema1")]);
    let map = json_map(&map);
    let image = &map["images"][0];
    let expected = &expected()["schema1"]["images"][0];
    let payload = "sha256:1fe7c26b52e375e403268a01ac87b6dc3c341ca7f901dd9ae2f5aa6f18cf7bbc";
    assert_eq!(image["old"]["schema1"], payload);
    assert_eq!(image["old"]["imageId"], Value::Null);
    assert_eq!(image["new"]["imageId"], expected["image_id"]);
    let schema2 = &expected["v2s2_manifest_digest_by_skopeo"];
    assert_eq!(&image["v2s2"]["ofInput"], schema2);
    // gzip layers are kept.
    assert_eq!(&image["v2s2"]["ofOutput"], schema2);
    let layers = image["layers"].as_array().unwrap();
    let diff_ids: Vec<&Value> = layers.iter().map(|layer| &layer["diffId"]).collect();
    assert_eq!(json!(diff_ids), expected["diff_ids"]);
    for layer in layers {
        let hex = layer["old"]["digest"]
            .as_str()
            .unwrap()
            .replace("sha256:", "");
        let size = fs::metadata(testdata(&format!("schema1/{hex}")))
            .unwrap()
            .len();
        assert_eq!(layer["old"]["size"], json!(size));
        assert_eq!(layer["new"], layer["old"]);
    }

    // With new layers the digest of the output changes, but not that of the input.
    let zstd = ["--compression", "zstd", &testdata("schema1")];
    let (map, _) = convert(&sandbox, "map.json", &zstd);
    let image = &json_map(&map)["images"][0];
    assert_eq!(&image["v2s2"]["ofInput"], schema2);
    assert_eq!(
        image["v2s2"]["ofOutput"],
        Value::Null,
        "schema 2 has no zstd"
    );
}

/// The folder `old` with the blobs of a schema 1 image, and its manifest without marks of empty layers.
fn without_throwaway() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let old = sandbox.path("old");
    fs::create_dir(&old).unwrap();
    for file in fs::read_dir(testdata("schema1")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), old.join(file.file_name())).unwrap();
    }
    let manifest = fs::read(old.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest.as_object_mut().unwrap().shift_remove("signatures");
    for entry in manifest["history"].as_array_mut().unwrap() {
        let v1 = entry["v1Compatibility"].as_str().unwrap();
        entry["v1Compatibility"] = json!(v1.replace(r#","throwaway":true"#, ""));
    }
    // It wrote a whole image for each layer. skopeo uses only the history of those below the top one.
    let base = manifest["history"].as_array_mut().unwrap().last_mut();
    let base = &mut base.unwrap()["v1Compatibility"];
    *base = json!(base.as_str().unwrap().replacen('{', r#"{"os":"linux","#, 1));
    (sandbox, manifest.to_string())
}

/// Docker before 1.10 did not write `throwaway`, without which skopeo treats an empty layer as a layer. The digest below is
/// that of the manifest that skopeo 1.9.3 and 1.22 write for this folder.
#[test]
fn empty_layers_that_do_not_say_so_are_layers_to_skopeo() {
    let (sandbox, manifest) = without_throwaway();
    sandbox.write("old/manifest.json", manifest.as_bytes());
    let (map, _) = convert(&sandbox, "map.json", &["old"]);
    let image = &json_map(&map)["images"][0];
    assert_eq!(
        image["v2s2"]["ofInput"],
        "sha256:f0f904a3304b6b0498e020377cd4c267d8e76895277ae682caecbb4524cd206f"
    );
    assert_eq!(image["layers"].as_array().unwrap().len(), 5);
}

/// The same with the plain empty layer of Docker up to 1.8, of which engines know the size. The digest is that of skopeo 1.9.3.
#[test]
fn plain_empty_layers_that_do_not_say_so() {
    let (sandbox, manifest) = without_throwaway();
    let empty = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";
    let manifest = manifest.replace(empty, &sha256(&[0; 1024]));
    sandbox.write("old/manifest.json", manifest.as_bytes());
    let (map, _) = convert(&sandbox, "map.json", &["old"]);
    assert_eq!(
        json_map(&map)["images"][0]["v2s2"]["ofInput"],
        "sha256:8b7a844b9bcf2da84dd2c1e491f65348c598e1d3e7a90b37f52313c8582b9e44"
    );
}

/// What `skopeo copy --format v2s2` writes for such a layout has `"layers":[]`.
#[test]
fn an_image_without_layers() {
    let mut layout = Layout::default();
    let config =
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let image = layout.manifest(oci::CONFIG, config, &[]);
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let (map, _) = convert(&sandbox, "map.json", &["app"]);
    let schema2 = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","size":{},"digest":"{}"}},"layers":[]}}"#,
        oci::DOCKER_MANIFEST,
        oci::DOCKER_CONFIG,
        config.len(),
        sha256(config),
    );
    let expected = sha256(schema2.as_bytes());
    let found = &json_map(&map)["images"][0]["v2s2"];
    assert_eq!(found, &json!({ "ofInput": expected, "ofOutput": expected }));
}

/// What `skopeo copy --format v2s2` writes for such a layout has the same blobs.
#[test]
fn an_oci_image_of_layers_of_each_kind() {
    let layers = ["a", "b", "c", "d"].map(Layer::new);
    let [plain, gzip, foreign, foreign_gzip] = &layers;
    let mut layout = Layout::default();
    let config = layout.blob(oci::CONFIG, &docker::config(&layers));
    let foreign_type = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    let mut blobs = [
        layout.blob(oci::LAYER, &plain.tar),
        layout.blob(oci::LAYER_GZIP, &codec::gzip(&gzip.tar)),
        layout.blob(foreign_type, &foreign.tar),
        layout.blob(
            &format!("{foreign_type}+gzip"),
            &codec::gzip(&foreign_gzip.tar),
        ),
    ];
    for blob in &mut blobs[2..] {
        blob["urls"] = json!(["https://example.invalid/layer"]);
    }
    let image = layout.document(&oci::manifest(&config, &blobs));
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let entry = |media_type: &str, blob: &Value| {
        format!(
            r#""mediaType":"{media_type}","size":{},"digest":{}"#,
            blob["size"], blob["digest"]
        )
    };
    let kinds = [
        ("diff.tar", ""),
        ("diff.tar.gzip", ""),
        (
            "foreign.diff.tar",
            r#","urls":["https://example.invalid/layer"]"#,
        ),
        (
            "foreign.diff.tar.gzip",
            r#","urls":["https://example.invalid/layer"]"#,
        ),
    ];
    let entries = kinds.iter().zip(&blobs).map(|((kind, urls), blob)| {
        let media_type = format!("application/vnd.docker.image.rootfs.{kind}");
        format!("{{{}{urls}}}", entry(&media_type, blob))
    });
    let schema2 = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{{}}},"layers":[{}]}}"#,
        oci::DOCKER_MANIFEST,
        entry(oci::DOCKER_CONFIG, &config),
        entries.collect::<Vec<_>>().join(","),
    );
    let (map, _) = convert(&sandbox, "map.json", &["app"]);
    let found = &json_map(&map)["images"][0]["v2s2"];
    assert_eq!(found["ofInput"], sha256(schema2.as_bytes()));
}

#[test]
fn indexes_are_followed() {
    let mut layout = Layout::default();
    let amd64 = on(&layout.image("amd64", &[Layer::new("a")]), "linux", "amd64");
    let arm64 = on(&layout.image("arm64", &[Layer::new("b")]), "linux", "arm64");
    let index = layout.index(&[amd64.clone(), arm64]);
    layout.add(named(&index, "multi:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let (map, printed) = convert(&sandbox, "map.csv", &["app", "--compression", "zstd"]);
    let rows = rows(&map);
    let new_index = printed.split(' ').next().unwrap();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row["name"], "multi:1");
        assert_eq!(row["old_index"], digest(&index));
        assert_eq!(row["new_index"], new_index);
        assert_ne!(row["new_index"], row["old_index"]);
        assert_ne!(row["new_manifest"], row["old_oci"]);
    }
    assert_eq!(rows[0]["old_oci"], digest(&amd64));
    assert_eq!(rows[0]["platform"], "linux/amd64");

    // One image of the index, which is in no index any more. The old index is listed.
    for select in [["--image", digest(&amd64)], ["--platform", "linux/amd64"]] {
        let (map, _) = convert(&sandbox, "map.csv", &[&["app"], &select[..]].concat());
        let rows = self::rows(&map);
        assert_eq!(rows.len(), 1, "{select:?}");
        assert_eq!(rows[0]["old_index"], digest(&index), "{select:?}");
        assert_eq!(rows[0]["new_index"], "", "{select:?}");
        // Nothing changed in the image.
        assert_eq!(rows[0]["new_manifest"], digest(&amd64), "{select:?}");
    }
}

#[test]
fn fields_are_quoted() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("a")]);
    layout.add(named(&image, "a \"b\", c"));
    layout.add(named(&image, "=1+1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let (map, _) = convert(&sandbox, "map.csv", &["app", "-q"]);
    let mut lines = map.lines().skip(1);
    assert!(
        lines.next().unwrap().starts_with(r#""a ""b"", c",app,"#),
        "{map}"
    );
    assert!(
        lines.next().unwrap().starts_with(r#""'=1+1",app,"#),
        "{map}"
    );
}

#[test]
fn a_map_that_cannot_be_written_is_found_out_first() {
    let sandbox = Sandbox::with_folder(&oci::one("app:1.0", &[Layer::new("a")]).files());
    fs::create_dir(sandbox.path("folder.csv")).unwrap();
    let before = sandbox.snapshot();
    let run = |map| sandbox.convert(&["app", "-o", "output", "--digest-map", map]);
    run("map.txt").is_wrong_usage("map.txt does not end with .csv or .json");
    run("nowhere/map.csv")
        .fails("ocify: nowhere/map.csv: cannot open nowhere: No such file or directory\n");
    run("folder.csv").fails("ocify: folder.csv: folder.csv is not a file\n");
    assert_eq!(sandbox.snapshot(), before);
}

/// Errors that can be detected before the conversion are. Here the path of the map is taken during the conversion.
#[test]
fn an_output_without_its_map_is_told_of() {
    let sandbox = Sandbox::new();
    // The conversion takes long enough to create a folder at the path of the map.
    let long = docker::save_one("long:1", &[Layer::noise(7, 4_000_000)]);
    sandbox.write("long.tar", &long.tar());
    let args = [
        "convert",
        "long.tar",
        "-o",
        "out",
        "--digest-map",
        "map.csv",
    ];
    let compression = ["--compression", "zstd:19", "--threads", "1"];
    let mut child = sandbox
        .command(&[&args[..], &compression].concat())
        .spawn()
        .unwrap();
    let staged = || {
        let mut names = sandbox.snapshot().into_keys();
        names.any(|name| name.starts_with(".map.csv."))
    };
    while !staged() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        std::thread::yield_now();
    }
    fs::create_dir(sandbox.path("map.csv")).unwrap();
    Run::new(child).fails(
        "ocify: the output is complete, but its digest map is missing: map.csv: \
         map.csv is not a file\n\
         hint: convert again to write it\n",
    );
    sandbox.layout("out");
    assert!(!staged());
}

#[test]
fn a_failed_conversion_leaves_the_old_map() {
    let good = oci::one("app:1.0", &[Layer::new("a")]);
    let sandbox = Sandbox::with_folder(&good.files());
    convert(&sandbox, "map.json", &["app"]);
    let absent = Layout::default().listing(oci::descriptor(oci::MANIFEST, b"not here"));
    absent.files().write(&sandbox.path("bad"));
    let before = sandbox.snapshot();
    let missing = oci::blob_path(&sha256(b"not here"));
    sandbox
        .convert(&["bad", "-o", "output", "--digest-map", "map.json"])
        .fails(&format!(
            "ocify: bad: @0: {missing}: missing from the input\n"
        ));
    assert_eq!(sandbox.snapshot(), before);

    // A successful conversion replaces it.
    let other = oci::one("new:1", &[Layer::new("b")]);
    other.files().write(&sandbox.path("new"));
    let (new, _) = convert(&sandbox, "map.json", &["new"]);
    assert_eq!(json_map(&new)["images"][0]["names"], json!(["new:1"]));
}

#[test]
fn a_map_in_the_place_of_an_input_or_in_the_output() {
    let layout = oci::one("app:1.0", &[Layer::new("base")]);
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.write("app.json", &layout.files().tar());
    sandbox.convert(&["app", "-o", "there"]).succeeds();
    fs::create_dir(sandbox.path("other")).unwrap();
    std::os::unix::fs::symlink("../app", sandbox.path("other/link")).unwrap();
    let before = sandbox.snapshot();
    for (input, map, of) in [
        ("app.json", "app.json", "app.json"),
        ("./app.json", "app/../app.json", "./app.json"),
        ("app", "app/index.json", "app"),
        ("other/link", "app/index.json", "other/link"),
        ("app", "there/index.json", "there"),
        ("app", "there/map.csv", "there"),
        ("app", "there/blobs/map.csv", "there"),
    ] {
        let run = sandbox.convert(&[input, "-o", "there", "--digest-map", map]);
        run.fails(&format!(
            "ocify: the digest map {map} would be a file of {of}\n\
             hint: choose another path for it\n"
        ));
        assert_eq!(sandbox.snapshot(), before, "{map}");
    }
    // A map may be in the folder of an input, and the next run replaces it.
    for map in ["app/map.csv", "app/map.csv", "app/map.json"] {
        sandbox
            .convert(&["app", "-o", "there", "--digest-map", map])
            .succeeds();
    }
}

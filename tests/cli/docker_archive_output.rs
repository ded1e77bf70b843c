//! `--to docker-archive`: tars for engines that know no OCI.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};

use crate::support::docker::{Image, config, config_for, save, save_one};
use crate::support::layers::{Layer, layers};
use crate::support::oci::{self, Layout, digest, named};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{codec, sha256, sha256_hex};

/// The members of a tar: what is in a file, or `-> ` and where a link leads. A folder has an empty content.
fn members(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        match entry.link_name().unwrap() {
            Some(to) => content = format!("-> {}", to.display()).into_bytes(),
            None => drop(entry.read_to_end(&mut content).unwrap()),
        }
        assert!(
            members.insert(name.clone(), content).is_none(),
            "{name} is there twice"
        );
    }
    members
}

fn json_of(members: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&members[name]).unwrap()
}

fn convert(sandbox: &Sandbox, args: &[&str]) -> Run {
    sandbox.convert(&[args, &["--to", "docker-archive"]].concat())
}

/// The members that images of these layers and configs must give, but for manifest.json and `repositories`.
fn expected(images: &[(&[Layer], Vec<u8>)]) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let mut members = BTreeMap::new();
    let mut tops = Vec::new();
    for (layers, config) in images {
        members.insert(format!("{}.json", sha256_hex(config)), config.clone());
        let mut parent = String::new();
        for (position, layer) in layers.iter().enumerate() {
            members.insert(format!("{}.tar", layer.hex()), layer.tar.clone());
            let mut text = format!("{} {parent}", layer.hex()).into_bytes();
            if position + 1 == layers.len() {
                text.push(b' ');
                text.extend_from_slice(config);
            }
            let id = sha256_hex(&text);
            members.insert(format!("{id}/"), Vec::new());
            members.insert(format!("{id}/VERSION"), b"1.0".to_vec());
            let link = format!("-> ../{}.tar", layer.hex());
            members.insert(format!("{id}/layer.tar"), link.into_bytes());
            parent = id;
        }
        tops.push(parent);
    }
    (members, tops)
}

#[test]
fn many_images_share_their_layers() {
    let images = ["one", "two"].map(|seed| {
        let tags = [
            format!("app:{seed}"),
            format!("registry.test:5000/team/app:{seed}"),
        ];
        Image::new(&[&tags[0], &tags[1]], &layers(seed))
    });
    let sandbox = Sandbox::with_archive(&save(&images));
    let run = convert(&sandbox, &["app.tar", "-o", "out.tar"]);
    run.succeeds();
    let [one, two] = ["one", "two"].map(layers);
    let ids = [&one, &two].map(|layers| sha256(&config(layers)));
    let lines: Vec<&str> = run.stdout().lines().collect();
    assert_eq!(lines[0], format!("{} app:one", ids[0]));
    assert_eq!(
        lines[3],
        format!("{} registry.test:5000/team/app:two", ids[1])
    );

    let mut found = members(&sandbox.read("out.tar"));
    let manifest = json_of(&found, "manifest.json");
    let repositories = json_of(&found, "repositories");
    let (expected, tops) = expected(&[(&one, config(&one)), (&two, config(&two))]);
    let entry = |position: usize, seed: &str, layers: &[Layer]| {
        let names: Vec<String> = layers
            .iter()
            .map(|layer| format!("{}.tar", layer.hex()))
            .collect();
        json!({
            "Config": format!("{}.json", ids[position].strip_prefix("sha256:").unwrap()),
            "RepoTags": [format!("docker.io/library/app:{seed}"), format!("registry.test:5000/team/app:{seed}")],
            "Layers": names,
        })
    };
    assert_eq!(
        manifest,
        json!([entry(0, "one", &one), entry(1, "two", &two)])
    );
    let tags = json!({ "one": tops[0], "two": tops[1] });
    assert_eq!(
        repositories,
        json!({ "app": tags, "registry.test:5000/team/app": tags })
    );

    // The metadata of each layer names its parent.
    let v1: Vec<(String, Value)> = found
        .keys()
        .filter_map(|name| {
            Some((
                name.strip_suffix("/json")?.to_owned(),
                json_of(&found, name),
            ))
        })
        .collect();
    for (id, v1) in &v1 {
        assert_eq!(v1["id"], **id);
        let is_base = v1.get("parent").is_none();
        assert_eq!(tops.contains(id), !is_base, "{v1}");
        if !is_base {
            assert_eq!(v1["config"]["Shell"], json!(["/bin/ash"]));
            assert!(v1.get("rootfs").is_none() && v1.get("history").is_none());
        }
    }
    assert_eq!(v1.len(), 3);
    found.retain(|name, _| {
        !["manifest.json", "repositories"].contains(&name.as_str()) && !name.ends_with("/json")
    });
    assert!(found == expected);
}

#[test]
fn compressed_layers_are_decoded_and_the_bytes_are_always_the_same() {
    let mut layout = Layout::default();
    let all = [
        Layer::noise(1, 3_000_000),
        Layer::new("base"),
        Layer::noise(2, 2_000_000),
    ];
    let blobs = [
        (oci::LAYER_GZIP, codec::gzip(&all[0].tar)),
        (oci::LAYER, all[1].tar.clone()),
        (oci::LAYER_ZSTD, codec::zstd(&all[2].tar)),
    ];
    let image = layout.manifest(oci::CONFIG, &config_for("amd64", &all), &blobs);
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    for (output, threads) in [("1.tar", "1"), ("2.tar", "2"), ("7.tar", "7")] {
        convert(&sandbox, &["app", "-o", output, "--threads", threads]).succeeds();
    }
    let first = sandbox.read("1.tar");
    assert!(first == sandbox.read("2.tar") && first == sandbox.read("7.tar"));
    let found = members(&first);
    for layer in &all {
        assert!(found[&format!("{}.tar", layer.hex())] == layer.tar);
    }
    // Compressed as its name says, on standard output, and by way of a layout.
    convert(&sandbox, &["app", "-o", "out.tar.gz"]).succeeds();
    assert!(codec::decode(&sandbox.read("out.tar.gz"), oci::LAYER_GZIP) == first);
    let run = convert(&sandbox, &["app", "-o", "-"]);
    run.succeeds();
    assert!(run.stdout == first);
    sandbox.convert(&["1.tar", "-o", "back"]).succeeds();
    convert(&sandbox, &["back", "-o", "again.tar"]).succeeds();
    let again = members(&sandbox.read("again.tar"));
    // Names become fully qualified on the way.
    assert!(again.keys().eq(found.keys()));
    // And every reader of ours finds it sound.
    let verified = sandbox.run(&["verify", "1.tar"]);
    assert_eq!(verified.status.code(), Some(0), "{}", verified.stdout());
}

#[test]
fn an_image_without_a_name_or_history() {
    let layers = layers("top");
    let mut value: Value = serde_json::from_slice(&config(&layers)).unwrap();
    value.as_object_mut().unwrap().shift_remove("history");
    let image = Image::new(&[], &layers).with_config(value.to_string());
    let sandbox = Sandbox::with_archive(&save(&[image]));
    convert(&sandbox, &["app.tar", "-o", "out.tar"]).succeeds();
    let found = members(&sandbox.read("out.tar"));
    assert_eq!(json_of(&found, "manifest.json")[0]["RepoTags"], Value::Null);
    assert!(!found.contains_key("repositories"));
    assert_eq!(
        found.keys().filter(|name| name.ends_with("/json")).count(),
        2
    );
}

/// The metadata of a layer is that of its own entry of the history; entries without a layer have none.
#[test]
fn each_layer_has_its_own_history() {
    let layers = layers("top");
    let mut value: Value = serde_json::from_slice(&config(&layers)).unwrap();
    value["history"] = json!([
        { "created_by": "FROM scratch", "empty_layer": true },
        { "created_by": "ADD base", "author": "one", "created": "2024-01-02T03:04:05Z" },
        { "created_by": "ENV a=b", "empty_layer": true },
        { "created_by": "ADD top", "comment": "two" },
    ]);
    let image = Image::new(&["app:1.0"], &layers).with_config(value.to_string());
    let sandbox = Sandbox::with_archive(&save(&[image]));
    convert(&sandbox, &["app.tar", "-o", "out.tar"]).succeeds();
    let found = members(&sandbox.read("out.tar"));
    let names = found.keys().filter(|name| name.ends_with("/json"));
    let v1: Vec<Value> = names.map(|name| json_of(&found, name)).collect();
    let (base, top) = if v1[0].get("parent").is_none() {
        (&v1[0], &v1[1])
    } else {
        (&v1[1], &v1[0])
    };
    assert_eq!(base["container_config"]["Cmd"], json!(["ADD base"]));
    assert_eq!(base["author"], "one");
    assert_eq!(base["created"], "2024-01-02T03:04:05Z");
    assert_eq!(top["parent"], base["id"]);
    assert_eq!(v1.len(), 2);
}

#[test]
fn a_file_is_overwritten_if_it_is_a_tar() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    sandbox.convert(&["app.tar", "-o", "out.tar"]).succeeds();
    convert(&sandbox, &["app.tar", "-o", "out.tar"]).succeeds();
    assert!(!members(&sandbox.read("out.tar")).contains_key("oci-layout"));
    sandbox.write("notes", b"not a tar");
    convert(&sandbox, &["app.tar", "-o", "notes"]).fails(
        "ocify: notes: the file exists and is not a tar archive\nhint: choose another name for the output\n",
    );
    assert_eq!(sandbox.read("notes"), b"not a tar");
}

#[test]
fn options_that_a_docker_archive_cannot_have() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    let compression = "hint: omit `--compression`: old engines read only uncompressed layers; \
                       use `-o images.tar.gz` to compress the archive\n";
    let format = "hint: omit `--format`: a docker-archive has no manifests of single images\n";
    for (args, option, hint) in [
        (
            &["--compression", "gzip:9"][..],
            "--compression gzip",
            compression,
        ),
        (
            &["--compression", "zstd"],
            "--compression zstd",
            compression,
        ),
        (&["--format", "v2s2"], "--format v2s2", format),
        (&["--format", "v2s1"], "--format v2s1", format),
        (&["--add"], "--add", "hint: pass all inputs in one run\n"),
        (
            &["--prune"],
            "--prune",
            "hint: omit `--prune`: the file is always replaced\n",
        ),
        (
            &["--index", "app:1"],
            "--index",
            "hint: use `--to layout`: a docker-archive has no index\n",
        ),
    ] {
        let run = convert(&sandbox, &[&["app.tar", "-o", "out.tar"], args].concat());
        let message =
            format!("ocify: `{option}` cannot be used with `--to docker-archive`\n{hint}");
        assert_eq!((run.status.code(), run.stderr), (Some(2), message));
    }
    let run = convert(&sandbox, &["app.tar", "-o", "out/"]);
    run.is_wrong_usage(
        "ocify: the output `out/` is a folder, but a docker-archive is a tar\n\
         hint: name a file, such as `-o images.tar`\n",
    );
    assert!(!sandbox.path("out.tar").exists());
    convert(
        &sandbox,
        &["app.tar", "-o", "out.tar", "--compression", "none"],
    )
    .succeeds();
}

#[test]
fn what_a_docker_archive_has_no_place_for() {
    let mut layout = Layout::default();
    let (index, _) = layout.two_platforms();
    layout.add(named(&index, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let args = ["app", "-o", "out.tar"];
    convert(&sandbox, &args).fails(
        "ocify: app: app:1.0: expected one platform, since a docker-archive has no index; \
         available: linux/amd64, linux/arm64\n\
         hint: select one with `--platform`\n",
    );
    assert!(!sandbox.path("out.tar").exists());
    convert(
        &sandbox,
        &[&args[..], &["--platform", "linux/arm64"]].concat(),
    )
    .succeeds();
    let found = members(&sandbox.read("out.tar"));
    assert!(found.contains_key(&format!(
        "{}.json",
        sha256_hex(&config_for("arm64", &layers("arm64")))
    )));

    // A layer with URLs.
    let mut layout = Layout::default();
    let config = layout.blob(oci::DOCKER_CONFIG, &config(&layers("top")));
    let blobs = oci::docker_layers(&layers("top"));
    let base = layout.blob(oci::DOCKER_LAYER_GZIP, &blobs[0].1);
    let mut top = oci::descriptor(oci::DOCKER_FOREIGN_GZIP, &blobs[1].1);
    top["urls"] = json!(["https://example.invalid/layer"]);
    let image = layout.document(&oci::manifest(&config, &[base, top.clone()]));
    layout.add(named(&image, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    convert(&sandbox, &args).fails(&format!(
        "ocify: app: app:1.0: layer {}, which is missing from the input, has no place in a docker-archive\n\
         hint: use `--to layout`\n",
        digest(&top)
    ));
}

//! Damage to `docker save` archives, and to archives in general.

use serde_json::{Value, json};

use crate::support::docker::{self, Image};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::parts::{spoiled, two};
use crate::support::sandbox::Sandbox;
use crate::support::tar::{Body, Member};
use crate::support::{codec, legacy, oci};
use crate::{Case, archives_have, has};

// A table.
#[allow(clippy::too_many_lines)]
#[test]
fn docker_archives() {
    let image = Image::new(&["app:1"], &two());
    let files = docker::save(std::slice::from_ref(&image));
    let (first, second) = (image.layers[0].0.clone(), image.layers[1].0.clone());
    let manifest = |edit: fn(&mut Value)| {
        files
            .clone()
            .edited("manifest.json", |items| edit(&mut items[0]))
    };
    let link = |target: &str| {
        files
            .clone()
            .with_body(&second, Body::Symlink(target.to_owned()))
    };
    let cases: Vec<Case> = vec![
        ("no damage", files.clone(), &[]),
        (
            "a layer is missing",
            files.clone().without(&first),
            &["error missing-blob: stops"],
        ),
        (
            "the config is missing",
            files.clone().without(&image.config_name),
            &["error missing-blob: stops"],
        ),
        (
            "a byte of a layer",
            spoiled(files.clone(), &first, |bytes| bytes[600] ^= 1),
            &["error layer-diff-id: stops"],
        ),
        (
            "a space in the config",
            spoiled(files.clone(), &image.config_name, |bytes| bytes.push(b' ')),
            &["error blob-digest: stops"],
        ),
        (
            "the layers are swapped",
            manifest(|item| item["Layers"].as_array_mut().unwrap().reverse()),
            &["error layer-order: stops"],
        ),
        (
            "a layer is not listed",
            manifest(|item| {
                item["Layers"].as_array_mut().unwrap().pop();
            }),
            &["error layer-count: stops", "note unreferenced-blob"],
        ),
        (
            "Layers is a string",
            manifest(|item| item["Layers"] = json!("x")),
            &[
                "error docker-manifest: stops",
                "error layer-count: stops",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
        (
            "no Config",
            manifest(|item| item["Config"] = json!(null)),
            &[
                "error docker-manifest: stops",
                "note unreferenced-blob",
                "note unreferenced-blob",
                "note unreferenced-blob",
            ],
        ),
        (
            "a name that Docker refuses",
            manifest(|item| item["RepoTags"] = json!(["Not a name"])),
            &["warning ref-name: warns"],
        ),
        (
            "repositories is a list",
            files.clone().with("repositories", "[]"),
            &["warning repositories: warns"],
        ),
        (
            "a link to nothing",
            link("../nothing"),
            &["error bad-link: stops"],
        ),
        (
            "a link to itself",
            link("layer.tar"),
            &["error bad-link: stops"],
        ),
        (
            "a layer without files as a file of no bytes",
            docker::save(&[Image::new(&["app:1"], &[two()[0].clone(), Layer::empty()])])
                .with(&docker::layer_name(&Layer::empty()), ""),
            &["note layer-empty-file"],
        ),
        (
            "the layers are gzip",
            docker::save(&[Image::new(&["app:1"], &two()).encoded(codec::gzip)]),
            &[],
        ),
        (
            "one name for two images",
            docker::save(&[
                Image::new(&["app:1"], &two()),
                Image::new(&["docker.io/library/app:1"], &two()[..1]),
            ]),
            &["warning ref-name-duplicate: warns"],
        ),
        (
            "two files of one name",
            {
                let mut files = files.clone();
                files.members.insert(0, Member::file("manifest.json", "[]"));
                files
            },
            &["warning archive-duplicate-member: warns"],
        ),
    ];
    archives_have(cases);
}

#[test]
fn docker_archives_that_are_layouts_too() {
    let (app, other) = (
        docker::image_of_blobs(&["app:1"], &two()),
        docker::image_of_blobs(&["other:1"], &two()[..1]),
    );
    let both = [app.clone(), other.clone()];
    let files = docker::save_hybrid(&both, &[true, true]);
    let sources = |edit: fn(&mut Value)| {
        let layer = &two()[0];
        let mut source = oci::descriptor(oci::LAYER, &layer.tar);
        edit(&mut source);
        let sources = json!({ crate::support::sha256(&layer.tar): source });
        files
            .clone()
            .edited("manifest.json", |items| items[0]["LayerSources"] = sources)
    };
    archives_have(vec![
        ("no damage", files.clone(), &[]),
        (
            "manifest.json has an image that index.json has not",
            docker::save_hybrid(&both, &[true, false]),
            &["warning docker-manifest-unindexed: warns"],
        ),
        (
            "index.json has an image that manifest.json has not",
            files.clone().edited("manifest.json", |items| {
                items.as_array_mut().unwrap().pop();
            }),
            &["note docker-manifest-incomplete"],
        ),
        (
            "a name that index.json has not",
            files.clone().edited("manifest.json", |items| {
                items[0]["RepoTags"] = json!(["app:1", "app:2"]);
            }),
            &["warning docker-manifest-unindexed: warns"],
        ),
        (
            "a name leads to two images",
            files.clone().edited("manifest.json", |items| {
                items[0]["RepoTags"] = json!(["other:1"]);
                items[1]["RepoTags"] = json!(["app:1"]);
            }),
            &[
                "error docker-manifest-mismatch: warns",
                "error docker-manifest-mismatch: warns",
            ],
        ),
        (
            "the layers are others",
            files.clone().edited("manifest.json", |items| {
                items[0]["Layers"].as_array_mut().unwrap().reverse();
            }),
            &["error docker-manifest-mismatch: warns"],
        ),
        (
            "a layer is missing, which both say",
            files.clone().without(&app.layers[1].0),
            &["error missing-blob: stops"],
        ),
        ("what each layer was pushed as", sources(|_| {}), &[]),
        (
            "a layer of another size than its source",
            sources(|source| source["size"] = json!(1)),
            &["error blob-size: stops"],
        ),
        (
            "a source without a digest",
            sources(|source| source["digest"] = json!(null)),
            &["error descriptor-digest: stops"],
        ),
        (
            "sources that are a list",
            files.clone().edited("manifest.json", |items| {
                items[0]["LayerSources"] = json!([]);
            }),
            &["error docker-manifest: stops"],
        ),
        (
            "null in index.json, as Docker 25.0.0 wrote it",
            docker::save_hybrid(&[docker::image_of_blobs(&[], &two())], &[false])
                .edited("index.json", |index| index["manifests"] = json!(null)),
            &["note docker-manifest-unnamed", "warning null-manifests"],
        ),
    ]);
}

#[test]
fn archives_before_manifest_json() {
    let layers = two();
    let files = legacy::save("app", "1", &layers);
    let id = |position: usize| docker::v1_id(&layers[position]);
    let json_of = |position: usize| format!("{}/json", id(position));
    let layer_of = |position: usize| format!("{}/layer.tar", id(position));
    archives_have(vec![
        ("no damage", files.clone(), &[]),
        (
            "the base is missing",
            files.clone().without(&json_of(0)).without(&layer_of(0)),
            &["error legacy-chain: stops"],
        ),
        (
            "a layer is missing",
            files.clone().without(&layer_of(0)),
            &["error missing-blob: stops"],
        ),
        (
            "a header of a layer",
            spoiled(files.clone(), &layer_of(0), |bytes| bytes[3] ^= 1),
            &["error layer-not-tar: warns"],
        ),
        // There is no diff_id for such a layer.
        (
            "a layer cut short in its first header",
            spoiled(files.clone(), &layer_of(0), |bytes| bytes.truncate(241)),
            &["error layer-codec: stops"],
        ),
        (
            "a layer in an unknown codec",
            files.clone().with(&layer_of(0), b"unknown ".repeat(100)),
            &["error layer-codec: stops"],
        ),
        (
            "the parents lead back",
            files
                .clone()
                .edited(&json_of(0), |v1| v1["parent"] = json!(id(1))),
            &["error legacy-chain: stops"],
        ),
        (
            "another id",
            files
                .clone()
                .edited(&json_of(0), |v1| v1["id"] = json!("x")),
            &["warning legacy-id"],
        ),
        (
            "a config that Docker cannot read",
            files
                .clone()
                .edited(&json_of(1), |v1| v1["created"] = json!("yesterday")),
            &["error v1-config: stops"],
        ),
        (
            "metadata that names no system, so that the config will not either",
            files.clone().edited(&json_of(1), |v1| v1["os"] = json!("")),
            &["error config-platform: warns"],
        ),
        (
            "an environment that is no text, which Docker keeps as it is",
            files
                .clone()
                .edited(&json_of(1), |v1| v1["config"]["Env"] = json!([null])),
            &["error config-field: warns"],
        ),
        (
            "metadata that is no JSON",
            files.clone().with(&json_of(1), "{"),
            &["error json-syntax: stops"],
        ),
        (
            "repositories names no layer",
            files
                .clone()
                .edited("repositories", |tags| tags["app"]["2"] = json!("nothing")),
            &["error legacy-chain: stops"],
        ),
        (
            "repositories is no object of objects",
            files
                .clone()
                .edited("repositories", |tags| tags["x"] = json!(1)),
            &["error docker-manifest: stops"],
        ),
    ]);
}

/// Everything before the damage is checked.
#[test]
fn damaged_archives_are_read_up_to_the_damage() {
    let mut files = Files::default();
    let image = Image::new(&["app:1"], &two());
    files.put(
        "manifest.json",
        docker::save(std::slice::from_ref(&image)).get("manifest.json"),
    );
    files.put(&image.config_name, image.config.clone());
    for (name, blob) in &image.layers {
        files.put(name, blob.clone());
    }
    let files = spoiled(files, &image.layers[0].0, |bytes| bytes[600] ^= 1);
    let tar = files.tar();
    let cut = &tar[..tar.len() - 1024 - 600];
    let gzip = codec::gzip(&tar);
    let garbage = [&gzip[..], b"garbage"].concat();
    let cases: [(&str, &[u8], &[&str]); 3] = [
        (
            "cut in the last layer",
            cut,
            &[
                "error archive-damaged: stops",
                "error layer-diff-id: stops",
                "error missing-blob: stops",
            ],
        ),
        (
            "no end",
            &tar[..tar.len() - 1024],
            &["error archive-damaged: stops", "error layer-diff-id: stops"],
        ),
        (
            "garbage behind gzip",
            &garbage,
            &["error archive-damaged: stops", "error layer-diff-id: stops"],
        ),
    ];
    for (name, bytes, expected) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("app", bytes);
        has(name, &sandbox, "app", expected);
    }
}

#[test]
fn what_is_no_image_is_one_error() {
    let cases: [(&[u8], &str); 4] = [
        (b"", "error not-an-image: stops"),
        (b"hello", "error not-an-image: stops"),
        (&[0; 1024], "error not-an-image: stops"),
        (&[0x1f, 0x8b, 8, 0, 0], "error archive-damaged: stops"),
    ];
    for (bytes, expected) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("app", bytes);
        has(expected, &sandbox, "app", &[expected]);
    }
}

/// One copy is encoded for all images with the layer. The other copies are checked.
#[test]
fn copies_of_one_layer() {
    let layers = two();
    let one = docker::Image::new(&["one:1"], &layers);
    let mut other = docker::Image::new(&["other:1"], &layers);
    other.layers[1].0 = "copy/layer.tar".to_owned();
    let files = docker::save(&[one, other]);
    let damaged = spoiled(files.clone(), "copy/layer.tar", |bytes| bytes[512] ^= 1);
    archives_have(vec![
        ("no damage", files, &[]),
        ("damage", damaged, &["error layer-diff-id: stops"]),
    ]);
}

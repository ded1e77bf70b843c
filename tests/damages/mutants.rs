//! Inputs on which the two commands once disagreed, found by `tests/mutants`. The commands must agree, whatever they find.

use serde_json::{Value, json};

use crate::support::agreement;
use crate::support::docker;
use crate::support::files::Files;
use crate::support::oci::{self, Layout};
use crate::support::parts::two;
use crate::support::sandbox::Sandbox;
use crate::support::schema1;

/// A change to a document.
type Edit = fn(&mut Value);

/// `verify` and `convert` agree about each input, as a tar and as a folder.
#[track_caller]
fn agree(inputs: Vec<(String, Files)>) {
    let mut wrong = Vec::new();
    for (name, files) in inputs {
        for (sandbox, input) in [
            (Sandbox::with_archive(&files), "app.tar"),
            (Sandbox::with_folder(&files), "app"),
        ] {
            let said = agreement::ask(&sandbox, input, "out", &["--compression", "zstd"]);
            let violations = said.violations();
            if !violations.is_empty() {
                wrong.push(format!("=== {name}: {violations:?}\n{}", said.transcript()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn dir() -> Files {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &two());
    oci::dir(&layout, &image).without(&oci::digest(&image).replace("sha256:", ""))
}

/// A `dir:` folder of an index.
fn dir_of_index() -> Files {
    let mut layout = Layout::default();
    let image = oci::on(&layout.image("amd64", &two()), "linux", "amd64");
    let index = layout.index(std::slice::from_ref(&image));
    let hex = |descriptor: &Value| oci::digest(descriptor).replace("sha256:", "");
    let manifest = hex(&image);
    let name = |name: &str| {
        if name == manifest {
            format!("{name}.manifest.json")
        } else {
            name.to_owned()
        }
    };
    oci::dir(&layout, &index)
        .without(&hex(&index))
        .renamed(name)
}

#[test]
fn manifest_json_is_another_document() {
    let mut inputs = Vec::new();
    for document in ["null", "[]", "{}", "[{}]", "[null]", "0", "\"\"", ""] {
        for (kind, files) in [
            ("docker save", docker::save_one("app:1.0", &two())),
            ("dir", dir()),
            ("dir of an index", dir_of_index()),
            ("schema 1", schema1::unsigned("app", "1.0", &two())),
        ] {
            let name = format!("{kind}: {document:?}");
            inputs.push((name, files.with("manifest.json", document)));
        }
    }
    agree(inputs);
}

#[test]
fn fields_of_an_index_in_a_folder() {
    let edits: [(&str, Edit); 5] = [
        ("manifests is an object", |index| {
            index["manifests"] = json!({});
        }),
        ("manifests is a string", |index| {
            index["manifests"] = json!("x");
        }),
        ("mediaType is a list", |index| {
            index["mediaType"] = json!([]);
        }),
        ("a platform of nothing", |index| {
            index["manifests"][0]["platform"] = json!({});
        }),
        ("a platform without architecture", |index| {
            index["manifests"][0]["platform"] = json!({ "os": "linux" });
        }),
    ];
    let edits = edits.into_iter();
    agree(
        edits
            .map(|(name, edit)| {
                (
                    name.to_owned(),
                    dir_of_index().edited("manifest.json", edit),
                )
            })
            .collect(),
    );
}

/// manifest.json has the image, but not the manifest to which index.json leads.
#[test]
fn a_saved_manifest_is_missing() {
    let images = [
        docker::image_of_blobs(&["app:1.0"], &two()),
        docker::image_of_blobs(&["other:1.0"], &two()[..1]),
    ];
    let files = docker::save_hybrid(&images, &[true, true]);
    let index: Value = serde_json::from_slice(files.get("index.json")).unwrap();
    let descriptors = index["manifests"].as_array().unwrap().iter();
    let without = |descriptor: &Value| {
        let path = oci::blob_path(oci::digest(descriptor));
        (format!("without {path}"), files.clone().without(&path))
    };
    agree(descriptors.map(without).collect());
}

#[test]
fn names_in_index_json_that_are_too_long() {
    let images = [docker::image_of_blobs(&["app:1.0"], &two())];
    let files = docker::save_hybrid(&images, &[true]);
    let long = |key: &'static str| {
        let files = files.clone().edited("index.json", |index| {
            index["manifests"][0]["annotations"][key] = json!("x".repeat(5000));
        });
        (key.to_owned(), files)
    };
    agree(vec![long(oci::CONTAINERD_NAME), long(oci::REF_NAME)]);
}

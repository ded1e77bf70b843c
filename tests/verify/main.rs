//! `ocify verify`: what it finds in inputs that are damaged in one way or in many, and that it finds nothing in others.

mod archives;
mod command_line;
mod disguises;
mod documents;
mod folders;
mod indexes;
mod layers;
mod sound;
mod tar_headers;

// Made for the tests of the other commands too, which use what is not used here.
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use ocify::{Interrupt, Silent, Verification, VerifyOptions};
use serde_json::Value;

use support::files::Files;
use support::layers::Layer;
use support::oci::{self, Layout};
use support::sandbox::Sandbox;
use support::{codec, docker};

/// Verifies the input at `path`.
fn verify(path: &Path) -> Verification {
    let options = VerifyOptions { threads: Some(2) };
    ocify::verify(path, &options, &Silent, &Interrupt::new()).unwrap()
}

/// Severity and code of each problem, sorted.
fn found(verification: &Verification) -> Vec<String> {
    let problems = verification.problems.iter();
    let mut found: Vec<String> = problems
        .map(|problem| format!("{} {}", problem.severity, problem.code))
        .collect();
    found.sort();
    found
}

/// A kind of damage: its name, the input that has it, and the problems that there are.
type Case = (&'static str, Files, &'static [&'static str]);

/// Each case, as an archive, has exactly these problems.
#[track_caller]
fn archives_have(cases: Vec<Case>) {
    for (name, files, expected) in cases {
        let sandbox = Sandbox::with_archive(&files);
        has(name, &sandbox.path("app.tar"), expected);
    }
}

/// Each case, as a folder, has exactly these problems.
#[track_caller]
fn folders_have(cases: Vec<Case>) {
    for (name, files, expected) in cases {
        let sandbox = Sandbox::with_folder(&files);
        has(name, &sandbox.path("app"), expected);
    }
}

#[track_caller]
fn has(name: &str, path: &Path, expected: &[&str]) {
    let verification = verify(path);
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(
        found(&verification),
        expected,
        "{name}: {:#?}",
        verification.problems
    );
}

/// The two layers of an image.
fn two() -> [Layer; 2] {
    [Layer::new("base"), Layer::new("top")]
}

/// An image in the making: its documents can be changed, and what names them follows.
struct Parts {
    config: Value,
    config_type: &'static str,
    layers: Vec<(&'static str, Vec<u8>)>,
    manifest: Box<dyn Fn(&mut Value)>,
    /// The descriptor in index.json.
    entry: Box<dyn Fn(&mut Value)>,
}

impl Parts {
    fn new() -> Parts {
        let layers = two();
        let blobs = layers
            .iter()
            .map(|layer| (oci::LAYER_GZIP, codec::gzip(&layer.tar)));
        Parts {
            config: serde_json::from_slice(&docker::config(&layers)).unwrap(),
            config_type: oci::CONFIG,
            layers: blobs.collect(),
            manifest: Box::new(|_| {}),
            entry: Box::new(|_| {}),
        }
    }

    /// With one layer of these bytes, uncompressed.
    fn plain(tar: &[u8]) -> Parts {
        let layer = Layer { tar: tar.to_vec() };
        let config = docker::config(std::slice::from_ref(&layer));
        Parts {
            config: serde_json::from_slice(&config).unwrap(),
            layers: vec![(oci::LAYER, layer.tar)],
            ..Parts::new()
        }
    }

    fn config(mut self, edit: impl FnOnce(&mut Value)) -> Parts {
        edit(&mut self.config);
        self
    }

    fn manifest(mut self, edit: impl Fn(&mut Value) + 'static) -> Parts {
        self.manifest = Box::new(edit);
        self
    }

    fn entry(mut self, edit: impl Fn(&mut Value) + 'static) -> Parts {
        self.entry = Box::new(edit);
        self
    }

    /// Adds the image to a layout; gives its descriptor.
    fn add(&self, layout: &mut Layout) -> Value {
        let config = layout.blob(self.config_type, self.config.to_string().as_bytes());
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|(media_type, blob)| layout.blob(media_type, blob))
            .collect();
        let mut manifest = oci::manifest(&config, &layers);
        (self.manifest)(&mut manifest);
        let mut entry = layout.blob(oci::MANIFEST, manifest.to_string().as_bytes());
        (self.entry)(&mut entry);
        entry
    }

    /// A layout of this image.
    fn files(&self) -> Files {
        let mut layout = Layout::default();
        let entry = self.add(&mut layout);
        layout.listing(entry).files()
    }
}

/// Where the blob is that a descriptor points to.
fn path(descriptor: &Value) -> String {
    oci::blob_path(oci::digest(descriptor))
}

/// The file of the image's manifest, in a layout of one image.
fn manifest_path(files: &Files) -> String {
    let index: Value = serde_json::from_slice(files.get("index.json")).unwrap();
    path(&index["manifests"][0])
}

/// The file of the config, in a layout of one image.
fn config_path(files: &Files) -> String {
    let manifest: Value = serde_json::from_slice(files.get(&manifest_path(files))).unwrap();
    path(&manifest["config"])
}

/// The file of a layer, in a layout of one image.
fn layer_path(files: &Files, position: usize) -> String {
    let manifest: Value = serde_json::from_slice(files.get(&manifest_path(files))).unwrap();
    path(&manifest["layers"][position])
}

/// The file with its bytes changed.
fn spoiled(files: Files, name: &str, spoil: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut bytes = files.get(name).to_vec();
    spoil(&mut bytes);
    files.with(name, bytes)
}

//! Layouts that some readers interpret differently. They are refused, or converted as engines read them.

use serde_json::{Value, json};

use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, blob_path, digest};
use crate::support::sandbox::Sandbox;
use crate::support::{docker, sha256};

/// Converting the folder `app` fails with these lines.
#[track_caller]
fn refuses(files: &Files, stderr: &str) {
    let sandbox = Sandbox::with_folder(files);
    sandbox.convert(&["app", "-o", "out"]).fails(stderr);
}

/// The layers of an image are checked, whatever the annotations of its descriptor.
#[test]
fn an_image_that_calls_itself_an_attestation() {
    let (said, layer) = (Layer::new("said"), Layer::new("other"));
    let mut layout = Layout::default();
    let image = layout.manifest(
        oci::CONFIG,
        &docker::config(std::slice::from_ref(&said)),
        &[(oci::LAYER, layer.tar.clone())],
    );
    let disguised = oci::annotated(
        &image,
        &[
            (oci::REF_NAME, "app"),
            (oci::REFERENCE_DIGEST, digest(&image)),
        ],
    );
    refuses(
        &layout.listing(disguised).files(),
        &format!(
            "ocify: app: app: layer 1 of 1: diff_id is {}, expected {}\n\
             hint: copy or save the input again: it is damaged\n",
            sha256(&layer.tar),
            sha256(&said.tar),
        ),
    );
}

/// If two descriptors disagree, using one for both would lose an image and its name.
#[test]
fn a_manifest_that_is_listed_as_something_else() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("base")]);
    let mut text = oci::named(&image, "notes");
    text["mediaType"] = json!("text/plain");
    let image = oci::named(&image, "app");
    let manifest = oci::MANIFEST;
    let both = |first: &Value, second: &Value| {
        layout
            .clone()
            .listing(first.clone())
            .listing(second.clone())
            .files()
    };
    refuses(
        &both(&text, &image),
        &format!(
            "ocify: app: notes: {}: mediaType is {manifest}, expected text/plain\n",
            blob_path(digest(&image)),
        ),
    );
    refuses(
        &both(&image, &text),
        &format!(
            "ocify: app: app: {}: mediaType is {manifest} in one descriptor, text/plain in another\n",
            blob_path(digest(&image)),
        ),
    );
}

/// Engines use the last of two keys that differ only in case, and would run other layers than those that are converted.
#[test]
fn keys_in_another_case() {
    let edited = |edit: fn(&mut Value)| {
        let mut layout = Layout::default();
        let image = layout.image("amd64", &[Layer::new("base")]);
        let bytes = layout.files().get(&blob_path(digest(&image))).to_vec();
        let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
        edit(&mut manifest);
        let image = layout.document(&manifest);
        let files = layout.listing(oci::named(&image, "app")).files();
        (files, blob_path(digest(&image)))
    };
    for (edit, what, known, found) in [
        (
            (|manifest| manifest["Layers"] = json!([])) as fn(&mut Value),
            "the document",
            "layers",
            "Layers",
        ),
        (
            |manifest| manifest["layers"][0]["DIGEST"] = json!("sha256:0"),
            "layers[0]",
            "digest",
            "DIGEST",
        ),
    ] {
        let (files, manifest) = edited(edit);
        refuses(
            &files,
            &format!(
                "ocify: app: app: {manifest}: {what} has the keys \"{known}\" and \"{found}\", so readers disagree \
                 about it\n"
            ),
        );
    }
    // Keys with the same value, and unknown keys, are copied.
    let (files, manifest) = edited(|manifest| {
        manifest["SchemaVersion"] = json!(2);
        manifest["layer"] = json!([]);
    });
    Sandbox::with_folder(&files)
        .convert(&["app", "-o", "out"])
        .warns(&format!(
            "ocify: warning: app: app: {manifest}: the key \"SchemaVersion\" of the document differs from \
             \"schemaVersion\" only in case (json-key-case)\n"
        ));
}

#[test]
fn a_manifest_that_is_schema_1_too() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("base")]);
    let bytes = layout.files().get(&blob_path(digest(&image))).to_vec();
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
    manifest["fsLayers"] = json!([]);
    let image = layout.document(&manifest);
    let files = layout.listing(oci::named(&image, "app")).files();
    refuses(
        &files,
        &format!(
            "ocify: app: app: {}: the document is an image manifest of two formats, so readers disagree about it\n",
            blob_path(digest(&image)),
        ),
    );
}

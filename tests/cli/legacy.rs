//! `docker save` archives before Docker 1.10.

use serde_json::{Value, json};

use crate::support::codec;
use crate::support::docker::v1_id;
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::layout::containerd_name;
use crate::support::legacy::{add_chain, config, save};
use crate::support::sandbox::Sandbox;

fn layers() -> [Layer; 3] {
    [Layer::new("base"), Layer::new("middle"), Layer::new("top")]
}

#[track_caller]
fn refuses(files: &Files, stderr: &str) {
    let sandbox = Sandbox::with_archive(files);
    let before = sandbox.snapshot();
    sandbox.convert(&["app.tar", "-o", "out"]).fails(stderr);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn an_image_by_its_chain_of_parents() {
    let sandbox = Sandbox::with_archive(&save("team/app", "1.0", &layers()));
    let layout = sandbox.converted(&["app.tar"]);
    let image = layout.named("team/app:1.0");
    assert_eq!(containerd_name(&image), Some("docker.io/team/app:1.0"));
    assert_eq!(layout.layers(&image), layers().map(|layer| layer.tar));

    // As by Docker's loader: sorted keys, no v1 fields, and Go's escapes for "<", ">" and "&".
    let entry = "{\"created\":\"2015-06-01T12:00:00.5Z\",\"author\":\"someone\",\"created_by\":\"/bin/sh -c echo a \\u003e b\"}";
    let expected = config(entry, &layers());
    assert_eq!(String::from_utf8_lossy(layout.config(&image)), expected);
}

#[test]
fn inner_layers_in_any_codec() {
    let expected = Sandbox::with_archive(&save("app", "1.0", &layers())).converted(&[
        "app.tar",
        "--compression",
        "none",
    ]);
    for (codec, encode) in codec::ALL {
        let mut files = save("app", "1.0", &layers());
        for layer in layers() {
            files.put(&format!("{}/layer.tar", v1_id(&layer)), encode(&layer.tar));
        }
        let sandbox = Sandbox::with_archive(&files);
        let layout = sandbox.converted(&["app.tar", "--compression", "none"]);
        assert_eq!(layout, expected, "{codec}");
    }
}

#[test]
fn tags_of_one_and_of_many_images() {
    let [base, middle, top] = layers();
    let other = Layer::new("other");
    let mut files = Files::default();
    add_chain(
        &mut files,
        &[base.clone(), middle.clone(), top.clone()],
        "1.9.1",
    );
    add_chain(&mut files, &[base.clone(), other.clone()], "1.9.1");
    let tags = json!({
        "app": { "1.0": v1_id(&top), "latest": v1_id(&top) },
        "base": { "x": v1_id(&base) },
    });
    files.put("repositories", tags.to_string());
    let sandbox = Sandbox::with_archive(&files);
    let layout = sandbox.converted(&["app.tar"]);
    assert_eq!(
        layout.named("app:1.0")["digest"],
        layout.named("app:latest")["digest"]
    );
    let [only] = &layout.layers(&layout.named("base:x"))[..] else {
        panic!("base:x has not one layer");
    };
    assert_eq!(*only, base.tar);
    // An image without a tag has no name.
    let nameless: Vec<Value> = layout
        .descriptors()
        .into_iter()
        .filter(|image| image.get("annotations").is_none())
        .collect();
    assert_eq!(nameless.len(), 1);
    assert_eq!(layout.layers(&nameless[0]), [base.tar, other.tar]);
}

#[test]
fn without_repositories_every_top_layer_is_an_image() {
    let files = save("app", "1.0", &layers()).without("repositories");
    let layout = Sandbox::with_archive(&files).converted(&["app.tar"]);
    assert_eq!(layout.only().get("annotations"), None);
    assert_eq!(
        layout.layers(&layout.only()),
        layers().map(|layer| layer.tar)
    );
}

#[test]
fn bad_archives() {
    let files = save("app", "1.0", &layers());
    let [base, middle, top] = layers().each_ref().map(v1_id);
    let app = "ocify: app.tar: app:1.0: ";
    let absent = "0".repeat(64);
    refuses(
        &files
            .clone()
            .edited("repositories", |tags| tags["app"]["1.0"] = json!(absent)),
        &format!("{app}{absent}/json: missing from the input: listed in repositories\n"),
    );
    refuses(
        &files
            .clone()
            .edited("repositories", |tags| tags["app"] = json!([])),
        "ocify: app.tar: repositories: app is not an object of tags and layer IDs\n",
    );
    refuses(
        &files.clone().with("repositories", "[]"),
        "ocify: app.tar: repositories: not an object of repositories\n",
    );
    refuses(
        &files.clone().edited(&format!("{middle}/json"), |json| {
            json["parent"] = json!(absent);
        }),
        &format!("{app}{absent}/json: missing from the input: the parent of {middle}\n"),
    );
    refuses(
        &files
            .clone()
            .edited(&format!("{base}/json"), |json| json["parent"] = json!(top)),
        &format!("{app}{top}/json: the chain of parents leads back to this layer\n"),
    );
    refuses(
        &files
            .clone()
            .without("repositories")
            .edited(&format!("{base}/json"), |json| json["parent"] = json!(top)),
        &format!(
            "ocify: app.tar: {}/json: the chain of parents leads back to this layer\n",
            [&base, &middle, &top].into_iter().min().unwrap()
        ),
    );
    refuses(
        &files.clone().without(&format!("{middle}/layer.tar")),
        &format!("{app}layer 2 of 3: {middle}/layer.tar: missing from the input\n"),
    );
    refuses(
        &files.clone().without(&format!("{middle}/json")),
        &format!("{app}{middle}/json: missing from the input: the parent of {top}\n"),
    );
    refuses(
        &files.clone().with(&format!("{middle}/json"), "{"),
        &format!(
            "ocify: app.tar: {middle}/json: not valid JSON: EOF while parsing an object at line 1 column 1\n"
        ),
    );
    refuses(
        &files.with(&format!("{middle}/layer.tar"), "no tar"),
        &format!(
            "{app}layer 2 of 3: unknown codec: the layer begins with 6e 6f 20 74 61 72, expected tar, gzip, zstd, bzip2 or xz\n"
        ),
    );
}

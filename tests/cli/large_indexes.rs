//! Reading and writing have the same limits.

use crate::support::docker::{Image, save};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci;
use crate::support::sandbox::Sandbox;

/// A layout of one image with this many names of this length.
fn layout(prefix: &str, count: usize, length: usize) -> Files {
    let mut layout = oci::Layout::default();
    let image = layout.image("amd64", &[Layer::new("base")]);
    let width = length - prefix.len() - 1;
    for number in 0..count {
        layout.add(oci::named(&image, &format!("{prefix}:{number:0>width$}")));
    }
    layout.files()
}

/// An image with this many names of this length.
fn image(prefix: &str, count: usize, length: usize) -> Image {
    let names: Vec<String> = (0..count)
        .map(|number| {
            format!(
                "{prefix}:{number:0>width$}",
                width = length - prefix.len() - 1
            )
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Image::new(&names, &[Layer::new("base")])
}

#[test]
fn too_many_names_in_all() {
    let sandbox = Sandbox::new();
    layout("a", 66_000, 20).write(&sandbox.path("a"));
    layout("b", 66_000, 20).write(&sandbox.path("b"));
    let message = "the number of names is 132000, more than the limit of 131072";
    sandbox.convert(&["a", "-o", "out", "-q"]).succeeds();
    let before = sandbox.snapshot();
    sandbox
        .convert(&["b", "-o", "out", "-q"])
        .fails(&format!("ocify: out: {message}\n"));
    assert!(sandbox.snapshot() == before);
}

/// A manifest.json may have fewer names than an index.json, and a compressed tar may be too small for what it decodes to.
#[test]
fn names_of_a_tar() {
    let sandbox = Sandbox::new();
    layout("a", 12_000, 20).write(&sandbox.path("a"));
    let before = sandbox.snapshot();
    for output in ["out.tar.gz", "out.tar.zst"] {
        let run = sandbox.convert(&["a", "-o", output, "-q", "--no-docker-manifest"]);
        run.fails(&format!(
            "ocify: {output}: index.json: the number of manifests is 12000, more than the limit of 10000\n"
        ));
    }
    sandbox.convert(&["a", "-o", "out.tar", "-q"]).fails(
        "ocify: out.tar: the number of names in the new manifest.json is 12000, more than the limit of 10000\n\
         hint: use `--no-docker-manifest`, or write a folder\n",
    );
    assert!(sandbox.snapshot() == before);
    let args = ["a", "-o", "out.tar", "-q", "--no-docker-manifest"];
    sandbox.convert(&args).succeeds();
    sandbox.run(&["inspect", "-l", "out.tar"]).succeeds();
}

#[test]
fn a_name_that_is_too_long() {
    let name = format!("{}:1", "n".repeat(4095));
    let image = Image::new(&[&name], &[Layer::new("base")]);
    let sandbox = Sandbox::with_archive(&save(&[image]));
    let before = sandbox.snapshot();
    let run = sandbox.convert(&["app.tar", "-o", "out", "-q"]);
    run.fails(
        "ocify: app.tar: manifest.json: the length of an image's name in bytes is 4097, more than the limit of 4096\n",
    );
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn an_index_that_is_too_large() {
    let sandbox = Sandbox::new();
    for name in ["a", "b"] {
        layout(name, 9_000, 4_000).write(&sandbox.path(name));
    }
    let before = sandbox.snapshot();
    let run = sandbox.convert(&["a", "b", "-o", "out", "-q"]);
    let start = "ocify: out: the size of the new index.json in bytes is ";
    assert!(run.stderr.starts_with(start), "{}", run.stderr);
    assert!(
        run.stderr.ends_with("more than the limit of 67108864\n"),
        "{}",
        run.stderr
    );
    assert_eq!(run.status.code(), Some(1));
    assert!(sandbox.snapshot() == before);
}

/// Engines and registries read manifest.json with the limit of other documents.
#[test]
fn a_manifest_json_that_is_too_large() {
    let host = "h".repeat(3000);
    let image = |app| image(&format!("{host}.test/{app}"), 1800, 3020);
    let sandbox = Sandbox::with_archive(&save(&[image("a")]));
    sandbox.write("b.tar", &save(&[image("b")]).tar());
    let before = sandbox.snapshot();
    let run = sandbox.convert(&["app.tar", "b.tar", "-o", "out.tar", "-q"]);
    let start = "ocify: out.tar: the size of the new manifest.json in bytes is ";
    assert!(run.stderr.starts_with(start), "{}", run.stderr);
    assert_eq!(run.status.code(), Some(1));
    assert!(sandbox.snapshot() == before);
}

/// 40 MB of short values would take a gigabyte as values.
#[test]
fn documents_of_short_values_take_little_memory() {
    let sandbox = Sandbox::with_archive(&save(&[image("app", 1, 8)]));
    sandbox.convert(&["app.tar", "-o", "out", "-q"]).succeeds();
    let values = "[],".repeat(13_000_000);
    let index = format!(r#"{{"schemaVersion":2,"manifests":[],"x":[{values}0]}}"#);
    sandbox.write("out/index.json", index.as_bytes());
    sandbox.write("have.json", format!("[{values}0]").as_bytes());
    let before = sandbox.snapshot_without_content();
    for args in [
        &["prune", "out"][..],
        &["convert", "app.tar", "-o", "out", "-q"],
        &[
            "convert",
            "app.tar",
            "-o",
            "new",
            "--have",
            "have.json",
            "-q",
        ],
    ] {
        let run = sandbox.run_within(800, args);
        assert_eq!(run.status.code(), Some(1), "{args:?}: {}", run.stderr);
        let message = "the values take more memory than the limit of 536870912 bytes";
        assert!(run.stderr.contains(message), "{args:?}: {}", run.stderr);
    }
    assert_eq!(sandbox.snapshot_without_content(), before);
}

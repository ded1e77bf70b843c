//! Converting an output again changes nothing.

use std::fs;

use serde_json::json;

use crate::support::docker::{Image, config, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci;
use crate::support::sandbox::Sandbox;
use crate::support::tar::Dialect;

/// Converts to `first`, and from there to `second`. Both must have the same files.
fn twice(files: &Files, first: &str, second: &str) {
    let sandbox = Sandbox::with_archive(files);
    sandbox.convert(&["app.tar", "-o", first, "-q"]).succeeds();
    sandbox.convert(&[first, "-o", second, "-q"]).succeeds();
    assert_eq!(sandbox.layout(first), sandbox.layout(second));
}

#[test]
fn an_output_is_converted_to_itself() {
    let layers = [Layer::new("base"), Layer::new("top")];
    for files in [
        oci::one("app:1.0", &layers).files(),
        save_one("app:1.0", &layers),
    ] {
        twice(&files, "one", "two");
        // The docker-save manifest.json in a tar has the same names as index.json.
        twice(&files, "one.tar", "two.tar");
    }
}

#[test]
fn a_tar_in_which_docker_finds_nothing_is_still_a_layout() {
    // manifest.json cannot list an image with a missing layer.
    let foreign = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "digest": Layer::new("foreign").diff_id(),
        "size": 7,
        "urls": ["https://example.test/layer.tar"],
    });
    let mut layout = oci::Layout::default();
    let config = config(&[Layer::new("foreign")]);
    let config = layout.blob(oci::CONFIG, &config);
    let image = layout.document(&oci::manifest(&config, &[foreign]));
    layout.add(oci::named(&image, "app:1.0"));
    twice(&layout.files(), "one.tar", "two.tar");
}

/// An archive of one image, whose content is its name and this text.
fn archive(name: &str, text: &str) -> Vec<u8> {
    let layers = [Layer::new("base"), Layer::new(text)];
    save(&[Image::new(&[name], &layers)]).tar()
}

fn names(sandbox: &Sandbox, output: &str) -> Vec<String> {
    let names = sandbox.layout(output).names().into_iter();
    names.filter_map(|(name, _)| name).collect()
}

#[test]
fn a_tar_is_overwritten_and_a_folder_is_added_to() {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", &archive("a:1", "a"));
    sandbox.write("b.tar", &archive("b:1", "b"));
    for (option, tar, folder) in [
        ("-q", &["b:1"][..], &["a:1", "b:1"][..]),
        ("--add", &["a:1", "b:1"], &["a:1", "b:1"]),
        ("--replace", &["b:1"], &["b:1"]),
    ] {
        for (output, expected) in [("out.tar", tar), ("out", folder)] {
            sandbox
                .convert(&["a.tar", "-o", output, "--replace"])
                .succeeds();
            sandbox.convert(&["b.tar", "-o", output, option]).succeeds();
            assert_eq!(names(&sandbox, output), expected, "{output} {option}");
        }
    }
    let both = ["convert", "a.tar", "-o", "out", "--add", "--replace"];
    sandbox.run(&both).is_wrong_usage("cannot be used with");
    let stdout = ["convert", "a.tar", "-o", "-", "--add"];
    sandbox
        .run(&stdout)
        .is_wrong_usage("`--add` needs an output");
}

/// Overwriting works for any tar, but not for other files.
#[test]
fn what_is_overwritten_was_a_tar() {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", &archive("a:1", "a"));
    let tar = sandbox.read("a.tar");
    for (what, bytes) in [
        ("another tar", &tar[..]),
        ("half a tar", &tar[..700]),
        ("an empty file", b""),
        ("a tar without members", &[0; 1024]),
    ] {
        sandbox.write("out.tar", bytes);
        sandbox.convert(&["a.tar", "-o", "out.tar"]).succeeds();
        assert_eq!(names(&sandbox, "out.tar"), ["a:1"], "{what}");
    }
    for bytes in [&b"years of work"[..], &[b'x'; 2000]] {
        sandbox.write("out.tar", bytes);
        sandbox.convert(&["a.tar", "-o", "out.tar"]).fails(
            "ocify: out.tar: the file exists and is not a tar archive\n\
             hint: choose another name for the output\n",
        );
        assert_eq!(sandbox.read("out.tar"), bytes);
    }
    // Only a whole layout can be added to.
    let layout = oci::one("b:1", &[Layer::new("b")]).files();
    let without = |name: &str| layout.clone().without(name).tar();
    for tar in [tar, without("oci-layout"), without("index.json")] {
        sandbox.write("out.tar", &tar);
        sandbox.convert(&["a.tar", "-o", "out.tar", "--add"]).fails(
            "ocify: out.tar: out.tar exists and is not an OCI layout\n\
             hint: choose another name for the output\n",
        );
        assert!(sandbox.read("out.tar") == tar);
    }
}

/// A layout that exceeds a limit is still a layout.
#[test]
fn a_tar_that_exceeds_a_limit() {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", &archive("a:1", "a"));
    let name = "x".repeat((64 << 10) + 1);
    let layout = oci::one("b:1", &[Layer::new("b")]).files();
    let tar = layout.with(&name, "").in_dialect(Dialect::Pax).tar();
    sandbox.write("out.tar", &tar);
    sandbox.convert(&["a.tar", "-o", "out.tar", "--add"]).fails(
        "ocify: out.tar: the length of a member's name or link in bytes is 65537, more than the limit of 65536\n",
    );
    assert!(sandbox.read("out.tar") == tar);
}

/// `skopeo copy oci:lay` reads a layout of one image without being told its name.
#[test]
fn a_rebuilt_image_is_the_only_one() {
    let sandbox = Sandbox::new();
    for (text, output) in [("one", "out"), ("two", "out"), ("two", "new")] {
        sandbox.write("svc.tar", &archive("svc:latest", text));
        sandbox.convert(&["svc.tar", "-o", output]).succeeds();
    }
    assert_eq!(
        sandbox.read("out/index.json"),
        sandbox.read("new/index.json")
    );
    sandbox
        .convert(&["svc.tar", "-o", "out", "--prune"])
        .succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("new"));
}

#[test]
fn a_folder_that_is_replaced_is_a_layout() {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", &archive("a:1", "a"));
    fs::create_dir(sandbox.path("thesis")).unwrap();
    sandbox.write("thesis/thesis.txt", b"years of work");
    sandbox
        .convert(&["a.tar", "-o", "thesis", "--replace"])
        .fails(
            "ocify: thesis: thesis exists and is not an OCI layout\n\
         hint: choose another name for the output\n",
        );
    assert_eq!(sandbox.read("thesis/thesis.txt"), b"years of work");
    // A missing and an empty folder work too.
    fs::create_dir(sandbox.path("empty")).unwrap();
    for output in ["empty", "new"] {
        sandbox
            .convert(&["a.tar", "-o", output, "--replace"])
            .succeeds();
        assert_eq!(names(&sandbox, output), ["a:1"]);
    }
}

/// Some runs replace the layout while others add to it. All succeed, and images that were added after the last replacement are
/// there. Nothing else is left.
#[test]
fn replacing_and_adding_at_the_same_time() {
    let sandbox = Sandbox::new();
    for number in 0..4 {
        let name = format!("app:{number}");
        sandbox.write(&format!("{number}.tar"), &archive(&name, &name));
    }
    for _ in 0..3 {
        let running: Vec<_> = (0..12)
            .map(|run| {
                let input = format!("{}.tar", run % 4);
                let option = if run % 3 == 0 { "--replace" } else { "--add" };
                let args = [
                    "convert",
                    "--no-fsync",
                    &input,
                    "-o",
                    "out",
                    option,
                    "--threads",
                    "1",
                ];
                sandbox.command(&args).spawn().unwrap()
            })
            .collect();
        for child in running {
            crate::support::sandbox::Run::new(child).succeeds();
        }
        assert!(!names(&sandbox, "out").is_empty());
        sandbox.convert(&["0.tar", "-o", "out"]).succeeds();
        let left: Vec<String> = sandbox.snapshot().into_keys().collect();
        assert!(
            !left.iter().any(|name| name.contains(".ocify-")),
            "{left:?}"
        );
    }
}

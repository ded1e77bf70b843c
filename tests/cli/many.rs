//! Many inputs: from folders and lists, divided into shards, and with failures.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::docker::{self, Image, layer_name, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci;
use crate::support::sandbox::{Run, Sandbox};

fn base() -> Layer {
    Layer::new("base")
}

fn app(name: &str) -> Files {
    save_one(&format!("{name}:1"), &[base(), Layer::new(name)])
}

/// An archive with a damaged copy of the shared base layer.
fn damaged(name: &str) -> Files {
    let other = Layer::new("other");
    app(name).with(&layer_name(&base()), other.tar)
}

/// Folders with archives, layouts and other files.
fn folders() -> Sandbox {
    let sandbox = Sandbox::new();
    for folder in ["images/b/deep", "images/c"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
    }
    sandbox.write("images/z.tar", &app("z").tar());
    sandbox.write("images/b/deep/d.image", &app("d").tar());
    oci::one("layout:1", &[base()])
        .files()
        .write(&sandbox.path("images/c/layout"));
    sandbox.write("images/README.md", b"# Images\n");
    sandbox.write("images/c/empty", b"");
    symlink("..", sandbox.path("images/b/around")).unwrap();
    symlink("nowhere", sandbox.path("images/b/dangling")).unwrap();
    sandbox
}

/// The names that a conversion printed.
fn names(run: &Run) -> Vec<String> {
    let lines = run.stdout().lines();
    lines
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect()
}

fn parsed(run: &Run) -> Value {
    serde_json::from_slice(&run.stdout).unwrap()
}

#[test]
fn all_inputs_below_a_folder_are_converted_in_order() {
    let sandbox = folders();
    let run = sandbox.convert(&["-r", "images", "-o", "out"]);
    run.succeeds();
    assert_eq!(names(&run), ["d:1", "layout:1", "z:1"]);
    assert_eq!(sandbox.layout("out").names().len(), 3);
}

#[test]
fn an_image_is_not_searched_and_the_output_is_not_an_input() {
    let sandbox = folders();
    let layout = "images/c/layout";
    let run = sandbox.convert(&["-r", layout, "-o", "out"]);
    run.succeeds();
    assert_eq!(names(&run), ["layout:1"]);
    for _ in 0..2 {
        let run = sandbox.convert(&["-r", "images", "-o", "images/out"]);
        run.succeeds();
        assert_eq!(names(&run).len(), 3);
    }
}

#[test]
fn what_looks_like_an_archive_is_reported() {
    let sandbox = folders();
    sandbox.write("images/a.tgz", b"not an archive");
    let run = sandbox.convert(&["-r", "images", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr.starts_with("ocify: images/a.tgz: "),
        "{}",
        run.stderr
    );
    let run = sandbox.convert(&["-rk", "images", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(names(&run).len(), 3);
    assert!(
        run.stderr.ends_with("ocify: 1 of 4 inputs failed\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_folder_without_inputs_is_an_error() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("images")).unwrap();
    sandbox.write("list", b"\n");
    for args in [&["-r", "images"], &["-T", "list"]] {
        let run = sandbox.convert(&[args, &["-o", "out"][..]].concat());
        run.fails(
            "ocify: there are no inputs\n\
             hint: name archives or layouts, or folders that contain them\n",
        );
    }
}

#[test]
fn inputs_are_listed_in_a_file_or_on_standard_input() {
    let sandbox = folders();
    let lines = b"images/z.tar\r\n\nimages/b/deep/d.image";
    let null = b"images/z.tar\0images/b/deep/d.image\0";
    sandbox.write("lines", lines);
    sandbox.write("null", null);
    let expected = ["layout:1", "z:1", "d:1"];
    for (args, stdin) in [
        (&["-T", "lines"][..], &b""[..]),
        (&["-T", "-"], lines),
        (&["-0", "-T", "null"], b""),
        (&["--null", "--files-from", "-"], null),
    ] {
        let always = ["convert", "--no-fsync", "images/c/layout", "-o", "out"];
        let run = sandbox.run_with_stdin(&[&always, args].concat(), stdin);
        run.succeeds();
        assert_eq!(names(&run), expected, "{args:?}");
    }
}

#[test]
fn standard_input_is_read_once() {
    let sandbox = Sandbox::new();
    for inputs in [&["-", "-"][..], &["-", "-T", "-"]] {
        let run = sandbox.convert(&[inputs, &["-o", "out"]].concat());
        run.is_wrong_usage("standard input can be read only once");
    }
}

/// Entries of the cache are compressed files, and would look like inputs.
#[test]
fn a_cache_below_a_folder_is_not_an_input() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    let args = ["-r", ".", "-o", "out", "--cache", "cache", "-q"];
    for _ in ["cold", "warm"] {
        sandbox.convert(&args).succeeds();
    }
}

/// A task without inputs must not leave the report of an earlier run.
#[test]
fn an_empty_shard_has_documents_that_say_so() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    sandbox.write("report.json", b"of an earlier run");
    let args = [
        "app.tar",
        "-o",
        "out",
        "--shard",
        "2/2",
        "--json",
        "--report",
        "report.json",
        "--digest-map",
        "map.json",
        "--depfile",
        "out.d",
    ];
    let run = sandbox.convert(&args);
    let report: Value = serde_json::from_slice(&run.succeeds().stdout).unwrap();
    assert_eq!(report["images"], json!([]));
    assert_eq!(sandbox.read("report.json"), run.stdout);
    let map: Value = serde_json::from_slice(&sandbox.read("map.json")).unwrap();
    assert_eq!(map, json!({ "images": [] }));
    assert_eq!(sandbox.read("out.d"), b"out out/index.json:\n");
    assert!(!sandbox.path("out").exists());
    let run = sandbox.convert(&[
        "app.tar",
        "-o",
        "out",
        "--shard",
        "2/2",
        "--dry-run",
        "--json",
    ]);
    let document: Value = serde_json::from_slice(&run.succeeds().stdout).unwrap();
    assert_eq!(document["images"], json!([]));
}

#[test]
fn the_shards_are_all_inputs_each_once() {
    let sandbox = Sandbox::new();
    let all = ["a", "b", "c", "d", "e"];
    for name in all {
        sandbox.write(&format!("{name}.tar"), &app(name).tar());
    }
    sandbox.write("list", b"d.tar\ne.tar\n");
    let shard = |shard: &str| {
        let always = ["a.tar", "b.tar", "c.tar", "-T", "list", "-o", "out.tar"];
        let run = sandbox.convert(&[&always[..], &["--shard", shard]].concat());
        run.succeeds();
        names(&run)
    };
    assert_eq!(shard("1/2"), ["a:1", "c:1", "e:1"]);
    assert_eq!(shard("2/2"), ["b:1", "d:1"]);
    assert_eq!(shard("5/7"), ["e:1"]);
    assert!(shard("6/7").is_empty());
    for wrong in ["0/2", "3/2", "1", "1/", "+1/2", "1/0"] {
        let run = sandbox.convert(&["a.tar", "-o", "out", "--shard", wrong]);
        run.is_wrong_usage("expected I/N with I from 1 to N, such as 2/3");
    }
}

/// Whatever the problems of some inputs, the output is that of only the others.
#[test]
fn the_other_inputs_are_converted_as_if_the_bad_ones_had_not_been_named() {
    let sandbox = Sandbox::new();
    sandbox.write("good.tar", &app("good").tar());
    sandbox.write("fine.tar", &app("fine").tar());
    sandbox.write("damaged.tar", &damaged("damaged").tar());
    sandbox.write("text.tar", b"text");
    sandbox.write(
        "config.tar",
        &app("config").with("manifest.json", "[7]").tar(),
    );
    let whole = app("cut").tar();
    sandbox.write("cut.tar", &whole[..whole.len() / 2]);
    let bad = [
        "damaged.tar",
        "text.tar",
        "missing.tar",
        "cut.tar",
        "config.tar",
    ];
    for output in ["out", "out.tar"] {
        for compression in ["keep", "none", "zstd"] {
            let options = ["-o", output, "--compression", compression];
            let good = [&["good.tar", "fine.tar", "-q"], &options[..]].concat();
            sandbox.convert(&good).succeeds();
            let expected = sandbox.layout(output);
            remove(&sandbox, output);
            // The first copy of the shared layer is the damaged one.
            let all = [&bad[..], &["good.tar", "fine.tar", "-k"], &options].concat();
            let run = sandbox.convert(&all);
            assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
            assert_eq!(names(&run), ["good:1", "fine:1"]);
            assert_eq!(sandbox.layout(output), expected);
            for input in bad {
                let reported = format!("ocify: {input}: ");
                let count = run.stderr.matches(&reported).count();
                assert_eq!(count, 1, "{input}: {}", run.stderr);
            }
            assert!(
                run.stderr.ends_with("ocify: 5 of 7 inputs failed\n"),
                "{}",
                run.stderr
            );
            remove(&sandbox, output);
        }
    }
}

fn remove(sandbox: &Sandbox, output: &str) {
    let path = sandbox.path(output);
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_cache_hides_no_damage() {
    let sandbox = Sandbox::new();
    sandbox.write("good.tar", &app("good").tar());
    sandbox.write("damaged.tar", &damaged("damaged").tar());
    let cache = ["--cache", "cache"];
    sandbox
        .convert(&[&["good.tar", "-o", "first"], &cache[..]].concat())
        .succeeds();
    let inputs = ["-k", "damaged.tar", "good.tar", "-o", "second"];
    let run = sandbox.convert(&[&inputs, &cache[..]].concat());
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(names(&run), ["good:1"]);
    assert_eq!(sandbox.layout("first"), sandbox.layout("second"));
}

#[test]
fn failures_are_in_the_document() {
    let sandbox = Sandbox::new();
    sandbox.write("good.tar", &app("good").tar());
    sandbox.write("damaged.tar", &damaged("damaged").tar());
    let inputs = ["damaged.tar", "missing.tar", "good.tar"];
    let run = sandbox.convert(&[&inputs[..], &["-k", "--json", "-o", "out"]].concat());
    let document = parsed(&run);
    assert_eq!(document["images"].as_array().unwrap().len(), 1);
    let failed = document["failed"].as_array().unwrap();
    let summary: Vec<Value> = failed
        .iter()
        .map(|failure| json!([failure["input"], failure["code"]]))
        .collect();
    assert_eq!(
        summary,
        [
            json!(["missing.tar", "unreadable"]),
            json!(["damaged.tar", "layer-diff-id"])
        ]
    );
    for failure in failed {
        let line = format!("ocify: {}\n", failure["message"].as_str().unwrap());
        assert!(run.stderr.contains(&line), "{}", run.stderr);
    }
}

#[test]
fn nothing_is_written_where_all_inputs_fail() {
    let sandbox = Sandbox::new();
    sandbox.write("damaged.tar", &damaged("damaged").tar());
    let before = sandbox.snapshot();
    for output in ["out", "out.tar"] {
        let run = sandbox.convert(&["-k", "damaged.tar", "missing.tar", "-o", output]);
        assert_eq!(run.status.code(), Some(1));
        assert_eq!(run.stdout(), "");
        assert!(
            run.stderr.ends_with("ocify: 2 of 2 inputs failed\n"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(sandbox.snapshot(), before);
}

/// A missing image may have been in an input that failed.
#[test]
fn what_failed_before_is_listed_with_the_error() {
    let sandbox = Sandbox::new();
    sandbox.write("good.tar", &app("good").tar());
    sandbox.write("text.tar", b"text");
    let inputs = ["-k", "text.tar", "good.tar", "--image", "text:1"];
    let run = sandbox.convert(&[&inputs[..], &["-o", "out"]].concat());
    assert_eq!(run.status.code(), Some(1));
    let at = |part: &str| {
        run.stderr
            .find(part)
            .unwrap_or_else(|| panic!("{}", run.stderr))
    };
    assert!(at("ocify: text.tar: ") < at("ocify: no image text:1"));
}

#[test]
fn of_two_images_with_one_name_the_first_is_converted() {
    let sandbox = Sandbox::new();
    sandbox.write("one.tar", &save_one("app:1", &[base()]).tar());
    sandbox.write("two.tar", &save_one("app:1", &[Layer::new("two")]).tar());
    let run = sandbox.convert(&["-k", "one.tar", "two.tar", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(names(&run), ["app:1"]);
    assert!(
        run.stderr.contains("two images are named app:1"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_input_whose_name_is_taken_leaves_its_other_names_to_later_ones() {
    let sandbox = Sandbox::new();
    let archive = |file: &str, images: &[(&str, &str)]| {
        let image = |(name, layer): &(&str, &str)| Image::new(&[*name], &[Layer::new(layer)]);
        let images: Vec<Image> = images.iter().map(image).collect();
        sandbox.write(file, &docker::save(&images).tar());
    };
    archive("1.tar", &[("a:1", "1")]);
    archive("2.tar", &[("b:1", "2"), ("a:1", "2")]);
    archive("3.tar", &[("b:1", "3")]);
    archive("4.tar", &[("a:1", "4")]);
    let inputs = ["-k", "1.tar", "2.tar", "3.tar", "4.tar"];
    let run = sandbox.convert(&[&inputs[..], &["-o", "out", "--json"]].concat());
    assert_eq!(run.status.code(), Some(1));
    let document = parsed(&run);
    let failed = document["failed"].as_array().unwrap().iter();
    let failed: Vec<&Value> = failed.map(|one| &one["input"]).collect();
    assert_eq!(failed, ["2.tar", "4.tar"]);
    sandbox
        .convert(&["1.tar", "3.tar", "-o", "expected"])
        .succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("expected"));
}

#[test]
fn many_inputs_are_verified() {
    let sandbox = folders();
    sandbox.run(&["verify", "-r", "images"]).succeeds();
    sandbox.write("images/damaged.tar", &damaged("damaged").tar());
    let run = sandbox.run(&["verify", "-r", "images"]);
    assert_eq!((run.status.code(), &*run.stderr), (Some(1), ""));
    let lines: Vec<&str> = run.stdout().lines().collect();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert!(
        lines[2].starts_with("error[layer-diff-id]: images/damaged.tar: "),
        "{lines:?}"
    );
    assert!(
        lines[3].starts_with("images/damaged.tar: docker-archive, 1 image"),
        "{lines:?}"
    );
    assert_eq!(lines[5], "4 inputs: 1 with errors");

    let run = sandbox.run(&["verify", "-k", "missing.tar", "images/z.tar", "--json"]);
    assert_eq!(run.status.code(), Some(1));
    let document = parsed(&run);
    assert_eq!(document["inputs"][0]["input"], "images/z.tar");
    assert_eq!(document["failed"][0]["input"], "missing.tar");
    // A list with one input gives a list of results.
    let run = sandbox.run(&["verify", "-r", "images/b/deep", "--json"]);
    assert_eq!(parsed(&run)["inputs"].as_array().unwrap().len(), 1);
}

#[test]
fn many_inputs_are_inspected() {
    let sandbox = folders();
    let run = sandbox.run(&["inspect", "-r", "images"]);
    run.succeeds();
    let one = |input: &str| sandbox.run(&["inspect", input]).stdout().to_owned();
    let parts = ["images/b/deep/d.image", "images/c/layout", "images/z.tar"];
    assert_eq!(run.stdout(), parts.map(one).join("\n"));

    let run = sandbox.run(&["inspect", "-k", "missing.tar", "images/z.tar", "--json"]);
    assert_eq!(run.status.code(), Some(1));
    let document = parsed(&run);
    let alone = parsed(&sandbox.run(&["inspect", "images/z.tar", "--json"]));
    assert_eq!(document["inputs"], json!([alone]));
    assert_eq!(document["failed"][0]["code"], "unreadable");

    let run = sandbox.run(&["inspect", "--raw", "-r", "images"]);
    run.is_wrong_usage("`--raw` and `--config` need exactly one input");
}

#[test]
fn only_errors_are_printed_when_quiet() {
    let sandbox = folders();
    let run = sandbox.convert(&["images/z.tar", "-q", "-o", "out"]);
    run.succeeds();
    assert_eq!(run.stdout(), "");
    let run = sandbox.run(&["verify", "-q", "-r", "images"]);
    run.succeeds();
    assert_eq!(run.stdout(), "");
}

//! `--have`: blobs that the other side has are left out, and the output lists them.

use serde_json::{Value, json};

use crate::support::docker::{self, Image};
use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::oci::{self, blob_path, digest, named};
use crate::support::parts::spoiled;
use crate::support::sandbox::Sandbox;
use crate::support::{codec, sha256};

const ABSENT: &str = "ocify-absent.json";

fn layers() -> [Layer; 3] {
    ["base", "middle", "top"].map(Layer::new)
}

/// A sandbox with `app.tar`, which has three layers, and its full conversion in `full`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_archive(&docker::save_one("app:1", &layers()));
    sandbox.convert(&["app.tar", "-o", "full"]).succeeds();
    sandbox
}

/// The blobs that the output lists as absent.
fn absent(layout: &Layout) -> Vec<Value> {
    layout.json(ABSENT)["absent"].as_array().unwrap().clone()
}

/// The `diff_ids` that the output lists as absent, sorted.
fn absent_layers(layout: &Layout) -> Vec<String> {
    let diff_ids = absent(layout).into_iter();
    let mut diff_ids: Vec<String> = diff_ids
        .map(|blob| blob["diffId"].as_str().unwrap().to_owned())
        .collect();
    diff_ids.sort();
    diff_ids
}

fn sorted(layers: &[Layer]) -> Vec<String> {
    let mut diff_ids: Vec<String> = layers.iter().map(Layer::diff_id).collect();
    diff_ids.sort();
    diff_ids
}

/// Checks that `out` is `full` without the blobs that it lists as absent.
#[track_caller]
fn lacks(sandbox: &Sandbox, out: &str, expected: &[Layer]) {
    let [full, part] = ["full", out].map(|name| Layout::open(&sandbox.path(name)));
    assert_eq!(absent_layers(&part), sorted(expected));
    let mut files = full.files.clone();
    for blob in absent(&part) {
        let removed = files.remove(&blob_path(digest(&blob))).unwrap();
        assert_eq!(blob["size"], removed.len());
        assert_eq!(blob["mediaType"], oci::LAYER_GZIP);
        assert_eq!(
            (&blob["codec"], &blob["level"]),
            (&json!("gzip"), &json!(3))
        );
    }
    let mut found = part.files.clone();
    found.remove(ABSENT);
    found.remove("manifest.json");
    assert_eq!(found, files);
}

/// As in `ssh site ocify inspect --digests … | ocify convert app.tar --have -`.
#[test]
fn a_list_on_standard_input() {
    let sandbox = Sandbox::with_archive(&docker::save_one("app:1.0", &layers()));
    sandbox.convert(&["app.tar", "-o", "all"]).succeeds();
    let list = sandbox.run(&["inspect", "--digests", "all"]);
    let list = list.succeeds().stdout().as_bytes().to_vec();
    sandbox.write("have.txt", &list);
    sandbox
        .convert(&["app.tar", "-o", "file", "--have", "have.txt"])
        .succeeds();
    let args = [
        "convert",
        "app.tar",
        "-o",
        "pipe",
        "--have",
        "-",
        "--depfile",
        "pipe.d",
    ];
    sandbox.run_with_stdin(&args, &list).succeeds();
    assert_eq!(
        sandbox.read("pipe.d"),
        b"pipe pipe/index.json: \\\n  app.tar\n\napp.tar:\n"
    );
    assert_eq!(
        sandbox.read("pipe/ocify-absent.json"),
        sandbox.read("file/ocify-absent.json")
    );

    let args = ["convert", "app.tar", "-o", "image", "--have", "-"];
    sandbox.run_with_stdin(&args, &sandbox.read("app.tar")).fails(
        "ocify: standard input: it is not a list of digests\nhint: save the image to a file, and name that\n",
    );
    let args = ["convert", "-", "-o", "image", "--have", "-"];
    sandbox
        .run_with_stdin(&args, &list)
        .is_wrong_usage("standard input can be read only once, but `-` is given twice");
}

#[test]
fn layers_that_an_input_has_in_whatever_encoding() {
    let sandbox = sandbox();
    let [base, middle, _] = layers();
    let known = [base, middle];
    let old = docker::save_one("app:0", &known);
    sandbox.write("old.tar", &old.tar());
    sandbox.write("old.tar.gz", &codec::gzip(&old.tar()));
    old.write(&sandbox.path("folder"));
    for (number, encode) in [codec::gzip, codec::zstd, codec::xz]
        .into_iter()
        .enumerate()
    {
        let image = Image::new(&["app:0"], &known).encoded(encode);
        sandbox.write(&format!("{number}.tar"), &docker::save(&[image]).tar());
    }
    sandbox
        .convert(&["old.tar", "-o", "zstd", "--compression", "zstd"])
        .succeeds();
    let mut dir = oci::Layout::default();
    let image = dir.image("amd64", &known);
    oci::dir(&dir, &image).write(&sandbox.path("dir"));
    for have in [
        "old.tar",
        "old.tar.gz",
        "folder",
        "0.tar",
        "1.tar",
        "2.tar",
        "zstd",
        "dir",
    ] {
        for out in ["out", "out.tar"] {
            let out = format!("{have}-{out}");
            let run = sandbox.convert(&["app.tar", "--have", have, "-o", &out]);
            run.succeeds();
            assert_eq!(
                run.stdout(),
                sandbox.convert(&["app.tar", "-o", "again"]).stdout()
            );
            lacks(&sandbox, &out, &known);
        }
    }
    // Several lists are combined. Without common blobs, nothing is left out.
    let top = docker::save_one("x:1", &layers()[2..]);
    sandbox.write("top.tar", &top.tar());
    let args = [
        "app.tar", "--have", "top.tar", "--have", "old.tar", "-o", "none",
    ];
    sandbox.convert(&args).succeeds();
    lacks(&sandbox, "none", &layers());
    sandbox.write(
        "other.tar",
        &docker::save_one("x:1", &[Layer::new("x")]).tar(),
    );
    sandbox
        .convert(&["app.tar", "--have", "other.tar", "-o", "all"])
        .succeeds();
    lacks(&sandbox, "all", &[]);
}

#[test]
fn lists_of_digests() {
    let sandbox = sandbox();
    let known = &layers()[..2];
    let diff_ids: Vec<String> = known.iter().map(Layer::diff_id).collect();
    let full = sandbox.layout("full");
    let manifest = full.document(&full.only());
    let digests = [0, 1].map(|layer| digest(&manifest["layers"][layer]).to_owned());
    let lists = [
        ("lines", diff_ids.join("\n")),
        ("lines-crlf", format!("\r\n{}\r\n", diff_ids.join("\r\n"))),
        (
            "with-names",
            format!("{} a\n{} b:1\n", diff_ids[0], diff_ids[1]),
        ),
        ("docker", format!("{}\n", json!(diff_ids))),
        (
            "docker-two",
            format!("{}\n{}\n", json!([diff_ids[0]]), json!([diff_ids[1]])),
        ),
        ("of-blobs", digests.join("\n")),
        (
            "skopeo",
            json!({ "Name": "x", "Layers": digests }).to_string(),
        ),
    ];
    for (name, list) in lists {
        sandbox.write(name, list.as_bytes());
        let out = format!("{name}-out");
        sandbox
            .convert(&["app.tar", "--have", name, "-o", &out])
            .succeeds();
        lacks(&sandbox, &out, known);
    }
    sandbox.write("old.tar", &docker::save_one("app:0", known).tar());
    let list = sandbox.run(&["inspect", "--digests", "old.tar"]);
    sandbox.write("ocify", list.succeeds().stdout().as_bytes());
    let args = ["app.tar", "--have", "ocify", "-o", "ocify-out"];
    sandbox.convert(&args).succeeds();
    lacks(&sandbox, "ocify-out", known);
    sandbox.write("empty", b"");
    sandbox
        .convert(&["app.tar", "--have", "empty", "-o", "out"])
        .succeeds();
    lacks(&sandbox, "out", &[]);
}

#[test]
fn a_layer_of_another_encoder_is_left_out_only_by_its_digest() {
    // Its bytes cannot be reproduced.
    let layers = layers();
    let mut layout = oci::one("app:1", &layers);
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox.write(
        "diff-ids",
        layers.each_ref().map(Layer::diff_id).join("\n").as_bytes(),
    );
    sandbox
        .convert(&["app", "--have", "diff-ids", "-o", "out"])
        .warns(
            "ocify: warning: app: 3 layers that the other side has in another encoding are written, because another program \
             encoded them; `--compression gzip:3` leaves out such layers, and changes digests (layer-other-encoding)\n",
        );
    assert_eq!(
        absent(&Layout::open(&sandbox.path("out"))),
        [] as [Value; 0]
    );
    let blob = sha256(&codec::gzip(&layers[0].tar));
    sandbox.write("digest", blob.as_bytes());
    sandbox
        .convert(&["app", "--have", "digest", "-o", "one"])
        .succeeds();
    let out = Layout::open(&sandbox.path("one"));
    let expected = json!([{
        "digest": blob, "size": codec::gzip(&layers[0].tar).len(), "mediaType": oci::LAYER_GZIP,
        "diffId": layers[0].diff_id(),
    }]);
    assert_eq!(out.json(ABSENT)["absent"], expected);
    // Once re-encoded, it can be reproduced.
    let args = [
        "app",
        "--have",
        "diff-ids",
        "-o",
        "again",
        "--compression",
        "zstd:1",
    ];
    sandbox.convert(&args).succeeds();
    let absent = absent(&Layout::open(&sandbox.path("again")));
    assert_eq!(absent.len(), 3);
    assert_eq!(
        (&absent[0]["codec"], &absent[0]["level"]),
        (&json!("zstd"), &json!(1))
    );
    // An uncompressed layer can be restored from any copy.
    let plain = layout.blob(oci::LAYER, &layers[1].tar);
    let config = layout.blob(oci::CONFIG, &docker::config(&layers[1..2]));
    let manifest = layout.document(&oci::manifest(&config, &[plain]));
    layout.manifests = vec![named(&manifest, "app:2")];
    layout.files().write(&sandbox.path("plain"));
    let args = [
        "plain",
        "--have",
        "diff-ids",
        "-o",
        "plain-out",
        "--compression",
        "none",
    ];
    sandbox.convert(&args).succeeds();
    let out = Layout::open(&sandbox.path("plain-out"));
    assert_eq!(absent_layers(&out), [layers[1].diff_id()]);
}

#[test]
fn kept_layers_that_ocify_encoded_earlier_are_left_out() {
    let sandbox = sandbox();
    let known = &layers()[..2];
    let diff_ids: Vec<String> = known.iter().map(Layer::diff_id).collect();
    sandbox.write("have", diff_ids.join("\n").as_bytes());
    // The site has plain tars.
    sandbox.write("old.tar", &docker::save_one("app:0", known).tar());
    for codec in ["gzip", "zstd", "gzip:9", "zstd:12"] {
        let [full, part, whole] =
            ["full", "part.tar", "whole"].map(|name| format!("{codec}-{name}"));
        let args = ["app.tar", "-o", &full, "--compression", codec];
        sandbox.convert(&args).succeeds();
        for check in ["full", "blobs"] {
            let args = [&*full, "--have", "have", "-o", &part, "--check", check];
            assert!(sandbox.convert(&args).status.success());
            assert_eq!(
                absent_layers(&Layout::open(&sandbox.path(&part))),
                sorted(known)
            );
            let args = [&*part, "--fill-from", "old.tar", "-o", &whole, "--replace"];
            sandbox.convert(&args).succeeds();
            assert_eq!(sandbox.layout(&whole), sandbox.layout(&full), "{codec}");
        }
    }
    // Levels and versions of encoders that are recorded are those of the first conversion.
    lacks(&sandbox, "gzip-part.tar", known);
}

#[test]
fn a_kept_layer_whose_config_names_the_layer_of_another() {
    // The other side has what the config names, but the blob is another layer.
    let [base, middle, _] = layers();
    let sandbox = Sandbox::new();
    sandbox.write(
        "old.tar",
        &docker::save_one("app:0", std::slice::from_ref(&base)).tar(),
    );
    sandbox.write(
        "new.tar",
        &docker::save_one("app:1", std::slice::from_ref(&middle)).tar(),
    );
    sandbox.convert(&["new.tar", "-o", "full"]).succeeds();
    let full = sandbox.layout("full");
    let blob = digest(&full.document(&full.only())["layers"][0]).to_owned();
    let encoded = full.files[&blob_path(&blob)].clone();
    let mut layout = oci::Layout::default();
    let image = layout.manifest(
        oci::CONFIG,
        &docker::config(std::slice::from_ref(&base)),
        &[(oci::LAYER_GZIP, encoded)],
    );
    layout.add(named(&image, "app:1"));
    layout.files().write(&sandbox.path("lies"));
    let args = ["lies", "--have", "old.tar", "-o", "out", "--check", "blobs"];
    let expected = format!(
        "layer 1 of 1: diff_id is {}, expected {}",
        middle.diff_id(),
        base.diff_id()
    );
    let run = sandbox.convert(&args);
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains(&expected), "{}", run.stderr);
    assert!(!sandbox.path("out").exists());
}

#[test]
fn artifacts_are_left_out_and_what_is_needed_to_read_them_is_not() {
    let mut layout = oci::Layout::default();
    let config = layout.blob("application/vnd.example.config", b"{\"a\":1}");
    let blob = layout.blob("application/vnd.example.data", b"some data");
    let mut manifest = oci::manifest(&config, std::slice::from_ref(&blob));
    manifest["artifactType"] = json!("application/vnd.example");
    let manifest = layout.document(&manifest);
    let layout = layout.listing(named(&manifest, "data:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let all = [&config, &blob, &manifest].map(|one| digest(one).to_owned());
    sandbox.write("all", all.join("\n").as_bytes());
    sandbox
        .convert(&["app", "--have", "all", "-o", "out"])
        .succeeds();
    let out = Layout::open(&sandbox.path("out"));
    let expected = json!([{
        "digest": blob["digest"], "size": blob["size"], "mediaType": blob["mediaType"],
    }]);
    assert_eq!(out.json(ABSENT)["absent"], expected);
    assert_eq!(out.blob_count(), 2);
    sandbox.run(&["verify", "out"]).succeeds();
    sandbox
        .convert(&["out", "--fill-from", "app", "-o", "again"])
        .succeeds();
    assert_eq!(sandbox.layout("again"), {
        sandbox.convert(&["app", "-o", "direct"]).succeeds();
        sandbox.layout("direct")
    });
}

/// The layout has an image already. What it lacks is listed together with what it lacked before.
#[test]
fn parts_are_added_to_a_layout() {
    let sandbox = sandbox();
    let [base, middle, top] = layers();
    let other = Layer::new("other");
    for (name, layer) in [("base", &base), ("other", &other), ("top", &top)] {
        let archive = docker::save_one(&format!("{name}:1"), std::slice::from_ref(layer));
        sandbox.write(&format!("{name}.tar"), &archive.tar());
    }
    sandbox.convert(&["top.tar", "-o", "out"]).succeeds();
    sandbox
        .convert(&["app.tar", "--have", "base.tar", "-o", "out"])
        .succeeds();
    let out = || Layout::open(&sandbox.path("out"));
    assert_eq!(absent_layers(&out()), sorted(std::slice::from_ref(&base)));
    let second = docker::save_one("second:1", &[other.clone(), middle]);
    sandbox.write("second.tar", &second.tar());
    sandbox
        .convert(&["second.tar", "--have", "other.tar", "-o", "out"])
        .succeeds();
    assert_eq!(absent_layers(&out()), sorted(&[base, other]));
    sandbox.run(&["verify", "out"]).succeeds();
}

/// The same for a tar, whose list is written again.
#[test]
fn parts_are_added_to_a_tar() {
    let sandbox = sandbox();
    let [base, middle, _] = layers();
    let other = [base.clone(), middle, Layer::new("other")];
    sandbox.write("old.tar", &docker::save_one("old:1", &layers()[..2]).tar());
    sandbox.write("other.tar", &docker::save_one("other:1", &other).tar());
    sandbox.write("base.tar", &docker::save_one("base:1", &[base]).tar());
    sandbox
        .convert(&["app.tar", "--have", "old.tar", "-o", "part.tar"])
        .succeeds();
    let before = Layout::open(&sandbox.path("part.tar"));
    // What is complete leaves the list as it is.
    sandbox.write(
        "whole.tar",
        &docker::save_one("whole:1", &[Layer::new("whole")]).tar(),
    );
    sandbox
        .convert(&["whole.tar", "-o", "part.tar", "--add"])
        .succeeds();
    let after = Layout::open(&sandbox.path("part.tar"));
    assert_eq!(absent(&after), absent(&before));
    sandbox
        .convert(&["other.tar", "--have", "base.tar", "-o", "part.tar", "--add"])
        .succeeds();
    sandbox.run(&["verify", "part.tar"]).succeeds();
    let after = Layout::open(&sandbox.path("part.tar"));
    assert_eq!(after.descriptors().len(), 3);
    let complete = ["part.tar", "--fill-from", "old.tar", "-o", "out"];
    sandbox.convert(&complete).succeeds();
    sandbox.layout("out");
}

#[test]
fn a_damaged_copy_does_not_count() {
    let sandbox = sandbox();
    let base = &layers()[0];
    let name = docker::layer_name(base);
    let old = spoiled(docker::save_one("app:0", &layers()[..2]), &name, |tar| {
        tar[600] ^= 1;
    });
    sandbox.write("old.tar", &old.tar());
    let run = sandbox.convert(&["app.tar", "--have", "old.tar", "-o", "out"]);
    let found = sha256(old.get(&name));
    run.warns(&format!(
        "ocify: warning: old.tar: {name}: diff_id is {found}, expected {}; it is not left out \
         (layer-diff-id)\n",
        base.diff_id()
    ));
    lacks(&sandbox, "out", &layers()[1..2]);
}

#[test]
fn the_part_verifies_and_is_inspected() {
    let sandbox = sandbox();
    sandbox.write("have", layers()[0].diff_id().as_bytes());
    for out in ["out", "out.tar"] {
        sandbox
            .convert(&["app.tar", "--have", "have", "-o", out])
            .succeeds();
        let run = sandbox.run(&["verify", "-v", out]);
        run.succeeds();
        let blob = digest(&absent(&Layout::open(&sandbox.path(out)))[0]).to_owned();
        let note = format!(
            "note[blob-left-out]: app:1: layer 1 of 3: {}: left out on purpose: ocify-absent.json lists it",
            blob_path(&blob)
        );
        assert_eq!(run.stdout().lines().next(), Some(&*note));
        let run = sandbox.run(&["inspect", "--json", out]);
        let inspected: Value = serde_json::from_str(run.succeeds().stdout()).unwrap();
        assert_eq!(inspected["errors"], json!([]));
        let present: Vec<&Value> = inspected["images"][0]["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| &layer["present"])
            .collect();
        assert_eq!(present, [false, true, true]);
    }
    // Everything else is checked as usual.
    let blob = blob_path(&sha256(&docker::config(&layers())));
    let path = sandbox.path("out").join(blob);
    std::fs::remove_file(path).unwrap();
    let run = sandbox.run(&["verify", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stdout().starts_with("error[missing-blob]"),
        "{}",
        run.stdout()
    );
}

#[test]
fn bad_lists_and_what_is_no_input() {
    let sandbox = sandbox();
    let cases = [
        (
            "line",
            format!("{}\nfoo\n", layers()[0].diff_id()),
            "line 2: \"foo\" is not a digest, expected one such as sha256:0123456789abcdef… with 64 digits\n\
             hint: list one digest or diff_id per line, as `ocify inspect --digests` prints them\n",
        ),
        (
            "short",
            "sha256:0123\n".to_owned(),
            "line 1: \"sha256:0123\" is not a digest, expected one such as sha256:0123456789abcdef… with 64 \
             digits\n\
             hint: list one digest or diff_id per line, as `ocify inspect --digests` prints them\n",
        ),
        (
            "json",
            "[\"foo\"]".to_owned(),
            "document 1, [0]: \"foo\" is not a digest, expected one such as sha256:0123456789abcdef… with 64 \
             digits\n\
             hint: list one digest or diff_id per line, as `ocify inspect --digests` prints them\n",
        ),
        (
            "cut",
            "[\"sha256:".to_owned(),
            "cannot parse the list of digests: EOF while parsing a string at line 1 column 9\n",
        ),
    ];
    for (name, list, message) in cases {
        sandbox.write(name, list.as_bytes());
        let run = sandbox.convert(&["app.tar", "--have", name, "-o", "out"]);
        run.fails(&format!("ocify: {name}: {message}"));
    }
    sandbox.write("noise", &crate::support::layers::noise(1, 2000));
    let run = sandbox.convert(&["app.tar", "--have", "noise", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr
            .starts_with("ocify: noise: not a container image"),
        "{}",
        run.stderr
    );
    let run = sandbox.convert(&["app.tar", "--have", "absent", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    let message = "ocify: cannot open absent: No such file or directory";
    assert!(run.stderr.starts_with(message), "{}", run.stderr);
    let run = sandbox.convert(&["app.tar", "--fill-from", "absent", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(!sandbox.path("out").exists());
}

#[test]
fn outputs_that_cannot_leave_out_blobs() {
    let sandbox = Sandbox::with_archive(&docker::save_one("app:1", &layers()));
    let before = sandbox.snapshot();
    for kind in ["docker-archive", "dir", "registry"] {
        let args = [
            "convert", "app.tar", "-o", "out", "--have", "app.tar", "--to", kind,
        ];
        let run = sandbox.run(&args);
        assert_eq!(run.status.code(), Some(2));
        assert_eq!(
            run.stderr,
            format!(
                "ocify: `--have` cannot be used with `--to {kind}`\n\
                 hint: write a layout: only a layout can leave out blobs\n"
            )
        );
    }
    assert_eq!(sandbox.snapshot(), before);
}

//! `--volume-size`: several tars, each a layout of its own, that complete each other in any order.

use std::fs;

use crate::support::docker::{self, Image};
use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::oci::{blob_path, digest};
use crate::support::sandbox::{Run, Sandbox};

const SIZE: u64 = 40 << 10;

/// With `app.tar` of two images, all of it in `full`, and volumes of it.
fn sandbox() -> (Sandbox, Vec<String>) {
    let layers: Vec<Layer> = (0..6).map(|seed| Layer::noise(seed, 30_000)).collect();
    let images = [
        Image::new(&["app:1"], &layers[..4]),
        Image::new(&["app:2"], &[&layers[..2], &layers[4..]].concat()),
    ];
    let sandbox = Sandbox::with_archive(&docker::save(&images));
    sandbox.convert(&["app.tar", "-o", "full"]).succeeds();
    split(&sandbox, &["app.tar"]).succeeds();
    let names = volumes(&sandbox);
    assert!(names.len() > 2, "{names:?}");
    (sandbox, names)
}

fn split(sandbox: &Sandbox, args: &[&str]) -> Run {
    sandbox.convert(&[args, &["-o", "out.tar", "--volume-size", "40K"]].concat())
}

/// The volumes that are there, in their order.
fn volumes(sandbox: &Sandbox) -> Vec<String> {
    let numbers = 1..1000;
    let names = numbers.map(|number| format!("out.{number:03}.tar"));
    names
        .take_while(|name| sandbox.path(name).exists())
        .collect()
}

#[track_caller]
fn convert(sandbox: &Sandbox, inputs: &[&String], more: &[&str]) -> Run {
    let inputs: Vec<&str> = inputs.iter().map(|name| name.as_str()).collect();
    sandbox.convert(&[&inputs[..], more].concat())
}

#[test]
fn each_volume_is_a_layout_of_the_whole() {
    let (sandbox, names) = sandbox();
    let full = sandbox.layout("full");
    let mut seen = Vec::new();
    for name in &names {
        assert!(
            fs::metadata(sandbox.path(name)).unwrap().len() <= SIZE,
            "{name}"
        );
        let volume = Layout::open(&sandbox.path(name));
        assert_eq!(volume.file("index.json"), full.file("index.json"));
        let absent = volume.json("ocify-absent.json");
        let absent = absent["absent"].as_array().unwrap();
        for (path, bytes) in &full.files {
            let blob = absent.iter().find(|blob| *path == blob_path(digest(blob)));
            match (volume.files.get(path), blob) {
                (Some(found), None) => assert_eq!(found, bytes),
                (None, Some(blob)) => {
                    let volume = blob["volume"].as_str().unwrap();
                    let volume = Layout::open(&sandbox.path(volume));
                    assert_eq!(volume.file(path), bytes);
                }
                (here, listed) => panic!("{name}: {path}: {} {listed:?}", here.is_some()),
            }
        }
        let own = volume
            .files
            .keys()
            .filter(|path| path.starts_with("blobs/"));
        let documents = |path: &&String| volume.files[*path].first() == Some(&b'{');
        seen.extend(own.filter(|path| !documents(path)).cloned());
        sandbox.run(&["verify", name]).succeeds();
    }
    let distinct = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), distinct, "a blob is in one volume");
    // The same again gives the same.
    let before = sandbox.snapshot();
    split(&sandbox, &["app.tar", "--replace", "--threads", "1"]).succeeds();
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn all_at_once_or_one_at_a_time_in_any_order() {
    let (sandbox, names) = sandbox();
    let full = sandbox.layout("full");
    let all: Vec<&String> = names.iter().collect();
    let run = convert(&sandbox, &all, &["-o", "all"]);
    run.succeeds();
    assert_eq!(run.stdout().lines().count(), 2);
    assert_eq!(sandbox.layout("all"), full);
    let reversed: Vec<&String> = names.iter().rev().collect();
    convert(&sandbox, &reversed, &["-o", "reversed"]).succeeds();
    assert_eq!(sandbox.layout("reversed"), full);
    for (out, order) in [("one", &all), ("two", &reversed)] {
        for name in order.iter().copied() {
            let args = ["-o", out, "--missing", "keep", "-q"];
            convert(&sandbox, &[name], &args).succeeds();
            sandbox.run(&["verify", "-q", out]).succeeds();
        }
        assert_eq!(sandbox.layout(out), full, "{out}");
    }
    // Into a tar.
    convert(&sandbox, &reversed, &["-o", "all.tar"]).succeeds();
    sandbox.convert(&["app.tar", "-o", "full.tar"]).succeeds();
    let [all, full] = ["all.tar", "full.tar"].map(|name| sandbox.layout(name).files);
    assert_eq!(all, full);
}

#[test]
fn a_lost_volume_costs_its_blobs_and_is_named() {
    let (sandbox, names) = sandbox();
    let (lost, rest) = names.split_at(1);
    let rest: Vec<&String> = rest.iter().collect();
    let run = convert(&sandbox, &rest, &["-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr
            .contains(&format!("bytes, in {}, or made of layer", lost[0])),
        "{}",
        run.stderr
    );
    let run = convert(&sandbox, &rest, &["-o", "out", "--missing", "keep"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let out = Layout::open(&sandbox.path("out"));
    for blob in out.json("ocify-absent.json")["absent"].as_array().unwrap() {
        assert_eq!(blob["volume"], lost[0].as_str());
    }
    // It is sent again.
    convert(&sandbox, &[&lost[0]], &["-o", "out"]).succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("full"));
}

#[test]
fn a_damaged_volume_costs_its_blobs_and_is_named() {
    let (sandbox, names) = sandbox();
    let mut bytes = sandbox.read(&names[1]);
    // The first blob begins after the header of the layout, two folders and its own.
    bytes[2600] ^= 1;
    sandbox.write(&names[1], &bytes);
    let all: Vec<&String> = names.iter().collect();
    let run = convert(&sandbox, &all, &["-o", "none"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr.starts_with(&format!("ocify: {}: ", names[1])),
        "{}",
        run.stderr
    );
    assert!(!sandbox.path("none").exists());
    let run = convert(&sandbox, &all, &["-o", "out", "-k", "--missing", "keep"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains(&names[1]), "{}", run.stderr);
    let out = Layout::open(&sandbox.path("out"));
    for blob in out.json("ocify-absent.json")["absent"].as_array().unwrap() {
        assert_eq!(blob["volume"], names[1].as_str());
    }
    sandbox.run(&["verify", "-q", "out"]).succeeds();
}

#[test]
fn with_what_the_other_side_has() {
    let (sandbox, names) = sandbox();
    let known = Layer::noise(0, 30_000);
    sandbox.write("old.tar", &docker::save_one("app:0", &[known]).tar());
    split(&sandbox, &["app.tar", "--have", "old.tar", "--replace"]).succeeds();
    let fewer = volumes(&sandbox);
    assert!(fewer.len() < names.len(), "{fewer:?}");
    let all: Vec<&String> = fewer.iter().collect();
    convert(&sandbox, &all, &["--fill-from", "old.tar", "-o", "out"]).succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("full"));
}

#[test]
fn what_is_there_is_not_replaced_unless_asked() {
    let (sandbox, names) = sandbox();
    let before = sandbox.snapshot();
    split(&sandbox, &["app.tar"]).fails(
        "ocify: out.tar: out.001.tar exists\n\
         hint: remove the old volumes, choose another name, or use `--replace`\n",
    );
    assert_eq!(sandbox.snapshot(), before);
    // Volumes of an earlier run that had more of them go.
    sandbox.write(
        "small.tar",
        &docker::save_one("app:3", &[Layer::new("x")]).tar(),
    );
    split(&sandbox, &["small.tar", "--replace"]).succeeds();
    assert_eq!(volumes(&sandbox), names[..1]);
    convert(&sandbox, &[&names[0]], &["-o", "small"]).succeeds();
    sandbox.convert(&["small.tar", "-o", "direct"]).succeeds();
    assert_eq!(sandbox.layout("small"), sandbox.layout("direct"));
}

#[test]
fn sizes_that_do_not_fit() {
    let (sandbox, _) = sandbox();
    let before = sandbox.snapshot();
    let run = sandbox.convert(&["app.tar", "-o", "x.tar", "--volume-size", "20K"]);
    assert_eq!(run.status.code(), Some(1));
    let full = sandbox.layout("full");
    let first = full.document(&full.named("app:1"))["layers"][0].clone();
    let message = format!(
        "ocify: x.tar: blob {} has {} bytes, too many for a volume of 20480 bytes\n\
         hint: choose a larger `--volume-size`\n",
        digest(&first),
        first["size"],
    );
    assert_eq!(run.stderr, message);
    let run = sandbox.convert(&["app.tar", "-o", "x.tar", "--volume-size", "4K"]);
    let message = "ocify: x.tar: a volume of 4096 bytes is too small: index.json, manifests and configs, \
                   which every volume has, take ";
    assert!(run.stderr.starts_with(message), "{}", run.stderr);
    for (output, other) in [
        ("x", "this output"),
        ("-", "this output"),
        ("x.tar.gz", "this output"),
    ] {
        let args = ["app.tar", "-o", output, "--volume-size", "1M"];
        let message = format!("`--volume-size` cannot be used with `{other}`");
        sandbox.convert(&args).is_wrong_usage(&message);
    }
    assert_eq!(sandbox.snapshot(), before);
}

/// What a run leaves that was killed while it put the volumes in their places.
#[test]
fn a_set_without_its_last_volumes_names_what_it_needs() {
    let (sandbox, names) = sandbox();
    let (first, others) = names.split_first().unwrap();
    let needed: Vec<Vec<u8>> = others.iter().map(|name| sandbox.read(name)).collect();
    for name in others {
        fs::remove_file(sandbox.path(name)).unwrap();
    }
    let run = convert(&sandbox, &[first], &["-o", "site"]);
    assert_eq!(run.status.code(), Some(1));
    for name in others {
        let place = format!(" bytes, in {name}");
        assert!(run.stderr.contains(&place), "{name}: {}", run.stderr);
    }
    // Each of what is missing is told with the volume that has it.
    let run = sandbox.run(&["verify", "-v", first]);
    run.succeeds();
    for name in others {
        assert!(run.stdout().contains(name), "{name}: {}", run.stdout());
    }
    // The next run says that there is something, and does it again where it may.
    let run = split(&sandbox, &["app.tar"]);
    assert!(
        run.stderr.contains(&format!("{first} exists\n")),
        "{}",
        run.stderr
    );
    split(&sandbox, &["app.tar", "--replace"]).succeeds();
    let again: Vec<Vec<u8>> = others.iter().map(|name| sandbox.read(name)).collect();
    assert_eq!(again, needed);
}

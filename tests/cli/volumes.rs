//! `--volume-size`: several tars, each a layout of its own, that complete each other in any order.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::docker::{self, Image};
use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::oci::{self, blob_path, digest, named};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{codec, sha512};

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
        "ocify: x.tar: blob {} has {} bytes, too many for a volume of 20480 bytes; it needs a volume of ",
        digest(&first),
        first["size"],
    );
    assert!(run.stderr.starts_with(&message), "{}", run.stderr);
    let hint = " bytes\nhint: choose a larger `--volume-size`\n";
    assert!(run.stderr.ends_with(hint), "{}", run.stderr);
    let run = sandbox.convert(&["app.tar", "-o", "x.tar", "--volume-size", "4K"]);
    let message = "ocify: x.tar: a volume of 4096 bytes is too small: index.json, manifests and configs, \
                   which every volume has, take ";
    assert!(run.stderr.starts_with(message), "{}", run.stderr);
    for (output, kind, other) in [
        ("x", "layout", "a folder"),
        ("-", "layout", "`-o -`"),
        ("x.tar.gz", "layout", "a compressed tar"),
        ("x.tar", "docker-archive", "`--to docker-archive`"),
        ("x", "dir", "`--to dir`"),
        ("x", "registry", "`--to registry`"),
    ] {
        let args = ["app.tar", "-o", output, "--to", kind, "--volume-size", "1M"];
        let message = format!("`--volume-size` cannot be used with {other}");
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

/// The number in the message of an error, such as after `it needs a volume of `.
#[track_caller]
fn number_after(run: &Run, text: &str) -> u64 {
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    let (_, rest) = run.stderr.split_once(text).expect(&run.stderr);
    rest.split(' ').next().unwrap().parse().unwrap()
}

fn split_at(sandbox: &Sandbox, size: u64) -> Run {
    let size = size.to_string();
    sandbox.convert(&["app", "-o", "out.tar", "--volume-size", &size])
}

/// An image of five layers of one size, the first with the long name of a SHA-512 digest or not, and two artifacts with one
/// blob, each with a config that every volume needs.
fn of_one_size(long: bool) -> oci::Layout {
    let mut layout = oci::Layout::default();
    let layers: Vec<Layer> = (0..5).map(|seed| Layer::noise(seed, 30_000)).collect();
    let config = layout.blob(oci::CONFIG, &docker::config(&layers));
    let mut blobs: Vec<_> = layers
        .iter()
        .map(|layer| layout.blob(oci::LAYER_GZIP, &codec::gzip(&layer.tar)))
        .collect();
    if long {
        blobs[0]["digest"] = json!(sha512(&codec::gzip(&layers[0].tar)));
    }
    let image = layout.document(&oci::manifest(&config, &blobs));
    layout.add(named(&image, "app:1"));
    let data = layout.blob("application/x-data", &Layer::noise(9, 9_000).tar);
    for seed in [10, 11] {
        let bytes = Layer::noise(seed, 2_000).tar;
        let config = layout.blob("application/x-config", &bytes);
        let mut artifact = oci::manifest(&config, std::slice::from_ref(&data));
        artifact["artifactType"] = json!("application/x-test");
        let artifact = layout.document(&artifact);
        layout.add(named(&artifact, &format!("data:{seed}")));
    }
    layout
}

/// The sizes in messages are enough, and not more than that.
#[test]
fn volumes_of_the_smallest_size() {
    for long in [false, true] {
        let layout = of_one_size(long);
        let mut files = layout.files();
        if long {
            let layer = codec::gzip(&Layer::noise(0, 30_000).tar);
            files.put(&blob_path(&sha512(&layer)), layer);
        }
        let sandbox = Sandbox::with_folder(&files);
        let documents = number_after(&split_at(&sandbox, 4096), "which every volume has, take ");
        let same = split_at(&sandbox, documents - 1);
        assert_eq!(number_after(&same, "every volume has, take "), documents);
        let needed = number_after(&split_at(&sandbox, documents), "needs a volume of ");
        let same = split_at(&sandbox, needed - 1);
        assert_eq!(number_after(&same, "needs a volume of "), needed);
        assert!(volumes(&sandbox).is_empty());
        split_at(&sandbox, needed).succeeds();
        let names = volumes(&sandbox);
        // The blob of the artifacts has one of its own, and is in none twice.
        assert_eq!(names.len(), 6);
        let sizes = names.iter().map(|name| sandbox.read(name).len() as u64);
        let largest = sizes.max().unwrap();
        // A volume says nothing of the blobs that it has.
        assert!(
            (needed - 512..=needed).contains(&largest),
            "{largest} of {needed}"
        );
        let inputs: Vec<&String> = names.iter().collect();
        convert(&sandbox, &inputs, &["-o", "all"]).succeeds();
        sandbox.convert(&["app", "-o", "full"]).succeeds();
        assert_eq!(sandbox.layout("all"), sandbox.layout("full"));
        // Twice the space for layers holds two of them, and nothing more.
        let size = (2 * needed - documents).to_string();
        let args = ["app", "-o", "two.tar", "--volume-size", &size];
        sandbox.convert(&args).succeeds();
        assert!(!sandbox.path("two.004.tar").exists());
    }
}

/// Two encodings of a layer become one blob.
#[test]
fn a_layer_in_two_encodings_is_in_one_volume() {
    let layers: Vec<Layer> = (0..3).map(|seed| Layer::noise(seed, 30_000)).collect();
    let plain = Image::new(&["app:1"], &layers);
    let mut other = Image::new(&["app:2"], &layers[..2]).encoded(codec::xz);
    for (name, _) in &mut other.layers {
        name.insert_str(0, "xz-");
    }
    let sandbox = Sandbox::with_archive(&docker::save(&[plain, other]));
    split(&sandbox, &["app.tar"]).succeeds();
    let names = volumes(&sandbox);
    let inputs: Vec<&String> = names.iter().collect();
    convert(&sandbox, &inputs, &["-o", "all"]).succeeds();
    sandbox.convert(&["app.tar", "-o", "full"]).succeeds();
    assert_eq!(sandbox.layout("all"), sandbox.layout("full"));
}

#[test]
fn more_volumes_than_there_may_be() {
    let mut layout = oci::Layout::default();
    let config = layout.blob(oci::EMPTY, b"{}");
    let blobs: Vec<_> = (0..1000)
        .map(|seed| layout.blob("application/x-data", &Layer::noise(seed, 600).tar))
        .collect();
    let artifact = layout.document(&oci::artifact("application/x-test", &config, &blobs));
    layout.add(named(&artifact, "data:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let documents = number_after(&split_at(&sandbox, 4096), "which every volume has, take ");
    let needed = number_after(&split_at(&sandbox, documents), "needs a volume of ");
    split_at(&sandbox, needed)
        .fails("ocify: out.tar: the number of volumes is 1000, more than the limit of 999\n");
    assert!(volumes(&sandbox).is_empty());
}

/// Only what is named like a volume is one.
#[test]
fn files_with_similar_names_stay() {
    let (sandbox, names) = sandbox();
    let similar = [
        "out.tar",
        "out.0001.tar",
        "out.1.tar",
        "out.abc.tar",
        "out.000.tar",
    ];
    for name in similar {
        sandbox.write(name, b"mine");
    }
    split(&sandbox, &["app.tar", "--replace"]).succeeds();
    for name in similar {
        assert_eq!(sandbox.read(name), b"mine", "{name}");
    }
    for name in names {
        fs::remove_file(sandbox.path(&name)).unwrap();
    }
    split(&sandbox, &["app.tar"]).succeeds();
}

/// A signal after the first of the volumes has replaced an old one.
#[test]
fn a_signal_does_not_leave_volumes_of_two_sets() {
    let layers: Vec<Layer> = (0..100).map(|seed| Layer::noise(seed, 30_000)).collect();
    let sandbox = Sandbox::with_archive(&docker::save_one("app:1", &layers));
    let size = ["--volume-size", "110K", "-o", "out.tar"];
    sandbox
        .convert(&[&["app.tar"], &size[..]].concat())
        .succeeds();
    let old = volumes(&sandbox);
    let layers: Vec<Layer> = (100..200).map(|seed| Layer::noise(seed, 30_000)).collect();
    sandbox.write("new.tar", &docker::save_one("app:2", &layers).tar());

    let inode = || fs::metadata(sandbox.path(&old[0])).unwrap().ino();
    let before = inode();
    let args = [&["convert", "new.tar", "--replace"], &size[..]].concat();
    let mut child = sandbox.command(&args).spawn().unwrap();
    while inode() == before {
        assert_eq!(child.try_wait().unwrap(), None, "it has replaced nothing");
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Run::new(child);
    let names = volumes(&sandbox);
    assert_eq!(names.len(), old.len());
    let inputs: Vec<&String> = names.iter().collect();
    convert(&sandbox, &inputs, &["-o", "all"]).succeeds();
    sandbox.convert(&["new.tar", "-o", "full"]).succeeds();
    assert_eq!(sandbox.layout("all"), sandbox.layout("full"));
}

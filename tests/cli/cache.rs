//! `--cache`: the same output in less time.

use std::fs;

use serde_json::{Value, json};

use crate::support::cache::{age, cached, entry, files, hits};
use crate::support::codec;
use crate::support::docker::{Image, save, save_one};
use crate::support::layers::Layer;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{legacy, oci, sha256, sha512};

/// One layer with several chunks, and one with a single chunk.
fn layers() -> [Layer; 3] {
    [
        Layer::noise(1, 1_500_000),
        Layer::new("middle"),
        Layer::new("top"),
    ]
}

fn sandbox() -> Sandbox {
    Sandbox::with_archive(&save_one("app:1.0", &layers()))
}

/// Reads all bytes of an output and removes it.
fn take(sandbox: &Sandbox, output: &str) -> Vec<(String, Vec<u8>)> {
    let mut bytes: Vec<_> = sandbox.snapshot().into_iter().collect();
    bytes.retain(|(name, _)| name.starts_with(output));
    let path = sandbox.path(output);
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
    assert!(!bytes.is_empty());
    bytes
}

/// Without a cache, with a cold one and a warm one.
#[track_caller]
fn all_the_same(sandbox: &Sandbox, input: &str, args: &[&str], layers: usize) {
    for output in ["out", "out.tar"] {
        sandbox
            .convert(&[&[input, "-o", output, "-q"], args].concat())
            .succeeds();
        sandbox.layout(output);
        let without = take(sandbox, output);
        for expected in [(0, layers), (layers, layers)] {
            let found = cached(sandbox, input, output, args);
            assert_eq!(found, expected, "{input} {output} {args:?}");
            assert!(take(sandbox, output) == without, "{output} {args:?}");
        }
        fs::remove_dir_all(sandbox.path("cache")).unwrap();
    }
}

#[test]
fn the_output_is_the_same() {
    let sandbox = sandbox();
    for compression in ["keep", "gzip", "gzip:9", "zstd", "zstd:1"] {
        for threads in ["1", "4"] {
            let args = ["--compression", compression, "--threads", threads];
            all_the_same(&sandbox, "app.tar", &args, 3);
        }
    }
    // Layers that are not encoded are not cached.
    all_the_same(&sandbox, "app.tar", &["--compression", "none"], 0);
}

#[test]
fn the_output_is_the_same_from_layers_in_any_codec() {
    let image = || Image::new(&["app:1.0"], &layers());
    for (name, encode) in codec::ALL {
        let sandbox = Sandbox::with_archive(&save(&[image().encoded(encode)]));
        let layers = if name == "zstd" { 0 } else { 3 };
        all_the_same(&sandbox, "app.tar", &["--compression", "zstd"], layers);
        all_the_same(&sandbox, "app.tar", &["--compression", "gzip:1"], 3);
    }
    // A digest with another algorithm.
    let mut files = oci::one("app:1.0", &layers()).files();
    let index: Value = serde_json::from_slice(files.get("index.json")).unwrap();
    let path = oci::blob_path(oci::digest(&index["manifests"][0]));
    let mut manifest: Value = serde_json::from_slice(files.get(&path)).unwrap();
    let blob = codec::gzip(&layers()[0].tar);
    manifest["layers"][0]["digest"] = json!(sha512(&blob));
    files.put(&oci::blob_path(&sha512(&blob)), blob);
    let manifest = manifest.to_string().into_bytes();
    let mut descriptor = index["manifests"][0].clone();
    let new = oci::descriptor(oci::MANIFEST, &manifest);
    descriptor["digest"] = new["digest"].clone();
    descriptor["size"] = new["size"].clone();
    files.put(&oci::blob_path(oci::digest(&descriptor)), manifest);
    let files = files
        .without(&path)
        .with("index.json", oci::index(&[descriptor]).to_string());
    let sandbox = Sandbox::with_folder(&files);
    all_the_same(&sandbox, "app", &["--compression", "zstd"], 3);
}

/// What the other side has is listed by the digests of the input's blobs, which cache entries do not have.
#[test]
fn the_output_is_the_same_with_what_another_side_has() {
    let image = Image::new(&["app:1.0"], &layers()).encoded(codec::gzip);
    let digests: Vec<String> = image.layers.iter().map(|(_, blob)| sha256(blob)).collect();
    let sandbox = Sandbox::with_archive(&save(&[image]));
    sandbox.write("have.txt", digests[1].as_bytes());
    sandbox
        .convert(&["app.tar", "-o", "layout", "-q"])
        .succeeds();
    let of_layout = sandbox.layout("layout");
    let manifest = of_layout.document(&of_layout.only());
    sandbox.write(
        "have-new.txt",
        oci::digest(&manifest["layers"][2]).as_bytes(),
    );
    for (input, have) in [("app.tar", "have.txt"), ("layout", "have-new.txt")] {
        let args = [
            input,
            "-o",
            "out",
            "-q",
            "--compression",
            "zstd:9",
            "--have",
            have,
        ];
        sandbox.convert(&args).succeeds();
        let without = take(&sandbox, "out");
        for run in ["cold", "warm"] {
            sandbox
                .convert(&[&args[..], &["--cache", "cache"]].concat())
                .succeeds();
            assert!(take(&sandbox, "out") == without, "{input} {run}");
        }
        // A cache from a run without `--have`.
        let all = [&args[..6], &["--cache", "cache"]].concat();
        sandbox.convert(&all).succeeds();
        take(&sandbox, "out");
        sandbox
            .convert(&[&args[..], &["--cache", "cache"]].concat())
            .succeeds();
        assert!(take(&sandbox, "out") == without, "{input}");
    }
}

#[test]
fn standard_output_is_the_same() {
    let sandbox = sandbox();
    let without = sandbox.convert(&["app.tar", "-o", "-"]);
    for expected in [(0, 3), (3, 3)] {
        let run = sandbox.convert(&["app.tar", "-o", "-", "-v", "--cache", "cache"]);
        assert_eq!(hits(&run), expected);
        assert!(run.stdout == without.succeeds().stdout);
    }
}

#[test]
fn images_share_what_is_cached() {
    let sandbox = sandbox();
    assert_eq!(cached(&sandbox, "app.tar", "one", &[]), (0, 3));
    let other = [layers()[0].clone(), Layer::new("other")];
    sandbox.write("other.tar", &save_one("other:1.0", &other).tar());
    assert_eq!(cached(&sandbox, "other.tar", "two", &[]), (1, 2));
    // Archives before Docker 1.10 have no diff_ids, so their layers are stored but not found.
    let old = [layers()[0].clone(), Layer::new("old")];
    sandbox.write("old.tar", &legacy::save("old", "1.0", &old).tar());
    for _ in 0..2 {
        assert_eq!(cached(&sandbox, "old.tar", "three", &[]), (0, 2));
    }
    sandbox.write("new.tar", &save_one("new:1.0", &old).tar());
    assert_eq!(cached(&sandbox, "new.tar", "four", &[]), (2, 2));
}

#[test]
fn levels_and_codecs_do_not_mix() {
    let sandbox = sandbox();
    let encodings = ["gzip:1", "gzip:9", "zstd:1", "zstd:9", "gzip", "zstd"];
    for (expected, output) in [((0, 3), "cold"), ((3, 3), "warm")] {
        for encoding in encodings {
            let args = ["--compression", encoding];
            let output = format!("{output}-{}", encoding.replace(':', "-"));
            let found = cached(&sandbox, "app.tar", &output, &args);
            assert_eq!(found, expected, "{encoding}");
        }
    }
    // The default levels share entries with the same explicit levels.
    let args = ["--compression", "gzip:3"];
    assert_eq!(cached(&sandbox, "app.tar", "out", &args), (3, 3));
}

#[test]
fn json_tells_of_the_cache() {
    let sandbox = sandbox();
    for (args, expected) in [
        (&[][..], json!(null)),
        (&["--cache", "cache"], json!({ "layers": 3, "hits": 0 })),
        (&["--cache", "cache"], json!({ "layers": 3, "hits": 3 })),
    ] {
        let run = sandbox.convert(&[&["app.tar", "-o", "out", "--json"], args].concat());
        let report: Value = serde_json::from_str(run.succeeds().stdout()).unwrap();
        assert_eq!(report["cache"], expected);
    }
}

#[test]
fn the_environment_names_a_cache() {
    let sandbox = sandbox();
    let run = |value: &str, args: &[&str]| {
        let always = ["convert", "app.tar", "-o", "out", "--no-fsync"];
        let mut command = sandbox.command(&[&always, args].concat());
        Run::new(command.env("OCIFY_CACHE", value).spawn().unwrap());
        let made = ["cache", "named"].map(|name| sandbox.path(name).exists());
        for name in ["cache", "named"] {
            let _ = fs::remove_dir_all(sandbox.path(name));
        }
        made
    };
    assert_eq!(run("named", &[]), [false, true]);
    assert_eq!(run("", &[]), [false, false]);
    assert_eq!(run("", &["--cache", "cache"]), [true, false]);
    assert_eq!(run("named", &["--cache", "cache"]), [true, false]);
    assert_eq!(run("named", &["--cache", ""]), [false, false]);
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let sandbox = Sandbox::new();
    let layer = |number: u64| Layer::noise(number, 100_000);
    for number in 1..=4 {
        let files = save_one("app:1.0", &[layer(number)]);
        sandbox.write(&format!("{number}.tar"), &files.tar());
    }
    let convert = |number: u64, size: &str| {
        let args = ["--cache-size", size];
        let input = format!("{number}.tar");
        cached(&sandbox, &input, &format!("out-{number}"), &args)
    };
    for number in 1..=3 {
        assert_eq!(convert(number, "10G"), (0, 1));
        age(&entry(&sandbox, &layer(number).diff_id()), 10 - number);
    }
    let sum = || -> u64 {
        let sizes = files(&sandbox)
            .into_iter()
            .map(|path| path.metadata().unwrap().len());
        sizes.sum()
    };
    // The cache has space for three entries. The first was used most recently, so the second is removed.
    let most = (sum() + 1000).to_string();
    assert_eq!(convert(1, &most), (1, 1));
    assert_eq!(convert(4, &most), (0, 1));
    assert_eq!(files(&sandbox).len(), 3);
    assert!(sum() <= most.parse().unwrap());
    for number in [1, 3, 4] {
        entry(&sandbox, &layer(number).diff_id());
    }
    // Entries of other levels count too.
    let least = (entry(&sandbox, &layer(4).diff_id())
        .metadata()
        .unwrap()
        .len()
        + 1000)
        .to_string();
    let args = ["--cache-size", &least, "--compression", "gzip:9"];
    assert_eq!(cached(&sandbox, "2.tar", "out-2", &args), (0, 1));
    assert_eq!(files(&sandbox).len(), 1);
    entry(&sandbox, &layer(2).diff_id());
    assert_eq!(convert(2, "0"), (0, 1));
    assert_eq!(files(&sandbox).len(), 0);
}

#[test]
fn a_run_that_fails_keeps_the_bound_too() {
    let sandbox = sandbox();
    cached(&sandbox, "app.tar", "out", &[]);
    let mut image = Image::new(&["bad:1.0"], &[Layer::new("good"), Layer::new("bad")]);
    image.layers[1].1[0] ^= 1;
    sandbox.write("bad.tar", &save(&[image]).tar());
    let args = ["--cache", "cache", "--cache-size", "1K"];
    let run = sandbox.convert(&[&["bad.tar", "-o", "bad"][..], &args].concat());
    assert_eq!(run.status.code(), Some(1));
    let sizes = files(&sandbox)
        .into_iter()
        .map(|path| path.metadata().unwrap().len());
    assert!(sizes.sum::<u64>() <= 1024);
}

#[test]
fn files_of_others_stay() {
    let sandbox = sandbox();
    let name = format!("{0}-{0}", layers()[1].hex());
    for path in [
        "notes.txt".to_owned(),
        ".ocify".to_owned(),
        name.clone(),
        format!("gzip-3-photos/{name}"),
        "zstd-3-0123456789abcdef/README".to_owned(),
    ] {
        let path = sandbox.path("cache").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "precious").unwrap();
    }
    let before = files(&sandbox);
    cached(&sandbox, "app.tar", "out", &["--cache-size", "0"]);
    assert_eq!(files(&sandbox), before);
}

#[test]
fn many_at_once() {
    let sandbox = sandbox();
    sandbox.convert(&["app.tar", "-o", "expected"]).succeeds();
    let expected = sandbox.layout("expected");
    // Runs with hits, misses and both, some of which trim the cache while others read.
    for (round, size) in ["10G", "10G", "200K", "0"].iter().enumerate() {
        let start = |number: usize| {
            let output = format!("out-{round}-{number}");
            let args = ["convert", "app.tar", "--no-fsync", "-o", &output];
            let cache = ["--cache", "cache", "--cache-size", size];
            let command = &mut sandbox.command(&[&args[..], &cache].concat());
            (output, command.spawn().unwrap())
        };
        let running: Vec<_> = (0..8).map(start).collect();
        for (output, child) in running {
            let run = Run::new(child);
            assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
            assert!(sandbox.layout(&output) == expected);
        }
        let left = files(&sandbox);
        let hidden = |path: &std::path::Path| path.to_str().unwrap().contains("/.ocify-");
        assert!(!left.iter().any(|path| hidden(path)), "{left:?}");
        let count = if *size == "10G" { 3 } else { left.len().min(2) };
        assert_eq!(left.len(), count, "{left:?}");
    }
}

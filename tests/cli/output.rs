//! Outputs: folders, tars and streams, always the same bytes, and existing outputs.

use std::fs;

use serde_json::{Value, json};

use crate::support::codec;
use crate::support::docker::{Image, save, save_one};
use crate::support::layers::Layer;
use crate::support::layout::{Layout, annotation, containerd_name};
use crate::support::oci;
use crate::support::sandbox::Sandbox;

fn app(tag: &str, seed: &str) -> Image {
    Image::new(&[tag], &[Layer::new("base"), Layer::new(seed)])
}

#[test]
fn a_tar_holds_what_a_folder_holds_and_a_docker_manifest() {
    let images = [
        Image::new(
            &["app:1.0", "app:latest"],
            &[Layer::new("base"), Layer::new("top")],
        ),
        Image::new(&[], &[Layer::new("base")]),
    ];
    let sandbox = Sandbox::with_archive(&save(&images));
    let folder = sandbox.convert(&["app.tar", "-o", "out"]);
    let tar = sandbox.convert(&["app.tar", "-o", "out.tar"]);
    assert_eq!(folder.succeeds().stdout(), tar.succeeds().stdout());

    let mut tar = sandbox.layout("out.tar");
    let docker: Value =
        serde_json::from_slice(&tar.files.remove("manifest.json").unwrap()).unwrap();
    let layout = sandbox.layout("out");
    assert_eq!(tar, layout);
    let paths = |image: &Value| {
        let manifest = layout.document(image);
        let layers = manifest["layers"].as_array().unwrap().iter();
        let layers: Vec<String> = layers
            .map(|layer| oci::blob_path(oci::digest(layer)))
            .collect();
        (oci::blob_path(oci::digest(&manifest["config"])), layers)
    };
    let (config, layers) = paths(&layout.named("app:1.0"));
    let (nameless_config, nameless_layers) = paths(&layout.descriptors()[2]);
    assert_eq!(
        docker,
        json!([
            {
                "Config": config,
                "RepoTags": ["docker.io/library/app:1.0", "docker.io/library/app:latest"],
                "Layers": layers,
            },
            { "Config": nameless_config, "RepoTags": null, "Layers": nameless_layers },
        ])
    );

    sandbox
        .convert(&["app.tar", "-o", "plain.tar", "--no-docker-manifest"])
        .succeeds();
    assert_eq!(sandbox.layout("plain.tar"), layout);
}

#[test]
fn a_tar_ends_with_two_blocks_of_zeros() {
    let image = save_one("app:1.0", &[Layer::new("base"), Layer::new("top")]);
    let sandbox = Sandbox::with_archive(&image);
    let args = ["app.tar", "-o", "out.tar"];
    // Without manifest.json, which is last, the tar is shorter than before.
    for more in [&[][..], &["--add", "--no-docker-manifest"]] {
        sandbox.convert(&[&args[..], more].concat()).succeeds();
        let bytes = sandbox.read("out.tar");
        assert_eq!(bytes.len() % 512, 0, "{more:?}");
        let zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
        // The last member may fill up to 511 bytes of its last block with zeros.
        assert!((1024..1536).contains(&zeros), "{zeros} zeros, {more:?}");
    }
}

#[test]
fn the_codec_that_was_asked_for() {
    let layers = [
        Layer::new("base"),
        Layer::noise(1, 50_000),
        Layer::new("top"),
    ];
    let mut image = Image::new(&["app:1.0"], &layers);
    image.layers[0].1 = codec::gzip(&layers[0].tar);
    image.layers[1].1 = codec::zstd(&layers[1].tar);
    let sandbox = Sandbox::with_archive(&save(std::slice::from_ref(&image)));
    let (none, gzip, zstd) = (oci::LAYER, oci::LAYER_GZIP, oci::LAYER_ZSTD);
    for (compression, types) in [
        ("keep", [gzip, zstd, gzip]),
        ("none", [none, none, none]),
        ("gzip", [gzip, gzip, gzip]),
        ("gzip:1", [gzip, gzip, gzip]),
        ("zstd", [zstd, zstd, zstd]),
        ("zstd:19", [zstd, zstd, zstd]),
    ] {
        sandbox
            .convert(&["app.tar", "--compression", compression, "-o", compression])
            .succeeds();
        let layout = sandbox.layout(compression);
        assert_eq!(layout.layer_types(&layout.only()), types, "{compression}");
        let expected: Vec<Vec<u8>> = layers.iter().map(|layer| layer.tar.clone()).collect();
        assert_eq!(layout.layers(&layout.only()), expected, "{compression}");
        // Without a level, layers that already have the codec are kept.
        let manifest = layout.document(&layout.only());
        let kept = layout.blob(&manifest["layers"][0]) == image.layers[0].1;
        assert_eq!(
            kept,
            matches!(compression, "keep" | "gzip"),
            "{compression}"
        );
    }
    let size = |name: &str| {
        let layout = sandbox.layout(name);
        layout.document(&layout.only())["layers"][1]["size"]
            .as_u64()
            .unwrap()
    };
    assert!(size("zstd:19") < size("none"));
}

#[test]
fn the_same_bytes_always() {
    // Layers of several chunks, one that shares its digest with another image, and many small ones.
    let mut layers = vec![Layer::noise(7, 3_000_000), Layer::noise(8, 1_100_000)];
    layers.extend((0..6).map(|number| Layer::new(&format!("small-{number}"))));
    let images = [
        Image::new(&["app:1.0"], &layers),
        Image::new(&["app:2.0"], &layers[1..4]),
    ];
    let sandbox = Sandbox::with_archive(&save(&images));
    for compression in ["gzip", "zstd", "none"] {
        let convert = |output: &str, threads: &str| {
            let args = [
                "app.tar",
                "-o",
                output,
                "--compression",
                compression,
                "--threads",
                threads,
                "-q",
            ];
            sandbox.convert(&args).succeeds();
        };
        let first = format!("{compression}-1.tar");
        convert(&first, "1");
        for (run, threads) in ["1", "2", "5", "16"].into_iter().enumerate() {
            let output = format!("{compression}-{run}-{threads}.tar");
            convert(&output, threads);
            assert!(
                sandbox.read(&output) == sandbox.read(&first),
                "{compression} {threads}"
            );
        }
        convert(compression, "3");
        let mut tar = sandbox.layout(&first);
        tar.files.remove("manifest.json");
        assert!(tar == sandbox.layout(compression), "{compression}");
    }
}

#[test]
fn a_tar_on_standard_output_is_the_tar_file() {
    let sandbox = Sandbox::with_archive(&save(&[app("app:1.0", "top")]));
    sandbox.convert(&["app.tar", "-o", "out.tar"]).succeeds();
    let before = sandbox.snapshot();
    let run = sandbox.convert(&["app.tar", "-o", "-"]);
    assert!(run.succeeds().stdout == sandbox.read("out.tar"));
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn standard_input_is_as_good_as_a_file() {
    let archive = save(&[app("app:1.0", "top")]).tar();
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &archive);
    sandbox.convert(&["app.tar", "-o", "file.tar"]).succeeds();
    for (codec, encode) in codec::ALL {
        let output = format!("{codec}.tar");
        let args = ["convert", "-", "-o", &output];
        sandbox.run_with_stdin(&args, &encode(&archive)).succeeds();
        assert!(sandbox.read(&output) == sandbox.read("file.tar"), "{codec}");
    }
    // A redirected file is read in place.
    let file = fs::File::open(sandbox.path("app.tar")).unwrap();
    let mut command = sandbox.command(&["convert", "-", "-o", "redirected.tar"]);
    assert!(command.stdin(file).status().unwrap().success());
    assert!(sandbox.read("redirected.tar") == sandbox.read("file.tar"));
}

#[test]
fn converting_twice_changes_nothing_more() {
    let images = [
        app("app:1.0", "top"),
        Image::new(&[], &[Layer::new("base")]),
    ];
    let sandbox = Sandbox::with_archive(&save(&images));
    for compression in ["keep", "gzip", "zstd", "none"] {
        let (first, second, third) = (
            format!("{compression}-1.tar"),
            format!("{compression}-2.tar"),
            format!("{compression}-3"),
        );
        for (input, output) in [("app.tar", &first), (&first, &second), (&first, &third)] {
            let args = [input, "-o", output, "--compression", compression, "-q"];
            sandbox.convert(&args).succeeds();
        }
        assert_eq!(
            sandbox.layout(&second),
            sandbox.layout(&first),
            "{compression}"
        );
        let mut tar = sandbox.layout(&first);
        tar.files.remove("manifest.json");
        assert_eq!(sandbox.layout(&third), tar, "{compression}");
    }
}

#[test]
fn converting_into_the_same_output_again_changes_nothing() {
    let sandbox = Sandbox::with_archive(&save(&[app("app:1.0", "top"), app("app:2.0", "new")]));
    for output in ["out", "out.tar", "out.tar.zst"] {
        sandbox.convert(&["app.tar", "-o", output]).succeeds();
        let before = sandbox.snapshot();
        for option in ["-q", "--add", "--replace"] {
            let args = ["app.tar", "-o", output, option];
            sandbox.convert(&args).succeeds();
            assert!(sandbox.snapshot() == before, "{output} {option}");
        }
    }
}

/// Adds `app:2.0` and a new `app:1.0` to a layout that has `app:1.0` and `app:latest` of one image and `base`.
fn added_to(output: &str) -> (Layout, Layout) {
    let sandbox = Sandbox::new();
    let old = Image::new(
        &["app:1.0", "app:latest"],
        &[Layer::new("base"), Layer::new("old")],
    );
    let lone = app("lone:1", "lone");
    sandbox.write("old.tar", &save(&[old, lone]).tar());
    sandbox.write(
        "new.tar",
        &save(&[
            app("app:2.0", "two"),
            app("app:1.0", "new"),
            app("lone:1", "l"),
        ])
        .tar(),
    );
    sandbox.convert(&["old.tar", "-o", output]).succeeds();
    let before = sandbox.layout(output);
    let run = sandbox.convert(&["new.tar", "-o", output, "--add", "-v"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let after = Layout::open(&sandbox.path(output));
    for name in ["app:1.0", "lone:1"] {
        let digest = |layout: &Layout| oci::digest(&layout.named(name)).to_owned();
        let (old, new) = (digest(&before), digest(&after));
        let line = format!("{name} moved from {old} to {new}\n");
        assert!(run.stderr.contains(&line), "{}", run.stderr);
    }
    assert_eq!(run.stderr.matches(" moved ").count(), 2);
    (before, after)
}

#[test]
fn an_existing_layout_is_added_to_and_names_move() {
    for output in ["out", "out.tar"] {
        let (before, after) = added_to(output);
        let digest = |layout: &Layout, name: &str| oci::digest(&layout.named(name)).to_owned();
        assert_ne!(digest(&after, "app:1.0"), digest(&before, "app:1.0"));
        // One old image keeps its other name. The other has no name left and is not listed.
        assert_eq!(digest(&after, "app:latest"), digest(&before, "app:latest"));
        let names: Vec<Option<String>> = after.names().into_iter().map(|(name, _)| name).collect();
        let expected = ["app:1.0", "app:2.0", "app:latest", "lone:1"];
        assert_eq!(names, expected.map(|name| Some(name.to_owned())));
        for descriptor in after.descriptors() {
            let name = annotation(&descriptor, oci::REF_NAME);
            assert_eq!(containerd_name(&descriptor).is_some(), name.is_some());
        }
        if output == "out" {
            for (name, bytes) in &before.files {
                if name.starts_with("blobs/") {
                    assert_eq!(after.files.get(name), Some(bytes), "{name}");
                }
            }
        } else {
            // A tar has no unreferenced blobs.
            after.check();
            let docker = after.json("manifest.json");
            assert_eq!(docker.as_array().unwrap().len(), after.names().len());
            assert!(
                !after
                    .files
                    .contains_key(&oci::blob_path(&digest(&before, "lone:1")))
            );
        }
    }
}

#[test]
fn what_others_put_into_a_layout_stays() {
    let mut theirs = oci::Layout::default();
    let image = theirs.image("amd64", &[Layer::new("theirs")]);
    theirs.add(oci::on(&oci::named(&image, "theirs"), "linux", "amd64"));
    let artifact = theirs.blob("application/vnd.example+json", b"{}");
    theirs.add(artifact);
    let sandbox = Sandbox::with_archive(&save(&[app("app:1.0", "top")]));
    let files = theirs.files().edited("index.json", |index| {
        index["annotations"] = json!({ "theirs": "yes" });
        index["x-theirs"] = json!(1);
    });
    files.write(&sandbox.path("out"));
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    let layout = sandbox.layout("out");
    assert_eq!(layout.names().len(), 3);
    let index = layout.json("index.json");
    assert_eq!(index["annotations"], json!({ "theirs": "yes" }));
    assert_eq!(index["x-theirs"], 1);
    for member in &files.members {
        if member.name.starts_with("blobs/") {
            assert_eq!(layout.file(&member.name), member.bytes());
        }
    }
}

#[test]
fn an_empty_folder_becomes_a_layout() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    fs::create_dir(sandbox.path("out")).unwrap();
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    assert_eq!(sandbox.layout("out").names().len(), 1);
}

/// Not every version of Docker loads a tar with zstd layers.
#[test]
fn a_tar_with_zstd_layers_comes_with_a_note() {
    let sandbox = Sandbox::with_archive(&save(&[app("app:1.0", "top")]));
    let note = |output: &str| {
        format!(
            "ocify: warning: {output}: the tar has zstd layers: Docker 29, podman 4 and containerd load it, \
             Docker 20.10 does not; `--compression gzip` suits all of them (docker-zstd)\n"
        )
    };
    let zstd = ["--compression", "zstd"];
    for (output, shown) in [("out.tar", "out.tar"), ("-", "standard output")] {
        let args = [&["app.tar", "-o", output][..], &zstd].concat();
        sandbox.convert(&args).warns(&note(shown));
    }
    // Existing zstd layers cause the note too.
    sandbox
        .convert(&["out.tar", "-o", "kept.tar"])
        .warns(&note("kept.tar"));
    // Docker does not load these outputs.
    for output in [&["out"][..], &["plain.tar", "--no-docker-manifest"]] {
        let args = [&["app.tar"][..], &zstd, &["-o"], output].concat();
        sandbox.convert(&args).succeeds();
    }
}

/// The order of runs does not change index.json. If no name moves, it does not change the layout either.
#[test]
fn the_order_of_runs_does_not_show() {
    let sandbox = Sandbox::new();
    for name in ["b:1", "a:2", "a:1"] {
        let file = format!("{name}.tar");
        sandbox.write(&file, &save(&[app(name, name)]).tar());
    }
    let nameless = Image::new(&[], &[Layer::new("nameless")]);
    sandbox.write("none.tar", &save(&[nameless]).tar());
    let inputs = ["b:1.tar", "a:2.tar", "a:1.tar", "none.tar"];
    let once = [&inputs[..], &["-o", "once"]].concat();
    sandbox.convert(&once).succeeds();
    let once = sandbox.layout("once");
    let names: Vec<Option<String>> = once.names().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [Some("a:1"), Some("a:2"), Some("b:1"), None].map(|name| name.map(str::to_owned))
    );
    for (number, order) in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]]
        .iter()
        .enumerate()
    {
        for output in [format!("{number}"), format!("{number}.tar")] {
            for input in order {
                let args = [inputs[*input], "-o", &output, "--add"];
                sandbox.convert(&args).succeeds();
            }
            let mut layout = sandbox.layout(&output);
            layout.files.remove("manifest.json");
            assert!(layout == once, "{output}");
        }
    }
}

#[test]
fn runs_into_one_output_at_the_same_time_all_count() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..6).map(|number| format!("app:{number}")).collect();
    for name in &names {
        sandbox.write(&format!("{name}.tar"), &save(&[app(name, name)]).tar());
    }
    for output in ["out", "out.tar", "out.tar.gz"] {
        let start = |name: &String| {
            let input = format!("{name}.tar");
            sandbox
                .command(&["convert", "--no-fsync", &input, "-o", output, "--add"])
                .spawn()
                .unwrap()
        };
        let running: Vec<_> = names.iter().map(start).collect();
        for child in running {
            crate::support::sandbox::Run::new(child).succeeds();
        }
        if output == "out.tar.gz" {
            let bytes = codec::decode(&sandbox.read(output), oci::LAYER_GZIP);
            sandbox.write("plain.tar", &bytes);
        }
        let plain = if output == "out.tar.gz" {
            "plain.tar"
        } else {
            output
        };
        let layout = sandbox.layout(plain);
        let mut found: Vec<String> = layout
            .names()
            .into_iter()
            .filter_map(|(name, _)| name)
            .collect();
        found.sort();
        assert_eq!(found, names, "{output}");
    }
}

//! `--fill-from`: what a part leaves out is taken from elsewhere, or made again, to the same digests.

use std::fs;

use serde_json::{Value, json};

use crate::support::docker::{self, Image};
use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::oci::{self, blob_path, digest, named};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{codec, sha256};

const ABSENT: &str = "ocify-absent.json";

fn layers() -> [Layer; 3] {
    ["base", "middle", "top"].map(Layer::new)
}

/// With `app.tar` of three layers, all of it in `full`, `old.tar` with two of the layers, and `part.tar` without them.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_archive(&docker::save_one("app:1", &layers()));
    sandbox.write("old.tar", &docker::save_one("app:0", &layers()[..2]).tar());
    sandbox.convert(&["app.tar", "-o", "full"]).succeeds();
    sandbox
        .convert(&["app.tar", "--have", "old.tar", "-o", "part.tar"])
        .succeeds();
    sandbox
}

/// The digests of the layers in `full`.
fn blobs(sandbox: &Sandbox) -> Vec<String> {
    let full = sandbox.layout("full");
    let layers = full.document(&full.only())["layers"].clone();
    let layers = layers.as_array().unwrap().iter();
    layers.map(|layer| digest(layer).to_owned()).collect()
}

#[test]
fn layers_are_made_again_from_any_encoding() {
    let sandbox = sandbox();
    let known = &layers()[..2];
    for (name, encode) in codec::ALL {
        let image = Image::new(&["app:0"], known).encoded(encode);
        sandbox.write(&format!("{name}.tar"), &docker::save(&[image]).tar());
    }
    for level in ["none", "gzip:9", "zstd:5"] {
        sandbox
            .convert(&["old.tar", "-o", level, "--compression", level])
            .succeeds();
    }
    let sources = ["none.tar", "gzip.tar", "zstd.tar", "bzip2.tar", "xz.tar"];
    for source in sources
        .into_iter()
        .chain(["none", "gzip:9", "zstd:5", "full"])
    {
        let out = format!("{source}-out");
        let args = ["part.tar", "--fill-from", source, "-o", &out];
        sandbox.convert(&args).succeeds();
        assert_eq!(sandbox.layout(&out), sandbox.layout("full"), "{source}");
        let out = format!("{source}-out.tar");
        let args = ["part.tar", "--fill-from", source, "-o", &out];
        sandbox.convert(&args).succeeds();
        sandbox.convert(&["app.tar", "-o", "full.tar"]).succeeds();
        assert_eq!(sandbox.read(&out), sandbox.read("full.tar"), "{source}");
    }
}

#[test]
fn a_layout_that_has_the_rest_is_completed() {
    let sandbox = sandbox();
    sandbox.convert(&["old.tar", "-o", "site"]).succeeds();
    let inode = |path: &str| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(sandbox.path(path)).unwrap().ino()
    };
    let base = format!("site/{}", blob_path(&blobs(&sandbox)[0]));
    let before = inode(&base);
    sandbox.convert(&["part.tar", "-o", "site"]).succeeds();
    // What was there is not copied.
    assert_eq!(inode(&base), before);
    let site = sandbox.layout("site");
    assert!(!site.files.contains_key(ABSENT));
    assert_eq!(
        site.named("app:1")["digest"],
        sandbox.layout("full").only()["digest"]
    );
    sandbox.convert(&["old.tar", "-o", "direct"]).succeeds();
    sandbox.convert(&["app.tar", "-o", "direct"]).succeeds();
    assert_eq!(site, sandbox.layout("direct"));
    // In another encoding, it is made again.
    sandbox
        .convert(&["old.tar", "-o", "zstd", "--compression", "zstd"])
        .succeeds();
    sandbox.convert(&["part.tar", "-o", "zstd"]).succeeds();
    let zstd = sandbox.layout("zstd");
    assert_eq!(zstd.named("app:1")["digest"], site.named("app:1")["digest"]);
    sandbox.run(&["verify", "zstd"]).succeeds();
    // And a tar that is added to.
    sandbox.convert(&["old.tar", "-o", "site.tar"]).succeeds();
    sandbox
        .convert(&["part.tar", "-o", "site.tar", "--add"])
        .succeeds();
    assert_eq!(
        sandbox.layout("site.tar").named("app:1"),
        site.named("app:1")
    );
}

#[test]
fn a_part_stays_one_as_long_as_it_is_asked_to() {
    let sandbox = sandbox();
    let blobs = blobs(&sandbox);
    let mut described: Vec<String> = (0..2)
        .map(|layer| {
            let path = sandbox.path("full").join(blob_path(&blobs[layer]));
            let size = fs::metadata(path).unwrap().len();
            let diff_id = layers()[layer].diff_id();
            format!(
                "{} ({size} bytes, or made of layer {diff_id})",
                blobs[layer]
            )
        })
        .collect();
    described.sort();
    for output in ["out", "out.tar"] {
        sandbox.convert(&["part.tar", "-o", output]).fails(&format!(
            "ocify: part.tar: 2 blobs are missing: {}\n\
             hint: add the inputs that have them, name what has them with `--fill-from`, or use `--missing keep`\n",
            described.join(", ")
        ));
        assert!(!sandbox.path(output).exists());
    }
    let warning = "ocify: warning: part.tar: 2 blobs stay absent, as ocify-absent.json in the output says \
                   (blob-left-out)\n";
    let args = ["part.tar", "--missing", "keep", "-o", "out.tar"];
    sandbox.convert(&args).warns(warning);
    assert_eq!(sandbox.read("out.tar"), sandbox.read("part.tar"));
    let args = ["part.tar", "--missing", "keep", "-o", "out"];
    sandbox.convert(&args).warns(warning);
    // One of the two.
    sandbox.write("one.tar", &docker::save_one("x:1", &layers()[..1]).tar());
    let args = [
        "out",
        "--fill-from",
        "one.tar",
        "--missing",
        "keep",
        "-o",
        "less.tar",
    ];
    sandbox.convert(&args).warns(
        "ocify: warning: out: 1 blob stays absent, as ocify-absent.json in the output says (blob-left-out)\n",
    );
    let less = Layout::open(&sandbox.path("less.tar"));
    assert_eq!(less.json(ABSENT)["absent"][0]["digest"], json!(blobs[1]));
    // What has come is crossed out where it is added.
    sandbox
        .convert(&["less.tar", "--missing", "keep", "-o", "out"])
        .warns("ocify: warning: less.tar: 1 blob stays absent, as ocify-absent.json in the output says (blob-left-out)\n");
    let out = Layout::open(&sandbox.path("out"));
    assert_eq!(out.json(ABSENT), less.json(ABSENT));
    sandbox
        .convert(&["out", "--fill-from", "old.tar", "-o", "done"])
        .succeeds();
    assert_eq!(sandbox.layout("done"), sandbox.layout("full"));
    sandbox
        .convert(&["part.tar", "--fill-from", "old.tar", "-o", "out"])
        .succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("full"));
}

#[test]
fn plain_layers_stay_plain() {
    let sandbox = sandbox();
    let plain = ["--compression", "none"];
    sandbox
        .convert(&[&["app.tar", "-o", "plain"], &plain[..]].concat())
        .succeeds();
    sandbox.write("empty", b"");
    let gzip = Image::new(&["app:0"], &layers()[..2]).encoded(codec::gzip);
    sandbox.write("gzip.tar", &docker::save(&[gzip]).tar());
    for (have, part, left_out) in [
        ("old.tar", "some.tar", 2),
        ("gzip.tar", "gzip-some.tar", 2),
        ("empty", "nothing.tar", 0),
    ] {
        let args = ["app.tar", "--have", have, "-o", part];
        sandbox.convert(&[&args[..], &plain].concat()).succeeds();
        let blobs = Layout::open(&sandbox.path(part)).files;
        let all = layers();
        let absent = all.iter().filter(|layer| {
            let path = blob_path(&layer.diff_id());
            !blobs.contains_key(&path)
        });
        assert_eq!(absent.count(), left_out, "{have}");
        let out = format!("{part}-out");
        sandbox
            .convert(&[part, "--fill-from", "old.tar", "-o", &out])
            .succeeds();
        assert_eq!(sandbox.layout(&out), sandbox.layout("plain"), "{part}");
    }
}

#[test]
fn parts_with_different_halves_complete_each_other() {
    let sandbox = sandbox();
    sandbox.write("top", layers()[2].diff_id().as_bytes());
    sandbox
        .convert(&["app.tar", "--have", "top", "-o", "other"])
        .succeeds();
    for (number, inputs) in [["other", "part.tar"], ["part.tar", "other"]]
        .iter()
        .enumerate()
    {
        let out = format!("out{number}");
        let run = sandbox.convert(&[&inputs[..], &["-o", &out]].concat());
        run.succeeds();
        assert_eq!(run.stdout().lines().count(), 1);
        assert_eq!(sandbox.layout(&out), sandbox.layout("full"));
    }
}

/// Nobody has to have made a part with ocify: the specification allows blobs to be missing.
#[test]
fn a_blob_that_nothing_lists_is_taken_by_its_digest() {
    let layout = oci::one("app:1", &layers());
    let blob = sha256(&codec::gzip(&layers()[1].tar));
    let sandbox = Sandbox::with_folder(&layout.files());
    layout
        .files()
        .without(&blob_path(&blob))
        .write(&sandbox.path("part"));
    sandbox.convert(&["app", "-o", "full"]).succeeds();
    sandbox
        .convert(&["part", "--fill-from", "app", "-o", "out"])
        .succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("full"));
    let missing = format!(
        "ocify: part: app:1: layer 2 of 3: {}: missing from the input\n",
        blob_path(&blob)
    );
    sandbox.convert(&["part", "-o", "none"]).fails(&missing);
    // Even when parts are kept: nothing says that it was left out on purpose.
    sandbox
        .convert(&["part", "--missing", "keep", "-o", "none"])
        .fails(&missing);
}

#[test]
fn damaged_sources() {
    let sandbox = sandbox();
    let name = docker::layer_name(&layers()[0]);
    let damaged = docker::save_one("app:0", &layers()[..2]);
    let mut tar = damaged.get(&name).to_vec();
    tar[600] ^= 1;
    sandbox.write("damaged.tar", &damaged.with(&name, tar.clone()).tar());
    sandbox
        .convert(&["part.tar", "--fill-from", "damaged.tar", "-o", "out"])
        .fails(&format!(
            "ocify: damaged.tar: app:1: layer 1 of 3: diff_id is {}, expected {}\n\
         hint: copy or save the input again: it is damaged\n",
            sha256(&tar),
            layers()[0].diff_id(),
        ));
    // In the layout that is completed.
    sandbox.convert(&["old.tar", "-o", "site"]).succeeds();
    let path = sandbox.path("site").join(blob_path(&blobs(&sandbox)[0]));
    let mut blob = fs::read(&path).unwrap();
    *blob.last_mut().unwrap() ^= 1;
    fs::write(&path, blob).unwrap();
    let before = sandbox.snapshot();
    let run = sandbox.convert(&["part.tar", "-o", "site"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr.starts_with("ocify: site: app:1: layer 1 of 3: "),
        "{}",
        run.stderr
    );
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn another_version_of_the_encoder() {
    let sandbox = sandbox();
    sandbox
        .convert(&["app.tar", "--have", "old.tar", "-o", "part"])
        .succeeds();
    let edit = |change: &dyn Fn(&mut Value)| {
        let path = sandbox.path("part").join(ABSENT);
        let mut list: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for blob in list["absent"].as_array_mut().unwrap() {
            change(blob);
        }
        fs::write(path, list.to_string()).unwrap();
    };
    // As long as it gives the same bytes, it will do.
    edit(&|blob| blob["encoder"] = json!("other"));
    sandbox
        .convert(&["part", "--fill-from", "old.tar", "-o", "out"])
        .succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("full"));
    edit(&|blob| blob["codec"] = json!("zstd"));
    let before = sandbox.snapshot();
    let run = sandbox.convert(&["part", "--fill-from", "old.tar", "-o", "new"]);
    assert_eq!(run.status.code(), Some(1));
    let message = "it was encoded by encoder other, and this program has ";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert_eq!(sandbox.snapshot(), before);
    // A blob that cannot be made is missing.
    edit(&|blob| {
        blob.as_object_mut().unwrap().shift_remove("codec");
    });
    let run = sandbox.convert(&["part", "--fill-from", "old.tar", "-o", "new"]);
    assert!(
        run.stderr.starts_with("ocify: part: 2 blobs are missing: "),
        "{}",
        run.stderr
    );
}

#[test]
fn malformed_lists_of_absent_blobs() {
    let sandbox = sandbox();
    sandbox
        .convert(&["app.tar", "--have", "old.tar", "-o", "part"])
        .succeeds();
    let path = sandbox.path("part").join(ABSENT);
    let recipe = |codec: &str, level: u32| {
        json!({ "absent": [{
            "digest": sha256(b"x"), "size": 1, "mediaType": oci::LAYER_GZIP, "diffId": sha256(b"y"),
            "codec": codec, "level": level, "encoder": "0123456789abcdef",
        }]})
        .to_string()
    };
    for (list, message) in [
        ("{}", "it lacks the list `absent`"),
        (
            "{\"absent\":[1]}",
            "absent[0] is not a blob with digest, size and mediaType",
        ),
        (
            &recipe("gzip", 0),
            "absent[0] is not a blob with digest, size and mediaType",
        ),
        (
            &recipe("zstd", 23),
            "absent[0] is not a blob with digest, size and mediaType",
        ),
    ] {
        fs::write(&path, list).unwrap();
        let run = sandbox.convert(&["part", "--fill-from", "old.tar", "-o", "out"]);
        run.fails(&format!("ocify: part: ocify-absent.json: {message}\n"));
        let run = sandbox.run(&["verify", "part"]);
        let line = format!("error[absent-list]: ocify-absent.json: {message}");
        assert!(
            run.stdout().lines().any(|found| found == line),
            "{}",
            run.stdout()
        );
    }
}

/// A part has all configs: one that it lists as absent is missing all the same.
#[test]
fn a_config_that_a_part_lists() {
    let sandbox = sandbox();
    sandbox
        .convert(&["app.tar", "--have", "old.tar", "-o", "part"])
        .succeeds();
    let part = Layout::open(&sandbox.path("part"));
    let config = part.document(&part.only())["config"].clone();
    let path = sandbox.path("part").join(ABSENT);
    let mut list: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    list["absent"].as_array_mut().unwrap().push(config.clone());
    fs::write(&path, list.to_string()).unwrap();
    let file = blob_path(digest(&config));
    fs::remove_file(sandbox.path("part").join(&file)).unwrap();
    for args in [
        &[
            "convert",
            "--no-fsync",
            "part",
            "-o",
            "out",
            "--missing",
            "keep",
        ][..],
        &[
            "convert",
            "--no-fsync",
            "part",
            "--fill-from",
            "old.tar",
            "-o",
            "out",
        ],
        &["verify", "part"],
    ] {
        let run = sandbox.run(args);
        let said = format!("{}{}", run.stdout(), run.stderr);
        assert_eq!(run.status.code(), Some(1), "{said}");
        let message = format!("{file}: missing from the input");
        assert!(said.contains(&message), "{said}");
    }
}

#[test]
fn parts_of_different_outputs() {
    let sandbox = sandbox();
    let other = [Layer::new("base"), Layer::new("middle"), Layer::new("new")];
    sandbox.write("new.tar", &docker::save_one("app:1", &other).tar());
    sandbox
        .convert(&["new.tar", "--have", "old.tar", "-o", "new-part.tar"])
        .succeeds();
    let run = sandbox.convert(&["part.tar", "new-part.tar", "-o", "out"]);
    run.fails(
        "ocify: part.tar and new-part.tar are parts of different outputs: app:1 is not the same image in both\n\
         hint: convert the parts of each output separately\n",
    );
}

#[test]
fn prune_keeps_the_list_in_step() {
    let sandbox = sandbox();
    let args = ["part.tar", "--missing", "keep", "-o", "site", "-q"];
    sandbox.convert(&args).succeeds();
    let list = sandbox.path("site").join(ABSENT);
    let before = fs::read(&list).unwrap();
    sandbox.run(&["prune", "site"]).succeeds();
    assert_eq!(fs::read(&list).unwrap(), before);
    let other = docker::save_one("app:1", &[Layer::new("other")]);
    sandbox.write("other.tar", &other.tar());
    sandbox.convert(&["other.tar", "-o", "site"]).succeeds();
    sandbox.run(&["prune", "--dry-run", "site"]).succeeds();
    assert_eq!(fs::read(&list).unwrap(), before);
    sandbox.run(&["prune", "site"]).succeeds();
    assert!(!list.exists());
    assert_eq!(
        sandbox.layout("site").only()["annotations"][oci::REF_NAME],
        "app:1"
    );
}

#[test]
fn a_platform_of_an_index_that_is_a_part() {
    let mut layout = oci::Layout::default();
    let images = ["amd64", "arm64"].map(|architecture| {
        let layers = [Layer::new("base"), Layer::new(architecture)];
        oci::on(&layout.image(architecture, &layers), "linux", architecture)
    });
    let index = layout.index(&images);
    let layout = layout.listing(named(&index, "app:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let base = sha256(&codec::gzip(&Layer::new("base").tar));
    sandbox.write("have", base.as_bytes());
    sandbox
        .convert(&["app", "--have", "have", "-o", "part.tar"])
        .succeeds();
    sandbox
        .convert(&["part.tar", "--fill-from", "app", "-o", "out"])
        .succeeds();
    sandbox.convert(&["app", "-o", "full"]).succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("full"));
    let args = [
        "part.tar",
        "--fill-from",
        "app",
        "--platform",
        "linux/arm64",
        "-o",
        "arm",
    ];
    sandbox.convert(&args).succeeds();
    assert_eq!(sandbox.layout("arm").only()["digest"], images[1]["digest"]);
}

#[test]
fn a_part_with_schema_2_manifests() {
    let sandbox = sandbox();
    let format = ["--format", "v2s2"];
    let convert = |args: &[&str]| sandbox.convert(&[args, &format].concat());
    convert(&["app.tar", "-o", "full-v2s2"]).succeeds();
    convert(&["app.tar", "--have", "old.tar", "-o", "part-v2s2"]).succeeds();
    let part = Layout::open(&sandbox.path("part-v2s2"));
    let absent = part.json(ABSENT)["absent"].as_array().unwrap().clone();
    assert_eq!(absent.len(), 2);
    for blob in &absent {
        assert_eq!(blob["mediaType"], oci::DOCKER_LAYER_GZIP);
    }
    let args = ["part-v2s2", "--fill-from", "old.tar", "-o", "out"];
    convert(&args).succeeds();
    let open = |name: &str| Layout::open(&sandbox.path(name));
    assert_eq!(open("out"), open("full-v2s2"));
    sandbox.run(&["verify", "out"]).succeeds();
    // Converted to the other format on the way, it is what the whole is in that format.
    let args = ["part-v2s2", "--fill-from", "old.tar", "-o", "as-oci"];
    sandbox.convert(&args).succeeds();
    let args = ["full-v2s2", "-o", "whole-as-oci"];
    sandbox.convert(&args).succeeds();
    assert_eq!(sandbox.layout("as-oci"), sandbox.layout("whole-as-oci"));
}

#[test]
fn many_writers_complete_one_layout() {
    let sandbox = sandbox();
    let mut parts = vec!["part.tar".to_owned()];
    for number in 0..5 {
        let own = [
            Layer::new("base"),
            Layer::new("middle"),
            Layer::new(&format!("{number}")),
        ];
        let name = format!("app:x{number}");
        let archive = format!("whole{number}.tar");
        let part = format!("part{number}.tar");
        sandbox.write(&archive, &docker::save_one(&name, &own).tar());
        sandbox
            .convert(&[&archive, "--have", "old.tar", "-o", &part])
            .succeeds();
        sandbox.convert(&[&archive, "-o", "full"]).succeeds();
        parts.push(part);
    }
    sandbox.convert(&["old.tar", "-o", "full"]).succeeds();
    // The site has the layers in one encoding, and everybody needs them in another.
    let args = ["old.tar", "-o", "site", "--compression", "zstd"];
    sandbox.convert(&args).succeeds();
    let writers = parts.iter().map(|part| {
        let args = ["convert", "--no-fsync", part, "-o", "site"];
        sandbox.command(&args).spawn().unwrap()
    });
    let writers: Vec<_> = writers.collect();
    for writer in writers {
        Run::new(writer).succeeds();
    }
    sandbox.run(&["verify", "site"]).succeeds();
    let (site, full) = (sandbox.layout("site"), sandbox.layout("full"));
    assert!(!site.files.contains_key(ABSENT));
    let new = |layout: &Layout| -> Vec<(Value, Value)> {
        let listed = layout.descriptors().into_iter();
        let facts = listed.map(|one| (one["annotations"].clone(), one["digest"].clone()));
        facts
            .filter(|(names, _)| names[oci::REF_NAME] != "app:0")
            .collect()
    };
    assert_eq!(new(&site).len(), 6);
    assert_eq!(new(&site), new(&full));
}

#[test]
fn a_part_does_not_take_the_layers_of_another_build() {
    // Both builds have the name, and different base layers.
    let sandbox = sandbox();
    let rebuilt = [
        Layer::new("base 2"),
        Layer::new("middle"),
        Layer::new("top"),
    ];
    sandbox.write("rebuilt.tar", &docker::save_one("app:1", &rebuilt).tar());
    sandbox.convert(&["rebuilt.tar", "-o", "site"]).succeeds();
    let before = sandbox.layout("site");
    let run = sandbox.convert(&["part.tar", "-o", "site"]);
    let [base, ..] = &blobs(&sandbox)[..] else {
        panic!()
    };
    assert_eq!(run.status.code(), Some(1));
    let message = format!("ocify: part.tar: 1 blob is missing: {base} (");
    assert!(run.stderr.starts_with(&message), "{}", run.stderr);
    assert_eq!(sandbox.layout("site"), before);
}

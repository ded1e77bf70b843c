//! Pruning removes blobs that nothing refers to, and nothing else.

use std::fs;

use serde_json::{Value, json};

use crate::support::docker::{Image, save};
use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{oci, sha256};

fn archive(name: &str, text: &str) -> Vec<u8> {
    let layers = [Layer::new("base"), Layer::new(text)];
    save(&[Image::new(&[name], &layers)]).tar()
}

/// A layout `out` in which `app:1` has moved, and a layout without the old image for comparison.
fn moved(sandbox: &Sandbox) -> Layout {
    for (text, output) in [("one", "out"), ("two", "out"), ("two", "new")] {
        sandbox.write("app.tar", &archive("app:1", text));
        sandbox.convert(&["app.tar", "-o", output]).succeeds();
    }
    sandbox.layout("new")
}

/// Size of the blobs in bytes.
fn size(layout: &Layout) -> usize {
    let blobs = layout.files.iter();
    let blobs = blobs.filter(|(name, _)| name.starts_with("blobs/"));
    blobs.map(|(_, bytes)| bytes.len()).sum()
}

#[test]
fn what_nothing_refers_to_is_removed() {
    let sandbox = Sandbox::new();
    let new = moved(&sandbox);
    let old = Layout::open(&sandbox.path("out"));
    let freed = size(&old) - size(&new);
    let shown = indicatif::HumanBytes(freed as u64);
    let before = sandbox.snapshot();
    // A manifest, a config and a layer.
    let run = sandbox.run(&["prune", "--dry-run", "out"]);
    assert_eq!(
        run.succeeds().stdout(),
        format!("out: 3 blobs, {shown}, would be freed\n")
    );
    let run = sandbox.run(&["prune", "--dry-run", "--json", "out"]);
    let document: Value = serde_json::from_slice(&run.succeeds().stdout).unwrap();
    let expected = json!([{ "layout": "out", "blobs": 3, "size": freed }]);
    assert_eq!(document, json!({ "layouts": expected, "dryRun": true }));
    assert_eq!(sandbox.snapshot(), before);

    let run = sandbox.run(&["prune", "out"]);
    assert_eq!(
        run.succeeds().stdout(),
        format!("out: 3 blobs, {shown}, freed\n")
    );
    assert_eq!(sandbox.layout("out"), new);
    let run = sandbox.run(&["prune", "out", "new", "-q"]);
    assert_eq!(run.succeeds().stdout(), "");
    assert_eq!(sandbox.layout("out"), new);
    assert_eq!(sandbox.layout("new"), new);
}

#[test]
fn a_conversion_prunes_in_the_end() {
    let sandbox = Sandbox::new();
    let new = moved(&sandbox);
    let run = sandbox.convert(&["app.tar", "-o", "out", "--prune", "--json"]);
    let report: Value = serde_json::from_slice(&run.succeeds().stdout).unwrap();
    assert_eq!(report["pruned"]["blobs"], 3);
    assert_eq!(sandbox.layout("out"), new);
    // A tar has nothing to prune.
    sandbox
        .convert(&["app.tar", "-o", "out.tar", "--prune"])
        .succeeds();
}

/// The images are in the output, whatever happens afterwards.
#[test]
fn a_run_that_keeps_going_reports_images_that_were_not_pruned() {
    let sandbox = Sandbox::new();
    moved(&sandbox);
    let of_new = sandbox.layout("new");
    let manifest = oci::blob_path(oci::digest(&of_new.only()));
    sandbox.write("other.tar", &archive("other:1", "three"));
    sandbox.write(&format!("out/{manifest}"), b"damaged");
    sandbox.write("bad.tar", b"not an image");
    let args = [
        "bad.tar",
        "other.tar",
        "-k",
        "-o",
        "out",
        "--prune",
        "-q",
        "--report",
        "report.json",
    ];
    let run = sandbox.convert(&args);
    assert_eq!(run.status.code(), Some(1));
    let not_pruned = "ocify: the output is complete, but was not pruned: out: ";
    assert!(run.stderr.contains("ocify: bad.tar: "), "{}", run.stderr);
    assert!(run.stderr.contains(not_pruned), "{}", run.stderr);
    let report: Value = serde_json::from_slice(&sandbox.read("report.json")).unwrap();
    assert_eq!(report["images"][0]["names"], json!(["other:1"]));
    assert_eq!(report["failed"].as_array().unwrap().len(), 2);
    assert_eq!(report["pruned"], Value::Null);
}

/// A layout with every kind of reference: nested indexes, artifacts, subjects, foreign layers, unknown documents.
#[test]
fn what_others_refer_to_stays() {
    let mut theirs = oci::Layout::default();
    let image = theirs.image("amd64", &[Layer::new("a")]);
    let other = theirs.image("arm64", &[Layer::new("b")]);
    let inner = theirs.index(&[image.clone(), other]);
    let outer = theirs.index(&[inner]);
    theirs.add(oci::named(&outer, "multi:1"));
    let subject = theirs.image("amd64", &[Layer::new("subject")]);
    let config = theirs.blob(oci::EMPTY, b"{}");
    let payload = theirs.blob("application/vnd.example", b"payload");
    let mut referrer = oci::manifest(&config, &[payload]);
    referrer["subject"] = subject;
    referrer["artifactType"] = json!("application/vnd.example");
    let referrer = theirs.document(&referrer);
    theirs.add(referrer);
    // Documents of a partial copy refer to missing blobs.
    let mut absent = image;
    absent["digest"] = json!(sha256(b"absent"));
    let partial = theirs.index(&[absent]);
    theirs.add(oci::named(&partial, "partial:1"));
    let sandbox = Sandbox::with_folder(&theirs.files());
    let before = sandbox.snapshot();
    sandbox.run(&["prune", "app"]).succeeds();
    assert_eq!(sandbox.snapshot(), before);

    // Files that are not blobs stay.
    sandbox.write("app/README", b"notes");
    sandbox.write("app/blobs/sha256/notes", b"notes");
    fs::create_dir(sandbox.path("app/blobs/md5")).unwrap();
    sandbox.write("app/blobs/md5/notes", b"notes");
    let before = sandbox.snapshot();
    let loose = oci::blob_path(&sha256(b"loose"));
    sandbox.write(&format!("app/{loose}"), b"loose");
    let run = sandbox.run(&["prune", "app"]);
    assert_eq!(run.succeeds().stdout(), "app: 1 blob, 5 B, freed\n");
    assert_eq!(sandbox.snapshot(), before);
}

/// The manifest.json of a `docker save` archive may refer to more blobs than index.json.
#[test]
fn what_docker_refers_to_stays() {
    let sandbox = Sandbox::new();
    moved(&sandbox);
    let old = Layout::open(&sandbox.path("out"));
    let new = sandbox.layout("new");
    let blobs: Vec<&String> = old
        .files
        .keys()
        .filter(|name| !new.files.contains_key(*name))
        .collect();
    let manifest = json!([{ "Config": blobs[0], "RepoTags": null, "Layers": [blobs[1]] }]);
    sandbox.write("out/manifest.json", manifest.to_string().as_bytes());
    let run = sandbox.run(&["prune", "out"]);
    assert!(run.succeeds().stdout().starts_with("out: "));
    for blob in &blobs[..2] {
        assert!(sandbox.path(&format!("out/{blob}")).exists());
    }
}

/// The `diff_ids` of a config are not references: they do not keep plain copies of layers.
#[test]
fn an_old_codec_is_removed() {
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &archive("app:1", "one"));
    for (compression, output) in [("none", "out"), ("gzip", "out"), ("gzip", "new")] {
        let args = ["app.tar", "-o", output, "--compression", compression];
        sandbox.convert(&args).succeeds();
    }
    sandbox.run(&["prune", "out"]).succeeds();
    assert_eq!(sandbox.layout("out"), sandbox.layout("new"));
}

#[test]
fn when_in_doubt_nothing_is_removed() {
    let sandbox = Sandbox::new();
    moved(&sandbox);
    let layout = sandbox.layout("new");
    let manifest = oci::blob_path(oci::digest(&layout.only()));
    let sound = sandbox.read(&format!("out/{manifest}"));
    let text = String::from_utf8(sound.clone()).unwrap();
    let hint = "hint: use `ocify verify` to see what is damaged\n";
    let index = String::from_utf8(sandbox.read("out/index.json")).unwrap();
    let hex = manifest.rsplit('/').next().unwrap().to_owned();
    for (file, bytes, reason) in [
        (
            &*manifest,
            text.replacen("\"layers\"", "\"Lavers\"", 1),
            "its digest does not match",
        ),
        (
            &*manifest,
            "not JSON".to_owned(),
            "its digest does not match",
        ),
        (
            "index.json",
            "{".to_owned(),
            "not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        ("index.json", "[]".to_owned(), "it is not an object"),
        (
            "index.json",
            "{}".to_owned(),
            "it has no array of manifests",
        ),
        (
            "index.json",
            r#"{"manifests":null}"#.to_owned(),
            "it has no array of manifests",
        ),
        (
            "index.json",
            r#"{"manifests":[{}]}"#.to_owned(),
            "manifests[0] has no digest",
        ),
        (
            "index.json",
            r#"{"manifests":[1]}"#.to_owned(),
            "manifests[0] has no digest",
        ),
        (
            "index.json",
            index.replace("sha256:", "SHA256:"),
            &format!(
                "manifests[0]: the algorithm of digest \"SHA256:{hex}\" is not supported, expected sha256 or sha512"
            ),
        ),
        (
            "index.json",
            index.replace(&hex, &hex.to_uppercase()),
            &format!(
                "manifests[0]: digest \"sha256:{}\" is malformed, expected 64 lower-case hex digits",
                hex.to_uppercase()
            ),
        ),
        ("manifest.json", "{}".to_owned(), "it is not an array"),
    ] {
        let path = sandbox.path("out").join(file);
        let intact = fs::read(&path).ok();
        fs::write(&path, bytes).unwrap();
        let before = sandbox.snapshot();
        sandbox.run(&["prune", "out"]).fails(&format!(
            "ocify: out: nothing was removed: cannot tell what {file} refers to: {reason}\n{hint}"
        ));
        assert_eq!(sandbox.snapshot(), before);
        match intact {
            Some(intact) => fs::write(&path, intact).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }

    // A manifest that matches its digest, but whose layers are not a list.
    let mut broken = oci::Layout::default();
    let config = broken.blob(oci::CONFIG, b"{}");
    let mut manifest = oci::manifest(&config, &[]);
    manifest["layers"] = json!({});
    let manifest = broken.document(&manifest);
    broken.add(manifest.clone());
    let sandbox = Sandbox::with_folder(&broken.files());
    let before = sandbox.snapshot();
    sandbox.run(&["prune", "app"]).fails(&format!(
        "ocify: app: nothing was removed: cannot tell what {} refers to: layers is not an array\n{hint}",
        oci::blob_path(oci::digest(&manifest))
    ));
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn what_is_not_a_layout_in_a_folder() {
    let sandbox = Sandbox::new();
    moved(&sandbox);
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write("folder/thesis.txt", b"years of work");
    fs::create_dir(sandbox.path("empty")).unwrap();
    let before = sandbox.snapshot();
    for path in ["app.tar", "folder", "empty"] {
        sandbox.run(&["prune", path]).fails(&format!(
            "ocify: {path}: not an OCI layout in a folder\n\
             hint: to prune a tar, convert it to a new one: only what is referred to is written\n"
        ));
    }
    assert_eq!(sandbox.snapshot(), before);
    // The others are pruned.
    let run = sandbox.run(&["prune", "folder", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stdout().starts_with("out: 3 blobs, "));
}

/// Runs that add and runs that prune: each sees the layout before or after the other, and no image is damaged.
#[test]
fn pruning_while_others_write() {
    let sandbox = Sandbox::new();
    sandbox.write("first.tar", &archive("first:1", "first"));
    sandbox.convert(&["first.tar", "-o", "out"]).succeeds();
    let names: Vec<String> = (0..6).map(|number| format!("app:{number}")).collect();
    for name in &names {
        sandbox.write(&format!("{name}.tar"), &archive(name, name));
    }
    let start = |args: &[&str]| sandbox.command(args).spawn().unwrap();
    let mut running = Vec::new();
    for name in &names {
        let input = format!("{name}.tar");
        running.push(start(&["convert", "--no-fsync", &input, "-o", "out"]));
        running.push(start(&["prune", "-q", "out"]));
    }
    for child in running {
        Run::new(child).succeeds();
    }
    sandbox.run(&["prune", "out"]).succeeds();
    // No referenced blob is missing.
    assert_eq!(sandbox.layout("out").names().len(), 7);
}

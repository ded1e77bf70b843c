//! What is wrong with a registry's storage tree, and the whole message that says so.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, digest};
use crate::support::registry::{ROOT, Tree, folder_and_archive};
use crate::support::sandbox::Sandbox;
use crate::support::schema1::{edit_v1, manifest};
use crate::support::{codec, docker, sha256};

fn images() -> (Tree, [Value; 2], Layout) {
    let mut layout = Layout::default();
    let images =
        ["good", "bad"].map(|seed| layout.image("amd64", &[Layer::new("base"), Layer::new(seed)]));
    let mut tree = Tree::of(&layout);
    tree.tag("bad", "1", digest(&images[1]));
    tree.tag("good", "1", digest(&images[0]));
    (tree, images, layout)
}

/// Converting everything fails with this message, and the good image can be converted alone.
#[track_caller]
fn refuses(files: &Files, message: &str) {
    for (sandbox, input) in folder_and_archive(files) {
        let before = sandbox.snapshot();
        sandbox
            .convert(&[input, "-o", "out"])
            .fails(&format!("ocify: {input}: {message}\n"));
        assert_eq!(sandbox.snapshot(), before);
        sandbox
            .convert(&[input, "-o", "out", "--image", "good:1"])
            .succeeds();
    }
}

#[test]
fn links_that_are_no_digests() {
    let (tree, _, _) = images();
    let path = tree.tag_path("bad", "1");
    let long = "x".repeat(300);
    let cases = [
        ("", "the link is empty, expected a digest"),
        ("x", "the link contains \"x\", expected a digest"),
        (
            "sha256:0\u{1b}",
            "the link contains \"sha256:0\\u{1b}\", expected a digest",
        ),
        (&long, "the link has 300 bytes, expected a digest"),
    ];
    for (link, message) in cases {
        let files = tree.files.clone().with(&path, link);
        refuses(&files, &format!("{path}: {message}"));
    }
}

#[test]
fn missing_blobs() {
    let (tree, [_, bad], layout) = images();
    let file = tree.blob_path(digest(&bad));
    let files = tree.files.clone().without(&file);
    refuses(&files, &format!("bad:1: {file}: missing from the input"));
    let manifest = layout.files();
    let manifest = manifest.get(&oci::blob_path(digest(&bad)));
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    let layer = tree.blob_path(digest(&manifest["layers"][1]));
    let files = tree.files.clone().without(&layer);
    refuses(
        &files,
        &format!("bad:1: layer 2 of 2: {layer}: missing from the input"),
    );
}

#[test]
fn a_manifest_with_another_digest() {
    let (tree, [good, bad], _) = images();
    let file = tree.blob_path(digest(&bad));
    let other = tree.files.get(&tree.blob_path(digest(&good))).to_vec();
    let files = tree.files.clone().with(&file, other);
    refuses(
        &files,
        &format!(
            "bad:1: {file}: digest is {}, expected {}\n\
             hint: copy or save the input again: it is damaged",
            digest(&good),
            digest(&bad)
        ),
    );
}

#[test]
fn a_cycle_of_links() {
    let (tree, _, _) = images();
    let sandbox = Sandbox::with_folder(&tree.files);
    let repository = format!("app/{ROOT}repositories/around");
    symlink(".", sandbox.path(&repository)).unwrap();
    sandbox.convert(&["app", "-o", "out"]).fails(&format!(
        "ocify: app: {ROOT}repositories/around: a symbolic link to a folder around it\n"
    ));
    sandbox
        .convert(&["app", "-o", "out", "--image", "good:1"])
        .succeeds();
}

#[test]
fn nothing_in_a_tree() {
    let mut files = Files::default();
    files.put(&format!("{ROOT}blobs/README"), "");
    files.put(&format!("{ROOT}repositories/README"), "");
    Sandbox::with_folder(&files)
        .convert(&["app", "-o", "out"])
        .fails("ocify: app: no images are listed\n");
}

/// With `-k` the images that have it are left out, each with a line, and the others are converted.
#[test]
fn damage_with_keep_going() {
    let mut layout = Layout::default();
    let shared = Layer::new("shared");
    let images = ["a", "b", "c", "d"].map(|seed| {
        let base = if seed < "c" {
            shared.clone()
        } else {
            Layer::new("base")
        };
        layout.image("amd64", &[base, Layer::new(seed)])
    });
    let mut tree = Tree::of(&layout);
    for (name, image) in ["a", "b", "c", "d"].iter().zip(&images) {
        tree.tag(name, "1", digest(image));
    }
    let layer = tree.blob_path(&sha256(&codec::gzip(&shared.tar)));
    let manifest = tree.blob_path(digest(&images[2]));
    let link = tree.tag_path("e", "1");
    tree.files.put(&link, "x");
    let size = tree.files.get(&layer).len();
    let files = tree.files.without(&manifest).with(&layer, vec![0x1f; size]);
    for (sandbox, input) in folder_and_archive(&files) {
        let run = sandbox.convert(&["-k", input, "-o", "out"]);
        assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
        assert_eq!(
            run.stdout(),
            format!("{} d:1\n", digest(&images[3])),
            "{}",
            run.stderr
        );
        let begins = |line: &str| run.stderr.lines().any(|found| found.starts_with(line));
        for line in [
            format!("ocify: {input}: {link}: the link contains \"x\", expected a digest"),
            format!("ocify: {input}: c:1: {manifest}: missing from the input"),
            format!("ocify: {input}: a:1: layer 1 of 2: "),
            format!("ocify: {input}: b:1: has the same layer as {input}: a:1: "),
            "ocify: 4 images failed".to_owned(),
        ] {
            assert!(begins(&line), "{line}: {}", run.stderr);
        }
    }
    // Nothing is left.
    let sandbox = Sandbox::with_folder(&files);
    let run = sandbox.convert(&["-k", "app", "-o", "out", "--image", "a:1", "--image", "b:1"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(!sandbox.path("out").exists());
}

/// Each link that cannot be read is a failure of its own, and costs no other.
#[test]
fn several_links_with_keep_going() {
    let (tree, [good, _], _) = images();
    let links = [tree.tag_path("bad", "1"), tree.tag_path("worse", "2")];
    let mut files = tree.files.clone();
    for link in &links {
        files.put(link, "x");
    }
    files = files.without(&tree.revision_path("bad", digest(&images().1[1])));
    for (sandbox, input) in folder_and_archive(&files) {
        let run = sandbox.convert(&["-k", input, "-o", "out"]);
        assert_eq!(run.status.code(), Some(1));
        assert_eq!(run.stdout(), format!("{} good:1\n", digest(&good)));
        let failures = links.each_ref().map(|link| {
            format!("ocify: {input}: {link}: the link contains \"x\", expected a digest\n")
        });
        let expected = format!("{}ocify: 2 images failed\n", failures.concat());
        assert_eq!(run.stderr, expected);
    }
}

/// Images share a layer, and one of them says that it has another content: the others are good.
#[test]
fn one_image_has_the_wrong_digest_of_a_shared_layer() {
    let layer = Layer::new("shared");
    let mut layout = Layout::default();
    let good = layout.image("amd64", std::slice::from_ref(&layer));
    let config = docker::config(&[Layer::new("other")]);
    let blobs = [(oci::LAYER_GZIP, codec::gzip(&layer.tar))];
    let bad = layout.manifest(oci::CONFIG, &config, &blobs);
    let mut tree = Tree::of(&layout);
    tree.tag("bad", "1", digest(&bad));
    tree.tag("good", "1", digest(&good));
    for (sandbox, input) in folder_and_archive(&tree.files) {
        let run = sandbox.convert(&["-k", input, "-o", "out"]);
        assert_eq!(run.status.code(), Some(1));
        let expected = format!("{} good:1\n", digest(&good));
        assert_eq!(run.stdout(), expected, "{}", run.stderr);
        assert!(
            run.stderr.contains("bad:1: layer 1 of 1: "),
            "{}",
            run.stderr
        );
    }
}

/// A damaged blob of artifacts costs those that have it.
#[test]
fn artifacts_with_a_damaged_blob() {
    let mut layout = Layout::default();
    let empty = layout.blob(oci::EMPTY, b"{}");
    let [shared, own] = ["shared", "own"].map(|text| layout.blob("text/plain", text.as_bytes()));
    let mut artifact = |kind: &str, blobs: &[Value]| {
        let artifact = oci::artifact(kind, &empty, blobs);
        layout.document(&artifact)
    };
    let one = artifact("application/x-one", std::slice::from_ref(&shared));
    let two = artifact("application/x-two", &[own.clone(), shared.clone()]);
    let three = artifact("application/x-three", &[own]);
    let mut tree = Tree::of(&layout);
    for (name, artifact) in [("one", &one), ("two", &two), ("three", &three)] {
        tree.tag(name, "1", digest(artifact));
    }
    let damaged = tree.blob_path(digest(&shared));
    for (sandbox, input) in folder_and_archive(&tree.files.with(&damaged, "SHARED")) {
        let run = sandbox.convert(&["-k", input, "-o", "out"]);
        assert_eq!(run.status.code(), Some(1));
        let expected = format!("{} three:1\n", digest(&three));
        assert_eq!(run.stdout(), expected, "{}", run.stderr);
        assert!(
            run.stderr.ends_with("ocify: 2 images failed\n"),
            "{}",
            run.stderr
        );
    }
}

/// Empty layers are counted in the number of a damaged layer of a schema 1 manifest.
#[test]
fn a_missing_layer_after_an_empty_one() {
    let [zero, one, empty, two, three] = ["0", "1", "empty", "2", "3"].map(Layer::new);
    let mut damaged = manifest("a", "1", &[one.clone(), empty, two.clone(), three.clone()]);
    edit_v1(&mut damaged, 2, |v1| v1["throwaway"] = json!(true));
    let good = manifest("b", "1", &[zero.clone(), three.clone()]);
    let mut tree = Tree::default();
    for layer in [&zero, &one, &three] {
        tree.blob(&codec::gzip(&layer.tar));
    }
    for (name, manifest) in [("a", damaged), ("b", good)] {
        let digest = tree.blob(manifest.to_string().as_bytes());
        tree.tag(name, "1", &digest);
    }
    let missing = tree.blob_path(&sha256(&codec::gzip(&two.tar)));
    for (sandbox, input) in folder_and_archive(&tree.files) {
        let run = sandbox.convert(&["-k", input, "-o", "out"]);
        assert_eq!(
            run.stderr,
            format!(
                "ocify: {input}: a:1: layer 3 of 4: {missing}: missing from the input\n\
                 ocify: 1 image failed\n"
            )
        );
        assert_eq!(run.status.code(), Some(1));
        let out = sandbox.layout("out");
        let expected = [zero.tar.clone(), three.tar.clone()];
        assert_eq!(out.layers(&out.named("b:1")), expected);
    }
}

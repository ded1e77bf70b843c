//! Remains of a run that was killed or that failed, and what the next run does with them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::support::docker::save_one;
use crate::support::layers::Layer;
use crate::support::oci::{blob_path, digest};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::sha256_hex;

fn layout_of_old() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("old.tar", &save_one("old:1.0", &[Layer::new("old")]).tar());
    sandbox.write("new.tar", &save_one("new:1.0", &[Layer::new("new")]).tar());
    sandbox.convert(&["old.tar", "-o", "out"]).succeeds();
    sandbox
}

/// A blob of the layout, the staging folder of a killed run, and the path of the blob in it.
fn published_and_staged(sandbox: &Sandbox) -> (PathBuf, PathBuf, PathBuf) {
    let mut blobs = fs::read_dir(sandbox.path("out/blobs/sha256")).unwrap();
    let blob = blobs.next().unwrap().unwrap();
    let staged = sandbox.path("out/.ocify-dead");
    let folder = staged.join("blobs/sha256");
    fs::create_dir_all(&folder).unwrap();
    (blob.path(), staged, folder.join(blob.file_name()))
}

/// A run was killed after it had linked its blobs and before it swapped index.json.
#[test]
fn blobs_without_an_index_are_removed_by_the_next_run() {
    let sandbox = layout_of_old();
    let orphan = b"a blob that no index leads to";
    let hex = sha256_hex(orphan);
    let staged = sandbox.path("out/.ocify-dead");
    let staged_blob = staged.join("blobs/sha256").join(&hex);
    fs::create_dir_all(staged.join("blobs/sha256")).unwrap();
    fs::write(staged.join("index.json.new"), "{}").unwrap();
    fs::write(&staged_blob, orphan).unwrap();
    let published = sandbox.path("out/blobs/sha256").join(&hex);
    fs::hard_link(&staged_blob, &published).unwrap();

    sandbox.convert(&["new.tar", "-o", "out"]).succeeds();
    assert!(!published.exists() && !staged.exists());
    sandbox.layout("out");
}

/// The same, but a later run has published the blob as another file.
#[test]
fn blobs_that_another_run_has_published_stay() {
    let sandbox = layout_of_old();
    let (published, staged, staged_blob) = published_and_staged(&sandbox);
    fs::write(staged.join("index.json.new"), "{}").unwrap();
    fs::copy(&published, staged_blob).unwrap();

    sandbox.convert(&["new.tar", "-o", "out"]).succeeds();
    assert!(published.exists() && !staged.exists());
    sandbox.layout("out");
}

/// A run was killed after it had published everything and before it removed its staging folder.
#[test]
fn blobs_whose_index_followed_stay() {
    let sandbox = layout_of_old();
    let (published, staged, staged_blob) = published_and_staged(&sandbox);
    fs::hard_link(&published, staged_blob).unwrap();

    sandbox.convert(&["new.tar", "-o", "out"]).succeeds();
    assert!(published.exists() && !staged.exists());
    sandbox.layout("out");
}

#[test]
fn a_run_that_cannot_add_to_the_index_leaves_no_blobs() {
    let sandbox = layout_of_old();
    sandbox.write("out/index.json", br#"{"manifests":"none"}"#);
    let before = sandbox.snapshot();
    sandbox
        .convert(&["new.tar", "-o", "out"])
        .fails("ocify: out: index.json: it is not an object with manifests\n");
    assert_eq!(sandbox.snapshot(), before);
}

/// A run was killed after it had created oci-layout and before it wrote it.
#[test]
fn an_empty_marker_is_filled_in() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    fs::create_dir(sandbox.path("out")).unwrap();
    sandbox.write("out/oci-layout", b"");
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    assert_eq!(
        sandbox.read("out/oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#
    );
    sandbox.layout("out");
}

/// The same, but the killed run had begun when there was no layout, so its staging folder is next to the layout.
#[test]
fn blobs_without_an_index_that_were_staged_next_to_the_layout_are_removed_too() {
    for prune in [false, true] {
        let sandbox = layout_of_old();
        let orphan = b"a blob that no index leads to";
        let hex = sha256_hex(orphan);
        let staged = sandbox.path(".out.ocify-dead");
        let published = sandbox.path("out/blobs/sha256").join(&hex);
        fs::create_dir_all(staged.join("blobs/sha256")).unwrap();
        fs::write(staged.join("index.json.new"), "{}").unwrap();
        fs::write(&published, orphan).unwrap();
        fs::hard_link(&published, staged.join("blobs/sha256").join(&hex)).unwrap();
        if prune {
            // The remains of a killed run do not count as pruned.
            let run = sandbox.run(&["prune", "out"]);
            run.succeeds();
            assert!(run.stdout().contains(" 0 blobs"), "{}", run.stdout());
        } else {
            sandbox.convert(&["new.tar", "-o", "out"]).succeeds();
            assert!(
                !sandbox
                    .layout("out")
                    .files
                    .contains_key(&format!("blobs/sha256/{hex}"))
            );
        }
        assert!(!published.exists() && !staged.exists());
    }
}

/// With a part of an image in the layout `out`, and the remains of a run in it that was killed after it had linked the blob
/// that the part lacks. Returns the path of the blob.
fn layout_of_a_part() -> (Sandbox, PathBuf) {
    let layers = [Layer::new("known"), Layer::new("top")];
    let sandbox = Sandbox::with_archive(&save_one("app:1", &layers));
    sandbox.write("known.tar", &save_one("known:1", &layers[..1]).tar());
    sandbox.write(
        "other.tar",
        &save_one("other:1", &[Layer::new("other")]).tar(),
    );
    sandbox.convert(&["app.tar", "-o", "full"]).succeeds();
    for output in ["part.tar", "out"] {
        sandbox
            .convert(&["app.tar", "--have", "known.tar", "-o", output])
            .succeeds();
    }
    let full = sandbox.layout("full");
    let layers = full.document(&full.only())["layers"].clone();
    let name = blob_path(digest(&layers[0]));
    let (staged, published) = (
        sandbox.path("out/.ocify-dead"),
        sandbox.path("out").join(&name),
    );
    assert!(!published.exists());
    fs::create_dir_all(staged.join("blobs/sha256")).unwrap();
    fs::write(staged.join("index.json.new"), "{}").unwrap();
    fs::write(staged.join("oci-layout"), "").unwrap();
    fs::copy(sandbox.path("full").join(&name), &published).unwrap();
    fs::hard_link(&published, staged.join(&name)).unwrap();
    (sandbox, published)
}

/// The blob is not relied on, and the first run says so.
#[test]
fn a_part_is_not_completed_by_what_a_killed_run_has_left() {
    let (sandbox, published) = layout_of_a_part();
    let run = sandbox.convert(&["part.tar", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("1 blob is missing"), "{}", run.stderr);
    assert!(!published.exists());
    sandbox
        .convert(&["part.tar", "--fill-from", "known.tar", "-o", "out"])
        .succeeds();
    sandbox.layout("out");
}

fn locked(path: &Path) -> File {
    let file = File::options().write(true).open(path).unwrap();
    file.try_lock().unwrap();
    file
}

/// The run that is killed has the lock of the layout while another run is started, which waits for it.
#[test]
fn a_blob_of_a_run_that_is_killed_meanwhile_is_not_relied_on() {
    let (sandbox, published) = layout_of_a_part();
    let staged = sandbox.path("out/.ocify-dead");
    let locks = [&staged, &sandbox.path("out")].map(|folder| locked(&folder.join("oci-layout")));
    let args = ["convert", "part.tar", "--name", "other:1", "-o", "out"];
    let mut child = sandbox.command(&args).spawn().unwrap();
    let staging = || {
        let names = fs::read_dir(sandbox.path("out")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".ocify-")).count()
    };
    // It has found the blob when it stages something.
    while staging() < 2 {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        std::thread::yield_now();
    }
    drop(locks);
    let run = Run::new(child);
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("missing"), "{}", run.stderr);
    assert!(!published.exists());
    // What is said to be in the layout stays.
    sandbox.convert(&["other.tar", "-o", "out"]).succeeds();
    sandbox.run(&["verify", "-q", "out"]).succeeds();
}

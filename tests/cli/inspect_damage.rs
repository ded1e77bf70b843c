//! `ocify inspect` of damaged inputs: shows the readable part, and reports errors.

use serde_json::{Value, json};

use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, digest, named};
use crate::support::sandbox::Sandbox;
use crate::support::sha256;

/// A layout of two images, the manifest of the first changed; with its path, its content and the two descriptors.
fn damaged(change: fn(&mut Vec<u8>)) -> (Sandbox, String, Vec<u8>, [Value; 2]) {
    let mut layout = Layout::default();
    let broken = layout.image("amd64", &[Layer::new("a")]);
    let sound = layout.image("arm64", &[Layer::new("b")]);
    layout.add(named(&broken, "broken:1"));
    layout.add(named(&sound, "sound:1"));
    let path = oci::blob_path(digest(&broken));
    let mut bytes = layout.files().get(&path).to_vec();
    change(&mut bytes);
    let files = layout.files().with(&path, bytes.clone());
    (Sandbox::with_folder(&files), path, bytes, [broken, sound])
}

#[test]
fn what_is_there_of_a_damaged_input_is_shown() {
    let (sandbox, path, bytes, [broken, sound]) = damaged(|bytes| bytes.push(b' '));
    let (expected, found) = (digest(&broken), sha256(&bytes));
    let size = bytes.len();
    let sizes = format!("size is {size}, expected {}", size - 1);
    let digests = format!("digest is {found}, expected {expected}");
    let stderr =
        format!("ocify: app: broken:1: {path}: {sizes}\nocify: app: broken:1: {path}: {digests}\n");
    let run = sandbox.run(&["inspect", "app"]);
    assert_eq!((run.status.code(), &run.stderr), (Some(1), &stderr));
    let lines: Vec<&str> = run.stdout().lines().map(str::trim).collect();
    for line in [
        "app: oci-layout, 2 images",
        "@0  broken:1",
        "platform  linux/amd64",
        "@1  sound:1",
        "platform  linux/arm64",
    ] {
        assert!(lines.contains(&line), "{line:?} in {}", run.stdout());
    }

    let run = sandbox.run(&["inspect", "--json", "app"]);
    assert_eq!((run.status.code(), &run.stderr), (Some(1), &stderr));
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    let shown = document["images"].as_array().unwrap().iter();
    let shown: Vec<&Value> = shown.map(|image| &image["digest"]).collect();
    assert_eq!(shown, [&broken["digest"], &sound["digest"]]);
    let place = json!({ "input": "app", "image": "broken:1", "file": path });
    let errors = json!([
        {
            "severity": "error",
            "code": "blob-size",
            "place": place,
            "message": sizes,
            "expected": (size - 1).to_string(),
            "found": size.to_string(),
        },
        {
            "severity": "error",
            "code": "blob-digest",
            "place": place,
            "message": digests,
            "expected": expected,
            "found": found,
        },
    ]);
    assert_eq!(document["errors"], errors);

    // Problems of one image are not reported for the other.
    let other = sandbox.run(&["inspect", "--json", "app", "--image", "sound:1"]);
    let other: Value = serde_json::from_slice(&other.succeeds().stdout).unwrap();
    assert_eq!(other["images"][0], document["images"][1]);
    assert_eq!(other["errors"], json!([]));
    // A damaged manifest is not printed.
    sandbox
        .run(&["inspect", "--raw", "app", "--image", "broken:1"])
        .fails(&format!(
            "ocify: app: broken:1: {path}: {sizes}\nhint: copy or save the input again: it is damaged\n"
        ));
}

#[test]
fn an_image_that_cannot_be_read_hides_no_other() {
    let (sandbox, path, bytes, [broken, sound]) = damaged(|bytes| bytes[0] = b'!');
    let stderr = format!(
        "ocify: app: broken:1: {path}: digest is {}, expected {}\n\
         ocify: app: broken:1: {path}: not valid JSON: expected value at line 1 column 1\n",
        sha256(&bytes),
        digest(&broken),
    );
    let run = sandbox.run(&["inspect", "--json", "app"]);
    assert_eq!((run.status.code(), &run.stderr), (Some(1), &stderr));
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(document["images"][0]["digest"], broken["digest"]);
    assert_eq!(document["images"][0]["names"], json!(["broken:1"]));
    assert_eq!(document["images"][1]["digest"], sound["digest"]);
    assert_eq!(document["images"][1]["layers"][0]["present"], true);
}

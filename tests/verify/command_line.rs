//! The command line: text, JSON, exit status, and the table of codes.

use serde_json::{Value, json};

use crate::support::docker;
use crate::support::layers::Layer;
use crate::support::oci;
use crate::support::parts::{Parts, layer_path, two};
use crate::support::sandbox::Sandbox;

/// An error, a warning and a note.
fn damaged() -> Sandbox {
    let files = Parts::new()
        .config(|config| config["architecture"] = json!("x86_64"))
        .entry(|entry| *entry = oci::named(entry, "app:1"))
        .files();
    let layer = layer_path(&files, 1);
    let unknown = oci::blob_path(&crate::support::sha256(b"x"));
    Sandbox::with_archive(&files.without(&layer).with(&unknown, "x"))
}

#[test]
fn a_sound_input_is_one_line() {
    let sandbox = Sandbox::with_archive(&oci::one("app:1", &two()).files());
    for args in [
        &["verify", "app.tar"][..],
        &["verify", "-v", "app.tar", "--threads", "1"],
    ] {
        let run = sandbox.run(args);
        run.succeeds();
        let line = "app.tar: oci-layout, 1 image, 6 blobs: 0 errors, 0 warnings, 0 notes\n";
        assert_eq!(run.stdout(), line);
    }
    let run = sandbox.run(&["verify", "-q", "app.tar"]);
    assert_eq!(run.succeeds().stdout(), "");
    let tar = sandbox.read("app.tar");
    let run = sandbox.run_with_stdin(&["verify", "-"], &tar);
    assert!(
        run.succeeds()
            .stdout()
            .starts_with("standard input: oci-layout, ")
    );
}

#[test]
fn errors_warnings_and_notes_are_apart() {
    let sandbox = damaged();
    let lines = |args: &[&str]| {
        let run = sandbox.run(args);
        assert_eq!((run.status.code(), run.stderr.as_str()), (Some(1), ""));
        let lines: Vec<String> = run.stdout().lines().map(str::to_owned).collect();
        lines
    };
    let all = lines(&["verify", "-v", "app.tar"]);
    let starts: Vec<&str> = all
        .iter()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(
        starts,
        [
            "error[missing-blob]",
            "warning[platform-value]",
            "note[unreferenced-blob]",
            "app.tar",
        ]
    );
    assert!(all[0].starts_with("error[missing-blob]: app:1: layer 2 of 2: blobs/sha256/"));
    assert_eq!(
        all[3],
        "app.tar: oci-layout, 1 image, 6 blobs: 1 error, 1 warning, 1 note"
    );
    let default = [&all[..2], &all[3..]].concat();
    assert_eq!(lines(&["verify", "app.tar"]), default);
    assert_eq!(lines(&["verify", "-q", "app.tar"]), all[..1]);
}

#[test]
fn json_has_all_of_it() {
    let sandbox = damaged();
    let run = sandbox.run(&["verify", "--json", "app.tar"]);
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(1), ""));
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    let layer = layer_path(&Parts::new().files(), 1);
    assert_eq!(document["input"], "app.tar");
    assert_eq!(document["format"], "oci-layout");
    assert_eq!(
        (&document["images"], &document["blobs"]),
        (&json!(1), &json!(6))
    );
    assert_eq!(
        document["problems"][0],
        json!({
            "severity": "error",
            "code": "missing-blob",
            "place": { "image": "app:1", "layer": { "number": 2, "of": 2 }, "file": layer },
            "message": "missing from the input",
            "expected": null,
            "found": null,
        })
    );
    assert_eq!(document["problems"].as_array().unwrap().len(), 3);
}

#[test]
fn what_differs_is_told() {
    let wrong = Layer::new("wrong").diff_id();
    let expected = wrong.clone();
    let files = Parts::new()
        .config(move |config| config["rootfs"]["diff_ids"][0] = json!(wrong))
        .files();
    let sandbox = Sandbox::with_folder(&files);
    let run = sandbox.run(&["verify", "--json", "app"]);
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    let problem = &document["problems"][0];
    assert_eq!(problem["expected"], json!(expected));
    assert_eq!(problem["found"], json!(two()[0].diff_id()));
}

#[test]
fn what_two_documents_say() {
    let image = docker::image_of_blobs(&["app:1"], &two());
    let hybrid = docker::save_hybrid(std::slice::from_ref(&image), &[true]);
    let reverse = |items: &mut Value| items[0]["Layers"].as_array_mut().unwrap().reverse();
    let pop = |items: &mut Value| drop(items[0]["Layers"].as_array_mut().unwrap().pop());
    let saved = docker::save_one("app:1", &two());
    let ids = two().map(|layer| layer.diff_id());
    let in_order = format!("{} {}", ids[0], ids[1]);
    let reversed = format!("{} {}", ids[1], ids[0]);

    let config = docker::config(&two());
    let blobs: Vec<(&str, Vec<u8>)> = [1, 0]
        .map(|layer: usize| (oci::LAYER, two()[layer].tar.clone()))
        .to_vec();
    let mut shuffled = oci::Layout::default();
    let manifest = shuffled.manifest(oci::CONFIG, &config, &blobs);
    shuffled.add(oci::annotated(
        &manifest,
        &[
            (oci::CONTAINERD_NAME, "docker.io/library/app:1"),
            (oci::REF_NAME, "1"),
        ],
    ));
    let mut out_of_order = hybrid.clone();
    for member in shuffled.files().members {
        out_of_order.put(&member.name, member.bytes());
    }

    let mut layout = oci::Layout::default();
    let listed = layout.image("amd64", &two());
    let mut as_docker = listed.clone();
    as_docker["mediaType"] = json!(oci::DOCKER_MANIFEST);
    let twice = layout.listing(listed.clone()).listing(as_docker).files();

    let cases = [
        (
            "docker-manifest-mismatch",
            hybrid.edited("manifest.json", reverse),
            [&*in_order, &*reversed],
        ),
        ("docker-layer-order", out_of_order, [&in_order, &reversed]),
        (
            "layer-count",
            saved.edited("manifest.json", pop),
            ["2", "1"],
        ),
        (
            "media-type-mismatch",
            twice,
            [oci::MANIFEST, oci::DOCKER_MANIFEST],
        ),
    ];
    for (code, files, [expected, found]) in cases {
        let sandbox = Sandbox::with_archive(&files);
        let run = sandbox.run(&["verify", "--json", "app.tar"]);
        let document: Value = serde_json::from_slice(&run.stdout).unwrap();
        let mut problems = document["problems"].as_array().unwrap().iter();
        let problem = problems.find(|problem| problem["code"] == code);
        let problem = problem.unwrap_or_else(|| panic!("{code}: {document:#}"));
        assert_eq!(problem["expected"], expected, "{document:#}");
        assert_eq!(problem["found"], found, "{document:#}");
    }
}

#[test]
fn names_from_an_archive_cannot_harm_a_terminal() {
    let files = Parts::new()
        .entry(|entry| *entry = oci::named(entry, "app\u{1b}[2J"))
        .files();
    let sandbox = Sandbox::with_archive(&files);
    let run = sandbox.run(&["verify", "app.tar"]);
    assert!(run.succeeds().stdout().contains(r"app\u{1b}[2J"));
    assert!(!run.stdout().contains('\u{1b}'));
}

#[test]
fn what_cannot_be_opened_is_a_message() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&["verify", "none.tar"])
        .fails("ocify: none.tar: cannot open: No such file or directory\n");
    sandbox.run(&["verify"]).is_wrong_usage("INPUT");
}

//! `ocify inspect`: lists, digests, selections, and what an image runs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::docker::{Image, save};
use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, digest, named, on};
use crate::support::sandbox::Sandbox;
use crate::support::{sha256, testdata};

fn config(layers: &[Layer], runtime: &Value) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(Layer::diff_id).collect();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-02T03:04:05Z",
        "config": runtime,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": layers.iter().map(|_| json!({
            "created_by": format!("/bin/sh -c #(nop) COPY dir:{} in /srv/app", layers[0].hex()),
        })).collect::<Vec<_>>(),
    });
    config.to_string().into_bytes()
}

/// Two images with one layer in common, one of them with two names, in an archive without an age.
fn two_images() -> Sandbox {
    let base = Layer::noise(1, 5000);
    let top = Layer::noise(2, 3000);
    let runtime = json!({
        "Entrypoint": ["/srv/app"],
        "Cmd": ["--port", "80"],
        "Env": ["PATH=/bin", "A=b"],
        "User": "1000",
        "WorkingDir": "/srv",
        "ExposedPorts": { "80/tcp": {}, "53/udp": {} },
        "Labels": { "maintainer": "someone" },
    });
    let app = [base.clone(), top];
    let base = [base];
    Sandbox::with_archive(&save(&[
        Image::new(&["app:1.0", "app:latest"], &app).with_config(config(&app, &runtime)),
        Image::new(&["base:1"], &base).with_config(config(&base, &json!({}))),
    ]))
}

fn printed(sandbox: &Sandbox, args: &[&str]) -> String {
    let run = sandbox.run(&[&["inspect"], args].concat());
    run.succeeds().stdout().to_owned()
}

#[test]
fn what_an_image_runs_is_shown_in_brief() {
    let sandbox = two_images();
    let text = printed(&sandbox, &["app.tar", "--image", "app:1.0"]);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in [
        "entry     [\"/srv/app\"]",
        "cmd       [\"--port\",\"80\"]",
        "user      1000",
        "workdir   /srv",
        "ports     53/udp 80/tcp",
        "env       PATH=/bin",
        "A=b",
        "labels    maintainer=someone",
    ] {
        assert!(lines.contains(&line), "{line:?} in {text}");
    }
    // The digest gives way to where it is copied to.
    assert!(text.contains("… in /srv/app\n"), "{text}");
    let document: Value = serde_json::from_str(&printed(&sandbox, &["app.tar", "--json"])).unwrap();
    assert_eq!(document["images"][0]["config"]["User"], "1000");
    assert_eq!(
        document["images"][0]["config"]["Env"],
        json!(["PATH=/bin", "A=b"])
    );
    assert_eq!(document["images"][1]["config"]["Entrypoint"], json!([]));
}

#[test]
fn sizes_are_own_or_shared() {
    let sandbox = two_images();
    let document: Value = serde_json::from_str(&printed(&sandbox, &["app.tar", "--json"])).unwrap();
    let size = |layer: usize| {
        document["images"][0]["layers"][layer]["size"]
            .as_u64()
            .unwrap()
    };
    let sizes = |image: usize| {
        let image = &document["images"][image];
        (
            image["ownSize"].as_u64().unwrap(),
            image["sharedSize"].as_u64().unwrap(),
        )
    };
    assert_eq!(sizes(0), (size(1), size(0)));
    assert_eq!(sizes(1), (0, size(0)));
    let text = printed(&sandbox, &["app.tar"]);
    assert!(
        text.contains(", all shared with other images here\n"),
        "{text}"
    );
    // Without the other image there is nothing to share it with.
    let text = printed(&sandbox, &["app.tar", "--image", "base:1"]);
    assert!(!text.contains("shared"), "{text}");
}

#[test]
fn a_list_has_a_line_for_each_image() {
    let sandbox = two_images();
    let list = printed(&sandbox, &["-l", "app.tar"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("  app:1.0 app:latest"), "{list}");
    assert!(
        lines[1].contains("  linux/amd64 ") && lines[1].ends_with("  base:1"),
        "{list}"
    );
    let of_two = printed(&sandbox, &["-l", "app.tar", "app.tar"]);
    assert_eq!(of_two.lines().count(), 4);
    assert!(
        of_two.lines().all(|line| line.ends_with("  app.tar")),
        "{of_two}"
    );
    let verified = sandbox.run(&["verify", "app.tar"]);
    assert!(verified.succeeds().stdout().contains(", 2 images, "));
}

/// An index of two platforms, and one of its images under a name of its own.
fn two_platforms() -> (Sandbox, Value, Value) {
    let mut layout = Layout::default();
    let amd64 = on(&layout.image("amd64", &[Layer::new("a")]), "linux", "amd64");
    let arm64 = on(&layout.image("arm64", &[Layer::new("b")]), "linux", "arm64");
    let index = layout.index(&[amd64.clone(), arm64.clone()]);
    layout.add(named(&index, "multi:1"));
    layout.add(named(&amd64, "single:1"));
    (Sandbox::with_folder(&layout.files()), amd64, arm64)
}

#[test]
fn images_are_counted_once_everywhere() {
    let (sandbox, _, _) = two_platforms();
    let text = printed(&sandbox, &["app"]);
    assert!(text.starts_with("app: oci-layout, 2 images\n"), "{text}");
    let verified = sandbox.run(&["verify", "app"]);
    assert!(
        verified
            .succeeds()
            .stdout()
            .contains(": oci-layout, 2 images, ")
    );
    let closing = sandbox
        .convert(&["app", "-o", "out"])
        .closing
        .clone()
        .unwrap();
    assert!(
        closing.starts_with("ocify: converted 2 images, "),
        "{closing}"
    );
}

#[test]
fn a_platform_selects_from_an_index() {
    let (sandbox, _, arm64) = two_platforms();
    let raw = [
        "--raw",
        "app",
        "--image",
        "multi:1",
        "--platform",
        "linux/arm64",
    ];
    assert_eq!(sha256(printed(&sandbox, &raw).as_bytes()), digest(&arm64));
    let text = printed(&sandbox, &["app", "--platform", "linux/arm64"]);
    assert!(text.starts_with("app: oci-layout, 1 image\n"), "{text}");
    assert!(!text.contains("amd64"), "{text}");
    let run = sandbox.run(&["inspect", "app", "--platform", "linux/s390x"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr.contains("no image for linux/s390x; available: "),
        "{}",
        run.stderr
    );
}

#[test]
fn the_beginning_of_a_digest_selects() {
    let (sandbox, amd64, _) = two_platforms();
    let digest = digest(&amd64);
    let hex = digest.strip_prefix("sha256:").unwrap();
    for image in [digest, hex, &hex[..12], &hex[..7], &digest[..7 + 7]] {
        let raw = printed(&sandbox, &["--raw", "app", "--image", image]);
        assert_eq!(sha256(raw.as_bytes()), digest, "{image}");
    }
    for image in [&hex[..6], "0123456789abcdef"] {
        let run = sandbox.run(&["inspect", "app", "--image", image]);
        assert!(
            run.stderr.contains(&format!("no image {image}")),
            "{}",
            run.stderr
        );
    }
    // The digest that a schema 1 image is shown with is not that of its file.
    let schema1 = testdata("schema1");
    let document: Value = serde_json::from_str(&printed(&sandbox, &["--json", &schema1])).unwrap();
    let shown = document["images"][0]["digest"].as_str().unwrap();
    for image in [shown, &shown[..20]] {
        printed(&sandbox, &[&schema1, "--image", image]);
    }
}

#[test]
fn digests_that_begin_alike_are_told_apart() {
    // Two configs whose digests have seven digits in common: found by trying.
    let mut layout = Layout::default();
    let mut known = std::collections::HashMap::new();
    let [one, other] = (0_u32..)
        .find_map(|number| {
            let config = json!({
                "architecture": "amd64", "os": "linux", "author": number.to_string(),
                "rootfs": { "type": "layers", "diff_ids": [] },
            });
            let config = config.to_string();
            let digest = sha256(config.as_bytes());
            let before = known.insert(digest[..7 + 7].to_owned(), config.clone());
            before.map(|before| [before, config])
        })
        .unwrap();
    let beginning = sha256(one.as_bytes())[7..7 + 7].to_owned();
    for (name, config) in [("one:1", &one), ("other:1", &other)] {
        let image = layout.manifest(oci::CONFIG, config.as_bytes(), &[]);
        layout.add(named(&image, name));
    }
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = sandbox.run(&["inspect", "app", "--image", &beginning]);
    let digests: BTreeSet<String> = [one, other]
        .iter()
        .map(|one| sha256(one.as_bytes()))
        .collect();
    let digests: Vec<String> = digests.into_iter().collect();
    run.fails(&format!(
        "ocify: {beginning} is the beginning of {} and {}\nhint: give more digits of the digest\n",
        digests[0], digests[1]
    ));
}

#[test]
fn names_are_completed_and_suggested() {
    let sandbox = two_images();
    assert!(printed(&sandbox, &["-l", "app.tar", "--image", "app"]).ends_with("  app:latest\n"));
    let layout = oci::one("tool:latest", &[Layer::new("a")]);
    layout.files().write(&sandbox.path("layout"));
    for name in ["tool", "tool:latest", "docker.io/library/tool"] {
        assert_eq!(
            printed(&sandbox, &["-l", "layout", "--image", name])
                .lines()
                .count(),
            1
        );
    }
    for (wanted, near) in [
        ("ap:1.0", ", did you mean app:1.0? available: "),
        ("base", ", did you mean base:1? available: "),
        ("redis:7", "; available: "),
    ] {
        let run = sandbox.convert(&["app.tar", "-o", "out", "--image", wanted]);
        let message = format!("no image {wanted}{near}app:1.0, app:latest, base:1\n");
        assert!(run.stderr.contains(&message), "{}", run.stderr);
    }
}

#[test]
fn digests_are_all_that_the_input_has() {
    let sandbox = two_images();
    let layout = sandbox.converted(&["app.tar"]);
    drop(layout);
    let listed = printed(&sandbox, &["--digests", "out"]);
    let lines: Vec<&str> = listed.lines().collect();
    let sorted: BTreeSet<&str> = lines.iter().copied().collect();
    assert_eq!(lines, sorted.iter().copied().collect::<Vec<_>>());
    let blobs = std::fs::read_dir(sandbox.path("out/blobs/sha256")).unwrap();
    for blob in blobs {
        let digest = format!("sha256:{}", blob.unwrap().file_name().to_str().unwrap());
        assert!(sorted.contains(&*digest), "{digest} in {listed}");
    }
    // The archive has the same layers, but only as tars.
    let of_archive = printed(&sandbox, &["--digests", "app.tar"]);
    for diff_id in [Layer::noise(1, 5000), Layer::noise(2, 3000)].map(|layer| layer.diff_id()) {
        assert!(sorted.contains(&*diff_id) && of_archive.contains(&diff_id));
    }
    // What is not there is not listed.
    let absent = oci::descriptor(oci::MANIFEST, b"not here");
    let mut layout = Layout::default();
    let here = on(&layout.image("amd64", &[Layer::new("a")]), "linux", "amd64");
    let index = layout.index(&[here, on(&absent, "linux", "arm64")]);
    layout.add(named(&index, "multi:1"));
    layout.files().write(&sandbox.path("multi"));
    let listed = printed(&sandbox, &["--digests", "multi"]);
    assert!(!listed.contains(&sha256(b"not here")), "{listed}");
}

//! Names that are given on the command line, and names that engines refuse.

use serde_json::{Value, json};

use crate::support::docker::{Image, save, save_one};
use crate::support::layers::Layer;
use crate::support::layout;
use crate::support::oci;
use crate::support::sandbox::Sandbox;

/// The names in a layout, sorted.
fn names(layout: &layout::Layout) -> Vec<String> {
    let mut names: Vec<String> = layout
        .names()
        .into_iter()
        .filter_map(|(name, _)| name)
        .collect();
    names.sort();
    names
}

fn sandbox() -> Sandbox {
    Sandbox::with_archive(&save(&[
        Image::new(&["app:1.0", "docker.io/team/app:1"], &[Layer::new("one")]),
        Image::new(&["base:1"], &[Layer::new("two")]),
    ]))
}

#[test]
fn a_name_without_a_tag_is_latest() {
    let sandbox = sandbox();
    for (name, full) in [
        ("tool", "docker.io/library/tool:latest"),
        (
            "registry.test:5000/a/tool",
            "registry.test:5000/a/tool:latest",
        ),
    ] {
        let args = ["app.tar", "--image", "base:1", "--name", name, "-o", "out"];
        sandbox
            .convert(&[&args[..], &["--replace"]].concat())
            .succeeds();
        assert_eq!(names(&sandbox.layout("out")), [format!("{name}:latest")]);
        let index: Value = serde_json::from_slice(&sandbox.read("out/index.json")).unwrap();
        let annotations = &index["manifests"][0]["annotations"];
        assert_eq!(annotations[oci::CONTAINERD_NAME], full);
    }
}

#[test]
fn names_that_engines_do_not_accept_are_refused() {
    let sandbox = sandbox();
    for name in [
        "App x",
        "../../etc:1",
        "app:",
        "a//b",
        "-app",
        "app:1:2",
        "app:.1",
        "App",
    ] {
        let name_option = format!("--name={name}");
        let rename_option = format!("--rename=base={name}");
        for option in [&name_option, &rename_option] {
            let run = sandbox.convert(&["app.tar", "--image", "base:1", option, "-o", "out"]);
            run.is_wrong_usage(&format!("ocify: `{name}"));
            run.is_wrong_usage(
                "is not an image name, expected one such as registry.local/app:1.0\n",
            );
            run.is_wrong_usage("hint: use lower-case letters");
        }
    }
    assert!(!sandbox.path("out").exists());
}

#[test]
fn leading_parts_are_renamed() {
    let sandbox = sandbox();
    for (rules, expected) in [
        (
            &["docker.io/library/=registry.local/base/"][..],
            [
                "docker.io/team/app:1",
                "registry.local/base/app:1.0",
                "registry.local/base/base:1",
            ],
        ),
        (
            &["docker.io=mirror.test", "docker.io/team=crew.test/x"],
            [
                "crew.test/x/app:1",
                "mirror.test/library/app:1.0",
                "mirror.test/library/base:1",
            ],
        ),
        (
            &["app=tool", "bas=no"],
            ["base:1", "docker.io/team/app:1", "tool:1.0"],
        ),
        (
            &["app:1.0=tool:2"],
            ["base:1", "docker.io/team/app:1", "tool:2"],
        ),
    ] {
        let rules: Vec<String> = rules
            .iter()
            .map(|rule| format!("--rename={rule}"))
            .collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        sandbox
            .convert(&[&["app.tar", "-o", "out", "--replace"], &rules[..]].concat())
            .succeeds();
        assert_eq!(names(&sandbox.layout("out")), expected, "{rules:?}");
    }
    for rule in ["docker.io", "=x", "a=b=c"] {
        let run = sandbox.convert(&["app.tar", "-o", "bad", "--rename", rule]);
        run.is_wrong_usage("expected FROM=TO, such as docker.io/library=registry.local/base");
    }
}

#[test]
fn two_images_are_not_renamed_to_one_name() {
    let sandbox = sandbox();
    let run = sandbox.convert(&["app.tar", "-o", "out", "--rename", "app:1.0=base:1"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr.contains("two images are named base:1"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_name_of_the_input_that_engines_refuse_is_carried_without_a_tag() {
    let image = Image::new(&["App x:1", "app:1"], &[Layer::new("one")]);
    let sandbox = Sandbox::with_archive(&save(&[image]));
    let run = sandbox.convert(&["app.tar", "-o", "out.tar"]);
    assert_eq!(run.status.code(), Some(0));
    assert!(run.stderr.contains("(ref-name)"), "{}", run.stderr);
    let layout = sandbox.layout("out.tar");
    assert!(names(&layout).contains(&"App x:1".to_owned()));
    let mut archive = tar::Archive::new(std::fs::File::open(sandbox.path("out.tar")).unwrap());
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let manifest = entries.find(|entry| entry.path().unwrap().to_str() == Some("manifest.json"));
    let manifest: Value = serde_json::from_reader(manifest.unwrap()).unwrap();
    assert_eq!(manifest[0]["RepoTags"], json!(["docker.io/library/app:1"]));
    // Renamed, it is an ordinary one.
    let one = save_one("App x:1", &[Layer::new("one")]);
    sandbox.write("one.tar", &one.tar());
    sandbox
        .convert(&["one.tar", "-o", "renamed", "--name", "app:1", "-q"])
        .succeeds();
    assert_eq!(names(&sandbox.layout("renamed")), ["app:1"]);
}

//! `--to registry`: the storage tree of a registry.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use serde_json::{Value, json};

use crate::support::docker::{Image, config, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci::{self, Layout, digest, named, on};
use crate::support::registry::{ROOT, Tree, check};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{schema1, sha256};

fn app(name: &str, seed: &str) -> Files {
    save_one(name, &[Layer::new("base"), Layer::new(seed)])
}

fn to_registry(sandbox: &Sandbox, args: &[&str]) -> Run {
    sandbox.convert(&[args, &["-o", "registry", "--to", "registry"]].concat())
}

fn tags(sandbox: &Sandbox) -> BTreeMap<String, String> {
    check(&sandbox.path("registry"))
}

/// What was printed, by name; the host is no part of a repository.
fn printed(run: &Run) -> BTreeMap<String, String> {
    let lines = run.stdout().lines();
    let parts = lines.map(|line| line.split_once(' ').unwrap());
    parts
        .map(|(digest, name)| {
            let name = name.strip_prefix("example.com:5000/").unwrap_or(name);
            (name.to_owned(), digest.to_owned())
        })
        .collect()
}

#[test]
fn a_tree_is_made_and_added_to() {
    let sandbox = Sandbox::with_archive(&app("app:1", "one"));
    sandbox.write("b.tar", &app("example.com:5000/team/app:1.0", "two").tar());
    let run = to_registry(&sandbox, &["app.tar"]);
    run.succeeds();
    let first = tags(&sandbox);
    assert_eq!(first, printed(&run));
    let run = to_registry(&sandbox, &["b.tar"]);
    run.succeeds();
    let both = tags(&sandbox);
    assert_eq!(both.len(), 2);
    assert_eq!(both["team/app:1.0"], printed(&run)["team/app:1.0"]);
    assert_eq!(both["app:1"], first["app:1"]);
    // It is an input again, and the digests stay.
    let run = sandbox.convert(&["registry", "-o", "out"]);
    run.succeeds();
    assert_eq!(printed(&run), both);
    sandbox.run(&["verify", "registry"]).succeeds();

    // Both at once, and into any of the folders, gives the same.
    let before = sandbox.snapshot();
    for folder in ["registry", "registry/docker", "registry/docker/registry/v2"] {
        sandbox
            .convert(&["app.tar", "b.tar", "-o", folder, "--to", "registry"])
            .succeeds();
        assert_eq!(sandbox.snapshot(), before, "{folder}");
    }
    fs::rename(sandbox.path("registry"), sandbox.path("other")).unwrap();
    fs::create_dir(sandbox.path("registry")).unwrap();
    to_registry(&sandbox, &["app.tar", "b.tar"]).succeeds();
    fs::remove_dir_all(sandbox.path("other")).unwrap();
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_tag_moves_and_what_it_led_to_stays() {
    let mut layout = Layout::default();
    let old = layout.image("amd64", &[Layer::new("old")]);
    let mut tree = Tree::one(&layout, &old);
    tree.tag("kept", "1", digest(&old));
    let sandbox = Sandbox::with_archive(&app("app:1", "new"));
    tree.files.write(&sandbox.path("registry"));
    let upload = format!("registry/{ROOT}repositories/app/_uploads");
    fs::create_dir(sandbox.path(&upload)).unwrap();
    let run = to_registry(&sandbox, &["app.tar", "-v"]);
    let new = &printed(&run)["app:1"];
    let line = format!("app:1 moved from {} to {new}\n", digest(&old));
    assert!(run.stderr.starts_with(&line), "{}", run.stderr);
    let path = |path: String| format!("registry/{path}");
    let read = |path: String| String::from_utf8(sandbox.read(&path)).unwrap();
    assert_eq!(read(path(tree.tag_path("app", "1"))), *new);
    assert_eq!(read(path(tree.tag_path("kept", "1"))), digest(&old));
    assert_eq!(
        read(path(tree.revision_path("app", digest(&old)))),
        digest(&old)
    );
    assert!(sandbox.path(&upload).is_dir());
}

#[test]
fn indexes_artifacts_and_schema_2() {
    let mut layout = Layout::default();
    let [amd64, arm64] = ["amd64", "arm64"]
        .map(|architecture| layout.image(architecture, &[Layer::new(architecture)]));
    let index = layout.index(&[on(&amd64, "linux", "amd64"), on(&arm64, "linux", "arm64")]);
    let empty = layout.blob(oci::EMPTY, b"{}");
    let mut about = oci::artifact("application/x-test", &empty, &[]);
    about["subject"] = json!({
        "mediaType": index["mediaType"], "digest": index["digest"], "size": index["size"],
    });
    let artifact = layout.document(&about);
    layout.add(oci::named(&index, "multi"));
    layout.add(artifact.clone());
    let sandbox = Sandbox::with_folder(&layout.files());
    to_registry(&sandbox, &["app"]).succeeds();
    let found = tags(&sandbox);
    assert_eq!(found["multi:latest"], digest(&index));
    // What is about an image is in its repository, as a manifest without a tag.
    let revision = Tree::default().revision_path("multi", digest(&artifact));
    let link = sandbox.read(&format!("registry/{revision}"));
    assert_eq!(link, digest(&artifact).as_bytes());

    let run = to_registry(
        &sandbox,
        &[
            "app", "--image", "multi", "--name", "s2:1", "--format", "v2s2",
        ],
    );
    let docker = tags(&sandbox)["s2:1"].clone();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let list = sandbox.read(&format!("registry/{}", Tree::default().blob_path(&docker)));
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(list["mediaType"], oci::DOCKER_LIST);
}

#[test]
fn images_that_no_registry_takes() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("one")]);
    let other = layout.image("amd64", &[Layer::new("two")]);
    let hint = "hint: use `--name` for one such as team/app:1.0: lower-case letters, digits and separators\n";
    let cases = [
        (
            vec![oci::named(&image, "app:1+2")],
            format!(
                "ocify: app: app:1+2: \"app:1+2\" is not a name that a registry accepts\n{hint}"
            ),
        ),
        (
            vec![oci::named(&image, "team/App:1")],
            format!(
                "ocify: app: team/App:1: \"team/App:1\" is not a name that a registry accepts\n{hint}"
            ),
        ),
        (
            vec![image.clone()],
            "ocify: app: @0: the image has no name, so it has no repository in a registry\n\
             hint: use `--image` to select an image and `--name` to name it\n"
                .to_owned(),
        ),
        (
            vec![
                oci::named(&image, "a.example/app:1"),
                oci::named(&other, "b.example/app:1"),
            ],
            format!(
                "ocify: registry: two images are named app:1: {} and {}\n\
                 hint: convert them one by one with `--image` and `--name`\n",
                digest(&image),
                digest(&other)
            ),
        ),
    ];
    for (manifests, stderr) in cases {
        layout.manifests = manifests;
        let sandbox = Sandbox::with_folder(&layout.files());
        let before = sandbox.snapshot();
        to_registry(&sandbox, &["app"]).fails(&stderr);
        assert_eq!(sandbox.snapshot(), before);
    }
    // One image may have both names.
    layout.manifests = vec![
        oci::named(&image, "a.example/app:1"),
        oci::named(&image, "b.example/app:1"),
    ];
    let sandbox = Sandbox::with_folder(&layout.files());
    to_registry(&sandbox, &["app"]).succeeds();
    assert_eq!(tags(&sandbox).len(), 1);
}

#[test]
fn outputs_that_are_something_else() {
    let sandbox = Sandbox::with_archive(&app("app:1", "one"));
    sandbox.write("file", b"");
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write("folder/file", b"");
    sandbox.convert(&["app.tar", "-o", "layout"]).succeeds();
    fs::create_dir(sandbox.path("empty")).unwrap();
    symlink("empty", sandbox.path("link")).unwrap();
    let before = sandbox.snapshot();
    for output in ["file", "folder", "layout"] {
        for (dry, place) in [
            (&[][..], format!("{output}: ")),
            (&["--dry-run"], String::new()),
        ] {
            let args = [&["app.tar", "-o", output, "--to", "registry"], dry].concat();
            sandbox.convert(&args).fails(&format!(
                "ocify: {place}{output} exists and is not the storage tree of a registry\n\
                 hint: choose another name for the output\n"
            ));
        }
    }
    let run = sandbox.convert(&["app.tar", "-o", "link", "--to", "registry"]);
    assert_eq!(run.status.code(), Some(1));
    for (option, message) in [
        (
            "--replace",
            "`--replace` cannot be used with `--to registry`",
        ),
        ("--prune", "`--prune` cannot be used with `--to registry`"),
    ] {
        to_registry(&sandbox, &["app.tar", option]).is_wrong_usage(message);
    }
    for output in ["-", "registry.tar"] {
        sandbox
            .convert(&["app.tar", "-o", output, "--to", "registry"])
            .is_wrong_usage("is a tar, but a registry tree is a folder");
    }
    assert_eq!(sandbox.snapshot(), before);
}

/// What a tree has without tags keeps its repository in another tree, and has no name in a layout.
#[test]
fn a_tree_is_copied_with_all_that_its_repositories_have() {
    let mut layout = Layout::default();
    let [one, two] = ["one", "two"].map(|seed| layout.image("amd64", &[Layer::new(seed)]));
    let mut tree = Tree::of(&layout);
    tree.tag("app", "1", digest(&one));
    // The name of a host, as mirrors have it.
    tree.tag("docker.io/library/base", "2", digest(&one));
    for (repository, image) in [("app", &two), ("team/other", &two), ("pinned", &one)] {
        tree.revision(repository, digest(image));
    }
    let sandbox = Sandbox::with_folder(&tree.files);
    to_registry(&sandbox, &["app"]).succeeds();
    let names = |tags: &BTreeMap<String, String>| tags.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&tags(&sandbox)),
        ["app:1", "docker.io/library/base:2"]
    );
    let has = |folder: &str, repository: &str, image: &Value| {
        let link = tree.revision_path(repository, digest(image));
        assert_eq!(
            sandbox.read(&format!("{folder}/{link}")),
            digest(image).as_bytes()
        );
    };
    has("registry", "app", &two);
    has("registry", "team/other", &two);
    has("registry", "pinned", &one);

    let run = sandbox.convert(&["app", "-o", "layout"]);
    run.succeeds();
    let lines = format!(
        "{0} app:1\n{0} docker.io/library/base:2\n{1}\n",
        digest(&one),
        digest(&two)
    );
    assert_eq!(run.stdout(), lines);
    assert_eq!(sandbox.layout("layout").names().len(), 3);

    // Repositories are renamed, whether something in them has a name or not.
    let to_other = ["app", "-o", "other", "--to", "registry"];
    let renames = [
        "--rename",
        "team=crew",
        "--rename",
        "docker.io/library=base",
    ];
    sandbox
        .convert(&[&to_other[..], &renames].concat())
        .succeeds();
    let found = check(&sandbox.path("other"));
    assert_eq!(names(&found), ["base/app:1", "base/base:2"]);
    has("other", "crew/other", &two);
    has("other", "base/app", &two);
    has("other", "base/pinned", &one);

    // Or one of them gets a name.
    let named = digest(&two);
    let args = [
        "app", "-o", "named", "--to", "registry", "--image", named, "--name", "new:3",
    ];
    sandbox.convert(&args).succeeds();
    let found = check(&sandbox.path("named"));
    assert_eq!(found["new:3"], named);
    let old = tree.revision_path("team/other", named);
    assert!(!sandbox.path("named").join(old).exists());
}

/// An obstacle that is met when the blobs are in their places already: the tree is as it was.
#[test]
fn a_layer_that_is_elsewhere_has_no_link() {
    let layers = ["base", "top"].map(Layer::new);
    let mut layout = Layout::default();
    let config = layout.blob(oci::DOCKER_CONFIG, &config(&layers));
    let [(_, base), (_, top)] = &oci::docker_layers(&layers)[..] else {
        panic!("two layers");
    };
    let base = layout.blob(oci::DOCKER_LAYER_GZIP, base);
    let mut top = oci::descriptor(oci::DOCKER_FOREIGN_GZIP, top);
    top["urls"] = json!(["https://example.invalid/layer"]);
    let image = layout.document(&oci::manifest(&config, &[base.clone(), top.clone()]));
    layout.add(named(&image, "app:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    assert!(to_registry(&sandbox, &["app"]).status.success());
    let has_link = |layer: &Value| {
        let hex = digest(layer).strip_prefix("sha256:").unwrap();
        let link = format!("registry/{ROOT}repositories/app/_layers/sha256/{hex}/link");
        sandbox.path(&link).exists()
    };
    assert_eq!([&base, &top].map(has_link), [true, false]);
}

#[test]
fn what_fails_half_way_is_taken_back() {
    let mut layout = Layout::default();
    let old = layout.image("amd64", &[Layer::new("old")]);
    let tree = Tree::one(&layout, &old);
    let sandbox = Sandbox::with_archive(&app("app:1", "new"));
    let to_other = ["app.tar", "-o", "other", "--to", "registry"];
    sandbox.convert(&to_other).succeeds();
    let new = check(&sandbox.path("other"))["app:1"].clone();
    tree.files.write(&sandbox.path("registry"));
    let obstacle = format!("registry/{}/in/the/way", tree.revision_path("app", &new));
    fs::create_dir_all(sandbox.path(&obstacle)).unwrap();
    let before = sandbox.snapshot();
    let run = to_registry(&sandbox, &["app.tar"]);
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn many_runs_into_one_tree() {
    let sandbox = Sandbox::new();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for name in names {
        sandbox.write(
            &format!("{name}.tar"),
            &app(&format!("team/{name}:1"), name).tar(),
        );
    }
    let runs: Vec<_> = names
        .iter()
        .map(|name| {
            let input = format!("{name}.tar");
            let args = [
                "convert",
                "--no-fsync",
                &input,
                "-o",
                "registry",
                "--to",
                "registry",
            ];
            sandbox.command(&args).spawn().unwrap()
        })
        .collect();
    for run in runs {
        Run::new(run).succeeds();
    }
    assert_eq!(tags(&sandbox).len(), names.len());
}

/// A registry stores the payload of a schema 1 manifest, whose digest is that of the manifest, and signs it when it serves it.
#[test]
fn schema_1_is_stored_without_its_signatures() {
    let layers = ["base", "top"].map(Layer::new);
    let payload = schema1::manifest("old/app", "1", &layers).to_string();
    let signed = schema1::folder(&schema1::sign(&payload), &layers);
    let sandbox = Sandbox::with_folder(&signed);
    sandbox.write("new.tar", &app("new/app:1", "two").tar());
    for (input, name) in [("app", "old/app:1"), ("new.tar", "new/app:1")] {
        let run = to_registry(&sandbox, &[input, "--format", "v2s1"]);
        assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
        assert_eq!(tags(&sandbox)[name], printed(&run)[name]);
    }
    assert_eq!(tags(&sandbox)["old/app:1"], sha256(payload.as_bytes()));
    // It is an input again.
    let run = sandbox.convert(&["registry", "-o", "out"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let out = sandbox.layout("out");
    let old = out.named("old/app:1");
    assert_eq!(out.layers(&old), layers.map(|layer| layer.tar));
}

/// A blob that an index lists has its place, one alone has none.
#[test]
fn what_is_neither_a_manifest_nor_an_index() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("one")]);
    let blob = layout.blob("text/plain", b"a note");
    let index = layout.index(&[on(&image, "linux", "amd64"), blob.clone()]);
    layout.add(named(&index, "app:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = to_registry(&sandbox, &["app"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let blob_path = Tree::default().blob_path(digest(&blob));
    assert_eq!(sandbox.read(&format!("registry/{blob_path}")), b"a note");
    let hex = digest(&blob).strip_prefix("sha256:").unwrap();
    let link = format!("registry/{ROOT}repositories/app/_layers/sha256/{hex}/link");
    assert_eq!(sandbox.read(&link), digest(&blob).as_bytes());

    layout.manifests = vec![named(&blob, "note:1")];
    let sandbox = Sandbox::with_folder(&layout.files());
    to_registry(&sandbox, &["app"]).fails(&format!(
        "ocify: registry: blob {}, which is neither a manifest nor an index, has no place in a registry tree\n\
         hint: use `--to layout`\n",
        digest(&blob)
    ));
    assert!(!sandbox.path("registry").exists());
}

/// A tree is known by either of its folders, and what it is is found out before anything is read.
#[test]
fn a_tree_of_blobs_alone_is_added_to() {
    let sandbox = Sandbox::with_archive(&app("app:1", "one"));
    let root = format!("registry/{}", ROOT.trim_end_matches('/'));
    fs::create_dir_all(sandbox.path(&format!("{root}/blobs"))).unwrap();
    let args = ["app.tar", "-o", &root, "--to", "registry"];
    sandbox
        .convert(&[&args[..], &["--dry-run"]].concat())
        .succeeds();
    sandbox.convert(&args).succeeds();
    assert_eq!(tags(&sandbox).len(), 1);
}

/// The program ends as it does after a signal, while the tree has some of the new blobs.
#[test]
fn a_merge_that_has_begun_is_completed_before_a_signal_ends_the_program() {
    let sandbox = Sandbox::with_archive(&app("app:1", "one"));
    to_registry(&sandbox, &["app.tar"]).succeeds();
    let names: Vec<String> = (0..200).map(|tag| format!("new:{tag}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let image = Image::new(&names, &[Layer::new("two")]);
    sandbox.write("new.tar", &save(&[image]).tar());

    let blobs = sandbox.path(&format!("registry/{ROOT}blobs/sha256"));
    let count = || fs::read_dir(&blobs).unwrap().count();
    let before = count();
    let interrupt = ocify::Interrupt::new();
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            let kind = ocify::OutputKind::Registry;
            let target = ocify::Target::of(kind, &sandbox.path("registry"));
            let (input, options) = (sandbox.path("new.tar"), ocify::Options::default());
            ocify::convert(&[input], &target, &options, &ocify::Silent, &interrupt)
        });
        while count() == before {
            assert!(!run.is_finished(), "it has added nothing");
        }
        interrupt.abandon(|| assert_eq!(tags(&sandbox).len(), 201));
        run.join().unwrap().unwrap();
    });
}

//! The storage trees of registries as inputs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::support::files::Files;
use crate::support::layers::layers;
use crate::support::oci::{self, Layout, digest, on};
use crate::support::registry::{ROOT, Tree, folder_and_archive, tar};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{codec, docker, schema1, sha256};

fn image(seed: &str) -> (Layout, Value) {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers(seed));
    (layout, image)
}

/// The digests and names that a conversion printed.
fn printed(run: &Run) -> Vec<String> {
    run.stdout().lines().map(str::to_owned).collect()
}

fn named(image: &Value, name: &str) -> String {
    format!("{} {name}", digest(image))
}

/// Two tags of one image in two repositories, another tag, a manifest without a tag, an index whose images are revisions too,
/// and the other files of a registry.
fn registry() -> (Tree, Vec<String>) {
    let mut layout = Layout::default();
    let [one, two, three, amd64, arm64] = ["one", "two", "three", "amd64", "arm64"].map(|seed| {
        let architecture = if seed == "arm64" { "arm64" } else { "amd64" };
        layout.image(architecture, &layers(seed))
    });
    let index = layout.index(&[on(&amd64, "linux", "amd64"), on(&arm64, "linux", "arm64")]);
    let mut tree = Tree::of(&layout);
    tree.tag("app", "1", digest(&one));
    tree.tag("app", "2", digest(&two));
    tree.tag("team/nested/app", "1", digest(&one));
    tree.revision("app", digest(&three));
    tree.tag("multi", "latest", digest(&index));
    for child in [&amd64, &arm64] {
        tree.revision("multi", digest(child));
    }
    let repository = format!("{ROOT}repositories/app");
    for (name, bytes) in [
        ("_uploads/0b2e/startedat", "2026-01-01T00:00:00Z"),
        ("_uploads/0b2e/data", "half a layer"),
        ("_layers/sha256/x/link", "sha256:x"),
        ("_manifests/tags/1/README", "foreign"),
        ("_manifests/README", "foreign"),
        ("README", "foreign"),
    ] {
        tree.files.put(&format!("{repository}/{name}"), bytes);
    }
    tree.files.put(&format!("{ROOT}blobs/README"), "foreign");
    let expected = vec![
        named(&one, "app:1"),
        named(&one, "team/nested/app:1"),
        named(&two, "app:2"),
        named(&index, "multi:latest"),
        digest(&three).to_owned(),
    ];
    (tree, expected)
}

#[test]
fn tags_become_names_and_other_revisions_have_none() {
    let (tree, expected) = registry();
    let [(folder, _), (archive, _)] = folder_and_archive(&tree.files);
    for (sandbox, input) in [
        (&archive, "app.tar"),
        (&folder, "app"),
        (&folder, "app/docker"),
        (&folder, "app/docker/registry/v2"),
    ] {
        let run = sandbox.convert(&[input, "-o", "out"]);
        run.succeeds();
        assert_eq!(printed(&run), expected, "{input}");
        sandbox.layout("out");
        fs::remove_dir_all(sandbox.path("out")).unwrap();
    }
    archive.write("app.tar.gz", &codec::gzip(&archive.read("app.tar")));
    let run = archive.convert(&["app.tar.gz", "-o", "out"]);
    assert_eq!(printed(&run), expected);
    let run = archive.run_with_stdin(&["convert", "-", "-o", "out"], &archive.read("app.tar"));
    assert_eq!(printed(&run), expected);
}

#[test]
fn a_tree_is_found_wherever_it_is() {
    let (layout, one) = image("one");
    for root in ["", "v2/", "docker/v2/", "data/registry/docker/registry/v2/"] {
        let mut tree = Tree::at(root);
        tree.add_blobs(&layout);
        tree.tag("app", "1", digest(&one));
        // Additional files, as in the archives of oc-mirror and the bundles of mindthegap.
        tree.files.put("images.yaml", "{}");
        tree.files.put("working-dir/info/file", "text");
        for (sandbox, input) in folder_and_archive(&tree.files) {
            let run = sandbox.convert(&[input, "-o", "out"]);
            run.succeeds();
            assert_eq!(printed(&run), [named(&one, "app:1")], "{root} {input}");
        }
    }
}

#[test]
fn several_trees_are_several_inputs() {
    let (layout, one) = image("one");
    let mut files = Files::default();
    for root in ["a/", "b/"] {
        let mut tree = Tree::at(root);
        tree.add_blobs(&layout);
        tree.tag(root.trim_end_matches('/'), "1", digest(&one));
        files.members.extend(tree.files.members);
    }
    let sandbox = Sandbox::with_folder(&files);
    sandbox.write("app.tar", &tar(&files));
    for input in ["app", "app.tar"] {
        sandbox.convert(&[input, "-o", "out"]).fails(&format!(
            "ocify: {input}: it contains several registry trees, such as a/ and b/\n\
             hint: pass each tree as an input, or use `--recursive`; unpack an archive of several trees first\n"
        ));
    }
    let run = sandbox.convert(&["-r", "app", "-o", "out"]);
    run.succeeds();
    assert_eq!(printed(&run), [named(&one, "a:1"), named(&one, "b:1")]);
}

/// The manifest of a schema 1 image in a tree, whose digest is that of its payload.
fn schema1_tree(name: &str) -> (Tree, String) {
    let mut tree = Tree::default();
    for layer in &layers("old") {
        tree.blob(&codec::gzip(&layer.tar));
    }
    let payload = schema1::manifest(name, "1", &layers("old")).to_string();
    let digest = tree.blob(payload.as_bytes());
    tree.tag("old/app", "1", &digest);
    (tree, payload)
}

#[test]
fn schema_1_payloads_with_and_without_signatures() {
    let (mut tree, payload) = schema1_tree("old/app");
    let digest = sha256(payload.as_bytes());
    let revision = tree.revision_path("old/app", &digest);
    let sandbox = Sandbox::with_folder(&tree.files);
    let without = sandbox.converted(&["app", "--digest-map", "map.json"]);
    let image = without.named("old/app:1");
    assert_eq!(without.layers(&image), layers("old").map(|layer| layer.tar));
    let map: Value = serde_json::from_slice(&sandbox.read("map.json")).unwrap();
    assert!(map.to_string().contains(&digest), "{map}");

    // Registries before 2.5 stored each signature as a blob.
    let length = payload.rfind('}').unwrap();
    let signature = |signed: &str| {
        let tail = &payload[length..];
        schema1::signature(i64::try_from(length).unwrap(), tail, signed).to_string()
    };
    let link = |signature: &str| {
        let hex = signature.replace(':', "/");
        revision.replace("/link", &format!("/signatures/{hex}/link"))
    };
    let good = tree.blob(signature(&payload).as_bytes());
    tree.files.put(&link(&good), good.clone());
    let sandbox = Sandbox::with_folder(&tree.files);
    assert_eq!(sandbox.converted(&["app"]).only(), image);
    sandbox.run(&["verify", "app"]).succeeds();
    let raw = sandbox.run(&["inspect", "--raw", "app"]);
    assert!(raw.stdout().contains("\"signatures\""), "{}", raw.stdout());

    // A missing signature changes nothing. A signature of another manifest does.
    let lost = Sandbox::with_folder(&tree.files.clone().without(&tree.blob_path(&good)));
    assert_eq!(lost.converted(&["app"]).only(), image);
    let bad = tree.blob(signature("something else").as_bytes());
    tree.files.put(&link(&bad), bad.clone());
    let sandbox = Sandbox::with_folder(&tree.files);
    let run = sandbox.convert(&["app", "-o", "out"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("signature "), "{}", run.stderr);
    let ignored = sandbox.run(&["convert", "--ignore-signatures", "app", "-o", "out"]);
    assert_eq!(ignored.status.code(), Some(0), "{}", ignored.stderr);
}

#[test]
fn blobs_alone_are_searched_for_manifests() {
    let (tree, expected) = registry();
    let mut files = tree.files.clone();
    files
        .members
        .retain(|member| !member.name.contains("/repositories/"));
    let mut digests: Vec<&str> = expected
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    digests.sort_unstable();
    digests.dedup();
    for (sandbox, input) in folder_and_archive(&files) {
        let run = sandbox.convert(&[input, "-o", "out"]);
        run.succeeds();
        let mut found = printed(&run);
        found.sort_unstable();
        assert_eq!(found, digests, "{input}");
    }
}

#[test]
fn a_tag_without_a_revision_is_followed() {
    let (layout, one) = image("one");
    let tree = Tree::one(&layout, &one);
    let revision = tree.revision_path("app", digest(&one));
    let sandbox = Sandbox::with_folder(&tree.files.without(&revision));
    let run = sandbox.convert(&["app", "-o", "out"]);
    run.succeeds();
    assert_eq!(printed(&run), [named(&one, "app:1")]);
    let run = sandbox.run(&["verify", "app"]);
    assert_eq!(run.status.code(), Some(0));
    assert!(
        run.stdout().contains("registry-revision"),
        "{}",
        run.stdout()
    );
}

#[test]
fn schema_2_and_artifacts() {
    let mut layout = Layout::default();
    let config = docker::config(&layers("top"));
    let blobs = oci::docker_layers(&layers("top"));
    let image = layout.manifest(oci::DOCKER_CONFIG, &config, &blobs);
    let empty = layout.blob(oci::EMPTY, b"{}");
    let mut about = oci::artifact("application/x-test", &empty, &[]);
    about["subject"] = json!({
        "mediaType": image["mediaType"], "digest": image["digest"], "size": image["size"],
    });
    let artifact = layout.document(&about);
    let mut tree = Tree::one(&layout, &image);
    tree.revision("app", digest(&artifact));
    let sandbox = Sandbox::with_folder(&tree.files);
    let output = sandbox.converted(&["app"]);
    assert_eq!(output.config(&output.named("app:1")), config);
    assert_eq!(output.names().len(), 2);
}

/// Only blobs that manifests refer to are read: another unreadable blob does not matter.
#[test]
fn other_blobs_are_not_read_except_by_verify() {
    let (layout, one) = image("one");
    let mut tree = Tree::one(&layout, &one);
    let other = tree.blob(b"not needed");
    let path = tree.blob_path(&other);
    let damaged = tree.files.with(&path, "changed");
    let sandbox = Sandbox::with_folder(&damaged);
    let folder = sandbox.path("app").join(&path);
    let folder = folder.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o000)).unwrap();
    sandbox.convert(&["app", "-o", "out"]).succeeds();
    sandbox.run(&["inspect", "app"]).succeeds();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let run = sandbox.run(&["verify", "-v", "app"]);
    assert_eq!(run.status.code(), Some(0));
    for code in ["unreferenced-damaged", "unreferenced-blob"] {
        assert!(run.stdout().contains(code), "{}", run.stdout());
    }
}

#[test]
fn depfile_names_the_links() {
    let (layout, one) = image("one");
    let tree = Tree::one(&layout, &one);
    let sandbox = Sandbox::with_folder(&tree.files);
    let run = sandbox.convert(&["app", "-o", "out", "--depfile", "out.d"]);
    run.succeeds();
    let rule = String::from_utf8(sandbox.read("out.d")).unwrap();
    let link = format!("app/{}", tree.tag_path("app", "1"));
    assert!(rule.contains(&link), "{rule}");
}

#[test]
fn linked_folders_are_followed() {
    let (layout, one) = image("one");
    let tree = Tree::one(&layout, &one);
    let sandbox = Sandbox::with_folder(&tree.files);
    let root = sandbox.path("app").join(ROOT);
    fs::rename(root.join("blobs"), sandbox.path("disk")).unwrap();
    symlink(sandbox.path("disk"), root.join("blobs")).unwrap();
    let run = sandbox.convert(&["app", "-o", "out"]);
    run.succeeds();
    assert_eq!(printed(&run), [named(&one, "app:1")]);
}

/// A build tags the images of an index too.
#[test]
fn a_tag_of_an_image_that_an_index_lists_is_kept() {
    let mut layout = Layout::default();
    let (index, [amd64, arm64]) = layout.two_platforms();
    let mut tree = Tree::of(&layout);
    tree.tag("app", "1", digest(&index));
    tree.tag("app", "1-arm64", digest(&arm64));
    tree.revision("app", digest(&amd64));
    for (sandbox, input) in folder_and_archive(&tree.files) {
        let run = sandbox.convert(&[input, "-o", "out"]);
        run.succeeds();
        let expected = [named(&arm64, "app:1-arm64"), named(&index, "app:1")];
        assert_eq!(printed(&run), expected, "{input}");
    }
}

/// Without links, blobs are told apart by their content, and the tree by the names of blobs.
#[test]
fn other_documents_among_blobs_and_other_folders_of_blobs() {
    let mut layout = Layout::default();
    let config = docker::config(&[]);
    let config = layout.blob(oci::CONFIG, &config);
    // Go writes null for an empty list.
    let mut manifest = oci::manifest(&config, &[]);
    manifest["layers"] = Value::Null;
    let image = layout.document(&manifest);
    let mut tree = Tree::at("data/");
    tree.add_blobs(&layout);
    for document in [
        r#"{"schemaVersion":1,"name":"not a manifest"}"#,
        r#"{"schemaVersion":2,"fsLayers":[]}"#,
        r#"{"schemaVersion":2}"#,
        "{}",
    ] {
        tree.blob(document.as_bytes());
    }
    let hex = "0".repeat(64);
    for name in [
        "cache/blobs/README".to_owned(),
        format!("old-blobs/sha256/00/{hex}/data"),
    ] {
        tree.files.put(&name, "foreign");
    }
    for (sandbox, input) in folder_and_archive(&tree.files) {
        let run = sandbox.convert(&[input, "-o", "out"]);
        let file = tree.blob_path(digest(&image));
        run.warns(&format!(
            "ocify: warning: {input}: @0: {file}: layers is null, expected a list (layers-null)\n"
        ));
        assert_eq!(printed(&run), [digest(&image)], "{input}");
    }
}

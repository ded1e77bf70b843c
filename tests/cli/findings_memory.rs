//! Small inputs that once took gigabytes. They run with little more address space than the 300 MB of memory that any input
//! under 10 MB may take, and what the allocator sets aside for threads.

use serde_json::json;

use crate::support::docker::{self, Image, save, v1_id};
use crate::support::files::Files;
use crate::support::layers::{Layer, noise};
use crate::support::oci::{self, Layout, named};
use crate::support::registry::{self, Tree};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{codec, legacy};

/// Runs the program with an address space of 320 MiB.
fn within(sandbox: &Sandbox, args: &[&str]) -> Run {
    let run = sandbox.run_within(320, args);
    let panicked = run.stderr.contains("panicked") || run.stderr.contains("memory allocation");
    assert!(
        !panicked && run.status.code().is_some(),
        "{args:?}: {}\n{}",
        run.status,
        run.stderr
    );
    run
}

/// Runs all commands. `verify` and `convert` must end with these exit statuses.
#[track_caller]
fn all_within(files: &Files, verify: i32, convert: i32) -> [Run; 2] {
    let sandbox = Sandbox::new();
    sandbox.write("app.tar.gz", &codec::gzip(&files.tar()));
    let threads = ["--threads", "1"];
    let verified = within(
        &sandbox,
        &[&["verify", "app.tar.gz"], &threads[..]].concat(),
    );
    assert_eq!(
        verified.status.code(),
        Some(verify),
        "{}{}",
        verified.stdout(),
        verified.stderr
    );
    let args = ["convert", "--no-fsync", "app.tar.gz", "-o", "out"];
    let converted = within(&sandbox, &[&args, &threads[..]].concat());
    assert_eq!(
        converted.status.code(),
        Some(convert),
        "{}",
        converted.stderr
    );
    within(&sandbox, &["inspect", "app.tar.gz"]);
    [verified, converted]
}

/// Eight indexes deep, a hundred entries of one digest in each: 10^16 paths to a dozen documents.
#[test]
fn indexes_that_fan_out() {
    let mut layout = Layout::default();
    let mut node = layout.image("amd64", &[Layer::new("base")]);
    for _ in 0..8 {
        node = layout.index(&vec![node; 100]);
    }
    layout.add(named(&node, "app:1.0"));
    let runs = all_within(&layout.files(), 1, 1);
    for said in [runs[0].stdout(), &runs[1].stderr] {
        assert!(said.contains("more than the limit of 10000"), "{said}");
    }
}

/// A chain of thousands of images.
#[test]
fn long_chains_of_old_images() {
    const IMAGES: usize = 3000;
    let layers: Vec<Layer> = (0..IMAGES)
        .map(|number| Layer::new(&number.to_string()))
        .collect();
    let mut files = Files::default();
    let mut tags = serde_json::Map::new();
    for (position, layer) in layers.iter().enumerate() {
        let parent = position.checked_sub(1).map(|parent| &layers[parent]);
        let id = v1_id(layer);
        let v1 = legacy::v1(layer, parent, "1.9.1").to_string();
        // Added without checking for duplicate names, which would take long.
        let member = |name: &str, bytes: Vec<u8>| {
            crate::support::tar::Member::file(&format!("{id}/{name}"), bytes)
        };
        files.members.push(member("json", v1.into_bytes()));
        files.members.push(member("layer.tar", layer.tar.clone()));
        tags.insert(format!("t{position}"), json!(id));
    }
    files.put("repositories", json!({ "app": tags }).to_string());
    let sandbox = Sandbox::new();
    sandbox.write("app.tar.gz", &codec::gzip(&files.tar()));
    let verified = within(&sandbox, &["verify", "app.tar.gz", "--threads", "1"]);
    let args = [
        "convert",
        "--no-fsync",
        "app.tar.gz",
        "-o",
        "out",
        "--threads",
        "1",
    ];
    let converted = within(&sandbox, &args);
    assert_eq!(
        verified.status.code(),
        converted.status.code(),
        "{}",
        converted.stderr
    );
    within(&sandbox, &["inspect", "app.tar.gz"]);
}

#[test]
fn configs_of_long_lists() {
    let zeros = format!("[0{}]", ",0".repeat(7 << 19));
    let image = |number: usize| {
        let config = String::from_utf8(docker::config(&[])).unwrap();
        let config = config.replacen('{', &format!("{{\"x-{number}\":{zeros},"), 1);
        Image::new(&[&format!("app:{number}")], &[]).with_config(config)
    };
    let images: Vec<Image> = (0..8).map(image).collect();
    all_within(&save(&images), 0, 0);
}

#[test]
fn manifests_of_empty_descriptors() {
    let mut layout = Layout::default();
    let config = layout.blob(oci::CONFIG, &docker::config(&[]));
    for number in 0..4 {
        let mut manifest = oci::manifest(&config, &[]);
        manifest["annotations"] = json!({ "number": number.to_string() });
        let text = manifest.to_string();
        let layers = format!("\"layers\":[{{}}{}]", ",{}".repeat(599_999));
        let text = text.replace("\"layers\":[]", &layers);
        let image = layout.blob(oci::MANIFEST, text.as_bytes());
        layout.add(image);
    }
    let runs = all_within(&layout.files(), 1, 1);
    for said in [runs[0].stdout(), &runs[1].stderr] {
        assert!(said.contains("more than the limit of 10000"), "{said}");
    }
}

/// Each value takes many times its size in the document.
#[test]
fn an_index_of_short_values() {
    for value in ["{}", "[[[0]]]", "{\"a\":0}"] {
        let mut layout = Layout::default();
        let image = layout.image("amd64", &[Layer::new("base")]);
        layout.add(named(&image, "app:1.0"));
        let files = layout.files();
        let index = String::from_utf8(files.get("index.json").to_vec()).unwrap();
        let values = format!("{value},").repeat((40 << 20) / (value.len() + 1));
        let index = index.replacen('{', &format!("{{\"x\":[{values}0],"), 1);
        let runs = all_within(&files.with("index.json", index), 1, 1);
        let message = "the values take more memory than the limit of ";
        assert!(runs[1].stderr.contains(message), "{}", runs[1].stderr);
    }
}

#[test]
fn many_names_in_a_few_kilobytes() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("base")]);
    for number in 0..20_000 {
        layout.add(named(&image, &format!("app:{number}")));
    }
    let runs = all_within(&layout.files(), 1, 1);
    let message = "the number of manifests is 20000, more than the limit of 10000";
    assert!(runs[1].stderr.contains(message), "{}", runs[1].stderr);
}

/// The text of so many annotations with short names.
fn annotations(count: usize, value: &str) -> String {
    let fields = (0..count).map(|key| format!("\"{key:x}\":\"{value}\","));
    fields.collect()
}

/// What is kept of annotations of one character takes twenty times their size.
#[test]
fn annotations_in_many_indexes() {
    let with_number = |number: usize| {
        let short = annotations(60_000, "");
        format!("{{{short}\"number\":\"{number}\"}}")
    };
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("base")]);
    for number in 0..40 {
        let text = oci::index(&[oci::annotated(&image, &[("a", "b")])]).to_string();
        let text = text.replace("{\"a\":\"b\"}", &with_number(number));
        let index = layout.blob(oci::INDEX, text.as_bytes());
        layout.add(named(&index, &format!("app:{number}")));
    }
    let runs = all_within(&layout.files(), 1, 1);
    let message = "the size of all metadata in bytes is ";
    assert!(runs[1].stderr.contains(message), "{}", runs[1].stderr);
}

/// Go takes keys in any case, so what has them is copied.
#[test]
fn annotations_whose_key_is_in_another_case() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[Layer::new("base")]);
    layout.add(named(&image, "app:1.0"));
    // What is allowed depends on the size of the input.
    layout.blob(oci::LAYER, &noise(1, 3 << 20));
    let files = layout.files();
    let index = String::from_utf8(files.get("index.json").to_vec()).unwrap();
    let annotations = annotations(330_000, "0123456789");
    let index = index.replacen("\"manifests\"", "\"Manifests\"", 1);
    let index = index.replacen(
        "\"annotations\":{",
        &format!("\"Annotations\":{{{annotations}"),
        1,
    );
    let sandbox = Sandbox::with_archive(&files.with("index.json", index));
    for args in [
        &["verify", "app.tar"][..],
        &["convert", "app.tar", "-o", "out"],
    ] {
        let run = within(&sandbox, &[args, &["--threads", "1"]].concat());
        let message = "the size of all metadata in bytes is ";
        let said = format!("{}{}", run.stdout(), run.stderr);
        assert!(said.contains(message), "{said}");
        assert_eq!(run.status.code(), Some(1));
    }
}

#[test]
fn variables_of_many_images() {
    let variables = vec!["A"; 100_000];
    let layer = Layer::new("base");
    let image = |number: usize| {
        let config = docker::config(std::slice::from_ref(&layer));
        let mut config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        config["author"] = json!(number.to_string());
        config["config"]["Env"] = json!(variables);
        Image::new(&[&format!("app:{number}")], std::slice::from_ref(&layer))
            .with_config(config.to_string())
    };
    let images: Vec<Image> = (0..24).map(image).collect();
    let sandbox = Sandbox::new();
    sandbox.write("app.tar.gz", &codec::gzip(&save(&images).tar()));
    let run = within(&sandbox, &["inspect", "--json", "app.tar.gz"]);
    let message = "the size of all metadata in bytes is ";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    // An image of this kind has a place.
    sandbox.write("app.tar.gz", &codec::gzip(&save(&images[..1]).tar()));
    within(&sandbox, &["inspect", "--json", "app.tar.gz"]).succeeds();
}

/// Each index lists one digest 80,000 times. What they list decides which images of a registry tree are entries.
#[test]
fn indexes_of_a_registry_that_repeat_a_digest() {
    let child = json!({ "digest": format!("sha256:{}", "0".repeat(64)) }).to_string();
    let children = vec![child.as_str(); 80_000].join(",");
    let mut tree = Tree::default();
    for number in 0..40 {
        let index = format!(r#"{{"schemaVersion":2,"number":{number},"manifests":[{children}]}}"#);
        let digest = tree.blob(index.as_bytes());
        tree.tag("app", &number.to_string(), &digest);
    }
    let sandbox = Sandbox::new();
    sandbox.write("app.tar.zst", &codec::zstd(&registry::tar(&tree.files)));
    let args = ["inspect", "app.tar.zst"];
    let run = sandbox.run_within(200, &args);
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("more than the limit of"),
        "{}",
        run.stderr
    );
}

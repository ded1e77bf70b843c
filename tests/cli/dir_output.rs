//! `--to dir`: skopeo's `dir:` folders.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::Value;

use crate::support::docker::{Image, config, save, save_one};
use crate::support::layers::layers;
use crate::support::oci::{self, Layout, digest, named};
use crate::support::sandbox::Sandbox;
use crate::support::{codec, sha256_hex};

fn hex(descriptor: &Value) -> &str {
    digest(descriptor).strip_prefix("sha256:").unwrap()
}

/// The names of the files in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn an_image_in_every_format() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    for (format, media_type) in [("oci", oci::MANIFEST), ("v2s2", oci::DOCKER_MANIFEST)] {
        let args = ["app.tar", "-o", "out", "--to", "dir", "--format", format];
        let run = sandbox.convert(&args);
        let folder = sandbox.path("out");
        let manifest = fs::read(folder.join("manifest.json")).unwrap();
        run.succeeds();
        assert_eq!(
            run.stdout(),
            format!("sha256:{} app:1.0\n", sha256_hex(&manifest))
        );
        let version = fs::read_to_string(folder.join("version")).unwrap();
        assert_eq!(version, "Directory Transport Version: 1.1\n");
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["mediaType"], media_type);
        let config_hex = hex(&manifest["config"]);
        assert_eq!(
            fs::read(folder.join(config_hex)).unwrap(),
            config(&layers("top"))
        );
        let mut expected = vec![config_hex, "manifest.json", "version"];
        for (descriptor, layer) in manifest["layers"]
            .as_array()
            .unwrap()
            .iter()
            .zip(layers("top"))
        {
            let blob = fs::read(folder.join(hex(descriptor))).unwrap();
            assert_eq!(codec::decode(&blob, oci::LAYER_GZIP), layer.tar);
            expected.push(hex(descriptor));
        }
        expected.sort_unstable();
        assert_eq!(names(&folder), expected);
    }
}

#[test]
fn an_index_has_its_manifests_beside_it() {
    let mut layout = Layout::default();
    let (index, images) = layout.two_platforms();
    layout.add(named(&index, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    sandbox
        .convert(&["app", "-o", "dir", "--to", "dir"])
        .succeeds();
    let names = names(&sandbox.path("dir"));
    for image in &images {
        let name = format!("{}.manifest.json", hex(image));
        assert!(names.contains(&name), "{names:?}");
    }
    // Reading it again yields the same image.
    let back = sandbox.converted(&["dir"]);
    assert_eq!(digest(&back.only()), digest(&index));
}

#[test]
fn one_image_a_folder() {
    let images = ["one", "two"].map(|seed| Image::new(&[&format!("{seed}:1")], &layers(seed)));
    let sandbox = Sandbox::with_archive(&save(&images));
    let args = ["app.tar", "-o", "out", "--to", "dir"];
    sandbox.convert(&args).fails(
        "ocify: expected one image, found 2: one:1, two:1\n\
         hint: select one with `--image`: by name, by position such as `@0`, or by digest\n",
    );
    sandbox
        .convert(&[&args[..], &["--image", "two:1"]].concat())
        .succeeds();
}

#[test]
fn another_image_takes_the_place_of_the_first() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    let convert = |input: &str| sandbox.convert(&[input, "-o", "out", "--to", "dir"]);
    fs::create_dir(sandbox.path("out")).unwrap();
    convert("app.tar").succeeds();
    sandbox.write("other.tar", &save_one("app:1.0", &layers("other")).tar());
    convert("other.tar").succeeds();
    let fresh = ["other.tar", "-o", "fresh", "--to", "dir"];
    sandbox.convert(&fresh).succeeds();
    assert_eq!(names(&sandbox.path("out")), names(&sandbox.path("fresh")));
    // No other files are left.
    assert_eq!(
        names(&sandbox.path("")),
        ["app.tar", "fresh", "other.tar", "out"]
    );
}

#[test]
fn what_is_not_a_dir_folder_is_not_replaced() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    sandbox.convert(&["app.tar", "-o", "layout"]).succeeds();
    fs::create_dir(sandbox.path("home")).unwrap();
    sandbox.write("home/notes", b"x");
    sandbox.write("file", b"x");
    let before = sandbox.snapshot();
    for name in ["layout", "home", "file"] {
        for dry in [&[][..], &["--dry-run"]] {
            let args = [&["app.tar", "-o", name, "--to", "dir"], dry].concat();
            let run = sandbox.convert(&args);
            assert_eq!(run.status.code(), Some(1));
            let place = if dry.is_empty() {
                format!("{name}: ")
            } else {
                String::new()
            };
            assert_eq!(
                run.stderr,
                format!(
                    "ocify: {place}{name} exists and is not a dir: folder\n\
                     hint: choose another name for the output\n"
                )
            );
        }
    }
    assert_eq!(sandbox.snapshot(), before);
}

/// A file of the user whose name is not valid UTF-8.
#[test]
fn a_folder_of_any_file_is_not_empty() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    let folder = sandbox.path("home");
    fs::create_dir(&folder).unwrap();
    let file = folder.join(OsStr::from_bytes(b"caf\xe9.txt"));
    fs::write(&file, "x").unwrap();
    for kind in ["dir", "layout", "registry"] {
        for dry in [&[][..], &["--dry-run"]] {
            let args = ["app.tar", "-o", "home", "--to", kind];
            let run = sandbox.convert(&[&args, dry].concat());
            assert_eq!(run.status.code(), Some(1), "{kind}");
            assert!(
                run.stderr.contains("home exists and is not "),
                "{}",
                run.stderr
            );
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(names(&sandbox.path("")), ["app.tar", "home"]);

    // In a folder that is replaced, it is removed like any other file.
    fs::remove_dir_all(&folder).unwrap();
    for args in [&["--to", "dir"][..], &["--replace"]] {
        let args = [&["app.tar", "-o", "home"], args].concat();
        sandbox.convert(&args).succeeds();
        fs::write(&file, "x").unwrap();
        sandbox.convert(&args).succeeds();
        assert!(!file.exists());
        assert_eq!(names(&sandbox.path("")), ["app.tar", "home"]);
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn options_that_a_dir_folder_cannot_have() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    for (args, message) in [
        (
            &["-o", "out", "--add"][..],
            "ocify: `--add` cannot be used with `--to dir`\n\
             hint: a dir: folder holds one image: choose another output for each\n",
        ),
        (
            &["-o", "out", "--prune"],
            "ocify: `--prune` cannot be used with `--to dir`\n\
             hint: omit `--prune`: a dir: folder is always replaced\n",
        ),
        (
            &["-o", "out.tar"],
            "ocify: the output `out.tar` is a tar, but a dir: output is a folder\n\
             hint: name a folder, such as `-o image`\n",
        ),
        (
            &["-o", "-"],
            "ocify: the output `-` is a tar, but a dir: output is a folder\n\
             hint: name a folder, such as `-o image`\n",
        ),
    ] {
        let run = sandbox.convert(&[&["app.tar", "--to", "dir"], args].concat());
        assert_eq!((run.status.code(), run.stderr.as_str()), (Some(2), message));
    }
    assert_eq!(names(&sandbox.path("")), ["app.tar"]);
}

#[test]
fn an_input_inside_the_output_is_not_removed() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    sandbox
        .convert(&["app.tar", "-o", "dir", "--to", "dir"])
        .succeeds();
    fs::rename(sandbox.path("app.tar"), sandbox.path("dir/app.tar")).unwrap();
    let args = ["dir/app.tar", "-o", "dir", "--to", "dir"];
    sandbox
        .convert(&args)
        .is_wrong_usage("ocify: dir/app.tar is inside dir\n");
    assert!(sandbox.path("dir/app.tar").exists());
}

/// A `dir:` folder of an index, with signatures of it and of its images.
fn signed() -> (Layout, Value, [Value; 2]) {
    let mut layout = Layout::default();
    let (index, images) = layout.two_platforms();
    (layout, index, images)
}

#[test]
fn signatures_go_on_with_what_they_sign() {
    let (layout, index, images) = signed();
    let [first, second] = [hex(&images[0]), hex(&images[1])];
    let files = oci::dir(&layout, &index)
        .with("signature-1", "of the index")
        .with(&format!("{first}.signature-1"), "of the first")
        .with(&format!("{second}.signature-2"), "of the second");
    let sandbox = Sandbox::with_folder(&files);
    sandbox
        .convert(&["app", "-o", "out", "--to", "dir"])
        .succeeds();
    let read = |name: &str| fs::read_to_string(sandbox.path(name)).unwrap();
    assert_eq!(read("out/signature-1"), "of the index");
    assert_eq!(read(&format!("out/{first}.signature-1")), "of the first");
    assert_eq!(read(&format!("out/{second}.signature-2")), "of the second");

    // One image of it: only its own signature applies, under the file name for a single image.
    let args = [
        "app",
        "-o",
        "one",
        "--to",
        "dir",
        "--platform",
        "linux/arm64",
    ];
    let left_out = |file: &str| {
        format!(
            "ocify: warning: app: {file}: left out, since it does not sign the new manifest of @0 (signature-detached)\n"
        )
    };
    let run = sandbox.convert(&args);
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(run.stderr.lines().count(), 2);
    for file in ["signature-1", &format!("{first}.signature-1")] {
        assert!(run.stderr.contains(&left_out(file)), "{}", run.stderr);
    }
    assert_eq!(read("one/signature-2"), "of the second");
    assert!(!sandbox.path("one/signature-1").exists());

    // Another format changes the digests.
    let args = ["app", "-o", "other", "--to", "dir", "--format", "v2s2"];
    let run = sandbox.convert(&args);
    assert_eq!(run.stderr.lines().count(), 3);
    let names = names(&sandbox.path("other"));
    assert!(
        !names.iter().any(|name| name.contains("signature")),
        "{names:?}"
    );
}

#[test]
fn signatures_are_only_beside_the_manifest() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let files = oci::dir(&layout, &image);
    let stray = format!("{}.d/x.signature-1", hex(&image));
    let sandbox = Sandbox::with_folder(&files.clone().with(&stray, "signature"));
    sandbox
        .convert(&["app", "-o", "out", "--to", "dir"])
        .succeeds();
    let mut expected: Vec<&str> = files
        .members
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    expected.retain(|name| *name != hex(&image));
    expected.sort_unstable();
    assert_eq!(names(&sandbox.path("out")), expected);
}

//! `--depfile`, as make reads it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::docker::save_one;
use crate::support::layers::Layer;
use crate::support::oci;
use crate::support::sandbox::Sandbox;

/// Runs make for `out.tar` with the rules in `out.d`.
fn make(sandbox: &Sandbox) -> String {
    let makefile = "out.tar:\n\t@:$(info made because of: $?)\n\ninclude out.d\n";
    sandbox.write("Makefile", makefile.as_bytes());
    let output = Command::new("make")
        .arg("out.tar")
        .current_dir(sandbox.path(""))
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn convert(sandbox: &Sandbox, inputs: &[&str]) {
    let output = ["-q", "-o", "out.tar", "--depfile", "out.d"];
    sandbox.convert(&[inputs, &output].concat()).succeeds();
}

/// Makes a file newer than the output, without waiting for the clock.
fn touch(path: &Path) {
    let output = path.ancestors().find_map(|folder| {
        let output = folder.join("out.tar");
        output.is_file().then_some(output)
    });
    let time = fs::metadata(output.unwrap()).unwrap().modified().unwrap();
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(time + std::time::Duration::from_secs(5))
        .unwrap();
}

const UP_TO_DATE: &str = "make: 'out.tar' is up to date.\n";

#[test]
fn make_sees_every_file_whatever_its_name() {
    for name in [
        "app.tar",
        "two words.tar",
        " .tar",
        "a#b.tar",
        "a$b.tar",
        "a$(b).tar",
        "a:b.tar",
        "a\\b.tar",
        "a\\ b.tar",
        "a\\#b.tar",
        "a\\\\ b.tar",
        "ü.tar",
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(name, &save_one("app:1", &[Layer::new("app")]).tar());
        convert(&sandbox, &[name]);
        assert_eq!(make(&sandbox), UP_TO_DATE, "{name}");
        touch(&sandbox.path(name));
        assert_eq!(
            make(&sandbox),
            format!("made because of: {name}\n"),
            "{name}"
        );
        fs::remove_file(sandbox.path(name)).unwrap();
        assert!(make(&sandbox).starts_with("made because of: "), "{name}");
    }
}

#[test]
fn every_file_of_a_folder_is_listed() {
    let sandbox = Sandbox::new();
    let layout = oci::one("app:1", &[Layer::new("app")]);
    layout.files().write(&sandbox.path("app"));
    sandbox.write(
        "other.tar",
        &save_one("other:1", &[Layer::new("other")]).tar(),
    );
    sandbox.write("list", b"app\n");
    convert(&sandbox, &["other.tar", "-T", "list"]);
    assert_eq!(make(&sandbox), UP_TO_DATE);
    let mut files = vec![
        "app/index.json".to_owned(),
        "list".to_owned(),
        "other.tar".to_owned(),
    ];
    let snapshot = sandbox.snapshot();
    let blobs = snapshot
        .keys()
        .filter(|name| name.starts_with("app/blobs/sha256/"));
    files.extend(blobs.filter(|name| !name.ends_with('/')).cloned());
    assert_eq!(files.len(), 6);
    for file in files {
        convert(&sandbox, &["other.tar", "-T", "list"]);
        touch(&sandbox.path(&file));
        assert_eq!(make(&sandbox), format!("made because of: {file}\n"));
        // As it was.
        let old = fs::metadata(sandbox.path("out.tar"))
            .unwrap()
            .modified()
            .unwrap();
        let touched = fs::File::options()
            .append(true)
            .open(sandbox.path(&file))
            .unwrap();
        touched
            .set_modified(old - std::time::Duration::from_secs(5))
            .unwrap();
    }
}

#[test]
fn what_decides_what_is_left_out_is_listed() {
    for (option, path) in [
        ("--have", "have.txt"),
        ("--have", "base.tar"),
        ("--fill-from", "base.tar"),
    ] {
        let sandbox = Sandbox::with_archive(&save_one("app:1", &[Layer::new("app")]));
        sandbox.write("base.tar", &save_one("base:1", &[Layer::new("base")]).tar());
        let digests = sandbox.run(&["inspect", "--digests", "base.tar"]);
        sandbox.write("have.txt", digests.succeeds().stdout().as_bytes());
        convert(&sandbox, &["app.tar", option, path]);
        assert_eq!(make(&sandbox), UP_TO_DATE);
        touch(&sandbox.path(path));
        assert_eq!(
            make(&sandbox),
            format!("made because of: {path}\n"),
            "{option}"
        );
    }
}

#[test]
fn a_depfile_needs_an_output_with_a_name() {
    let sandbox = Sandbox::with_archive(&save_one("app:1", &[Layer::new("app")]));
    let run = sandbox.convert(&["app.tar", "-o", "-", "--depfile", "out.d"]);
    run.is_wrong_usage("`--depfile` needs an output with a name");
}

#[test]
fn a_name_that_make_cannot_read_is_an_error() {
    for (name, shown) in [
        ("two\nlines.tar", "two\\u{a}lines.tar"),
        ("ends\\", "ends\\"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(name, &save_one("app:1", &[Layer::new("app")]).tar());
        let before = sandbox.snapshot();
        let run = sandbox.convert(&[name, "-q", "-o", "out", "--depfile", "out.d"]);
        run.fails(&format!(
            "ocify: {shown}: a depfile cannot name it, because its name contains a line end or ends with a backslash\n"
        ));
        assert_eq!(sandbox.snapshot(), before);
    }
}

#[test]
fn volumes_depend_on_what_was_read() {
    let sandbox = Sandbox::with_archive(&save_one(
        "app:1.0",
        &[Layer::noise(1, 30_000), Layer::noise(2, 30_000)],
    ));
    let args = ["app.tar", "-q", "-o", "out.tar", "--depfile", "out.d"];
    let args = [&args[..], &["--volume-size", "40K", "--replace"]].concat();
    sandbox.convert(&args).succeeds();
    let rule = String::from_utf8(sandbox.read("out.d")).unwrap();
    assert_eq!(rule, "out.001.tar out.002.tar: \\\n  app.tar\n\napp.tar:\n");
}

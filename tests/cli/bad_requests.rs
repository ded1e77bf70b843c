//! Valid inputs with requests that cannot be met, and the complete message for each.

use std::fs;

use crate::support::docker::{Image, save, save_one};
use crate::support::layers::{Layer, layers};
use crate::support::oci;
use crate::support::sandbox::Sandbox;

/// The run fails with this message and changes nothing.
#[track_caller]
fn refuses(sandbox: &Sandbox, args: &[&str], stderr: &str) {
    let before = sandbox.snapshot();
    sandbox.convert(args).fails(stderr);
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn images_that_are_not_there() {
    let images = [
        Image::new(&["app:1.0", "app:latest"], &layers("one")),
        Image::new(&[], &layers("two")),
    ];
    let sandbox = Sandbox::with_archive(&save(&images));
    let zeros = format!("sha256:{}", "0".repeat(64));
    for (wanted, near) in [
        ("app:2.0", ", did you mean app:1.0?"),
        ("@2", ";"),
        (zeros.as_str(), ";"),
    ] {
        refuses(
            &sandbox,
            &[
                "app.tar", "-o", "out", "--image", "app:1.0", "--image", wanted,
            ],
            &format!(
                "ocify: no image {wanted}{near} available: app:1.0, app:latest, @1\n\
                 hint: select by name, by position such as `@0`, or by digest\n"
            ),
        );
    }
    refuses(
        &sandbox,
        &[
            "app.tar",
            "-o",
            "out",
            "--platform",
            "linux/arm64",
            "--platform",
            "windows/amd64",
        ],
        "ocify: no image for linux/arm64 or windows/amd64; available: linux/amd64\n",
    );
}

#[test]
fn names() {
    let images = [
        Image::new(&["app:1.0"], &layers("one")),
        Image::new(&["app:2.0"], &layers("two")),
    ];
    let sandbox = Sandbox::with_archive(&save(&images));
    refuses(
        &sandbox,
        &["app.tar", "-o", "out", "--name", "x:1"],
        "ocify: `--name` needs exactly one image, but 2 are selected\nhint: select one with `--image`\n",
    );
    sandbox.write("a.tar", &save_one("app:1.0", &layers("a")).tar());
    let digest = |input: &str| {
        sandbox
            .convert(&[
                input,
                "-o",
                input.strip_suffix(".tar").unwrap(),
                "--image",
                "app:1.0",
            ])
            .succeeds();
        oci::digest(&sandbox.layout(input.strip_suffix(".tar").unwrap()).only()).to_owned()
    };
    let (app, a) = (digest("app.tar"), digest("a.tar"));
    refuses(
        &sandbox,
        &["app.tar", "a.tar", "-o", "out"],
        &format!(
            "ocify: two images are named app:1.0: {app} in app.tar and {a} in a.tar\n\
             hint: convert them one by one with `--image` and `--name`\n"
        ),
    );
}

#[test]
fn inputs_that_cannot_be_opened() {
    let sandbox = Sandbox::new();
    sandbox.write("file", b"x");
    for (input, message) in [
        (
            "none.tar",
            "ocify: none.tar: cannot open: No such file or directory\n",
        ),
        (
            "file/app.tar",
            "ocify: file/app.tar: cannot open: Not a directory\n",
        ),
    ] {
        refuses(&sandbox, &[input, "-o", "out"], message);
    }
    fs::create_dir(sandbox.path("empty")).unwrap();
    refuses(
        &sandbox,
        &["empty", "-o", "out"],
        "ocify: empty: not a container image: it contains no files\n\
         hint: pass a docker save archive, an OCI layout, a dir: folder, a schema 1 folder or a registry tree\n",
    );
}

#[test]
fn outputs_that_cannot_be_written() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    sandbox.write("file", b"x");
    for (output, message) in [
        (
            "file/out",
            "ocify: file/out: cannot open file: Not a directory\n",
        ),
        (
            "file/out.tar",
            "ocify: file/out.tar: cannot open file: Not a directory\n",
        ),
        (
            "none/out",
            "ocify: none/out: cannot open none: No such file or directory\n",
        ),
        (
            "none/out.tar",
            "ocify: none/out.tar: cannot open none: No such file or directory\n",
        ),
    ] {
        refuses(&sandbox, &["app.tar", "-o", output], message);
    }
    // A folder that nobody can write to, not even root. The names of staged files differ in each run.
    for output in ["/proc/out", "/proc/out.tar"] {
        let before = sandbox.snapshot();
        let run = sandbox.convert(&["app.tar", "-o", output]);
        assert_eq!(run.status.code(), Some(1));
        assert!(
            run.stderr.starts_with(&format!("ocify: {output}: cannot ")),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.ends_with(": No such file or directory\n"),
            "{}",
            run.stderr
        );
        assert_eq!(sandbox.snapshot(), before);
    }
}

#[test]
fn outputs_that_are_something_else() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    fs::create_dir_all(sandbox.path("folder")).unwrap();
    sandbox.write("folder/thesis.txt", b"years of work");
    fs::create_dir_all(sandbox.path("folder.tar")).unwrap();
    sandbox.write("file", b"x");
    sandbox.write("text.tar", b"x");
    fs::create_dir_all(sandbox.path("other-version/blobs")).unwrap();
    sandbox.write(
        "other-version/oci-layout",
        br#"{"imageLayoutVersion":"2.0.0"}"#,
    );
    for output in ["folder", "file", "folder.tar", "other-version"] {
        refuses(
            &sandbox,
            &["app.tar", "-o", output],
            &format!(
                "ocify: {output}: {output} exists and is not an OCI layout\n\
                 hint: choose another name for the output\n"
            ),
        );
    }
    refuses(
        &sandbox,
        &["app.tar", "-o", "text.tar"],
        "ocify: text.tar: the file exists and is not a tar archive\n\
         hint: choose another name for the output\n",
    );
}

#[test]
fn of_many_names_only_some_are_listed() {
    let images: Vec<Image> = (10..40)
        .map(|number| Image::new(&[&format!("app:{number}")], &[Layer::new("one")]))
        .collect();
    let sandbox = Sandbox::with_archive(&save(&images));
    let run = sandbox.convert(&["app.tar", "-o", "out", "--image", "x:1"]);
    assert_eq!(run.status.code(), Some(1));
    let line = run.stderr.lines().next().unwrap();
    assert!(
        line.starts_with("ocify: no image x:1; available: app:10, app:11, "),
        "{line}"
    );
    assert!(line.ends_with(", app:29 and 10 more"), "{line}");
}

//! Names of outputs: tars, folders, and names that are refused.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::codec;
use crate::support::docker::{Image, save, save_one};
use crate::support::layers::{Layer, noise};
use crate::support::oci;
use crate::support::sandbox::Sandbox;
use crate::support::tar::Member;

fn sandbox() -> Sandbox {
    Sandbox::with_archive(&save_one(
        "app:1.0",
        &[Layer::new("base"), Layer::new("top")],
    ))
}

#[test]
fn the_ending_says_how_a_tar_is_compressed() {
    // More than one chunk of zstd, and more than one batch of them.
    let mut layers = vec![Layer::noise(7, 9_000_000), Layer::new("base")];
    layers.extend((0..20).map(|number| Layer::noise(number + 20, 700_000)));
    let sandbox = Sandbox::with_archive(&save(&[Image::new(&["app:1.0"], &layers)]));
    let none = ["--compression", "none"];
    let convert = |output: &str, threads: &str| {
        let args = ["app.tar", "-o", output, "--threads", threads];
        sandbox.convert(&[&args[..], &none].concat()).succeeds();
    };
    convert("out.tar", "1");
    let plain = sandbox.read("out.tar");
    for (ending, same, media_type) in [
        ("tar.gz", "tgz", oci::LAYER_GZIP),
        ("tar.zst", "tzst", oci::LAYER_ZSTD),
    ] {
        let first = format!("1.{ending}");
        convert(&first, "1");
        let bytes = sandbox.read(&first);
        assert!(codec::decode(&bytes, media_type) == plain, "{ending}");
        for (output, threads) in [(format!("2.{ending}"), "2"), (format!("3.{same}"), "7")] {
            convert(&output, threads);
            assert!(sandbox.read(&output) == bytes, "{output}");
        }
        // The tar is a valid input.
        let back = format!("{ending}-back.tar");
        let args = [&first, "-o", &back];
        sandbox.convert(&[&args[..], &none].concat()).succeeds();
        assert!(sandbox.layout(&back).names() == sandbox.layout("out.tar").names());
        sandbox.run(&["verify", &first]).succeeds();
    }
}

#[test]
fn a_tar_is_compressed_as_one_stream() {
    // What repeats 30,000 bytes later repeats across the chunks that are compressed in parallel, too.
    let repeated = noise(1, 30_000);
    let layer = Layer::of(&[Member::file("repeated", repeated.repeat(200))]);
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[layer]));
    let args = ["app.tar", "-o", "out.tar.gz", "--compression", "none"];
    sandbox.convert(&args).succeeds();
    // Deflate repeats up to 258 bytes at a time (RFC 1951, section 3.2.5), for less than five.
    let once = codec::gzip(&repeated).len();
    let expected = once + 200 * repeated.len() / 258 * 5;
    let found = sandbox.read("out.tar.gz").len();
    assert!(found < expected, "{found}, expected less than {expected}");
}

#[test]
fn a_compressed_tar_is_added_to() {
    let sandbox = sandbox();
    sandbox.write("new.tar", &save_one("new:1", &[Layer::new("new")]).tar());
    for output in ["out.tar", "out.tar.gz", "out.tar.zst"] {
        sandbox.convert(&["app.tar", "-o", output]).succeeds();
        sandbox
            .convert(&["new.tar", "-o", output, "--add"])
            .succeeds();
    }
    let plain = sandbox.read("out.tar");
    assert_eq!(sandbox.layout("out.tar").names().len(), 2);
    for (output, media_type) in [
        ("out.tar.gz", oci::LAYER_GZIP),
        ("out.tar.zst", oci::LAYER_ZSTD),
    ] {
        assert!(
            codec::decode(&sandbox.read(output), media_type) == plain,
            "{output}"
        );
    }
    // A damaged tar is not changed.
    let half = sandbox.read("out.tar.gz")[..1000].to_vec();
    sandbox.write("out.tar.gz", &half);
    let run = sandbox.convert(&["new.tar", "-o", "out.tar.gz", "--add"]);
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert!(
        run.stderr.starts_with("ocify: out.tar.gz: "),
        "{}",
        run.stderr
    );
    assert!(sandbox.read("out.tar.gz") == half);
}

#[test]
fn names_that_mean_something_else() {
    let sandbox = sandbox();
    let before = sandbox.snapshot();
    let endings = "use .tar, .tar.gz, .tgz, .tar.zst or .tzst for a tar, or no ending for a folder";
    for (output, message, hint) in [
        (
            "out.tar.xz",
            "has the ending of a format that is not written",
            endings,
        ),
        (
            "out.tar.bz2",
            "has the ending of a format that is not written",
            endings,
        ),
        (
            "out.zip",
            "has the ending of a format that is not written",
            endings,
        ),
        (
            "out.gz",
            "has the ending of a format that is not written",
            endings,
        ),
        ("OUT.TAR", "is in upper case", "such as `images.tar`"),
        ("out.Tar.Gz", "is in upper case", "such as `images.tar`"),
        (
            "oci:out",
            "begins with a transport",
            "use `-o out` for a folder or `-o out.tar` for a tar",
        ),
        (
            "oci-archive:out.tar:app:1",
            "begins with a transport",
            "`-o out.tar` for a tar",
        ),
        (
            "docker-archive:out.tar",
            "begins with a transport",
            "`-o out.tar` for a tar",
        ),
        (
            "dir:out",
            "begins with a transport",
            "use `-o out` for a folder",
        ),
        (
            "oci:",
            "begins with a transport",
            "use `-o images` or `-o images.tar`",
        ),
        (
            "docker://example.test/app",
            "begins with a transport",
            "`skopeo copy`",
        ),
        (
            "containers-storage:app",
            "begins with a transport",
            "`skopeo copy`",
        ),
        (
            "out.tar/",
            "the ending of a tar and the slash of a folder",
            "remove the slash",
        ),
        ("/", "the output cannot be `/`", "name a folder or file"),
        (".", "the output cannot be `.`", "name a folder or file"),
        ("..", "the output cannot be `..`", "name a folder or file"),
        (
            "/dev/stdout",
            "the output cannot be `/dev/stdout`",
            "use `-o -`",
        ),
    ] {
        let run = sandbox.convert(&["app.tar", "-o", output]);
        run.is_wrong_usage(message).is_wrong_usage(hint);
        assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
        assert!(!run.stderr.contains("remove this"), "{}", run.stderr);
    }
    assert_eq!(sandbox.snapshot(), before);
    // The path is that of a folder.
    sandbox.convert(&["app.tar", "-o", "./oci:out"]).succeeds();
    sandbox.layout("oci:out");
    sandbox.convert(&["app.tar", "-o", "v1.2/"]).succeeds();
    sandbox.layout("v1.2");
}

#[test]
fn an_output_is_not_among_the_inputs() {
    let sandbox = sandbox();
    sandbox.convert(&["app.tar", "-o", "lay"]).succeeds();
    fs::hard_link(sandbox.path("app.tar"), sandbox.path("hard.tar")).unwrap();
    symlink("lay", sandbox.path("link")).unwrap();
    let hint = "hint: choose an output outside the inputs\n";
    let before = sandbox.snapshot();
    for (input, output, message) in [
        (
            "app.tar",
            "app.tar",
            "the output app.tar is the input app.tar",
        ),
        (
            "app.tar",
            "./app.tar",
            "the output ./app.tar is the input app.tar",
        ),
        (
            "app.tar",
            "hard.tar",
            "the output hard.tar is the input app.tar",
        ),
        ("lay", "lay", "the output lay is the input lay"),
        ("link", "lay", "the output lay is the input link"),
        (
            "lay",
            "lay/../lay",
            "the output lay/../lay is the input lay",
        ),
        ("lay", "lay/out", "lay/out is inside lay"),
        (
            "link",
            "lay/blobs/out.tar",
            "lay/blobs/out.tar is inside link",
        ),
    ] {
        let run = sandbox.convert(&[input, "-o", output]);
        let expected = format!("ocify: {message}\n{hint}");
        assert_eq!(
            (run.status.code(), run.stderr),
            (Some(2), expected),
            "{input} {output}"
        );
    }
    assert_eq!(sandbox.snapshot(), before);
    // Replacing the folder would remove the input in it.
    sandbox.write("lay/inner.tar", &sandbox.read("app.tar"));
    let run = sandbox.convert(&["lay/inner.tar", "-o", "lay", "--replace"]);
    let expected = format!("ocify: lay/inner.tar is inside lay\n{hint}");
    assert_eq!((run.status.code(), run.stderr), (Some(2), expected));
    sandbox.convert(&["lay/inner.tar", "-o", "lay"]).succeeds();
}

/// `script` runs a program on a terminal.
#[test]
fn a_terminal_is_neither_read_from_nor_written_to() {
    let sandbox = sandbox();
    let before = sandbox.snapshot();
    let ocify = env!("CARGO_BIN_EXE_ocify");
    for (args, message) in [
        (
            "convert app.tar -o -",
            "the output `-` is a terminal, expected a pipe or a file",
        ),
        (
            "convert - -o out",
            "the input `-` is a terminal, expected a pipe or a file",
        ),
        (
            "inspect -",
            "the input `-` is a terminal, expected a pipe or a file",
        ),
        (
            "verify -",
            "the input `-` is a terminal, expected a pipe or a file",
        ),
    ] {
        let command = format!("{ocify} {args}");
        let run = sandbox.run_program(&["script", "-qec", &command, "/dev/null"]);
        assert_eq!(run.status.code(), Some(2), "{args}: {}", run.stdout());
        assert!(run.stdout().contains(message), "{args}: {}", run.stdout());
    }
    assert_eq!(sandbox.snapshot(), before);
}

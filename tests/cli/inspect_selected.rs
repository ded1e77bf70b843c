//! `inspect --image` and `--platform` of several inputs: a selection is of all of them together, as in `convert`.

use serde_json::Value;

use crate::support::docker::save_one;
use crate::support::layers::layers;
use crate::support::oci::{Layout, digest, named};
use crate::support::sandbox::{Run, Sandbox};

/// `a.tar` has `a:1`, `b.tar` has `b:1`, and the layout `two` has `two:1` for two platforms.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["a", "b"] {
        let files = save_one(&format!("{name}:1"), &layers(name));
        sandbox.write(&format!("{name}.tar"), &files.tar());
    }
    let mut layout = Layout::default();
    let (index, _) = layout.two_platforms();
    let files = layout.listing(named(&index, "two:1")).files();
    files.write(&sandbox.path("two"));
    sandbox
}

fn inspect(sandbox: &Sandbox, args: &[&str]) -> Run {
    sandbox.run(&[&["inspect", "a.tar", "b.tar", "two"], args].concat())
}

/// The inputs in a document.
fn inputs(run: &Run) -> Vec<String> {
    let document: Value = serde_json::from_slice(&run.succeeds().stdout).unwrap();
    let inputs = document["inputs"].as_array().unwrap();
    let input = |value: &Value| value["input"].as_str().unwrap().to_owned();
    inputs.iter().map(input).collect()
}

#[test]
fn an_image_of_one_input() {
    let sandbox = sandbox();
    let run = inspect(&sandbox, &["--image", "b:1"]);
    run.succeeds();
    assert_eq!(run.stdout(), sandbox.run(&["inspect", "b.tar"]).stdout());
    for (args, expected) in [
        (&["--image", "b:1"][..], &["b.tar"][..]),
        (&["--image", "b:1", "--image", "two:1"], &["b.tar", "two"]),
        (&["--image", "@0"], &["a.tar", "b.tar", "two"]),
        (&["--platform", "linux/arm64"], &["two"]),
        (
            &[
                "--image",
                "a:1",
                "--image",
                "two:1",
                "--platform",
                "linux/arm64",
            ],
            &["two"],
        ),
        (
            &["--platform", "linux/arm64", "--platform", "linux/amd64"],
            &["a.tar", "b.tar", "two"],
        ),
    ] {
        let run = inspect(&sandbox, &[args, &["--json"]].concat());
        assert_eq!(inputs(&run), expected, "{args:?}");
    }
    let digests = |args: &[&str]| {
        let run = sandbox.run(&[&["inspect", "--digests"], args].concat());
        run.succeeds().stdout().to_owned()
    };
    let args = ["a.tar", "b.tar", "--image", "b:1"];
    assert_eq!(digests(&args), digests(&["b.tar"]));
}

/// The same message as that of `convert`, with what there is in all inputs.
#[test]
fn what_no_input_has() {
    let sandbox = sandbox();
    for (args, message) in [
        (
            &["--image", "b:1", "--image", "other:1"][..],
            "ocify: no image other:1; available: a:1, b:1, two:1\nhint: select by name, by position such as `@0`, or by digest\n",
        ),
        (
            &["--platform", "linux/s390x"],
            "ocify: no image for linux/s390x; available: linux/amd64, linux/arm64\n",
        ),
    ] {
        inspect(&sandbox, args).fails(message);
        inspect(&sandbox, &[args, &["-k"]].concat()).fails(message);
        let convert = ["convert", "a.tar", "b.tar", "two", "-o", "out"];
        sandbox.run(&[&convert, args].concat()).fails(message);
    }
}

/// With `--keep-going`, an input that cannot be opened is reported, and so is what the others lack.
#[test]
fn an_input_that_fails() {
    let sandbox = sandbox();
    let inspect = |args: &[&str]| sandbox.run(&[&["inspect", "no.tar", "b.tar"], args].concat());
    let failed = "ocify: no.tar: cannot open: No such file or directory\n";
    inspect(&["--image", "b:1"]).fails(failed);
    let run = inspect(&["--image", "b:1", "-k"]);
    assert_eq!(run.stdout(), sandbox.run(&["inspect", "b.tar"]).stdout());
    let count = "ocify: 1 of 2 inputs failed\n";
    assert_eq!(
        (run.status.code(), run.stderr),
        (Some(1), format!("{failed}{count}"))
    );
    let run = inspect(&["--image", "a:1", "-k"]);
    run.fails(&format!(
        "{failed}{count}ocify: no image a:1, did you mean b:1? available: b:1\n\
         hint: select by name, by position such as `@0`, or by digest\n"
    ));
    // What was selected may be in the part that is cut off.
    let whole = sandbox.read("a.tar");
    sandbox.write("cut.tar", &whole[..whole.len() / 2]);
    for image in ["b:1", "c:1"] {
        let run = sandbox.run(&["inspect", "cut.tar", "b.tar", "--image", image]);
        assert_eq!(run.status.code(), Some(1));
        let is_reason =
            run.stderr.starts_with("ocify: cut.tar: ") && run.stderr.contains(" is truncated: ");
        assert!(is_reason, "{}", run.stderr);
        assert_eq!(run.stdout(), "");
    }
}

/// A shortened digest must be unique among all inputs.
#[test]
fn a_digest_of_one_input() {
    let sandbox = sandbox();
    let mut layout = Layout::default();
    let (index, _) = layout.two_platforms();
    let run = inspect(&sandbox, &["--image", &digest(&index)[..20], "--json"]);
    assert_eq!(inputs(&run), ["two"]);
}

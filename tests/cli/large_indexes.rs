//! What is written can be read again: one limit for both.

use crate::support::docker::{Image, save};
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;

/// An image with this many names of this length.
fn image(prefix: &str, count: usize, length: usize) -> Image {
    let names: Vec<String> = (0..count)
        .map(|number| {
            format!(
                "{prefix}:{number:0>width$}",
                width = length - prefix.len() - 1
            )
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Image::new(&names, &[Layer::new("base")])
}

#[test]
fn too_many_names_in_all() {
    let sandbox = Sandbox::with_archive(&save(&[image("a", 6000, 20)]));
    sandbox.write("b.tar", &save(&[image("b", 6000, 20)]).tar());
    let message = "the number of names is 12000, more than the limit of 10000";
    let before = sandbox.snapshot();
    sandbox
        .convert(&["app.tar", "b.tar", "-o", "out"])
        .fails(&format!("ocify: {message}\n"));
    assert!(sandbox.snapshot() == before);
    for output in ["out", "out.tar"] {
        sandbox.convert(&["app.tar", "-o", output, "-q"]).succeeds();
        let before = sandbox.snapshot();
        sandbox
            .convert(&["b.tar", "-o", output, "--add"])
            .fails(&format!("ocify: {output}: {message}\n"));
        assert!(sandbox.snapshot() == before);
        // The same names again are no more of them.
        sandbox.convert(&["app.tar", "-o", output, "-q"]).succeeds();
        assert!(sandbox.snapshot() == before);
    }
}

#[test]
fn a_name_that_is_too_long() {
    let sandbox = Sandbox::with_archive(&save(&[Image::new(&["app:1"], &[Layer::new("base")])]));
    let before = sandbox.snapshot();
    let name = "n".repeat(4097);
    sandbox
        .convert(&["app.tar", "-o", "out", "--name", &name])
        .fails(
            "ocify: the length of an image's name in bytes is 4097, more than the limit of 4096\n",
        );
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn an_index_that_is_too_large() {
    // Each name is in manifest.json once, in index.json twice.
    let host = "h".repeat(3000);
    let image = image(&format!("{host}.test/app"), 1800, 3020);
    let sandbox = Sandbox::with_archive(&save(&[image]));
    let before = sandbox.snapshot();
    for output in ["out", "out.tar"] {
        let run = sandbox.convert(&["app.tar", "-o", output, "-q"]);
        let start = format!("ocify: {output}: the size of the new index.json in bytes is ");
        assert!(run.stderr.starts_with(&start), "{}", run.stderr);
        assert_eq!(run.status.code(), Some(1));
        assert!(sandbox.snapshot() == before);
    }
}

//! One image that several inputs have, such as volumes, is one image.

use std::fs;
use std::process::Command;

use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::oci::{self, blob_path, digest};
use crate::support::sandbox::Sandbox;

/// With the layout `app` of `app:1.0` and volumes of it, `q.001.tar` and so on. Gives their names.
fn volumes() -> (Sandbox, Vec<String>) {
    let layers: Vec<Layer> = (0..4).map(|seed| Layer::noise(seed, 30_000)).collect();
    let sandbox = Sandbox::with_folder(&oci::one("app:1.0", &layers).files());
    let args = ["app", "-o", "q.tar", "--volume-size", "60K"];
    sandbox.convert(&args).succeeds();
    let numbers = (1..10).map(|number| format!("q.{number:03}.tar"));
    let names: Vec<String> = numbers.filter(|name| sandbox.path(name).exists()).collect();
    assert!(names.len() > 1, "{names:?}");
    (sandbox, names)
}

#[test]
fn an_image_in_volumes_is_one_to_name_and_to_write_to_a_dir() {
    let (sandbox, names) = volumes();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let image = Layout::open(&sandbox.path("app")).only();
    let select = ["--image", "app:1.0"];
    let run = sandbox.convert(&[&names[..], &select, &["--name", "n:1", "-o", "n"]].concat());
    run.succeeds();
    assert_eq!(run.stdout(), format!("{} n:1\n", digest(&image)));
    assert_eq!(sandbox.layout("n").descriptors().len(), 1);
    let run = sandbox.convert(&[&names[..], &["--to", "dir", "-o", "d"]].concat());
    run.succeeds();
    assert_eq!(
        sandbox.read("d/manifest.json"),
        Layout::open(&sandbox.path("app")).blob(&image)
    );
}

/// The copy of one input is damaged or lacks something, and that of the other is not.
#[test]
fn the_copy_that_can_be_read_is_used() {
    let (sandbox, _) = volumes();
    let status = Command::new("cp")
        .args(["-r", "app", "damaged"])
        .current_dir(sandbox.path(""))
        .status();
    assert!(status.unwrap().success());
    let layout = Layout::open(&sandbox.path("app"));
    let config = layout.document(&layout.only())["config"].clone();
    fs::remove_file(sandbox.path("damaged").join(blob_path(digest(&config)))).unwrap();
    for inputs in [["damaged", "app"], ["app", "damaged"]] {
        for more in [&["--name", "n:1"][..], &["--to", "dir"]] {
            let _ = fs::remove_dir_all(sandbox.path("out"));
            let args = [&inputs[..], &["-o", "out"], more].concat();
            sandbox.convert(&args).succeeds();
        }
    }
    sandbox
        .convert(&["damaged", "-o", "out", "--name", "n:1"])
        .fails(&format!(
            "ocify: damaged: app:1.0: {}: missing from the input\n",
            blob_path(digest(&config))
        ));
}

/// Two images stay two.
#[test]
fn different_images_are_not_one() {
    let (sandbox, _) = volumes();
    oci::one("app:1.0", &[Layer::new("other")])
        .files()
        .write(&sandbox.path("other"));
    let run = sandbox.convert(&["app", "app", "other", "-o", "d", "--to", "dir"]);
    run.fails(
        "ocify: expected one image, found 2: app:1.0 in app, app:1.0 in other\n\
         hint: select one with `--image`: by name, by position such as `@0`, or by digest\n",
    );
    let run = sandbox.convert(&["app", "app", "other", "-o", "n", "--name", "n:1"]);
    run.fails(
        "ocify: `--name` needs exactly one image, but 2 are selected\nhint: select one with `--image`\n",
    );
}

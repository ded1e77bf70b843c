//! What was converted is converted again: nothing changes any more.

use crate::support::docker::save_one;
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci;
use crate::support::sandbox::Sandbox;

/// Converts into `first`, and that into `second`; both have the same files.
fn twice(files: &Files, first: &str, second: &str) {
    let sandbox = Sandbox::with_archive(files);
    sandbox.convert(&["app.tar", "-o", first]).succeeds();
    sandbox.convert(&[first, "-o", second]).succeeds();
    assert_eq!(sandbox.layout(first), sandbox.layout(second));
}

#[test]
fn an_output_is_converted_to_itself() {
    let layers = [Layer::new("base"), Layer::new("top")];
    for files in [
        oci::one("app:1.0", &layers).files(),
        save_one("app:1.0", &layers),
    ] {
        twice(&files, "one", "two");
        // The docker-save manifest.json in a tar has the same names as index.json.
        twice(&files, "one.tar", "two.tar");
    }
}

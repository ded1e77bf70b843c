//! What was converted is converted again: nothing changes any more.

use serde_json::json;

use crate::support::docker::{config, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci;
use crate::support::sandbox::Sandbox;

/// Converts into `first`, and that into `second`; both have the same files.
fn twice(files: &Files, first: &str, second: &str) {
    let sandbox = Sandbox::with_archive(files);
    sandbox.convert(&["app.tar", "-o", first, "-q"]).succeeds();
    sandbox.convert(&[first, "-o", second, "-q"]).succeeds();
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

#[test]
fn a_tar_in_which_docker_finds_nothing_is_still_a_layout() {
    // manifest.json can list no image whose layer is not there.
    let foreign = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "digest": Layer::new("foreign").diff_id(),
        "size": 7,
        "urls": ["https://example.test/layer.tar"],
    });
    let mut layout = oci::Layout::default();
    let config = config(&[Layer::new("foreign")]);
    let config = layout.blob(oci::CONFIG, &config);
    let image = layout.document(&oci::manifest(&config, &[foreign]));
    layout.add(oci::named(&image, "app:1.0"));
    twice(&layout.files(), "one.tar", "two.tar");
}

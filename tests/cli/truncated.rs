//! Archives that end too early are called truncated, and are not taken for another format.

use crate::support::docker::{Image, layer_name, save};
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;

#[test]
fn a_truncated_archive_is_not_one_of_an_old_docker() {
    let layers = ["one", "two"].map(Layer::new);
    let mut files = save(&[Image::new(&["app:1.0"], &layers)]);
    // Docker before 25 wrote v1 metadata beside each layer, as archives from before 1.10 have it.
    for layer in &layers {
        let name = layer_name(layer);
        let id = name.strip_suffix("/layer.tar").unwrap();
        files = files.with(&format!("{id}/json"), format!(r#"{{"id":"{id}"}}"#));
    }
    let archive = files.tar();
    let sandbox = Sandbox::new();
    let mut seen = 0;
    for length in (1024..archive.len() - 1024).step_by(1024) {
        sandbox.write("app.tar", &archive[..length]);
        let verified = sandbox.run(&["verify", "app.tar"]);
        let stdout = verified.stdout();
        assert_eq!(verified.status.code(), Some(1), "{length}");
        assert!(!stdout.contains("before 1.10"), "{length}: {stdout}");
        if stdout.contains("unknown format") {
            // Nothing but what is wrong with it.
            assert_eq!(stdout.lines().count(), 2, "{length}: {stdout}");
            assert!(stdout.contains(" is truncated: "), "{length}: {stdout}");
            seen += 1;
        }
        let run = sandbox.convert(&["app.tar", "-o", "out"]);
        assert!(
            run.stderr.contains(" is truncated: "),
            "{length}: {}",
            run.stderr
        );
        assert!(!sandbox.path("out").exists());
    }
    assert!(seen > 0);
}

//! Images whose history has very many entries, most of which made no layer.

use serde_json::{Value, json};

use crate::limits::too_many;
use crate::support::docker::{Image, save};
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;

/// An archive of one image whose history has `count` entries.
fn with_history(count: usize, command: &str) -> (Sandbox, Vec<u8>) {
    let layer = Layer::new("base");
    let empty = json!({ "created_by": command, "empty_layer": true });
    let mut history = vec![empty; count - 1];
    history.push(json!({ "created_by": "ADD" }));
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "history": history,
        "rootfs": { "type": "layers", "diff_ids": [layer.diff_id()] },
    });
    let config = config.to_string().into_bytes();
    let image = Image::new(&["app:1.0"], &[layer]).with_config(config.clone());
    (Sandbox::with_archive(&save(&[image])), config)
}

const TO_SCHEMA_1: [&str; 7] = ["app.tar", "-o", "out", "--to", "dir", "--format", "v2s1"];

#[test]
fn ten_thousand_entries() {
    let (sandbox, config) = with_history(10_000, "RUN true");
    let layout = sandbox.converted(&["app.tar"]);
    assert_eq!(layout.config(&layout.only()), config);
    let schema1 = Sandbox::with_archive(&save(&[
        Image::new(&["app:1.0"], &[Layer::new("base")]).with_config(config)
    ]));
    schema1.convert(&TO_SCHEMA_1).succeeds();
    schema1.run(&["inspect", "out"]).succeeds();
    let manifest: Value = serde_json::from_slice(&schema1.read("out/manifest.json")).unwrap();
    assert_eq!(manifest["history"].as_array().unwrap().len(), 10_000);
}

/// Nothing is written that this program would not read again.
#[test]
fn more_than_a_schema_1_manifest_may_have() {
    let what = "the number of layers of the new manifest, with empty ones,";
    let message = too_many(what, 10_001, 10_000);
    let (sandbox, _) = with_history(10_001, "RUN true");
    let run = sandbox.convert(&TO_SCHEMA_1);
    run.fails(&format!("ocify: app.tar: app:1.0: {message}\n"));
    assert!(!sandbox.path("out").exists());
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();

    let (sandbox, _) = with_history(5_000, &"true; ".repeat(220));
    let run = sandbox.convert(&TO_SCHEMA_1);
    assert!(
        run.stderr
            .contains("the size of the new manifest in bytes is "),
        "{}",
        run.stderr
    );
    assert!(!sandbox.path("out").exists());
}

#[test]
fn more_than_fits_into_memory() {
    let (sandbox, _) = with_history(100_000, "RUN true");
    let run = sandbox.convert(&["app.tar", "-o", "out"]);
    let message = "the values take more memory than the limit of 67108864 bytes";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert_eq!(run.status.code(), Some(1));
}

//! Damage that a conversion copies byte for byte with a warning, because every digest is correct.

use serde_json::{Value, json};

use crate::support::cache::hits;
use crate::support::docker::{Image, config, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::tar::{self, Member};
use crate::support::{codec, oci, schema1};

fn warning(place: &str, message: &str) -> String {
    // Warnings of `verify`.
    let slight = [
        "(layer-tar-after-end",
        "(layer-path",
        "(layer-duplicate-path",
    ];
    let is_slight = slight.iter().any(|code| message.ends_with(code));
    let done = if is_slight { "" } else { "; copied unchanged" };
    format!("ocify: warning: {place}: {message}{done})\n")
}

fn of_top(message: &str) -> String {
    warning("app.tar: app:1.0: layer 2 of 2", message)
}

/// Layers with a correct `diff_id`, and their warnings.
fn damaged() -> Vec<(Layer, &'static str)> {
    let two = tar::tar(&[Member::file("a", "content"), Member::file("b", "content")]);
    let changed = |at: usize| {
        let mut tar = two.clone();
        tar[at] ^= 1;
        tar
    };
    let cases = vec![
        (
            two[..1500].to_vec(),
            "the tar ends at byte 1500, within a header (layer-tar-truncated",
        ),
        (
            changed(1024),
            "damaged tar header at byte 1024: checksum mismatch (layer-tar-header",
        ),
        (
            changed(0),
            "damaged tar header at byte 0: checksum mismatch (layer-not-tar",
        ),
        (
            [&two[..], b"more"].concat(),
            "data at byte 3072, after the end-of-archive marker (layer-tar-after-end",
        ),
        (
            tar::tar(&[Member::file("../a", "")]),
            "paths with \"..\": ../a (layer-path",
        ),
        (
            tar::tar(&[Member::file("a", ""), Member::file("./a", "")]),
            "entries of the same path: a (layer-duplicate-path",
        ),
    ];
    let cases = cases.into_iter();
    cases
        .map(|(tar, message)| (Layer { tar }, message))
        .collect()
}

fn with_top(top: &Layer) -> Files {
    save_one("app:1.0", &[Layer::new("base"), top.clone()])
}

#[test]
fn tars_of_layers() {
    for (top, message) in damaged() {
        let sandbox = Sandbox::with_archive(&with_top(&top));
        let layers = [Layer::new("base").tar, top.tar.clone()];
        for compression in ["keep", "gzip:1", "zstd", "none"] {
            for output in ["out", "out.tar", "out.tar --no-docker-manifest"] {
                let args = ["app.tar", "--compression", compression, "-o"];
                let output: Vec<&str> = output.split(' ').collect();
                let args = [&args[..], &output, &["--replace"]].concat();
                let run = sandbox.convert(&args);
                // A tar for Docker has another warning.
                if compression != "zstd" || output != ["out.tar"] {
                    run.warns(&of_top(message));
                }
                let layout = sandbox.layout(output[0]);
                assert_eq!(layout.layers(&layout.named("app:1.0")), layers, "{message}");
            }
        }
    }
}

#[test]
fn layers_that_are_kept() {
    for (top, message) in damaged() {
        let image = || Image::new(&["app:1.0"], &[Layer::new("base"), top.clone()]);
        for encode in [codec::gzip as fn(&[u8]) -> Vec<u8>, codec::zstd] {
            let sandbox = Sandbox::with_archive(&save(&[image().encoded(encode)]));
            sandbox
                .convert(&["app.tar", "-o", "out"])
                .warns(&of_top(message));
        }
    }
    // Their tars are not read.
    let (top, _) = &damaged()[0];
    let files = oci::one("app:1.0", &[Layer::new("base"), top.clone()]).files();
    let sandbox = Sandbox::with_folder(&files);
    let place = "app: app:1.0: layer 2 of 2";
    let whole = "the tar ends at byte 1500, within a header (layer-tar-truncated";
    sandbox
        .convert(&["app", "-o", "out"])
        .warns(&warning(place, whole));
    let args = ["app", "-o", "unread", "--check", "blobs"];
    sandbox.convert(&args).succeeds();
}

#[test]
fn a_layer_is_warned_of_once() {
    let (top, message) = &damaged()[0];
    let images =
        ["app:1.0", "other:1.0"].map(|name| Image::new(&[name], std::slice::from_ref(top)));
    let sandbox = Sandbox::with_archive(&save(&images));
    let expected = warning("app.tar: app:1.0: layer 1 of 1", message);
    sandbox.convert(&["app.tar", "-o", "out"]).warns(&expected);
}

#[test]
fn in_the_order_of_the_layers() {
    let damaged = damaged();
    let layers: Vec<Layer> = damaged.iter().map(|(layer, _)| layer.clone()).collect();
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers));
    let mut expected = String::new();
    for (number, (_, message)) in damaged.iter().enumerate() {
        let place = format!(
            "app.tar: app:1.0: layer {} of {}",
            number + 1,
            damaged.len()
        );
        expected += &warning(&place, message);
    }
    for threads in ["1", "4"] {
        let args = [
            "app.tar",
            "-o",
            "out",
            "--compression",
            "zstd:1",
            "--threads",
            threads,
        ];
        sandbox.convert(&args).warns(&expected);
    }
}

#[test]
fn layers_from_the_cache() {
    let (top, message) = &damaged()[0];
    let sandbox = Sandbox::with_archive(&with_top(top));
    for expected in [(0, 2), (2, 2)] {
        let run = sandbox.convert(&["app.tar", "-o", "out", "--cache", "cache", "-v"]);
        assert_eq!(hits(&run), expected);
        assert_eq!(
            run.stderr.matches(&of_top(message)).count(),
            1,
            "{}",
            run.stderr
        );
    }
}

#[test]
fn quiet_and_json() {
    let (top, message) = &damaged()[0];
    let sandbox = Sandbox::with_archive(&with_top(top));
    sandbox.convert(&["app.tar", "-o", "out", "-q"]).succeeds();
    let run: Run = sandbox.convert(&["app.tar", "-o", "out", "--json"]);
    let report: Value = serde_json::from_str(run.stdout()).unwrap();
    let (message, code) = message.trim_end_matches(')').split_once(" (").unwrap();
    let code = code.split(';').next().unwrap();
    let finding = json!({
        "severity": "error",
        "code": code,
        "place": { "input": "app.tar", "image": "app:1.0", "layer": { "number": 2, "of": 2 } },
        "message": message,
        "expected": null,
        "found": null,
    });
    assert_eq!(report["warnings"], json!([finding]));
}

#[test]
fn layers_without_a_manifest_of_their_own() {
    let (top, message) = &damaged()[0];
    let layers = [Layer::new("base"), top.clone()];
    let sandbox = Sandbox::with_folder(&schema1::unsigned("app", "1.0", &layers));
    let expected = warning("app: app:1.0: layer 2 of 2", message);
    sandbox.convert(&["app", "-o", "out"]).warns(&expected);
}

/// Configs that engines refuse. Other problems are only reported by `verify`.
#[test]
fn configs() {
    let layers = [Layer::new("base")];
    for (edit, message) in [
        (
            json!({"history": [{"created_by": "a"}, {"created_by": "b"}]}),
            Some(
                "the number of history entries that created a layer is 2, expected 1 (history-excess",
            ),
        ),
        (
            json!({"config": {"Env": "A=b"}}),
            Some("config.Env is not a list of strings (config-field"),
        ),
        (json!({"architecture": "w"}), None),
        (json!({"history": [{"empty_layer": true}]}), None),
    ] {
        let mut edited: Value = serde_json::from_slice(&config(&layers)).unwrap();
        let fields = edit.as_object().unwrap().clone();
        edited.as_object_mut().unwrap().extend(fields);
        let edited = edited.to_string();
        let image = Image::new(&["app:1.0"], &layers).with_config(edited.as_str());
        let place = format!("app.tar: app:1.0: {}", image.config_name);
        let sandbox = Sandbox::with_archive(&save(&[image]));
        let expected = message.map(|message| warning(&place, message));
        let run = sandbox.convert(&["app.tar", "-o", "out"]);
        run.warns(&expected.unwrap_or_default());
        let layout = sandbox.layout("out");
        assert_eq!(layout.config(&layout.named("app:1.0")), edited.as_bytes());
    }
}

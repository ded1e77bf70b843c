//! `--report` and `--dry-run`.

use std::fs;

use serde_json::{Value, json};

use crate::support::docker::{layer_name, save_one};
use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::oci;
use crate::support::sandbox::{Run, Sandbox};

fn sandbox() -> Sandbox {
    let layers = [Layer::new("base"), Layer::new("top")];
    Sandbox::with_archive(&save_one("app:1.0", &layers))
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_report_is_what_json_prints() {
    let sandbox = sandbox();
    sandbox.write("report.json", b"an older report");
    for output in ["out", "out.tar"] {
        let args = ["app.tar", "-o", output, "--json", "--report", "report.json"];
        let run = sandbox.convert(&args);
        run.succeeds();
        assert_eq!(run.stdout, sandbox.read("report.json"));
    }
    let args = ["app.tar", "-o", "-", "--report", "report.json"];
    sandbox.convert(&args).succeeds();
    assert_eq!(
        parsed(&sandbox.read("report.json"))["images"][0]["names"],
        json!(["app:1.0"])
    );
}

#[test]
fn the_report_has_what_failed() {
    let sandbox = sandbox();
    let args = [
        "-k",
        "app.tar",
        "missing.tar",
        "-o",
        "out",
        "--report",
        "report.json",
    ];
    let run = sandbox.convert(&args);
    assert_eq!(run.status.code(), Some(1));
    let report = parsed(&sandbox.read("report.json"));
    assert_eq!(report["failed"][0]["input"], "missing.tar");
    assert_eq!(report["images"].as_array().unwrap().len(), 1);
}

#[test]
fn a_run_that_fails_leaves_the_older_files() {
    let sandbox = sandbox();
    sandbox.write("report.json", b"an older report");
    sandbox.write("out.d", b"an older rule");
    let before = sandbox.snapshot();
    let records = ["--report", "report.json", "--depfile", "out.d"];
    let args = [&["app.tar", "missing.tar", "-o", "out"][..], &records].concat();
    let run = sandbox.convert(&args);
    run.fails("ocify: missing.tar: cannot open: No such file or directory\n");
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn a_document_does_not_replace_an_input_or_a_file_of_the_output() {
    let sandbox = sandbox();
    sandbox.convert(&["app.tar", "-o", "layout"]).succeeds();
    let before = sandbox.snapshot();
    for (what, path, of) in [
        ("report", "app.tar", "app.tar"),
        ("report", "layout/report.json", "layout"),
        ("depfile", "app.tar", "app.tar"),
        ("depfile", "layout/out.d", "layout"),
    ] {
        let option = format!("--{what}");
        let run = sandbox.convert(&["app.tar", "-o", "layout", &option, path]);
        run.fails(&format!(
            "ocify: the {what} {path} would be a file of {of}\nhint: choose another path for it\n"
        ));
        assert_eq!(sandbox.snapshot(), before);
    }
    let run = sandbox.convert(&["app.tar", "-o", "out.tar", "--report", "out.tar"]);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(sandbox.snapshot(), before);
}

/// The same run with `--dry-run` before it, which writes nothing and ends with the same exit status.
fn dry_run(sandbox: &Sandbox, args: &[&str]) -> Run {
    let before = sandbox.snapshot();
    let dry = sandbox.convert(&[args, &["--dry-run"]].concat());
    assert_eq!(sandbox.snapshot(), before);
    let run = sandbox.convert(args);
    assert_eq!(dry.status, run.status, "{}{}", dry.stderr, run.stderr);
    dry
}

#[test]
fn a_dry_run_says_what_would_be_done() {
    let sandbox = sandbox();
    let run = dry_run(&sandbox, &["app.tar", "-o", "out"]);
    let size = 2 * Layer::new("base").tar.len() as u64;
    assert_eq!(size, 4096);
    assert_eq!(
        run.stdout(),
        "app.tar: app:1.0 linux/amd64: 2 layers, 4.00 KiB: 0 kept, 2 encoded with gzip\n"
    );
    // The layers of a layout are kept.
    let run = dry_run(&sandbox, &["out", "-o", "out.tar"]);
    assert!(
        run.stdout().ends_with(": 2 kept, none encoded\n"),
        "{}",
        run.stdout()
    );
    let run = dry_run(&sandbox, &["app.tar", "-o", "third", "-q"]);
    assert_eq!(run.stdout(), "");
}

#[test]
fn a_dry_run_as_json() {
    let sandbox = sandbox();
    let records = [
        "--report",
        "r.json",
        "--depfile",
        "out.d",
        "--digest-map",
        "map.csv",
    ];
    let args = [
        &["app.tar", "-o", "out", "--json", "--cache", "cache"][..],
        &records,
    ]
    .concat();
    let run = dry_run(&sandbox, &args);
    let document = parsed(&run.stdout);
    assert_eq!(document["dryRun"], true);
    let image = &document["images"][0];
    assert_eq!(image["names"], json!(["app:1.0"]));
    assert_eq!(
        image["manifests"][0]["layers"][1],
        json!({
            "digest": null,
            "size": Layer::new("top").tar.len(),
            "codec": "none",
            "diffId": Layer::new("top").diff_id(),
            "action": "encode",
            "newCodec": "gzip",
        })
    );
}

#[test]
fn a_dry_run_says_what_the_other_side_has() {
    let sandbox = sandbox();
    sandbox.write("base.tar", &save_one("base:1", &[Layer::new("base")]).tar());
    sandbox.write("list", Layer::new("base").diff_id().as_bytes());
    for have in ["base.tar", "list"] {
        let out = format!("{have}-out");
        let args = ["app.tar", "-o", &out, "--have", have];
        let run = dry_run(&sandbox, &args);
        assert_eq!(
            run.stdout(),
            "app.tar: app:1.0 linux/amd64: 2 layers, 4.00 KiB: 0 kept, 1 encoded with gzip, 1 left out\n"
        );
        let run = sandbox.convert(&[&args[..], &["--dry-run", "--json"]].concat());
        let layers = &parsed(&run.stdout)["images"][0]["manifests"][0]["layers"];
        let actions = [0, 1].map(|layer| layers[layer]["action"].clone());
        assert_eq!(actions, ["leave-out", "encode"]);
    }
}

#[test]
fn a_dry_run_foresees_digests_that_change() {
    let sandbox = sandbox();
    sandbox.convert(&["app.tar", "-o", "oci"]).succeeds();
    sandbox
        .convert(&["oci", "-o", "v2s2", "--format", "v2s2"])
        .succeeds();
    for (input, options, changes) in [
        ("oci", &[][..], false),
        ("oci", &["--compression", "zstd"], true),
        ("oci", &["--format", "v2s2"], true),
        ("v2s2", &[], true),
        ("v2s2", &["--format", "v2s2"], false),
        // The archive has no manifest whose digest could change.
        ("app.tar", &[], false),
        // ocify's own encoder gives the same again.
        ("oci", &["--compression", "gzip:3"], false),
    ] {
        let args = [&[input, "-o", "out.tar", "--keep-digests"], options].concat();
        let run = dry_run(&sandbox, &args);
        assert_eq!(run.status.code(), Some(i32::from(changes)), "{args:?}");
        if changes {
            assert!(
                run.stderr.contains(" would become another\nhint: "),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn the_report_has_what_is_left_out_and_the_volumes() {
    let sandbox = sandbox();
    let base = Layer::new("base");
    sandbox.write("list", base.diff_id().as_bytes());
    let args = ["app.tar", "--have", "list", "--json"];
    let options = ["-o", "out.tar", "--volume-size", "1M"];
    let run = sandbox.convert(&[&args[..], &options].concat());
    let report = parsed(&run.stdout);
    assert_eq!(report["volumes"], json!(["out.001.tar"]));
    let volume = Layout::open(&sandbox.path("out.001.tar"));
    let listed = &volume.json("ocify-absent.json")["absent"][0];
    let expected = json!([{
        "digest": listed["digest"],
        "size": listed["size"],
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "diffId": base.diff_id(),
        "volume": null,
    }]);
    assert_eq!(report["absent"], expected);
    let layers = &report["layers"];
    let counts = ["encoded", "kept", "leftOut"].map(|key| layers[key].clone());
    assert_eq!(counts, [1, 0, 1]);
    let closing = run.closing.unwrap();
    assert!(
        closing.contains(" 2 layers (1 encoded, 0 kept, 1 left out), ")
            && closing.contains(" in 1 volume, in "),
        "{closing}"
    );
    let whole = sandbox.convert(&["app.tar", "-o", "whole", "--json"]);
    let report = parsed(&whole.stdout);
    assert_eq!(
        (&report["absent"], &report["volumes"]),
        (&json!([]), &json!([]))
    );
}

/// Errors that do not depend on the layers are the same in a dry run.
#[test]
fn a_dry_run_fails_as_the_run_would() {
    let sandbox = sandbox();
    sandbox.write("text.tar", b"text");
    let top = Layer::new("top");
    let without = save_one("b:1", std::slice::from_ref(&top)).without(&layer_name(&top));
    sandbox.write("without.tar", &without.tar());
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write("folder/file", b"");
    for args in [
        &["text.tar", "-o", "out"][..],
        &["without.tar", "-o", "out"],
        &["missing.tar", "-o", "out"],
        &["app.tar", "--image", "other:1", "-o", "out"],
        &["-k", "app.tar", "text.tar", "missing.tar", "-o", "good"],
    ] {
        let dry = dry_run(&sandbox, args);
        assert_eq!(dry.status.code(), Some(1), "{args:?}");
        assert_eq!(dry.stderr, sandbox.convert(args).stderr);
    }
    for output in ["folder", "no/such/folder"] {
        let dry = dry_run(&sandbox, &["app.tar", "-o", output]);
        assert_eq!(dry.status.code(), Some(1), "{output}");
    }
}

#[test]
fn a_dry_run_refuses_two_images_of_one_name() {
    let sandbox = sandbox();
    let other = save_one("app:1.0", &[Layer::new("other")]);
    sandbox.write("other.tar", &other.tar());
    let run = sandbox.convert(&["app.tar", "other.tar", "-o", "out", "--dry-run"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        run.stderr
            .starts_with("ocify: two images are named app:1.0: "),
        "{}",
        run.stderr
    );
    let index = oci::one("app:1.0", &[Layer::new("base"), Layer::new("top")]);
    index.files().write(&sandbox.path("layout"));
    let run = sandbox.convert(&["app.tar", "app.tar", "-o", "out", "--dry-run"]);
    run.succeeds();
}

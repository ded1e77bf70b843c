//! The command line itself: what is printed where, exit statuses, selections.

use serde_json::{Value, json};

use crate::support::docker::{Image, save, save_one};
use crate::support::layers::{Layer, layers};
use crate::support::oci;
use crate::support::sandbox::Sandbox;

fn three_images() -> [Image; 3] {
    [
        Image::new(&["app:1.0", "app:latest"], &layers("one")),
        Image::new(&["app:2.0"], &layers("two")),
        Image::new(&[], &layers("three")),
    ]
}

#[test]
fn wrong_usage_is_exit_status_2() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    let before = sandbox.snapshot();
    for (args, part) in [
        (&[][..], "Usage: ocify"),
        (&["convert"], "required arguments were not provided"),
        (&["convert", "app.tar"], "--output"),
        (&["convert", "-o", "out"], "<INPUT>..."),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (
            &["convert", "app.tar", "-o", "out", "--frobnicate"],
            "unexpected argument '--frobnicate'",
        ),
        (
            &["convert", "app.tar", "-o", "out", "--compression", "lzma"],
            "unknown compression `lzma`, expected keep, gzip, zstd or none",
        ),
        (
            &[
                "convert",
                "app.tar",
                "-o",
                "out",
                "--compression",
                "gzip:10",
            ],
            "gzip level is `10`, expected a number from 1 to 9",
        ),
        (
            &["convert", "app.tar", "-o", "out", "--compression", "none:1"],
            "none does not have levels",
        ),
        (
            &["convert", "app.tar", "-o", "out", "--platform", "linux"],
            "`linux` is not a platform, expected OS/ARCH or OS/ARCH/VARIANT",
        ),
        (
            &["convert", "app.tar", "-o", "out", "--threads", "0"],
            "0 is not in 1..=1024",
        ),
        (
            &["convert", "app.tar", "-o", "out", "--name", ""],
            "a value is required for '--name <NAME>'",
        ),
        (
            &["convert", "app.tar", "-o", "out", "-q", "-v"],
            "cannot be used with",
        ),
        (
            &["convert", "app.tar", "-o", "-", "--json"],
            "`--json` and the tar cannot both go to standard output",
        ),
    ] {
        sandbox.run(args).is_wrong_usage(part);
    }
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn help_and_version_are_answers() {
    let sandbox = Sandbox::new();
    for args in [
        &["--help"][..],
        &["convert", "--help"],
        &["help", "convert"],
    ] {
        let run = sandbox.run(args);
        let text = run.succeeds().stdout();
        assert!(text.contains("Usage: ocify"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "more than 80 columns: {line}");
        }
    }
    let version = format!("ocify {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(sandbox.run(&["--version"]).succeeds().stdout(), version);
}

#[test]
fn json_tells_what_was_written() {
    let images = three_images();
    let sandbox = Sandbox::with_archive(&save(&images));
    let run = sandbox.convert(&["app.tar", "-o", "out", "--json"]);
    let report: Value = serde_json::from_str(run.succeeds().stdout()).unwrap();
    let layout = sandbox.layout("out");
    let one = layout.named("app:1.0");
    let manifest = layout.document(&one);
    let layer = |number: usize| {
        let descriptor = &manifest["layers"][number];
        json!({
            "digest": descriptor["digest"],
            "size": descriptor["size"],
            "codec": "gzip",
            "diffId": layers("one")[number].diff_id(),
        })
    };
    assert_eq!(report["warnings"], json!([]));
    assert_eq!(report["images"].as_array().unwrap().len(), 3);
    assert_eq!(
        report["images"][0],
        json!({
            "input": "app.tar",
            "names": ["app:1.0", "app:latest"],
            "mediaType": oci::MANIFEST,
            "digest": one["digest"],
            "size": one["size"],
            "manifests": [{
                "platform": { "architecture": "amd64", "os": "linux" },
                "digest": one["digest"],
                "imageId": images[0].id(),
                "layers": [layer(0), layer(1)],
            }],
        })
    );
}

#[test]
fn verbose_is_on_standard_error_and_quiet_is_quiet() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers("top")));
    let normal = sandbox.convert(&["app.tar", "-o", "out"]);
    let quiet = sandbox.convert(&["app.tar", "-o", "out", "-q"]);
    assert!(!normal.succeeds().stdout().is_empty());
    assert_eq!(quiet.succeeds().stdout(), "");
    let verbose = sandbox.convert(&["app.tar", "-o", "out", "-v"]);
    assert_eq!(verbose.stdout(), normal.stdout());
    for layer in layers("top") {
        assert!(
            verbose.stderr.contains(&layer.diff_id()),
            "{}",
            verbose.stderr
        );
    }
}

/// The names or short labels of the images that a selection converts.
#[track_caller]
fn selected(sandbox: &Sandbox, input: &str, args: &[&str]) -> Vec<Option<String>> {
    let folder = tempfile::tempdir_in(sandbox.path(".")).unwrap();
    let output = folder.path().join("out");
    let output = output.to_str().unwrap();
    sandbox
        .convert(&[&[input, "-o", output][..], args].concat())
        .succeeds();
    sandbox
        .layout(output)
        .names()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn images_by_name_position_and_digest() {
    let images = three_images();
    let sandbox = Sandbox::with_archive(&save(&images));
    let some = |names: &[&str]| -> Vec<Option<String>> {
        names.iter().map(|name| Some((*name).to_owned())).collect()
    };
    let (id_1, id_2) = (images[0].id(), images[2].id());
    for (args, names) in [
        // A name selects only that name, also in its full form.
        (&["--image", "app:1.0"][..], some(&["app:1.0"])),
        (
            &["--image", "docker.io/library/app:latest"],
            some(&["app:latest"]),
        ),
        (&["--image", "app"], some(&["app:latest"])),
        // A position or a digest selects the image with all its names.
        (&["--image", "@0"], some(&["app:1.0", "app:latest"])),
        (&["--image", &id_1], some(&["app:1.0", "app:latest"])),
        (&["--image", &id_2], vec![None]),
        // Selectors are combined. The order is that of the input.
        (
            &["--image", "@1", "--image", "app:1.0"],
            some(&["app:1.0", "app:2.0"]),
        ),
        (&["--image", "@0", "--name", "x/y:z"], some(&["x/y:z"])),
        (&["--image", "@2", "--name", "v1"], some(&["v1:latest"])),
    ] {
        assert_eq!(selected(&sandbox, "app.tar", args), names, "{args:?}");
    }
}

#[test]
fn parts_of_an_index_by_digest_and_platform() {
    let mut layout = oci::Layout::default();
    let amd64 = layout.image("amd64", &layers("amd64"));
    let arm64 = layout.image("arm64", &layers("arm64"));
    let inner = layout.index(&[oci::on(&arm64, "linux", "arm64")]);
    let index = layout.index(&[oci::on(&amd64, "linux", "amd64"), inner.clone()]);
    layout.add(oci::named(&index, "app:1.0"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = |args: &[&str]| {
        let folder = tempfile::tempdir_in(sandbox.path(".")).unwrap();
        let output = folder.path().join("out");
        let output = output.to_str().unwrap();
        sandbox
            .convert(&[&["app", "-o", output][..], args].concat())
            .succeeds();
        sandbox.layout(output).names()
    };
    let digest = |descriptor: &Value| oci::digest(descriptor).to_owned();
    let named = |descriptor: &Value| vec![(Some("app:1.0".to_owned()), digest(descriptor))];
    let nameless = |descriptor: &Value| vec![(None, digest(descriptor))];
    assert_eq!(run(&[]), named(&index));
    assert_eq!(run(&["--image", oci::digest(&index)]), named(&index));
    assert_eq!(run(&["--image", oci::digest(&amd64)]), nameless(&amd64));
    assert_eq!(run(&["--image", oci::digest(&arm64)]), nameless(&arm64));
    assert_eq!(run(&["--platform", "linux/amd64"]), named(&amd64));
    // Nothing is removed from the inner index, so it stays unchanged.
    assert_eq!(run(&["--platform", "linux/arm64"]), named(&inner));
    let both = run(&["--platform", "linux/arm64", "--platform", "linux/amd64"]);
    assert_eq!(both, named(&index));
}

#[test]
fn many_inputs_make_one_layout() {
    let sandbox = Sandbox::new();
    sandbox.write("a.tar", &save_one("a:1", &layers("a")).tar());
    oci::one("b:1", &layers("b"))
        .files()
        .write(&sandbox.path("b"));
    let both = save(&[
        Image::new(&["a:1"], &layers("a")),
        Image::new(&["c:1"], &layers("c")),
    ]);
    sandbox.write("c.tar.gz", &crate::support::codec::gzip(&both.tar()));
    let layout = sandbox.converted(&["a.tar", "b", "c.tar.gz", "--compression", "none"]);
    let names: Vec<Option<String>> = layout.names().into_iter().map(|(name, _)| name).collect();
    let some = |name: &str| Some(name.to_owned());
    // a:1 is the same image in two inputs.
    assert_eq!(names, [some("a:1"), some("b:1"), some("c:1")]);
    // Three manifests, three configs; the base is shared: four layers.
    assert_eq!(layout.blob_count(), 10);
}

#[test]
fn text_of_an_archive_reaches_no_terminal_raw() {
    let harmful =
        "app:\u{1b}[2J\u{9b}31m\r\n\u{202e}\u{2066}\u{7}\u{7f}x\u{200b}\u{feff}\u{ad}\u{e0041}";
    let clean = |text: &str| {
        let raw = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                || matches!(c, '\u{200b}' | '\u{feff}' | '\u{ad}' | '\u{e0041}')
        };
        assert!(!text.contains(raw), "{text:?}");
    };
    let layer = [Layer::new("base")];
    let good = save_one(harmful, &layer);
    let sandbox = Sandbox::with_archive(&good);
    for args in [&[][..], &["-v"], &["--json"]] {
        let run = sandbox.convert(&[&["app.tar", "-o", "out"][..], args].concat());
        assert_eq!(run.status.code(), Some(0));
        clean(run.stdout());
        clean(&run.stderr);
        // One line for the image, or lines that the program has wrapped.
        assert!(
            !args.is_empty() || run.stdout().lines().count() == 1,
            "{}",
            run.stdout()
        );
    }
    // The layout has the original name.
    assert_eq!(sandbox.layout("out").names()[0].0.as_deref(), Some(harmful));

    let tag_in = |files: &crate::support::files::Files| Sandbox::with_archive(files);
    let mut strange_layer = Image::new(&[harmful], &layer);
    strange_layer.layers[0].0 = format!("{}/layer.tar", harmful.replace('/', "_"));
    let missing = save(std::slice::from_ref(&strange_layer)).without(&strange_layer.layers[0].0);
    let rootfs = good
        .clone()
        .without("manifest.json")
        .without("repositories")
        .renamed(|_| harmful.to_owned());
    let json = good.clone().with(
        "manifest.json",
        format!("[{{\"Config\":\"{harmful}\"}}]").replace(['\r', '\n'], ""),
    );
    for files in [missing, rootfs, json] {
        let run = tag_in(&files).convert(&["app.tar", "-o", "out"]);
        assert_eq!(run.status.code(), Some(1));
        clean(&run.stderr);
        assert!(run.stderr.starts_with("ocify: app.tar: "), "{}", run.stderr);
        // The message and at most one hint.
        assert!(run.stderr.lines().count() <= 2, "{}", run.stderr);
    }
}

//! `--platform`: variants, and platforms that no image has.

use serde_json::{Value, json};

use crate::support::layers::{Layer, layers};
use crate::support::oci::{self, Layout, digest, named, on};
use crate::support::sandbox::Sandbox;
use crate::support::{codec, docker};

/// An image whose config has a variant or none.
fn image(layout: &mut Layout, architecture: &str, variant: Option<&str>) -> Value {
    let layers = [Layer::new(&format!("{architecture} {variant:?}"))];
    let mut config: Value =
        serde_json::from_slice(&docker::config_for(architecture, &layers)).unwrap();
    if let Some(variant) = variant {
        config["variant"] = json!(variant);
    }
    let blobs = [(oci::LAYER_GZIP, codec::gzip(&layers[0].tar))];
    layout.manifest(oci::CONFIG, config.to_string().as_bytes(), &blobs)
}

/// The descriptor for a platform with a variant or none.
fn described(image: &Value, architecture: &str, variant: Option<&str>) -> Value {
    let mut descriptor = on(image, "linux", architecture);
    if let Some(variant) = variant {
        descriptor["platform"]["variant"] = json!(variant);
    }
    descriptor
}

/// The variant in the descriptor and in the config, and whether a platform selects the image.
#[test]
fn variants_are_compared_as_engines_do() {
    for (architecture, said, own, wanted, is_selected) in [
        ("arm64", Some("v8"), None, "linux/arm64/v8", true),
        ("arm64", None, None, "linux/arm64/v8", true),
        ("arm64", None, Some("v8"), "linux/arm64/v8", true),
        ("arm64", Some("v8"), Some("v8"), "linux/arm64", true),
        ("arm64", Some("v9"), None, "linux/arm64/v8", false),
        ("arm64", Some("v9"), None, "linux/arm64/v9", true),
        ("arm64", None, Some("v9"), "linux/arm64/v9", true),
        ("arm", None, None, "linux/arm/v7", true),
        ("arm", None, None, "linux/arm/v6", false),
        ("arm", Some("v6"), None, "linux/arm/v6", true),
        ("arm", Some("v6"), None, "linux/arm/v7", false),
        ("arm", Some("v6"), None, "linux/arm", true),
        ("386", None, None, "linux/386/v1", false),
    ] {
        let mut layout = Layout::default();
        let other = image(&mut layout, "riscv64", None);
        let image = image(&mut layout, architecture, own);
        let index = layout.index(&[
            on(&other, "linux", "riscv64"),
            described(&image, architecture, said),
        ]);
        let files = layout.listing(named(&index, "app:1")).files();
        let sandbox = Sandbox::with_folder(&files);
        let what = format!("{architecture} {said:?} {own:?} {wanted}");
        let run = sandbox.convert(&["app", "-o", "out", "--platform", wanted]);
        if is_selected {
            run.succeeds();
            let images = sandbox.layout("out").descriptors();
            assert_eq!(images.len(), 1, "{what}");
            assert_eq!(digest(&images[0]), digest(&image), "{what}");
            let run = sandbox.run(&["inspect", "app", "--platform", wanted, "--raw"]);
            run.succeeds();
        } else {
            let variant = said.map(|variant| format!("/{variant}"));
            let available = format!("linux/{architecture}{}", variant.unwrap_or_default());
            run.fails(&format!(
                "ocify: no image for {wanted}; available: {available}, linux/riscv64\n"
            ));
        }
    }
}

/// Every platform must be that of some image of some input.
#[test]
fn each_platform_must_select_something() {
    let mut layout = Layout::default();
    let (index, _) = layout.two_platforms();
    let sandbox = Sandbox::with_folder(&layout.listing(named(&index, "app:1")).files());
    oci::one("one:1", &layers("top"))
        .files()
        .write(&sandbox.path("one"));
    let message =
        "ocify: no image for linux/s390x; available: linux/amd64, linux/arm64\n".to_owned();
    let s390x = ["--platform", "linux/amd64", "--platform", "linux/s390x"];
    for command in [&["inspect"][..], &["convert", "-o", "out"]] {
        let args = [command, &["app"], &s390x].concat();
        sandbox.run(&args).fails(&message);
    }
    // One input has an image for arm64, both have one for amd64.
    let both = ["--platform", "linux/amd64", "--platform", "linux/arm64"];
    let run = sandbox.convert(&[&["app", "one", "-o", "out"], &both[..]].concat());
    run.succeeds();
    assert_eq!(run.stdout().lines().count(), 2);
}

/// An artifact is for no platform, so it is not what was asked for.
#[test]
fn an_artifact_alone_is_not_selected() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &layers("top"));
    let empty = layout.blob(oci::EMPTY, b"{}");
    let artifact = layout.document(&oci::artifact("application/x-test", &empty, &[]));
    let layout = layout
        .listing(named(&image, "app:1"))
        .listing(named(&artifact, "notes:1"));
    let sandbox = Sandbox::with_folder(&layout.files());
    let run = sandbox.convert(&["app", "-o", "out", "--platform", "linux/arm64"]);
    run.fails("ocify: no image for linux/arm64; available: linux/amd64\n");
}

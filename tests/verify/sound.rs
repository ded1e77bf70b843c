//! Outputs of engines and of `ocify convert` have no findings.

use crate::support::docker::{self, Image};
use crate::support::layers::Layer;
use crate::support::parts::{Parts, two};
use crate::support::sandbox::Sandbox;
use crate::support::{codec, oci, schema1};
use crate::{found, verify};

#[test]
fn outputs_of_convert_are_clean() {
    let images = [
        Image::new(
            &["app:1", "registry.example.invalid:5000/team/app:1"],
            &two(),
        ),
        Image::new(&["noise:1"], &[Layer::noise(1, 3_000_000), Layer::empty()]),
        Image::new(&[], &[Layer::new("untagged")]),
    ];
    let inputs = [
        Sandbox::with_archive(&docker::save(&images)),
        Sandbox::with_archive(&docker::save(&images.map(|image| image.encoded(codec::xz)))),
        Sandbox::with_archive(&oci::one("app:1", &two()).files()),
    ];
    for sandbox in inputs {
        for (output, compression) in [
            ("keep", "keep"),
            ("keep.tar", "keep"),
            ("zstd", "zstd:3"),
            ("zstd.tar", "zstd:3"),
            ("none.tar", "none"),
        ] {
            let args = ["app.tar", "-o", output, "-q", "--compression", compression];
            sandbox.convert(&args).succeeds();
            let verification = verify(&sandbox.path(output));
            assert_eq!(found(&verification), Vec::<String>::new(), "{output}");
            assert!(verification.images > 0);
        }
    }
    let sandbox = Sandbox::with_folder(&schema1::unsigned("app", "1", &two()));
    sandbox.convert(&["app", "-o", "out"]).succeeds();
    assert_eq!(found(&verify(&sandbox.path("out"))), Vec::<String>::new());
}

#[test]
fn images_and_blobs_are_counted_once() {
    let mut layout = oci::Layout::default();
    let image = layout.image("amd64", &two());
    let layout = layout
        .listing(oci::named(&image, "a"))
        .listing(oci::named(&image, "b"));
    let sandbox = Sandbox::with_archive(&layout.files());
    let verification = verify(&sandbox.path("app.tar"));
    // oci-layout, index.json, manifest, config, two layers.
    assert_eq!((verification.images, verification.blobs), (1, 6));

    let image = docker::image_of_blobs(&["app:1"], &two());
    let sandbox = Sandbox::with_archive(&docker::save_hybrid(&[image], &[true]));
    let verification = verify(&sandbox.path("app.tar"));
    // manifest.json and repositories too.
    assert_eq!((verification.images, verification.blobs), (1, 8));
}

/// A descriptor may leave out the variant, and must not have another one than the config.
#[test]
fn variants_of_a_platform() {
    for (listed, config, expected) in [
        (Some("v8"), Some("v8"), &[][..]),
        (Some("v8"), None, &[]),
        (None, Some("v8"), &[]),
        (Some("v7"), Some("v8"), &["warning platform-mismatch"]),
    ] {
        let files = Parts::new()
            .config(|value| {
                if let Some(variant) = config {
                    value["variant"] = variant.into();
                }
            })
            .entry(move |entry| {
                *entry = oci::on(entry, "linux", "amd64");
                if let Some(variant) = listed {
                    entry["platform"]["variant"] = variant.into();
                }
            })
            .files();
        let sandbox = Sandbox::with_folder(&files);
        let verification = verify(&sandbox.path("app"));
        assert_eq!(found(&verification), expected, "{listed:?} {config:?}");
    }
}

//! Whatever either side has: leaving out and putting together gives what a direct conversion gives, byte for byte.

use crate::support::codec;
use crate::support::docker::{self, Image};
use crate::support::layers::Layer;
use crate::support::layout::Layout;
use crate::support::oci::{self, named};
use crate::support::random::Random;
use crate::support::sandbox::Sandbox;

/// Some layers of a small world, so that both sides have some in common.
fn layers(random: &mut Random) -> Vec<Layer> {
    let count = 1 + random.below(5);
    let layer = |number: usize| match number {
        0 => Layer::empty(),
        1 => Layer::noise(7, 40_000),
        number => Layer::new(&format!("layer {number}")),
    };
    (0..count).map(|_| layer(random.below(6))).collect()
}

/// Writes an input of any kind with some images. Gives its name.
fn input(sandbox: &Sandbox, side: &str, random: &mut Random) -> String {
    let images = 1 + random.below(3);
    let images: Vec<Vec<Layer>> = (0..images).map(|_| layers(random)).collect();
    let (_, encode) = *random.pick(&codec::ALL);
    if random.once_in(3) {
        let mut layout = oci::Layout::default();
        let (media_type, encode) = *random.pick(&[
            (oci::LAYER, codec::plain as fn(&[u8]) -> Vec<u8>),
            (oci::LAYER_GZIP, codec::gzip),
            (oci::LAYER_ZSTD, codec::zstd),
        ]);
        for (number, layers) in images.iter().enumerate() {
            let blobs = layers.iter().map(|layer| (media_type, encode(&layer.tar)));
            let blobs: Vec<_> = blobs.collect();
            let image = layout.manifest(oci::CONFIG, &docker::config(layers), &blobs);
            layout.add(named(&image, &format!("app:{number}")));
        }
        layout.files().write(&sandbox.path(side));
        return side.to_owned();
    }
    let images = images.iter().enumerate().map(|(number, layers)| {
        let names: &[&str] = &[&format!("app:{number}")];
        Image::new(names, layers).encoded(encode)
    });
    let name = format!("{side}.tar");
    sandbox.write(&name, &docker::save(&images.collect::<Vec<_>>()).tar());
    name
}

#[test]
fn leaving_out_and_putting_together_is_the_identity() {
    let codecs = ["keep", "gzip", "zstd", "none", "gzip:1", "zstd:7"];
    for seed in 0..32 {
        let mut random = Random::new(seed);
        let sandbox = Sandbox::new();
        let there = input(&sandbox, "there", &mut random);
        let here = input(&sandbox, "here", &mut random);
        let mut made = |input: String, name: &str| {
            if random.once_in(2) {
                return input;
            }
            let codec = *random.pick(&codecs);
            let args = [&*input, "-o", name, "--compression", codec, "-q"];
            sandbox.convert(&args).succeeds();
            name.to_owned()
        };
        let there = made(there, "site");
        let here = made(here, "made");
        let codec = ["--compression", *random.pick(&codecs), "-q"];
        let with_codec = |args: &[&str]| {
            let run = sandbox.convert(&[args, &codec].concat());
            assert_eq!(
                (run.status.code(), &*run.stderr),
                (Some(0), ""),
                "seed {seed}: {args:?}"
            );
        };
        let suffix = *random.pick(&["", ".tar"]);
        let [full, part, whole] = ["full", "part", "whole"].map(|name| format!("{name}{suffix}"));
        with_codec(&[&here, "-o", &full]);
        with_codec(&[&here, "--have", &there, "-o", &part]);
        sandbox.run(&["verify", "-q", &part]).succeeds();
        // Without an option the layers stay as they are.
        let args = [&*part, "--fill-from", &there, "-o", &whole, "-q"];
        let run = sandbox.convert(&args);
        assert_eq!(
            (run.status.code(), &*run.stderr),
            (Some(0), ""),
            "seed {seed}"
        );
        let [full, whole] = [full, whole].map(|name| Layout::open(&sandbox.path(&name)));
        assert_eq!(whole, full, "seed {seed}");
    }
}

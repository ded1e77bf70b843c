//! Layers that need much memory to be decoded. One of them is decoded at a time.

use super::limits::{with_dictionary, zstd_frame};
use crate::support::codec;
use crate::support::docker::{Image, save};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;

/// A frame with a usual window, and one with the largest.
fn zstd(tar: &[u8]) -> Vec<u8> {
    let (first, second) = tar.split_at(tar.len() / 2 + 1);
    [zstd_frame(first, 17), zstd_frame(second, 27)].concat()
}

/// A stream that asks for the largest dictionary, 192 MiB, and one that does not.
fn xz(tar: &[u8]) -> Vec<u8> {
    let (first, second) = tar.split_at(tar.len() / 3);
    [with_dictionary(codec::xz(first), 31), codec::xz(second)].concat()
}

/// Images of a layer each, the third with a usual one.
fn archive() -> Files {
    let images = [1, 2, 3, 4, 5].map(|seed| {
        let layers = [Layer::noise(seed, 300_000)];
        let image = Image::new(&[&format!("app:{seed}")], &layers);
        match seed {
            1 | 4 => image.encoded(zstd),
            3 => image,
            _ => image.encoded(xz),
        }
    });
    save(&images)
}

#[test]
fn are_decoded_with_any_number_of_threads() {
    let sandbox = Sandbox::with_archive(&archive());
    for compression in ["none", "gzip", "zstd", "keep"] {
        let threads = ["1", "2", "8"];
        let outputs = threads.map(|threads| {
            let options = ["--compression", compression, "--threads", threads];
            let folder = format!("{compression}-{threads}");
            let tar = format!("{folder}.tar");
            for output in [&folder, &tar] {
                let args = ["app.tar", "-o", output];
                let run = sandbox.convert(&[&args, &options[..]].concat());
                assert!(run.status.success(), "{}", run.stderr);
            }
            sandbox.run(&["verify", &folder, &tar]).succeeds();
            (sandbox.layout(&folder).files, sandbox.read(&tar))
        });
        assert!(
            outputs.iter().all(|output| *output == outputs[0]),
            "{compression}"
        );
    }
}

#[test]
fn take_no_more_memory_than_one() {
    let sandbox = Sandbox::with_archive(&archive());
    // Two of the largest do not fit into this, as in `findings_memory`.
    for args in [
        &["verify", "app.tar"][..],
        &["convert", "app.tar", "-o", "out"],
        &[
            "convert",
            "app.tar",
            "-o",
            "out.tar",
            "--compression",
            "none",
        ],
        &["convert", "app.tar", "-o", "kept", "--compression", "keep"],
    ] {
        let args = [args, &["--threads", "1"]].concat();
        sandbox.run_within(320, &args).succeeds();
    }
}

//! ocify-absent.json, alone and in a layout that lacks its layer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocify_fuzz::{Scratch, documents, tars};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

/// An image of the layer that the seeds list.
const IMAGE: &[u8] = include_bytes!("../corpus/oci_layout/image");

fuzz_target!(|bytes: &[u8]| {
    ocify::fuzzing::absent(bytes);
    let linked = documents::link(&documents::split(IMAGE, 10));
    let names = linked.iter().map(|(hex, _)| format!("blobs/sha256/{hex}"));
    let names: Vec<String> = names.collect();
    let mut files: Vec<(&str, &[u8])> = vec![
        ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        ("index.json", &linked[0].1),
        ("ocify-absent.json", bytes),
    ];
    // The layer is the last.
    for (name, (_, bytes)) in names.iter().zip(&linked).skip(1).take(linked.len() - 2) {
        files.push((name, bytes));
    }
    let input = SCRATCH.file("input.tar", &tars::of(&files));
    if SCRATCH.is_readable(&input) {
        let output = SCRATCH.path("output.tar");
        let _ = SCRATCH.convert(&input, &output);
        SCRATCH.remove("output.tar");
    }
});

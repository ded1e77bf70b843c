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
    let mut linked = documents::link(&documents::split(IMAGE, 10));
    // The layer is the last.
    linked.pop();
    SCRATCH.convert_if_readable(&tars::layout(&linked, &[("ocify-absent.json", bytes)]));
});

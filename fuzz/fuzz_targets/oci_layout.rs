//! index.json and its documents, which refer to each other by correct digests.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocify_fuzz::{Scratch, documents, tars};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

fuzz_target!(|bytes: &[u8]| {
    let linked = documents::link(&documents::split(bytes, 10));
    SCRATCH.convert_if_readable(&tars::layout(&linked, &[]));
});

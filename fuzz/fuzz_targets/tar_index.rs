//! The index of an archive, in whatever format its names suggest.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocify_fuzz::{Scratch, tars};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

fuzz_target!(|bytes: &[u8]| {
    let mut tar = bytes.to_vec();
    tars::mend(&mut tar);
    let input = SCRATCH.file("input.tar", &tar);
    let _ = SCRATCH.is_readable(&input);
});

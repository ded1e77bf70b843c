//! The chain of layers of an archive before Docker 1.10, and the config that is created from it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocify_fuzz::{Scratch, documents, tars};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

fuzz_target!(|bytes: &[u8]| {
    let documents = documents::split(bytes, 5);
    let mut files: Vec<(&str, &[u8])> = vec![("repositories", documents[0])];
    let names = ["a", "b", "c", "d"].map(|id| (format!("{id}/json"), format!("{id}/layer.tar")));
    for (json, (name, layer)) in documents[1..].iter().zip(&names) {
        files.push((name, json));
        files.push((layer, &[0; 1024]));
    }
    SCRATCH.convert_if_readable(&tars::of(&files));
});

//! manifest.json and a config, in an archive with every kind of file that they may refer to.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocify_fuzz::{Scratch, documents, tars};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

fuzz_target!(|bytes: &[u8]| {
    let linked = documents::link(&documents::split(bytes, 3));
    let mut files = vec![
        ("manifest.json", linked[0].1.as_slice()),
        ("layer.tar", &[0; 1024]),
        ("a/layer.tar", b"no tar"),
    ];
    let mut name = String::new();
    if let Some((hex, config)) = linked.get(1) {
        name = format!("{hex}.json");
        files.push(("config.json", config));
        files.push((&name, config));
    }
    if let Some((_, repositories)) = linked.get(2) {
        files.push(("repositories", repositories));
    }
    let _ = &name;
    SCRATCH.convert_if_readable(&tars::of(&files));
});

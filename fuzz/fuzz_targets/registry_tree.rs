//! The storage tree of a registry: its links, and its blobs under correct digests. The first document lists the links, each on
//! a line: its path below `repositories`, and after a space its content.
//!
//! A tree that can be converted is converted to another tree, which can be read, and has the same images.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocify::{ManifestFormat, OutputKind};
use ocify_fuzz::{Scratch, documents};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

fuzz_target!(|bytes: &[u8]| {
    let linked = documents::link(&documents::split(bytes, 10));
    SCRATCH.remove("tree");
    let tree = SCRATCH.path("tree");
    fs::create_dir(&tree).expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        let path = tree.join(name);
        // Names of files and folders may contradict each other.
        let _ = fs::create_dir_all(path.parent().expect("a folder"));
        let _ = fs::write(path, bytes);
    };
    for (hex, bytes) in &linked[1..] {
        put(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]), bytes);
    }
    for line in linked[0].1.split(|byte| *byte == b'\n').take(50) {
        let line = String::from_utf8_lossy(line);
        let (path, content) = line.split_once(' ').unwrap_or((&line, ""));
        let is_below = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if is_below && !path.contains('\0') {
            put(&format!("repositories/{path}"), content.as_bytes());
        }
    }
    if SCRATCH.is_readable(&tree) {
        let (output, layout) = (SCRATCH.path("output"), SCRATCH.path("layout"));
        let to_tree = SCRATCH.convert_to(&tree, &output, OutputKind::Registry, ManifestFormat::Oci);
        if to_tree.is_ok() {
            assert!(SCRATCH.is_readable(&output), "an output cannot be read");
            let from = SCRATCH.convert(&tree, &layout).expect("a layout of the tree");
            SCRATCH.remove("layout");
            let again = SCRATCH.convert(&output, &layout).expect("a layout of the copy");
            let digests = |report: &ocify::Report| {
                let entries = report.entries.iter();
                let mut names: Vec<_> = entries.map(|entry| (entry.digest, entry.names.clone())).collect();
                names.sort();
                names
            };
            assert_eq!(digests(&from), digests(&again), "a copy of a tree has other images");
        }
        SCRATCH.remove("layout");
        SCRATCH.remove("output");
    }
});

//! Converts any tar to a layout. The output is read again, and converting it again changes nothing.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use ocify_fuzz::{Scratch, tars};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut tar = bytes.to_vec();
    tars::mend(&mut tar);
    // The input chooses between a folder and a tar.
    let folder = tar.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)) % 2 == 0;
    let (first, second) = if folder {
        ("first", "second")
    } else {
        ("first.tar", "second.tar")
    };
    let input = SCRATCH.file("input.tar", &tar);
    let output = SCRATCH.path(first);
    if SCRATCH.convert(&input, &output).is_ok() {
        assert!(SCRATCH.is_readable(&output), "an output cannot be read");
        let again = SCRATCH.path(second);
        SCRATCH.convert(&output, &again).expect("an output can be converted");
        assert_eq!(index(&output), index(&again), "converting an output changes it");
        SCRATCH.remove(second);
    }
    SCRATCH.remove(first);
    Corpus::Keep
});

fn index(output: &Path) -> Vec<u8> {
    if output.is_dir() {
        return fs::read(output.join("index.json")).expect("an index");
    }
    let tar = fs::read(output).expect("a tar");
    tars::member(&tar, "index.json").expect("an index").to_vec()
}

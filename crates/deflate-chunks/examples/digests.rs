//! Prints the digests that `tests/golden.rs` compares, to be run on other CPUs: see `scripts/check-deflate-cpus.sh`.

#[path = "../tests/common/mod.rs"]
mod common;

fn main() {
    for line in common::digests::lines() {
        println!("{line}");
    }
}

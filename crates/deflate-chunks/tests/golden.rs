//! The output of a version is frozen: the same input gives the same bytes wherever it is encoded.
//!
//! A change of these digests is a breaking change, and belongs into the changelog. `cargo run --example digests` prints
//! them anew.

mod common;

const GOLDEN: &str = include_str!("golden.txt");

#[test]
fn the_output_of_each_level_is_frozen() {
    let found = common::digests::lines();
    let golden: Vec<&str> = GOLDEN.lines().collect();
    assert_eq!(found, golden);
}

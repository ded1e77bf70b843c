//! Schema 1 manifests, their signatures, and the configs that are created from them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ocify::fuzzing::schema1(bytes));

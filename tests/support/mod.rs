//! Support for tests: builders for inputs of every kind, a sandbox that runs the program, and a reader of outputs that shares
//! no code with the program.

pub mod agreement;
pub mod cache;
pub mod codec;
pub mod docker;
pub mod files;
pub mod layers;
pub mod layout;
pub mod legacy;
pub mod oci;
pub mod parts;
pub mod random;
pub mod registry;
pub mod sandbox;
pub mod schema1;
pub mod tar;
pub mod terminal;

use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

/// The bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// `sha256:` and the digest of `bytes` in hex.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

/// The SHA-256 digest of `bytes` in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `sha512:` and the digest of `bytes` in hex.
pub fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

/// The path of an archive that another program has written.
pub fn testdata(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name);
    path.to_str().unwrap().to_owned()
}

/// The contents of these archives according to those programs.
pub fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(testdata("expected.json")).unwrap()).unwrap()
}

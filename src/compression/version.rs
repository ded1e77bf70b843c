//! Identifies the encoders of this build, whose output bytes may differ from those of other builds.

use crate::digest::Digest;

/// Contains the framing, chunk sizes and parameters. Changes to the rest of the file only refill caches.
const OWN: &str = include_str!("encode.rs");

/// Identifies everything that determines the encoded bytes besides codec and level: 16 hex digits.
///
/// It is computed, so that nobody has to remember to change it, from the source of the encoders in this crate, the versions
/// of the two libraries that they call, and the version of this crate.
pub(crate) fn encoder_version() -> String {
    let parts = [
        env!("CARGO_PKG_VERSION"),
        deflate_chunks::VERSION,
        // The linked version, which may differ from the bundled one.
        zstd::zstd_safe::version_string(),
        OWN,
    ];
    let mut hex = Digest::sha256(parts.join("\0").as_bytes()).hex();
    hex.truncate(16);
    hex
}

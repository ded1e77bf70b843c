//! What tells the bytes of today's encoders from those of another build.

use crate::digest::Digest;

/// Frames, chunk sizes and parameters are all there; so is much that changes nothing, which costs no more than that a
/// cache is filled anew.
const OWN: &str = include_str!("encode.rs");

/// A name for all that decides which bytes a layer is encoded to, besides codec and level: 16 hex digits.
///
/// It is computed so that nobody has to remember to change it: from the encoders' source in this crate, the versions of
/// the two libraries that they call, and the version of this crate.
pub(crate) fn encoder_version() -> String {
    let parts = [
        env!("CARGO_PKG_VERSION"),
        deflate_chunks::VERSION,
        // The one that is linked, which need not be the one that was built along.
        zstd::zstd_safe::version_string(),
        OWN,
    ];
    let mut hex = Digest::sha256(parts.join("\0").as_bytes()).hex();
    hex.truncate(16);
    hex
}

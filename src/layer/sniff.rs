//! Recognises layers by their first bytes.

use crate::tar::Header;

/// Number of bytes that [`not_tar`] needs.
pub(super) const BEGINNING: usize = 512;

/// Describes the first bytes of a layer without a known magic number, if they are not those of a tar. Most likely the layer is
/// compressed with an unknown codec.
pub(super) fn not_tar(beginning: &[u8]) -> Option<String> {
    if looks_like_tar(beginning) {
        return None;
    }
    let hex = |byte: &u8| format!("{byte:02x}");
    let found: Vec<String> = beginning.iter().take(8).map(hex).collect();
    let found = found.join(" ");
    Some(format!(
        "the layer begins with {found}, expected tar, gzip, zstd, bzip2 or xz"
    ))
}

/// Whether a layer may be a tar: it is empty, or begins with a zero block or with a header whose magic or checksum is correct.
fn looks_like_tar(beginning: &[u8]) -> bool {
    let Ok(block) = <[u8; BEGINNING]>::try_from(beginning) else {
        return beginning.iter().all(|byte| *byte == 0);
    };
    block.iter().all(|byte| *byte == 0)
        || &block[257..262] == b"ustar"
        || Header::new(&block).checksum_matches()
}

//! The names of entries and their folders. What is not named like this is not the cache's.

use crate::compression::Encoding;
use crate::digest::DiffId;
use crate::digest::Digest;

/// The folder of an encoding; `version` is that of the encoders.
pub(super) fn folder(encoding: Encoding, version: &str) -> String {
    let codec = encoding.codec();
    let level = match encoding {
        Encoding::None => 0,
        Encoding::Gzip(level) | Encoding::Zstd(level) => level,
    };
    format!("{codec}-{level}-{version}")
}

/// Whether a name is such a folder's, of this version or any other.
pub(super) fn is_folder(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [codec, level, version] = parts[..] else {
        return false;
    };
    matches!(codec, "gzip" | "zstd")
        && level.parse::<u8>().is_ok()
        && version.len() == 16
        && is_hex(version)
}

/// An entry's name. The algorithm of the `diff_id` shows in its length, the digest is always SHA-256.
pub(super) fn entry(diff_id: &DiffId, digest: &Digest) -> String {
    format!("{}-{}", diff_id.0.hex(), digest.hex())
}

/// The hex digits of the `diff_id`, and the digest.
pub(super) fn parse_entry(name: &str) -> Option<(String, Digest)> {
    let (diff_id, digest) = name.split_once('-')?;
    let known = matches!(diff_id.len(), 64 | 128) && is_hex(diff_id);
    let digest = Digest::from_sha256_hex(digest)?;
    known.then(|| (diff_id.to_owned(), digest))
}

fn is_hex(text: &str) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.bytes().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::encoder_version;

    #[test]
    fn what_is_written_is_found_and_nothing_else() {
        let digest = Digest::sha256(b"blob");
        let long = DiffId(Digest::Sha512([7; 64]));
        let short = DiffId(Digest::sha256(b"layer"));
        for diff_id in [long, short] {
            let name = entry(&diff_id, &digest);
            assert_eq!(parse_entry(&name), Some((diff_id.0.hex(), digest)));
            for other in [
                &name[1..],
                &name[..name.len() - 1],
                &name.to_uppercase(),
                &name.replace('-', "_"),
                &format!("{name}.old"),
                &format!(".{name}"),
            ] {
                assert_eq!(parse_entry(other), None, "{other}");
            }
        }
        let name = folder(Encoding::Zstd(19), &encoder_version());
        assert!(is_folder(&name), "{name}");
        for other in ["", "gzip-3", "gzip-3-photos", "lzma-3-0123456789abcdef"] {
            assert!(!is_folder(other), "{other}");
        }
        assert!(!is_folder(&format!("{name}-old")) && !is_folder(&name.to_uppercase()));
    }
}

//! The names of entries and their folders. Files with other names do not belong to the cache.

use crate::compression::Encoding;
use crate::digest::{DiffId, Digest};

/// The folder of an encoding. `version` is the version of the encoders.
pub(super) fn folder(encoding: Encoding, version: &str) -> String {
    format!("{}-{}-{version}", encoding.codec(), encoding.level())
}

/// Whether a name is that of such a folder, of any version.
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

/// The name of an entry in a folder. The algorithm of the `diff_id` follows from its length. The digest is always SHA-256.
///
/// The digest covers the bytes, and the seal covers folder, `diff_id` and digest, so that a renamed or moved entry is not used
/// for another layer.
pub(super) fn entry(folder: &str, diff_id: &DiffId, digest: &Digest) -> String {
    let name = format!("{}-{}", diff_id.0.hex(), digest.hex());
    let seal = seal(folder, &name);
    format!("{name}-{seal}")
}

fn seal(folder: &str, name: &str) -> String {
    let mut seal = Digest::sha256(format!("ocify cache: {folder}/{name}").as_bytes()).hex();
    // Enough digits to exclude accidents, and with SHA-512 the name stays below 255 bytes.
    seal.truncate(32);
    seal
}

/// The parts of an entry's name.
pub(super) struct Name {
    /// In hex.
    pub diff_id: String,
    pub digest: Digest,
    seal: String,
}

impl Name {
    pub fn parse(name: &str) -> Option<Name> {
        let mut parts = name.split('-');
        let (diff_id, digest, seal) = (parts.next()?, parts.next()?, parts.next()?);
        let known = parts.next().is_none()
            && matches!(diff_id.len(), 64 | 128)
            && is_hex(diff_id)
            && seal.len() == 32
            && is_hex(seal);
        let digest = Digest::from_sha256_hex(digest)?;
        known.then(|| Name {
            diff_id: diff_id.to_owned(),
            digest,
            seal: seal.to_owned(),
        })
    }

    /// Whether the seal is correct for this folder.
    pub fn is_genuine(&self, folder: &str) -> bool {
        let name = format!("{}-{}", self.diff_id, self.digest.hex());
        self.seal == seal(folder, &name)
    }
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
            let name = entry("gzip-3-x", &diff_id, &digest);
            let parsed = Name::parse(&name).unwrap();
            assert_eq!((&parsed.diff_id, parsed.digest), (&diff_id.0.hex(), digest));
            assert!(parsed.is_genuine("gzip-3-x") && !parsed.is_genuine("gzip-4-x"));
            for other in [
                &name[1..],
                &name[..name.len() - 1],
                &name.to_uppercase(),
                &name.replace('-', "_"),
                &format!("{name}.old"),
                &format!(".{name}"),
            ] {
                assert!(Name::parse(other).is_none(), "{other}");
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

//! Codecs: finding them by their first bytes, decoding any of them, encoding those that OCI has media types for.

mod decode;
mod encode;
mod gzip;
mod member;
mod version;

use std::fmt;
use std::str::FromStr;

pub(crate) use decode::{DecodeError, Decoder};
pub use encode::{ChunkEncoder, EncodedChunk, Framing};
pub(crate) use version::encoder_version;

/// How a stream of bytes is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// Only read: OCI has no media type for it.
    Bzip2,
    /// Only read: OCI has no media type for it.
    Xz,
}

impl Codec {
    /// The codec whose magic number `beginning` (at least 6 bytes of it) starts with; [`Codec::None`] if there is none.
    #[must_use]
    pub fn sniff(beginning: &[u8]) -> Codec {
        match beginning {
            // 8 is deflate, the only method there is.
            [0x1f, 0x8b, 8, ..] => Codec::Gzip,
            // The second is a skippable frame, which zstd:chunked layers may begin with.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Codec::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Codec::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Codec::Xz,
            _ => Codec::None,
        }
    }

    /// `none`, `gzip`, `zstd`, `bzip2` or `xz`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
            Codec::Bzip2 => "bzip2",
            Codec::Xz => "xz",
        }
    }

    /// What its specification calls the pieces that may follow each other.
    fn member(self) -> &'static str {
        match self {
            Codec::None => "file",
            Codec::Gzip => "member",
            Codec::Zstd => "frame",
            Codec::Bzip2 | Codec::Xz => "stream",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec that layers can be encoded in, with its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Plain tar.
    None,
    /// Levels 1 to 9.
    Gzip(u32),
    /// Levels 1 to 22.
    Zstd(u32),
}

impl Encoding {
    /// gzip at the level that is used when none is asked for.
    pub const GZIP: Encoding = Encoding::Gzip(3);
    /// zstd at the level that is used when none is asked for, libzstd's own default.
    pub const ZSTD: Encoding = Encoding::Zstd(3);

    /// The codec without the level.
    #[must_use]
    pub fn codec(self) -> Codec {
        match self {
            Encoding::None => Codec::None,
            Encoding::Gzip(_) => Codec::Gzip,
            Encoding::Zstd(_) => Codec::Zstd,
        }
    }
}

/// What is to become of the layers' compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// gzip and zstd layers stay as they are, all others become gzip.
    #[default]
    Keep,
    /// Layers in this codec stay as they are, all others are encoded.
    Into(Encoding),
    /// Every layer is encoded, also those in this codec already.
    Again(Encoding),
}

impl Compression {
    /// The codec that was asked for, if any was.
    pub(crate) fn codec(self) -> Option<Codec> {
        match self {
            Compression::Keep => None,
            Compression::Into(encoding) | Compression::Again(encoding) => Some(encoding.codec()),
        }
    }

    /// How to encode a layer that is in `codec`, or `None` to keep its bytes.
    #[must_use]
    pub fn encoding(self, codec: Codec) -> Option<Encoding> {
        match self {
            Compression::Keep => match codec {
                Codec::Gzip | Codec::Zstd => None,
                Codec::None | Codec::Bzip2 | Codec::Xz => Some(Encoding::GZIP),
            },
            Compression::Into(encoding) if encoding.codec() == codec => None,
            Compression::Into(encoding) | Compression::Again(encoding) => Some(encoding),
        }
    }
}

/// Why a string is not a [`Compression`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// The word before the colon.
    #[error("unknown compression {0:?}, expected keep, gzip, zstd or none")]
    Unknown(String),
    /// The number behind the colon.
    #[error("{codec} level is {level:?}, expected a number from 1 to {most}")]
    Level {
        /// gzip or zstd.
        codec: &'static str,
        /// As it was given.
        level: String,
        /// The codec's highest level.
        most: u32,
    },
    /// `keep` and `none` have none.
    #[error("{0} does not have levels")]
    NoLevels(&'static str),
}

impl FromStr for Compression {
    type Err = CompressionError;

    fn from_str(text: &str) -> Result<Compression, CompressionError> {
        let (word, level) = match text.split_once(':') {
            Some((word, level)) => (word, Some(level)),
            None => (text, None),
        };
        let number = |codec, text: &str, most| {
            let level = text.parse().ok();
            level
                .filter(|level| (1..=most).contains(level))
                .ok_or_else(|| CompressionError::Level {
                    codec,
                    level: text.to_owned(),
                    most,
                })
        };
        match (word, level) {
            ("keep", None) => Ok(Compression::Keep),
            ("none", None) => Ok(Compression::Into(Encoding::None)),
            ("gzip", None) => Ok(Compression::Into(Encoding::GZIP)),
            ("zstd", None) => Ok(Compression::Into(Encoding::ZSTD)),
            ("gzip", Some(text)) => {
                let level = number("gzip", text, 9)?;
                Ok(Compression::Again(Encoding::Gzip(level)))
            }
            ("zstd", Some(text)) => {
                let level = number("zstd", text, 22)?;
                Ok(Compression::Again(Encoding::Zstd(level)))
            }
            ("keep", Some(_)) => Err(CompressionError::NoLevels("keep")),
            ("none", Some(_)) => Err(CompressionError::NoLevels("none")),
            _ => Err(CompressionError::Unknown(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_found_by_magic_bytes() {
        for (bytes, codec) in [
            (&b"\x1f\x8b\x08\0\0\0"[..], Codec::Gzip),
            (b"\x28\xb5\x2f\xfd\0\0", Codec::Zstd),
            (b"\x50\x2a\x4d\x18\0\0", Codec::Zstd),
            (b"BZh91AY", Codec::Bzip2),
            (b"\xfd7zXZ\0", Codec::Xz),
            (b"BZhello", Codec::None),
            (b"", Codec::None),
            (b"etc/passwd", Codec::None),
        ] {
            assert_eq!(Codec::sniff(bytes), codec, "{bytes:?}");
        }
    }

    #[test]
    fn compression_is_parsed_whole() {
        let parsed = |text: &str| text.parse::<Compression>();
        assert_eq!(parsed("keep"), Ok(Compression::Keep));
        assert_eq!(
            parsed("zstd:19"),
            Ok(Compression::Again(Encoding::Zstd(19)))
        );
        for (text, message) in [
            (
                "lzma",
                r#"unknown compression "lzma", expected keep, gzip, zstd or none"#,
            ),
            (
                "gzip:10",
                r#"gzip level is "10", expected a number from 1 to 9"#,
            ),
            (
                "gzip:0",
                r#"gzip level is "0", expected a number from 1 to 9"#,
            ),
            (
                "zstd:",
                r#"zstd level is "", expected a number from 1 to 22"#,
            ),
            ("none:1", "none does not have levels"),
        ] {
            assert_eq!(parsed(text).unwrap_err().to_string(), message);
        }
    }
}

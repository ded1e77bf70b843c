//! Codecs: detecting and decoding all of them, and encoding those that OCI has media types for.

mod decode;
mod encode;
mod gzip;
mod member;
mod reproduce;
mod version;

use std::fmt;
use std::str::FromStr;

pub(crate) use decode::{DecodeError, Decoder};
pub use encode::{ChunkEncoder, EncodedChunk, Framing};
pub(crate) use reproduce::reproduce;
pub(crate) use version::encoder_version;

/// The compression of a stream of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Uncompressed.
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
    /// Detects the codec from the first bytes, of which 6 are enough. Fewer are a whole file, which may end within its magic
    /// number. [`Codec::None`] if no magic number matches.
    #[must_use]
    pub fn sniff(beginning: &[u8]) -> Codec {
        match beginning {
            // 8 is deflate, the only method there is.
            [0x1f, 0x8b, 8, ..] | [0x1f, 0x8b] => Codec::Gzip,
            // The second is a skippable frame, which zstd:chunked layers may begin with.
            [0x28, 0xb5, 0x2f, 0xfd, ..]
            | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
            | [0x28, 0xb5]
            | [0x28, 0xb5, 0x2f] => Codec::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] | [b'B', b'Z'] | [b'B', b'Z', b'h'] => Codec::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..]
            | [0xfd, b'7']
            | [0xfd, b'7', b'z']
            | [0xfd, b'7', b'z', b'X']
            | [0xfd, b'7', b'z', b'X', b'Z'] => Codec::Xz,
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

    /// The term of its specification for the parts that may follow each other.
    pub(crate) fn member(self) -> &'static str {
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

/// A codec for encoding layers, with its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Plain tar.
    None,
    /// Levels 1 to 9.
    Gzip(u32),
    /// Levels 1 to 22.
    Zstd(u32),
}

impl Encoding {
    /// gzip at the default level.
    pub const GZIP: Encoding = Encoding::Gzip(3);
    /// zstd at the default level, which is also libzstd's.
    pub const ZSTD: Encoding = Encoding::Zstd(3);

    /// The level without the codec. 0 for a plain tar.
    pub(crate) fn level(self) -> u32 {
        match self {
            Encoding::None => 0,
            Encoding::Gzip(level) | Encoding::Zstd(level) => level,
        }
    }

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

/// How layers are compressed in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// gzip and zstd layers are kept, all others become gzip.
    #[default]
    Keep,
    /// Layers in this codec are kept, all others are encoded.
    Into(Encoding),
    /// Every layer is encoded, even those in this codec.
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

    /// How a layer in `codec` is encoded. `None` if its bytes are kept.
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
#[non_exhaustive]
pub enum CompressionError {
    /// The word before the colon is not a codec.
    #[error("unknown compression `{0}`, expected keep, gzip, zstd or none")]
    Unknown(String),
    /// The number after the colon is not a level of the codec.
    #[error("{codec} level is `{level}`, expected a number from 1 to {max}")]
    Level {
        /// gzip or zstd.
        codec: &'static str,
        /// The level as given.
        level: String,
        /// The codec's highest level.
        max: u32,
    },
    /// `keep` and `none` do not have levels.
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
        let number = |codec, text: &str, max| {
            let level = text.parse().ok();
            level
                .filter(|level| (1..=max).contains(level))
                .ok_or_else(|| CompressionError::Level {
                    codec,
                    level: text.to_owned(),
                    max,
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
            // Files that end there.
            (b"\x1f\x8b", Codec::Gzip),
            (b"\x28\xb5\x2f", Codec::Zstd),
            (b"BZh", Codec::Bzip2),
            (b"\xfd7zXZ", Codec::Xz),
            (b"B", Codec::None),
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
                "unknown compression `lzma`, expected keep, gzip, zstd or none",
            ),
            (
                "gzip:10",
                "gzip level is `10`, expected a number from 1 to 9",
            ),
            ("gzip:0", "gzip level is `0`, expected a number from 1 to 9"),
            ("zstd:", "zstd level is ``, expected a number from 1 to 22"),
            ("none:1", "none does not have levels"),
        ] {
            assert_eq!(parsed(text).unwrap_err().to_string(), message);
        }
    }
}

//! Decodes any codec from a buffered reader, member by member (or frame by frame), so that data after the last member can be
//! told from damage inside one.

use std::io::{self, BufRead};

use super::Codec;
use super::member::{MemberStep, StreamMember};

/// Number of bytes that [`Codec::sniff`] needs.
const MAGIC: usize = 6;

/// Decodes a stream of any codec. Reading to the end consumes the whole reader.
pub(crate) struct Decoder<R> {
    reader: R,
    codec: Codec,
    /// `None` for plain bytes.
    member: Option<StreamMember>,
    /// Whether one member has ended and the next has not begun.
    between: bool,
    /// Bytes read ahead to detect the next member, not decoded yet.
    ahead: Vec<u8>,
    /// Number of bytes read from the reader.
    position: u64,
}

/// Why decoding stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// An error of the reader. After [`io::ErrorKind::WouldBlock`], decoding continues where it was.
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("{0}")]
    Damaged(String),
    /// The stream ends before the end of a member.
    #[error("the {codec} data is truncated: it ends within a {}", .codec.member())]
    Truncated { codec: Codec },
    /// Decoding needs more memory than the limit allows.
    #[error("{0}")]
    Limit(String),
    /// Something that is not a member follows the last one.
    #[error("something that is not {codec} follows at byte {position}")]
    TrailingData { codec: Codec, position: u64 },
}

impl From<DecodeError> for io::Error {
    fn from(error: DecodeError) -> io::Error {
        match error {
            DecodeError::Read(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl<R: BufRead> Decoder<R> {
    pub fn new(codec: Codec, reader: R) -> Result<Decoder<R>, DecodeError> {
        Ok(Decoder {
            reader,
            codec,
            member: StreamMember::new(codec)?,
            between: false,
            ahead: Vec::with_capacity(MAGIC),
            position: 0,
        })
    }

    /// The underlying reader.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Fills `buffer` with `size` bytes, or fewer at the end of the stream or on an error.
    pub fn read_chunk(&mut self, buffer: &mut Vec<u8>, size: usize) -> Result<(), DecodeError> {
        buffer.resize(size, 0);
        let mut filled = 0;
        let result = loop {
            if filled == size {
                break Ok(());
            }
            match self.decode(&mut buffer[filled..]) {
                Ok(0) => break Ok(()),
                Ok(count) => filled += count,
                Err(error) => break Err(error),
            }
        };
        buffer.truncate(filled);
        result
    }

    /// Decodes some bytes into `buffer`, which is not empty. Returns 0 at the end.
    fn decode(&mut self, buffer: &mut [u8]) -> Result<usize, DecodeError> {
        let Some(member) = &mut self.member else {
            return Ok(retry(|| self.reader.read(buffer))?);
        };
        loop {
            if self.between {
                if !next_member(
                    &mut self.reader,
                    self.codec,
                    &mut self.ahead,
                    &mut self.position,
                )? {
                    return Ok(0);
                }
                member.restart()?;
                self.between = false;
            }
            let from_ahead = !self.ahead.is_empty();
            let input = if from_ahead {
                &self.ahead[..]
            } else {
                fill(&mut self.reader)?
            };
            let at_end = input.is_empty();
            let MemberStep {
                consumed,
                produced,
                ended,
            } = member.step(input, buffer)?;
            if from_ahead {
                self.ahead.drain(..consumed);
            } else {
                self.reader.consume(consumed);
                self.position += consumed as u64;
            }
            self.between = ended;
            if produced > 0 {
                return Ok(produced);
            }
            if consumed == 0 && !ended {
                return Err(if at_end {
                    DecodeError::Truncated { codec: self.codec }
                } else {
                    let message = format!("it does not go on within a {}", self.codec.member());
                    DecodeError::Damaged(message)
                });
            }
        }
    }
}

/// Whether another member follows. Its first bytes are then in `ahead`.
fn next_member(
    reader: &mut impl BufRead,
    codec: Codec,
    ahead: &mut Vec<u8>,
    position: &mut u64,
) -> Result<bool, DecodeError> {
    loop {
        while ahead.len() < MAGIC {
            let input = fill(reader)?;
            let count = input.len().min(MAGIC - ahead.len());
            if count == 0 {
                break;
            }
            ahead.extend_from_slice(&input[..count]);
            reader.consume(count);
            *position += count as u64;
        }
        if ahead.is_empty() {
            return Ok(false);
        }
        if Codec::sniff(ahead) == codec {
            return Ok(true);
        }
        // Zeros in fours may follow an xz stream: https://tukaani.org/xz/xz-file-format.txt, 2.2
        if codec != Codec::Xz || !ahead.starts_with(&[0; 4]) {
            return Err(DecodeError::TrailingData {
                codec,
                position: *position - ahead.len() as u64,
            });
        }
        ahead.drain(..4);
    }
}

/// The reader's buffer, which is empty only at the end.
fn fill(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    retry(|| reader.fill_buf().map(drop))?;
    reader.fill_buf()
}

fn retry<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    type Encode = fn(&[u8]) -> Vec<u8>;

    const ENCODERS: [(Codec, Encode); 4] = [
        (Codec::Gzip, gzip),
        (Codec::Zstd, zstd),
        (Codec::Bzip2, bzip2),
        (Codec::Xz, xz),
    ];

    fn decode(codec: Codec, reader: impl BufRead) -> Result<Vec<u8>, DecodeError> {
        let mut decoder = Decoder::new(codec, reader)?;
        let (mut plain, mut chunk) = (Vec::new(), Vec::new());
        loop {
            decoder.read_chunk(&mut chunk, 7)?;
            plain.extend_from_slice(&chunk);
            if chunk.is_empty() {
                return Ok(plain);
            }
        }
    }

    /// Gives a byte at a time, and would block or is interrupted before each.
    struct Slow<'a> {
        bytes: &'a [u8],
        failures: usize,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.fill_buf()?.read(buffer)?;
            self.consume(count);
            Ok(count)
        }
    }

    impl BufRead for Slow<'_> {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            self.failures += 1;
            match self.failures % 5 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                3 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(&self.bytes[..self.bytes.len().min(1)]),
            }
        }

        fn consume(&mut self, count: usize) {
            self.bytes = &self.bytes[count..];
        }
    }

    #[test]
    fn every_codec_reads_many_members_and_nothing_else() {
        for (codec, encode) in ENCODERS {
            let (first, second) = (encode(b"first, "), encode(b"second"));
            let two = [&first[..], &second].concat();
            assert_eq!(
                decode(codec, &two[..]).unwrap(),
                b"first, second",
                "{codec}"
            );
            for garbage in [&b"\0"[..], b"garbage after the end", &second[..1]] {
                let bytes = [&two[..], garbage].concat();
                let error = decode(codec, &bytes[..]).unwrap_err();
                let position = two.len();
                assert_eq!(
                    error.to_string(),
                    format!("something that is not {codec} follows at byte {position}")
                );
            }
            for length in 1..two.len() {
                // Cut between the members, the first alone is a whole stream.
                let cut = decode(codec, &two[..length]);
                match length.checked_sub(first.len()) {
                    Some(0) => assert_eq!(cut.unwrap(), b"first, "),
                    // Too few bytes to detect a codec.
                    Some(1..=5) => assert!(cut.is_err(), "{codec}: cut to {length} bytes"),
                    _ => {
                        let error = cut.unwrap_err();
                        let message = error.to_string();
                        let expected = format!("the {codec} data is truncated: it ends within a ");
                        assert!(
                            message.starts_with(&expected),
                            "{codec}: cut to {length} bytes: {message}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_reader_that_would_block_is_asked_again() {
        for (codec, encode) in ENCODERS
            .into_iter()
            .chain([(Codec::None, <[u8]>::to_vec as Encode)])
        {
            let text = b"the quick brown fox ".repeat(100);
            let bytes = encode(&text).repeat(3);
            let reader = Slow {
                bytes: &bytes,
                failures: 0,
            };
            let mut decoder = Decoder::new(codec, reader).unwrap();
            let (mut plain, mut chunk) = (Vec::new(), Vec::new());
            loop {
                let result = decoder.read_chunk(&mut chunk, 64);
                plain.extend_from_slice(&chunk);
                match result {
                    Ok(()) if chunk.is_empty() => break,
                    Ok(()) => {}
                    Err(DecodeError::Read(error)) => {
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    }
                    Err(error) => panic!("{codec}: {error}"),
                }
            }
            assert_eq!(plain, text.repeat(3), "{codec}");
        }
    }

    #[test]
    fn padding_of_xz_is_in_fours() {
        let stream = xz(b"text");
        for (zeros, sound) in [(0, true), (3, false), (4, true), (6, false), (400, true)] {
            for (after, expected) in [(&b""[..], &b"text"[..]), (&stream, b"texttext")] {
                let bytes = [&stream[..], &vec![0; zeros], after].concat();
                match decode(Codec::Xz, &bytes[..]) {
                    Ok(plain) => assert!(sound && plain == expected, "{zeros} zeros"),
                    Err(error) => {
                        let trailing = matches!(error, DecodeError::TrailingData { .. });
                        assert!(!sound && trailing, "{zeros} zeros: {error}");
                    }
                }
            }
        }
    }
}

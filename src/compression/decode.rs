//! Decodes any codec from a buffered reader, member by member (or frame by frame), so that data after the last member can be
//! told from damage inside one.

use std::io::{self, BufRead};

use super::Codec;
use super::member::{MemberStep, StreamMember, too_large};

/// Number of bytes that [`Codec::sniff`] needs.
const MAGIC: usize = 6;

/// Maximum size of a zstd frame's header with its magic number: RFC 8878, section 3.1.1.1.
const ZSTD_HEADER: usize = 18;

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
    /// The first bytes of the member, up to the end of its header, which may be decoded again.
    header: Vec<u8>,
    /// Whether members may need more than [`crate::limits::DECODER_MEMORY`].
    allows_large: bool,
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
    /// Decoding needs more memory than usual. It continues after [`Decoder::allow_large`].
    #[error(
        "the {codec} data needs more memory than {} bytes",
        crate::limits::DECODER_MEMORY
    )]
    Large { codec: Codec },
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
        let mut decoder = Decoder::usual(codec, reader)?;
        decoder.allow_large()?;
        Ok(decoder)
    }

    /// A decoder that stops with [`DecodeError::Large`] before it needs more memory than usual.
    pub fn usual(codec: Codec, reader: R) -> Result<Decoder<R>, DecodeError> {
        Ok(Decoder {
            reader,
            codec,
            member: StreamMember::new(codec)?,
            between: false,
            ahead: Vec::with_capacity(MAGIC),
            header: Vec::new(),
            allows_large: false,
            position: 0,
        })
    }

    /// Allows as much memory as the limits do, from here on.
    pub fn allow_large(&mut self) -> Result<(), DecodeError> {
        self.allows_large = true;
        self.ahead.splice(..0, self.header.drain(..));
        self.member
            .as_mut()
            .map_or(Ok(()), StreamMember::allow_large)
    }

    /// The underlying reader.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Fills `buffer` with `size` bytes, or fewer at the end of the stream or on an error.
    pub fn read_chunk(&mut self, buffer: &mut Vec<u8>, size: usize) -> Result<(), DecodeError> {
        self.continue_chunk(buffer, 0, size)
    }

    /// Fills `buffer`, whose first `filled` bytes are kept, like [`Decoder::read_chunk`].
    pub fn continue_chunk(
        &mut self,
        buffer: &mut Vec<u8>,
        mut filled: usize,
        size: usize,
    ) -> Result<(), DecodeError> {
        buffer.resize(size, 0);
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
                self.header.clear();
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
                is_large,
            } = member.step(input, buffer)?;
            if !self.allows_large && self.codec == Codec::Zstd && self.header.len() < ZSTD_HEADER {
                let missing = ZSTD_HEADER - self.header.len();
                self.header
                    .extend_from_slice(&input[..consumed.min(missing)]);
            }
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
            if is_large && !self.allows_large {
                return Err(DecodeError::Large { codec: self.codec });
            }
            if is_large {
                return Err(too_large(self.codec));
            }
            if consumed == 0 && !ended {
                return Err(if at_end {
                    DecodeError::Truncated { codec: self.codec }
                } else {
                    let message = format!("decoding stopped within a {}", self.codec.member());
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
mod tests;

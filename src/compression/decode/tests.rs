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

/// A zstd frame whose window has two to the power of `log` bytes.
fn with_window(bytes: &[u8], log: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(log).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_window_that_is_larger_than_usual_is_announced_and_loses_nothing() {
    let text = b"the quick brown fox ".repeat(100);
    let [usual, large] = [25, 27].map(|log| with_window(&text, log));
    let skippable = [&0x184d_2a50_u32.to_le_bytes()[..], &[30, 0, 0, 0], &[1; 30]].concat();
    let streams = [
        (vec![&usual, &usual], None),
        (vec![&large], Some(0)),
        (vec![&large, &usual, &large], Some(0)),
        (vec![&usual, &skippable, &large, &usual], Some(1)),
        (vec![&usual, &usual, &large, &large], Some(2)),
    ];
    for (frames, before) in streams {
        let bytes = frames
            .iter()
            .copied()
            .flatten()
            .copied()
            .collect::<Vec<u8>>();
        let contents = frames.iter().filter(|frame| **frame != &skippable).count();
        let slow = Slow {
            bytes: &bytes,
            failures: 0,
        };
        let readers: [Box<dyn BufRead>; 2] = [Box::new(slow), Box::new(&bytes[..])];
        for reader in readers {
            let mut decoder = Decoder::usual(Codec::Zstd, reader).unwrap();
            let (mut plain, mut filled, mut large) = (Vec::new(), 0, Vec::new());
            loop {
                match decoder.continue_chunk(&mut plain, filled, text.len() * 5) {
                    Ok(()) => break,
                    Err(DecodeError::Large { .. }) => {
                        large.push(plain.len() / text.len());
                        decoder.allow_large().unwrap();
                    }
                    Err(DecodeError::Read(error)) => {
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    }
                    Err(error) => panic!("{error}"),
                }
                filled = plain.len();
            }
            assert_eq!(plain, text.repeat(contents));
            assert_eq!(large, Vec::from_iter(before));
        }
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

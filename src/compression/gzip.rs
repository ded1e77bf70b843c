//! One gzip member (RFC 1952). zlib-rs supports members too, but allocates memory for each, and eStargz layers have one for
//! every file.

use flate2::{Decompress, FlushDecompress, Status};

use super::decode::DecodeError;
use super::member::MemberStep;

const HEADER_CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

pub(super) struct Gzip {
    inflate: Decompress,
    part: GzipPart,
    flags: u8,
    /// The bytes read so far of a part with a fixed length.
    field: Vec<u8>,
    /// Checksum of the header, then of the decoded bytes.
    checksum: crc32fast::Hasher,
    /// Number of decoded bytes.
    length: u64,
}

/// The parts of a member, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum GzipPart {
    Fixed,
    ExtraLength,
    /// With the number of bytes left.
    Extra(usize),
    Name,
    Comment,
    HeaderChecksum,
    Body,
    Trailer,
    End,
}

impl Gzip {
    pub fn new() -> Gzip {
        Gzip {
            inflate: Decompress::new(false),
            part: GzipPart::Fixed,
            flags: 0,
            field: Vec::with_capacity(10),
            checksum: crc32fast::Hasher::new(),
            length: 0,
        }
    }

    pub fn restart(&mut self) {
        self.inflate.reset(false);
        self.part = GzipPart::Fixed;
        self.field.clear();
        self.checksum.reset();
        self.length = 0;
    }

    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, DecodeError> {
        let mut consumed = 0;
        while self.part < GzipPart::Body && consumed < input.len() {
            consumed += self.header(&input[consumed..])?;
        }
        let mut produced = 0;
        if self.part == GzipPart::Body {
            let body = self.body(&input[consumed..], output)?;
            consumed += body.consumed;
            produced = body.produced;
            if body.ended {
                self.part = GzipPart::Trailer;
            }
        }
        if self.part == GzipPart::Trailer {
            consumed += self.trailer(&input[consumed..])?;
        }
        Ok(MemberStep {
            consumed,
            produced,
            ended: self.part == GzipPart::End,
            is_large: false,
        })
    }

    /// Reads bytes of the header and returns how many.
    fn header(&mut self, input: &[u8]) -> Result<usize, DecodeError> {
        let part = self.part;
        let count = match part {
            GzipPart::Extra(left) => {
                let count = left.min(input.len());
                match left - count {
                    0 => self.enter_next(),
                    left => self.part = GzipPart::Extra(left),
                }
                count
            }
            GzipPart::Name | GzipPart::Comment => match input.iter().position(|byte| *byte == 0) {
                Some(end) => {
                    self.enter_next();
                    end + 1
                }
                None => input.len(),
            },
            GzipPart::Fixed => self.gather(input, 10),
            _ => self.gather(input, 2),
        };
        // The checksum covers everything in the header but itself.
        if part == GzipPart::HeaderChecksum {
            if let [low, high] = self.field[..] {
                let expected = u32::from(u16::from_le_bytes([low, high]));
                if self.checksum.clone().finalize() & 0xffff != expected {
                    return Err(damaged("header checksum mismatch"));
                }
                self.enter_next();
            }
            return Ok(count);
        }
        self.checksum.update(&input[..count]);
        match (part, &self.field[..]) {
            (GzipPart::Fixed, [0x1f, 0x8b, 8, flags, _, _, _, _, _, _])
                if flags & RESERVED == 0 =>
            {
                self.flags = *flags;
                self.enter_next();
            }
            (GzipPart::Fixed, [_, _, _, _, _, _, _, _, _, _]) => {
                return Err(damaged("invalid header"));
            }
            (GzipPart::ExtraLength, &[low, high]) => {
                self.field.clear();
                self.part = GzipPart::Extra(usize::from(u16::from_le_bytes([low, high])));
                if self.part == GzipPart::Extra(0) {
                    self.enter_next();
                }
            }
            _ => {}
        }
        Ok(count)
    }

    /// Continues with the next part of the header, or with the body.
    fn enter_next(&mut self) {
        let has = |flag| self.flags & flag != 0;
        self.part = match self.part {
            GzipPart::Fixed if has(EXTRA) => GzipPart::ExtraLength,
            part if part < GzipPart::Name && has(NAME) => GzipPart::Name,
            part if part < GzipPart::Comment && has(COMMENT) => GzipPart::Comment,
            part if part < GzipPart::HeaderChecksum && has(HEADER_CHECKSUM) => {
                GzipPart::HeaderChecksum
            }
            _ => GzipPart::Body,
        };
        self.field.clear();
    }

    fn body(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, DecodeError> {
        if self.inflate.total_in() == 0 {
            self.checksum.reset();
        }
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, output, FlushDecompress::None)
            .map_err(|error| damaged(error.message().unwrap_or("invalid deflate data")))?;
        let after = (self.inflate.total_in(), self.inflate.total_out());
        let step = MemberStep::new(before, after, status == Status::StreamEnd)?;
        self.checksum.update(&output[..step.produced]);
        self.length += step.produced as u64;
        Ok(step)
    }

    fn trailer(&mut self, input: &[u8]) -> Result<usize, DecodeError> {
        let count = self.gather(input, 8);
        if let [a, b, c, d, length @ ..] = &self.field[..]
            && let Ok(length) = <[u8; 4]>::try_from(length)
        {
            if self.checksum.clone().finalize() != u32::from_le_bytes([*a, *b, *c, *d]) {
                return Err(damaged("checksum mismatch"));
            }
            if self.length & u64::from(u32::MAX) != u64::from(u32::from_le_bytes(length)) {
                return Err(damaged("length mismatch"));
            }
            self.part = GzipPart::End;
        }
        Ok(count)
    }

    /// Adds bytes to the field until it has `size` bytes. Returns how many were added.
    fn gather(&mut self, input: &[u8], size: usize) -> usize {
        let count = input.len().min(size - self.field.len());
        self.field.extend_from_slice(&input[..count]);
        count
    }
}

fn damaged(reason: &str) -> DecodeError {
    DecodeError::Damaged(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn decode(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize), String> {
        let mut gzip = Gzip::new();
        let mut decoded = Vec::new();
        let mut consumed = 0;
        loop {
            let input = &bytes[consumed..bytes.len().min(consumed + piece)];
            let mut output = [0; 100];
            let step = gzip
                .step(input, &mut output)
                .map_err(|error| error.to_string())?;
            consumed += step.consumed;
            decoded.extend_from_slice(&output[..step.produced]);
            if step.ended {
                return Ok((decoded, consumed));
            }
            if step.consumed + step.produced == 0 {
                return Err("it ends".to_owned());
            }
        }
    }

    /// A member with some of the fields of RFC 1952, section 2.3.
    fn member(flags: u8, text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255];
        for (flag, field) in [
            (EXTRA, &b"\x05\0extra"[..]),
            (NAME, b"name\0"),
            (COMMENT, b"comment\0"),
        ] {
            if flags & flag != 0 {
                bytes.extend_from_slice(field);
            }
        }
        if flags & HEADER_CHECKSUM != 0 {
            let checksum = crc32fast::hash(&bytes).to_le_bytes();
            bytes.extend_from_slice(&checksum[..2]);
        }
        let mut body = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        body.write_all(text).unwrap();
        bytes.extend(body.finish().unwrap());
        bytes.extend(crc32fast::hash(text).to_le_bytes());
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes
    }

    #[test]
    fn every_field_of_the_header() {
        let text = b"some text, some more text".repeat(20);
        for flags in (0..=RESERVED >> 1).filter(|flags| flags & RESERVED == 0) {
            for text in [&text[..], b""] {
                let bytes = member(flags, text);
                let more = [&bytes[..], b"what follows"].concat();
                for piece in [1, 3, 1 << 20] {
                    let (decoded, consumed) = decode(&more, piece).unwrap();
                    assert!(decoded == text && consumed == bytes.len(), "{flags:#b}");
                }
                for length in 0..bytes.len() {
                    assert!(decode(&bytes[..length], 1 << 20).is_err(), "{flags:#b}");
                }
            }
        }
    }

    #[test]
    fn damage() {
        let sound = member(HEADER_CHECKSUM | NAME, b"text");
        let changed = |at: usize| {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x80;
            decode(&bytes, 1 << 20).unwrap_err()
        };
        let length = sound.len();
        for (at, message) in [
            (0, "invalid header"),
            (2, "invalid header"),
            (3, "invalid header"),
            (4, "header checksum mismatch"),
            (11, "header checksum mismatch"),
            (15, "header checksum mismatch"),
            (length - 8, "checksum mismatch"),
            (length - 1, "length mismatch"),
        ] {
            assert_eq!(changed(at), message, "byte {at}");
        }
    }
}

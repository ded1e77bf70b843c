//! Decoders over a buffered reader. Each reads many members or frames and fails on what stands behind the last one.

use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::Codec;
use crate::limits;

/// Decodes a stream of any codec; reading to the end consumes all of the reader.
pub(crate) enum Decoder<R: BufRead> {
    None(R),
    Gzip(MultiGzDecoder<R>),
    Zstd(zstd::Decoder<'static, R>),
    Bzip2(MultiBzDecoder<R>),
    Xz(XzDecoder<R>),
}

impl<R: BufRead> Decoder<R> {
    pub fn new(codec: Codec, reader: R) -> io::Result<Decoder<R>> {
        Ok(match codec {
            Codec::None => Decoder::None(reader),
            Codec::Gzip => Decoder::Gzip(MultiGzDecoder::new(reader)),
            Codec::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(reader)?;
                decoder.window_log_max(limits::ZSTD_WINDOW_LOG)?;
                Decoder::Zstd(decoder)
            }
            Codec::Bzip2 => Decoder::Bzip2(MultiBzDecoder::new(reader)),
            Codec::Xz => {
                let stream = Stream::new_stream_decoder(limits::XZ_MEMORY, CONCATENATED)?;
                Decoder::Xz(XzDecoder::new_stream(reader, stream))
            }
        })
    }

    /// The reader below, to take what it has counted and captured.
    pub fn get_mut(&mut self) -> &mut R {
        match self {
            Decoder::None(reader) => reader,
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::Zstd(decoder) => decoder.get_mut(),
            Decoder::Bzip2(decoder) => decoder.get_mut(),
            Decoder::Xz(decoder) => decoder.get_mut(),
        }
    }

    /// Fills `buffer` up to `size` bytes; fewer only at the end of the stream, or where it is damaged.
    pub fn read_chunk(&mut self, buffer: &mut Vec<u8>, size: usize) -> io::Result<()> {
        buffer.resize(size, 0);
        let mut filled = 0;
        while filled < size {
            match self.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    buffer.truncate(filled);
                    return Err(error);
                }
            }
        }
        buffer.truncate(filled);
        Ok(())
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::None(reader) => reader.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer).map_err(naming_limit),
            Decoder::Bzip2(decoder) => decoder.read(buffer),
            Decoder::Xz(decoder) => decoder.read(buffer).map_err(naming_limit),
        }
    }
}

/// The error of a decoder in words that name the limit, and of the kind [`io::ErrorKind::QuotaExceeded`], if it wants more
/// memory than it may have.
pub(crate) fn naming_limit(error: io::Error) -> io::Error {
    let limit = |message| io::Error::new(io::ErrorKind::QuotaExceeded, message);
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    if cause == Some(&liblzma::stream::Error::MemLimit) {
        let most = limits::XZ_MEMORY;
        return limit(format!(
            "it needs more memory than the limit of {most} bytes"
        ));
    }
    if error.to_string() == zstd::zstd_safe::get_error_name(WINDOW_TOO_LARGE) {
        let most = 1_u64 << limits::ZSTD_WINDOW_LOG;
        return limit(format!(
            "its window is larger than the limit of {most} bytes"
        ));
    }
    error
}

/// libzstd's `ZSTD_error_frameParameter_windowTooLarge`, negative as its functions return it:
/// <https://github.com/facebook/zstd/blob/v1.5.7/lib/zstd_errors.h>.
const WINDOW_TOO_LARGE: usize = 0_usize.wrapping_sub(16);

#[cfg(test)]
mod tests {
    use std::io::Write;

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

    fn decode(codec: Codec, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Decoder::new(codec, bytes)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn every_codec_reads_many_members_and_nothing_else() {
        type Encode = fn(&[u8]) -> Vec<u8>;
        let encoders: [(Codec, Encode); 4] = [
            (Codec::Gzip, gzip),
            (Codec::Zstd, zstd),
            (Codec::Bzip2, bzip2),
            (Codec::Xz, xz),
        ];
        for (codec, encode) in encoders {
            let two = [encode(b"first, "), encode(b"second")].concat();
            assert_eq!(decode(codec, &two).unwrap(), b"first, second", "{codec}");
            let garbage = [two.clone(), b"garbage after the end".to_vec()].concat();
            assert!(decode(codec, &garbage).is_err(), "{codec}: garbage");
            for length in 1..two.len() {
                // Cut between the members, the first alone is a whole stream.
                let cut = decode(codec, &two[..length]);
                let whole = length == two.len() - encode(b"second").len();
                assert_eq!(cut.is_ok(), whole, "{codec}: cut to {length} bytes");
            }
        }
    }
}

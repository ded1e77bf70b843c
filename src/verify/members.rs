//! Decoding a compressed stream member by member (or frame by frame), so that what stands behind the last one is told
//! from damage inside one.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;
use zstd::zstd_safe::DCtx;

use super::tap::Tap;
use crate::compression::Codec;
use crate::limits;

/// How many decoded bytes are handed on at a time.
const BUFFER: usize = 256 << 10;

/// How a stream ended.
pub(super) enum End {
    /// Behind a member, with nothing left.
    Complete,
    /// Behind a member, but something that is none follows at this byte.
    TrailingData(u64),
    /// Within a member.
    Damaged(io::Error),
    /// It was given up: it is larger than [`limits::LAYER_BYTES`].
    TooLarge,
}

/// Decodes all of `tap` and hands the bytes to `take`.
pub(super) fn decode(codec: Codec, tap: &mut Tap<'_>, mut take: impl FnMut(&[u8])) -> End {
    let mut buffer = vec![0; BUFFER];
    let mut context = DCtx::create();
    let mut left = limits::LAYER_BYTES;
    let mut take = |bytes: &[u8]| {
        let fits = left.checked_sub(bytes.len() as u64);
        left = fits.unwrap_or_default();
        if fits.is_some() {
            take(bytes);
        }
        fits.is_some()
    };
    loop {
        let result = match codec {
            Codec::None => copy(&mut *tap, &mut buffer, &mut take),
            Codec::Gzip => copy(GzDecoder::new(&mut *tap), &mut buffer, &mut take),
            Codec::Bzip2 => {
                let decoder = bzip2::bufread::BzDecoder::new(&mut *tap);
                copy(decoder, &mut buffer, &mut take)
            }
            Codec::Zstd => {
                let decoder = zstd::Decoder::with_context(&mut *tap, &mut context);
                let mut decoder = decoder.single_frame();
                decoder
                    .window_log_max(limits::ZSTD_WINDOW_LOG)
                    .and_then(|()| copy(decoder, &mut buffer, &mut take))
            }
            Codec::Xz => Stream::new_stream_decoder(limits::XZ_MEMORY, 0)
                .map_err(io::Error::from)
                .and_then(|stream| {
                    let decoder = XzDecoder::new_stream(&mut *tap, stream);
                    copy(decoder, &mut buffer, &mut take)
                }),
        };
        match result {
            Ok(true) => {}
            Ok(false) => return End::TooLarge,
            Err(error) => return End::Damaged(naming_limit(error)),
        }
        match next_member(codec, tap) {
            Ok(Next::Member) => {}
            Ok(Next::Nothing) => return End::Complete,
            Ok(Next::Other) => return End::TrailingData(tap.position()),
            Err(error) => return End::Damaged(error),
        }
    }
}

/// Whether all was taken.
fn copy(
    mut reader: impl Read,
    buffer: &mut [u8],
    take: &mut impl FnMut(&[u8]) -> bool,
) -> io::Result<bool> {
    loop {
        match reader.read(buffer) {
            Ok(0) => return Ok(true),
            Ok(count) if take(&buffer[..count]) => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

enum Next {
    Member,
    Nothing,
    Other,
}

fn next_member(codec: Codec, tap: &mut Tap<'_>) -> io::Result<Next> {
    loop {
        let beginning = tap.peek(6)?;
        if beginning.is_empty() {
            return Ok(Next::Nothing);
        }
        if Codec::sniff(beginning) == codec {
            return Ok(Next::Member);
        }
        // Zeros in fours may stand behind an xz stream: https://tukaani.org/xz/xz-file-format.txt, 2.2
        if codec != Codec::Xz || !beginning.starts_with(&[0; 4]) {
            return Ok(Next::Other);
        }
        tap.consume(4);
    }
}

/// The error of a decoder in words that name the limit, and of the kind [`io::ErrorKind::QuotaExceeded`], if it wants more
/// memory than it may have.
fn naming_limit(error: io::Error) -> io::Error {
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

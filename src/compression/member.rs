//! Decoders for one member or frame, reused for the next if the library allows it.

use bzip2::Decompress as Bunzip2;
use liblzma::stream::{Action, Stream};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

use super::Codec;
use super::decode::DecodeError;
use super::gzip::Gzip;
use crate::limits;

/// libzstd's `ZSTD_error_frameParameter_windowTooLarge`, negative as its functions return it:
/// <https://github.com/facebook/zstd/blob/v1.5.7/lib/zstd_errors.h>.
const WINDOW_TOO_LARGE: usize = 0_usize.wrapping_sub(16);

pub(super) enum StreamMember {
    Gzip(Gzip),
    Zstd(DCtx<'static>),
    Bzip2(Bunzip2),
    Xz(Stream),
}

/// The result of one call to a decoder.
pub(super) struct MemberStep {
    pub consumed: usize,
    pub produced: usize,
    /// Whether the member is complete, including its checksums.
    pub ended: bool,
}

impl StreamMember {
    /// `None` for plain bytes.
    pub fn new(codec: Codec) -> Result<Option<StreamMember>, DecodeError> {
        Ok(Some(match codec {
            Codec::None => return Ok(None),
            Codec::Gzip => StreamMember::Gzip(Gzip::new()),
            Codec::Zstd => {
                let mut context = DCtx::try_create()
                    .ok_or_else(|| DecodeError::Limit("there is no memory for it".to_owned()))?;
                let window = DParameter::WindowLogMax(limits::ZSTD_WINDOW_LOG);
                context.set_parameter(window).map_err(zstd_error)?;
                StreamMember::Zstd(context)
            }
            Codec::Bzip2 => StreamMember::Bzip2(Bunzip2::new(false)),
            Codec::Xz => StreamMember::Xz(xz_stream()?),
        }))
    }

    /// Prepares for another member.
    pub fn restart(&mut self) -> Result<(), DecodeError> {
        match self {
            StreamMember::Gzip(gzip) => gzip.restart(),
            StreamMember::Zstd(context) => {
                let reset = context.reset(ResetDirective::SessionOnly);
                reset.map_err(zstd_error)?;
            }
            StreamMember::Bzip2(bunzip2) => *bunzip2 = Bunzip2::new(false),
            StreamMember::Xz(stream) => *stream = xz_stream()?,
        }
        Ok(())
    }

    /// Decodes as much as possible of `input`, which is empty at the end, into `output`.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, DecodeError> {
        match self {
            StreamMember::Gzip(gzip) => gzip.step(input, output),
            StreamMember::Zstd(context) => {
                let (mut source, mut target) = (InBuffer::around(input), OutBuffer::around(output));
                let hint = context
                    .decompress_stream(&mut target, &mut source)
                    .map_err(zstd_error)?;
                Ok(MemberStep {
                    consumed: source.pos(),
                    produced: target.pos(),
                    ended: hint == 0,
                })
            }
            StreamMember::Bzip2(bunzip2) => {
                let before = (bunzip2.total_in(), bunzip2.total_out());
                let status = bunzip2.decompress(input, output).map_err(|error| {
                    let message = error.to_string();
                    DecodeError::Damaged(message.trim_start_matches("bzip2: ").to_owned())
                })?;
                let after = (bunzip2.total_in(), bunzip2.total_out());
                MemberStep::new(before, after, status == bzip2::Status::StreamEnd)
            }
            StreamMember::Xz(stream) => {
                let before = (stream.total_in(), stream.total_out());
                let action = if input.is_empty() {
                    Action::Finish
                } else {
                    Action::Run
                };
                let status = stream.process(input, output, action).map_err(xz_error)?;
                let after = (stream.total_in(), stream.total_out());
                MemberStep::new(before, after, status == liblzma::stream::Status::StreamEnd)
            }
        }
    }
}

impl MemberStep {
    /// Computes a step from a decoder's total input and output before and after the call.
    pub fn new(
        before: (u64, u64),
        after: (u64, u64),
        ended: bool,
    ) -> Result<MemberStep, DecodeError> {
        let length = |from: u64, to: u64| {
            usize::try_from(to - from)
                .map_err(|_| DecodeError::Damaged("its decoder counts wrong".to_owned()))
        };
        Ok(MemberStep {
            consumed: length(before.0, after.0)?,
            produced: length(before.1, after.1)?,
            ended,
        })
    }
}

fn zstd_error(code: usize) -> DecodeError {
    if code == WINDOW_TOO_LARGE {
        let limit = 1_u64 << limits::ZSTD_WINDOW_LOG;
        return DecodeError::Limit(format!(
            "its window is larger than the limit of {limit} bytes"
        ));
    }
    DecodeError::Damaged(get_error_name(code).to_owned())
}

fn xz_stream() -> Result<Stream, DecodeError> {
    Stream::new_stream_decoder(limits::XZ_MEMORY, 0).map_err(xz_error)
}

fn xz_error(error: liblzma::stream::Error) -> DecodeError {
    if error == liblzma::stream::Error::MemLimit {
        let limit = limits::XZ_MEMORY;
        return DecodeError::Limit(format!(
            "it needs more memory than the limit of {limit} bytes"
        ));
    }
    DecodeError::Damaged(error.to_string())
}

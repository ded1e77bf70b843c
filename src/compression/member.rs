//! Decoders for one member or frame, reused for the next if the library allows it.

use bzip2::Decompress as Bunzip2;
use liblzma::stream::{Action, Stream};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

use super::Codec;
use super::decode::DecodeError;
use super::gzip::Gzip;
use crate::limits;

/// libzstd's `ZSTD_error_frameParameter_windowTooLarge` and `ZSTD_error_memory_allocation`, negative as its functions return
/// them: <https://github.com/facebook/zstd/blob/v1.5.7/lib/zstd_errors.h>.
const WINDOW_TOO_LARGE: usize = 0_usize.wrapping_sub(16);
const NO_MEMORY: usize = 0_usize.wrapping_sub(64);

/// The base-2 logarithm of the largest window within [`limits::DECODER_MEMORY`].
const USUAL_WINDOW_LOG: u32 = limits::DECODER_MEMORY.ilog2();

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
    /// Whether the member needs more than [`limits::DECODER_MEMORY`].
    pub is_large: bool,
}

impl StreamMember {
    /// `None` for plain bytes. Needs `allow_large` for members that need more than [`limits::DECODER_MEMORY`].
    pub fn new(codec: Codec) -> Result<Option<StreamMember>, DecodeError> {
        Ok(Some(match codec {
            Codec::None => return Ok(None),
            Codec::Gzip => StreamMember::Gzip(Gzip::new()),
            Codec::Zstd => {
                let mut context = DCtx::try_create().ok_or_else(no_memory)?;
                let window = DParameter::WindowLogMax(USUAL_WINDOW_LOG);
                context.set_parameter(window).map_err(zstd_error)?;
                StreamMember::Zstd(context)
            }
            Codec::Bzip2 => StreamMember::Bzip2(Bunzip2::new(false)),
            Codec::Xz => StreamMember::Xz(xz_stream(limits::DECODER_MEMORY)?),
        }))
    }

    /// Allows what the limits allow. A zstd frame begins again with its first byte.
    pub fn allow_large(&mut self) -> Result<(), DecodeError> {
        match self {
            StreamMember::Zstd(context) => {
                let reset = context.reset(ResetDirective::SessionAndParameters);
                reset.map_err(zstd_error)?;
                let window = DParameter::WindowLogMax(limits::ZSTD_WINDOW_LOG);
                context.set_parameter(window).map_err(zstd_error)?;
            }
            StreamMember::Xz(stream) => match stream.set_memlimit(limits::XZ_MEMORY) {
                // It is known by now that the member needs more.
                Err(liblzma::stream::Error::MemLimit) => return Err(too_large(Codec::Xz)),
                result => result.map_err(xz_error)?,
            },
            StreamMember::Gzip(_) | StreamMember::Bzip2(_) => {}
        }
        Ok(())
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
            StreamMember::Xz(stream) => *stream = xz_stream(stream.memlimit())?,
        }
        Ok(())
    }

    /// Decodes as much as possible of `input`, which is empty at the end, into `output`.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<MemberStep, DecodeError> {
        match self {
            StreamMember::Gzip(gzip) => gzip.step(input, output),
            StreamMember::Zstd(context) => {
                let (mut source, mut target) = (InBuffer::around(input), OutBuffer::around(output));
                let result = context.decompress_stream(&mut target, &mut source);
                let is_large = result == Err(WINDOW_TOO_LARGE);
                let hint = match result {
                    Err(code) if !is_large => return Err(zstd_error(code)),
                    result => result.ok(),
                };
                Ok(MemberStep {
                    consumed: source.pos(),
                    produced: target.pos(),
                    ended: hint == Some(0),
                    is_large,
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
                let result = stream.process(input, output, action);
                let is_large = result == Err(liblzma::stream::Error::MemLimit);
                let status = match result {
                    Err(error) if !is_large => return Err(xz_error(error)),
                    result => result.ok(),
                };
                let after = (stream.total_in(), stream.total_out());
                let ended = status == Some(liblzma::stream::Status::StreamEnd);
                let step = MemberStep::new(before, after, ended)?;
                Ok(MemberStep { is_large, ..step })
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
            is_large: false,
        })
    }
}

/// A member needs more memory than a decoder may have.
pub(super) fn too_large(codec: Codec) -> DecodeError {
    DecodeError::Limit(if codec == Codec::Zstd {
        let limit = 1_u64 << limits::ZSTD_WINDOW_LOG;
        format!("its window is larger than the limit of {limit} bytes")
    } else {
        let limit = limits::XZ_MEMORY;
        format!("it needs more memory than the limit of {limit} bytes")
    })
}

fn zstd_error(code: usize) -> DecodeError {
    if code == NO_MEMORY {
        return no_memory();
    }
    DecodeError::Damaged(get_error_name(code).to_owned())
}

fn xz_stream(memory: u64) -> Result<Stream, DecodeError> {
    Stream::new_stream_decoder(memory, 0).map_err(xz_error)
}

fn xz_error(error: liblzma::stream::Error) -> DecodeError {
    if error == liblzma::stream::Error::Mem {
        return no_memory();
    }
    DecodeError::Damaged(error.to_string())
}

fn no_memory() -> DecodeError {
    DecodeError::Limit("there is not enough free memory to decode it".to_owned())
}

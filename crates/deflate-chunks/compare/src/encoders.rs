//! The encoders that are compared, each as it is meant to be used: zlib-rs and zlib-ng on one stream, libdeflate on one
//! member a chunk, as it cannot flush, deflate-chunks on chunks with the dictionary before them.

use flate2::{Compress, Compression, FlushCompress, Status};

const CHUNK: usize = 1024 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Library {
    DeflateChunks,
    ZlibRs,
    ZlibNg,
    Libdeflate,
}

impl Library {
    pub const ALL: [Self; 4] = [Self::DeflateChunks, Self::ZlibRs, Self::ZlibNg, Self::Libdeflate];

    pub fn name(self) -> &'static str {
        match self {
            Self::DeflateChunks => "deflate-chunks",
            Self::ZlibRs => "zlib-rs",
            Self::ZlibNg => "zlib-ng",
            Self::Libdeflate => "libdeflate",
        }
    }

    /// Encodes the whole input, and replaces what is in `out`.
    pub fn encode(self, level: u32, input: &[u8], out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::DeflateChunks => deflate_chunks(level, input, out),
            Self::ZlibRs => zlib_rs(level, input, out),
            Self::ZlibNg => zlib_ng(level, input, out),
            Self::Libdeflate => libdeflate(level, input, out),
        }
    }
}

fn deflate_chunks(level: u32, input: &[u8], out: &mut Vec<u8>) {
    let level = deflate_chunks::Level::new(level).expect("a level from 1 to 9");
    let mut encoder = deflate_chunks::Encoder::new(level);
    for start in (0..input.len()).step_by(CHUNK) {
        let end = input.len().min(start + CHUNK);
        encoder.encode(&input[..start], &input[start..end], end == input.len(), out);
    }
}

fn zlib_rs(level: u32, input: &[u8], out: &mut Vec<u8>) {
    let mut encoder = Compress::new(Compression::new(level), false);
    loop {
        out.reserve(CHUNK);
        let rest = &input[encoder.total_in() as usize..];
        match encoder.compress_vec(rest, out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return,
            Ok(_) => {}
            Err(error) => panic!("zlib-rs: {error}"),
        }
    }
}

fn zlib_ng(level: u32, input: &[u8], out: &mut Vec<u8>) {
    use libz_ng_sys::{Z_BEST_COMPRESSION, Z_DEFAULT_STRATEGY, Z_DEFLATED, Z_FINISH, Z_OK, Z_STREAM_END};
    assert!((1..=Z_BEST_COMPRESSION as u32).contains(&level));
    // SAFETY: the stream is zero but for what deflateInit2_ sets, next_in and next_out point to buffers that outlive the
    // calls, with their lengths, and deflateEnd is called once. Inputs are below 4 GiB.
    unsafe {
        // Null allocators, which zlib replaces by its own, are no values of the field's Rust type: only pointers are used.
        let mut stream = Box::new(std::mem::MaybeUninit::<libz_ng_sys::z_stream>::zeroed());
        let stream = stream.as_mut_ptr();
        let size = size_of::<libz_ng_sys::z_stream>() as i32;
        let version = libz_ng_sys::zlibVersion();
        let code = libz_ng_sys::deflateInit2_(
            stream,
            level as i32,
            Z_DEFLATED,
            -15,
            8,
            Z_DEFAULT_STRATEGY,
            version,
            size,
        );
        assert_eq!(code, Z_OK);
        (*stream).next_in = input.as_ptr().cast_mut();
        (*stream).avail_in = u32::try_from(input.len()).expect("an input below 4 GiB");
        let mut buffer = vec![0; CHUNK];
        loop {
            (*stream).next_out = buffer.as_mut_ptr();
            (*stream).avail_out = CHUNK as u32;
            let code = libz_ng_sys::deflate(stream, Z_FINISH);
            out.extend_from_slice(&buffer[..CHUNK - (*stream).avail_out as usize]);
            if code == Z_STREAM_END {
                break;
            }
            assert_eq!(code, Z_OK);
        }
        libz_ng_sys::deflateEnd(stream);
    }
}

fn libdeflate(level: u32, input: &[u8], out: &mut Vec<u8>) {
    let level = libdeflater::CompressionLvl::new(level as i32).expect("a level from 1 to 9");
    let mut encoder = libdeflater::Compressor::new(level);
    for chunk in input.chunks(CHUNK) {
        let start = out.len();
        out.resize(start + encoder.deflate_compress_bound(chunk.len()), 0);
        let length = encoder
            .deflate_compress(chunk, &mut out[start..])
            .expect("room for the bound");
        out.truncate(start + length);
    }
}

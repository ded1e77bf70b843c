//! Runs a decoder on arbitrary bytes. The first byte chooses the decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocify::Codec;

/// Number of bytes to decode.
const MOST: u64 = 32 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, stream)) = bytes.split_first() else {
        return;
    };
    let codec = match first % 4 {
        0 => Codec::Gzip,
        1 => Codec::Zstd,
        2 => Codec::Bzip2,
        _ => Codec::Xz,
    };
    let whole = ocify::fuzzing::decode(codec, stream, MOST);
    // A stream that is decoded to its end was read to its end, including trailing bytes.
    if let Ok(length) = whole
        && length < MOST
        && !stream.is_empty()
    {
        let more = [stream, b"x"].concat();
        assert!(
            ocify::fuzzing::decode(codec, &more, MOST).is_err(),
            "a byte behind the end is taken"
        );
    }
});

//! Decoders of others.

/// Decodes with three decoders, and compares with the input.
pub fn decode_all(stream: &[u8], input: &[u8]) {
    let mut decoded = Vec::with_capacity(input.len() + 1);
    let mut zlib_rs = flate2::Decompress::new(false);
    let status = zlib_rs
        .decompress_vec(stream, &mut decoded, flate2::FlushDecompress::Finish)
        .expect("zlib-rs decodes");
    assert_eq!(status, flate2::Status::StreamEnd, "zlib-rs sees the end");
    assert_eq!(zlib_rs.total_in(), stream.len() as u64, "nothing behind the end");
    assert!(decoded == input, "zlib-rs decodes something else");

    let mut decoded = vec![0; input.len()];
    let length = libdeflater::Decompressor::new()
        .deflate_decompress(stream, &mut decoded)
        .expect("libdeflate decodes");
    assert!(
        length == input.len() && decoded == input,
        "libdeflate decodes something else"
    );

    let decoded = miniz_oxide::inflate::decompress_to_vec_with_limit(stream, input.len()).expect("miniz_oxide decodes");
    assert!(decoded == input, "miniz_oxide decodes something else");
}

/// Decodes a stream that needs a dictionary.
pub fn decode_raw(stream: &[u8], dictionary: &[u8], length: usize) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(length + 1);
    let mut zlib_rs = flate2::Decompress::new(false);
    // A stored block before puts the dictionary into the decoder's window.
    for part in dictionary.chunks(0xffff) {
        let size = (part.len() as u16).to_le_bytes();
        let header = [0, size[0], size[1], !size[0], !size[1]];
        let mut sink = Vec::with_capacity(part.len() + 1);
        zlib_rs
            .decompress_vec(&[&header, part].concat(), &mut sink, flate2::FlushDecompress::Sync)
            .expect("dictionary");
    }
    zlib_rs
        .decompress_vec(stream, &mut decoded, flate2::FlushDecompress::Finish)
        .expect("zlib-rs decodes");
    decoded
}

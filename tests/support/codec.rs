//! The codecs that layers and archives may be in.

use std::io::{Read, Write};

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One zstd frame.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// One bzip2 stream.
pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One xz stream.
pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 3);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The bytes unchanged.
pub fn plain(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

/// Encodes each third of the bytes separately: several members, frames or streams.
pub fn in_thirds(encode: fn(&[u8]) -> Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    let third = bytes.len().div_ceil(3).max(1);
    bytes.chunks(third).flat_map(encode).collect()
}

/// A codec by its name.
pub type Named = (&'static str, fn(&[u8]) -> Vec<u8>);

/// All of them.
pub const ALL: [Named; 5] = [
    ("none", plain),
    ("gzip", gzip),
    ("zstd", zstd),
    ("bzip2", bzip2),
    ("xz", xz),
];

/// Decodes a blob of an output. A gzip layer must be one member, because some readers stop after the first.
pub fn decode(blob: &[u8], media_type: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    if media_type.ends_with("+gzip") {
        let mut member = flate2::bufread::GzDecoder::new(blob);
        member.read_to_end(&mut decoded).unwrap();
        assert!(
            member.into_inner().is_empty(),
            "bytes behind the first gzip member"
        );
    } else if media_type.ends_with("+zstd") {
        decoded = zstd::decode_all(blob).unwrap();
    } else {
        decoded.extend_from_slice(blob);
    }
    decoded
}

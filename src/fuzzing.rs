//! Functions for the fuzz targets. Only compiled with `--cfg fuzzing`, which cargo-fuzz sets.

use std::io;

use crate::compression::{Codec, Decoder};
use crate::digest::{DiffId, Digest};
use crate::formats::docker::config_of_v1;
use crate::formats::docker::schema1::{Emptiness, parse};
use crate::formats::oci::{parse_absent, write_absent};
use crate::image::{V1Config, V1Layer};

/// Decodes at least `max` bytes if there are as many, and returns the number.
///
/// # Errors
/// Those of the decoder.
pub fn decode(codec: Codec, bytes: &[u8], max: u64) -> io::Result<u64> {
    let mut decoder = Decoder::new(codec, bytes)?;
    let (mut buffer, mut length) = (Vec::new(), 0);
    while length < max {
        decoder.read_chunk(&mut buffer, 64 << 10)?;
        if buffer.is_empty() {
            break;
        }
        length += buffer.len() as u64;
    }
    Ok(length)
}

/// Parses a schema 1 manifest, checks its signatures, and creates the configs as skopeo and Docker do.
pub fn schema1(bytes: &[u8]) {
    let Ok(manifest) = parse(bytes) else {
        return;
    };
    let layers = manifest.layers.iter().map(|layer| V1Layer {
        json: layer.v1.as_bytes().into(),
        empty: layer.emptiness() == Emptiness::Yes,
    });
    let layers: Vec<V1Layer> = layers.collect();
    let count = layers.iter().filter(|layer| !layer.empty).count();
    let diff_ids = vec![DiffId(Digest::sha256(b"")); count];
    for config in [V1Config::Schema1(layers.clone()), V1Config::Docker(layers)] {
        let _ = config_of_v1(&config, &diff_ids);
    }
}

/// Reads a list of absent blobs. What can be read is the same after it was written.
pub fn absent(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice(bytes) else {
        return;
    };
    if let Ok(blobs) = parse_absent(&document) {
        let written = write_absent(&blobs).expect("a list can be written");
        let document = serde_json::from_slice(&written).expect("what is written is JSON");
        assert_eq!(parse_absent(&document), Ok(blobs), "another list");
    }
}

//! Schema 1 manifests, their signatures, and the configs that are made of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocify::formats::docker::schema1::{Emptiness, parse};
use ocify::image::{V1Config, V1Layer};
use ocify::{DiffId, Digest, config_of_v1};

fuzz_target!(|bytes: &[u8]| {
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
});

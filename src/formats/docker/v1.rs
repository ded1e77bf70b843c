//! Configs that are created from v1 metadata when the `diff_ids` of the layers are known.

use super::v1_config::{V1Error, V1History, docker_load_config, schema2_config};
use crate::digest::{DiffId, Digest};
use crate::error::chain;
use crate::findings::{Code, Finding, Place};
use crate::formats::reading::Reading;
use crate::formats::{config, json};
use crate::image::{ConfigView, V1Config};

/// The bytes of the config. `diff_ids` has one for each layer that is not empty.
///
/// # Errors
/// No config can be created from the metadata.
pub fn config_of_v1(v1: &V1Config, diff_ids: &[DiffId]) -> Result<Vec<u8>, V1Error> {
    match v1 {
        V1Config::Schema1(layers) => {
            let history = layers.iter().map(|layer| V1History {
                v1: &layer.json,
                empty: layer.empty,
            });
            schema2_config(&history.collect::<Vec<_>>(), diff_ids)
        }
        V1Config::Docker(layers) => {
            let chain = layers.iter().map(|layer| &*layer.json);
            docker_load_config(&chain.collect::<Vec<_>>(), diff_ids)
        }
    }
}

/// The finding that no config can be created.
pub(crate) fn not_made(error: &V1Error, place: &Place) -> Finding {
    let message = format!(
        "cannot create a config from the v1 metadata: {}",
        chain(error)
    );
    Finding::new(Code::V1Config, place, message)
}

/// The fields of the config except the `diff_ids`. `None` if no config can be created, which is noted. The other fields do not
/// depend on the `diff_ids`, so any values will do.
pub(crate) fn view_of_v1(
    reading: &mut Reading,
    v1: &V1Config,
    place: &Place,
) -> Option<ConfigView> {
    let layers = v1.layers().iter().filter(|layer| !layer.empty).count();
    let any = DiffId(Digest::sha256(b""));
    let bytes = match config_of_v1(v1, &vec![any; layers]) {
        Ok(bytes) => bytes,
        Err(error) => {
            reading.add(not_made(&error, place));
            return None;
        }
    };
    let parsed = json::read(&bytes);
    let Some(value) = parsed.value else {
        for (_, message) in parsed.problems {
            reading.note(Code::V1Config, place, message);
        }
        return None;
    };
    if !reading.charge_values(parsed.value_count, bytes.len() as u64, place) {
        return None;
    }
    let view = config::read(reading, &value, place);
    Some(ConfigView {
        diff_ids: None,
        ..view
    })
}

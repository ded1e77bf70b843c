//! Configs that are made of v1 metadata once the layers' `diff_ids` are known.

use crate::digest::DiffId;
use crate::error::Error;
use crate::error::Result;
use crate::formats::ConfigView;
use crate::formats::docker::v1_config::HistoryEntry;
use crate::formats::docker::v1_config::docker_load_config;
use crate::formats::docker::v1_config::schema2_config;
use crate::image::Platform;

/// V1 metadata of an image, the base first.
#[derive(Debug, Clone)]
pub enum V1Config {
    /// Of a schema 1 manifest: the config is the one that skopeo makes.
    Schema1(Vec<V1Layer>),
    /// Of a `docker save` archive before 1.10: the config is the one that `docker load` makes.
    Docker(Vec<V1Layer>),
}

/// The v1 metadata of one layer.
#[derive(Debug, Clone)]
pub struct V1Layer {
    /// Its JSON.
    pub json: Vec<u8>,
    /// Whether it is in the history alone.
    pub empty: bool,
}

impl V1Config {
    /// The config's bytes. `diff_ids` has one for each layer that is not empty.
    pub fn config(&self, diff_ids: &[DiffId]) -> Result<Vec<u8>> {
        let config = match self {
            V1Config::Schema1(layers) => {
                let history = layers.iter().map(|layer| HistoryEntry {
                    v1: &layer.json,
                    empty: layer.empty,
                });
                schema2_config(&history.collect::<Vec<_>>(), diff_ids)
            }
            V1Config::Docker(layers) => {
                let chain = layers.iter().map(|layer| layer.json.as_slice());
                docker_load_config(&chain.collect::<Vec<_>>(), diff_ids)
            }
        };
        config.map_err(|source| Error::V1 { source })
    }

    /// The platform that the newest layer names.
    pub(crate) fn platform(&self) -> Option<Platform> {
        let (V1Config::Schema1(layers) | V1Config::Docker(layers)) = self;
        let view = ConfigView::parse("v1", &layers.last()?.json).ok()?;
        Some(view.platform)
    }
}

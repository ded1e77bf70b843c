//! V1 metadata: what images had before they had configs.

use std::sync::Arc;

/// V1 metadata of an image, the base first. A config is made of it once the layers' `diff_ids` are known.
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
    pub json: Arc<[u8]>,
    /// Whether it is in the history alone.
    pub empty: bool,
}

impl V1Config {
    /// The layers, the base first.
    #[must_use]
    pub fn layers(&self) -> &[V1Layer] {
        let (V1Config::Schema1(layers) | V1Config::Docker(layers)) = self;
        layers
    }
}

//! V1 metadata, which images had before configs existed.

use std::sync::Arc;

/// V1 metadata of an image, the base first. The config is created from it when the `diff_ids` of the layers are known.
#[derive(Debug, Clone)]
pub enum V1Config {
    /// From a schema 1 manifest. The config is the one that skopeo creates.
    Schema1(Vec<V1Layer>),
    /// From a `docker save` archive before 1.10. The config is the one that `docker load` creates.
    Docker(Vec<V1Layer>),
}

/// The v1 metadata of one layer.
#[derive(Debug, Clone)]
pub struct V1Layer {
    /// The JSON document.
    pub json: Arc<[u8]>,
    /// Whether the layer is empty, and only part of the history.
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

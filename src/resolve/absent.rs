//! The blobs of an image that are left out.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use super::Resolver;
use crate::compression::encoder_version;
use crate::digest::Digest;
use crate::image::{
    AbsentBlob, Descriptor, Document, Recipe, ResolvedImage, ResolvedLayer, media_type,
};
use crate::plan::{PlannedLayer, PlannedManifest};

/// The layers of an image.
pub(super) struct Layers {
    /// The descriptions of all layers.
    pub layers: Vec<AbsentBlob>,
    /// The layers that another side has, and those that the input leaves out.
    pub absent: BTreeSet<Digest>,
}

/// `document` is the image's manifest in the output.
pub(super) fn of(
    resolver: &Resolver,
    planned: &PlannedManifest,
    resolved: &ResolvedImage,
    document: &Document,
) -> Layers {
    let mut layers = Vec::new();
    let mut absent = BTreeSet::new();
    let mut media_types = None;
    for (planned, layer) in planned.layers.iter().zip(&resolved.layers) {
        let digest = layer.digest;
        let listed = resolver.listed.get(&digest);
        match *planned {
            PlannedLayer::Absent(..) => {
                layers.extend(listed.cloned());
                absent.insert(digest);
            }
            PlannedLayer::Tar { job, .. } | PlannedLayer::Other { job, .. } => {
                if resolver.outcomes[job].left_out {
                    absent.insert(digest);
                } else if !resolver.describes_all {
                    continue;
                }
                let made = resolver.plan.jobs[job].made_with().map(|encoding| Recipe {
                    encoding,
                    encoder: encoder_version(),
                });
                let recipe = made.or_else(|| listed?.recipe.clone());
                let media_types = media_types.get_or_insert_with(|| listed_as(document));
                let media_type = media_types.get(&digest).cloned();
                layers.push(AbsentBlob {
                    digest,
                    size: layer.size,
                    media_type: media_type.unwrap_or_else(|| own_media_type(layer)),
                    diff_id: layer.diff_id,
                    recipe,
                    volume: None,
                });
            }
        }
    }
    Layers { layers, absent }
}

/// The media types of the layers in a manifest.
fn listed_as(document: &Document) -> HashMap<Digest, String> {
    #[derive(Deserialize)]
    struct View {
        #[serde(default)]
        layers: Option<Vec<Descriptor>>,
    }
    let view = serde_json::from_slice::<View>(&document.bytes);
    let layers = view.ok().and_then(|view| view.layers);
    let layers = layers.into_iter().flatten();
    layers
        .map(|layer| (layer.digest, layer.media_type))
        .collect()
}

/// The media type of a layer in a manifest without media types.
fn own_media_type(layer: &ResolvedLayer) -> String {
    let own = layer.media_type.map(str::to_owned);
    own.or_else(|| media_type::layer(layer.foreign, layer.codec?))
        .unwrap_or_default()
}

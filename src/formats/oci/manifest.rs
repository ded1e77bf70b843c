//! Image manifests: config, layers and subject.

use serde_json::Value;

use super::tree::Tree;
use crate::digest::{DiffId, Digest};
use crate::findings::{Code, Finding, Place};
use crate::formats::config;
use crate::formats::descriptor::{self, Link};
use crate::formats::json::{field, text};
use crate::formats::reading::{Found, MISSING};
use crate::image::media_type::{self, LayerKind};
use crate::image::{
    Blob, Config, Document, ImageConfig, Layer, Manifest, TarLayer, is_attestation,
};
use crate::limits;
use crate::source::Content;

/// Reads a manifest. `None` if it cannot be read, which is noted.
pub(crate) fn read(
    tree: &mut Tree,
    value: &Value,
    document: Document,
    link: Option<&Link>,
    place: &Place,
) -> Option<Manifest> {
    let subject = tree.subject(value, place);
    let config = if let Some(config) = field(value, "config") {
        descriptor::read(tree.reading, config, "config", place)
    } else {
        let message = "config is missing";
        tree.reading.note(Code::DocumentField, place, message);
        None
    };
    let (links, listed) = layers(tree, value, place)?;
    if !tree.reading.charge_layers(listed, place) {
        return None;
    }
    let artifact_type = text(value, "artifactType").filter(|own| !own.is_empty());
    let is_empty = |config: &Link| config.descriptor.media_type == media_type::EMPTY;
    if config.as_ref().is_some_and(is_empty) && artifact_type.is_none() {
        let message = "artifactType is missing, which a manifest with the empty config needs";
        tree.reading.note(Code::ArtifactType, place, message);
    }
    let mut manifest = Manifest {
        document: Some(document),
        subject,
        artifact_type: artifact_type.map(str::to_owned),
        ..Manifest::default()
    };
    let Some(config) = config else {
        manifest.layers = artifact_layers(tree, &links, place);
        return Some(manifest);
    };
    if is_image(&config, link, &links) {
        image(tree, &mut manifest, &config, links, listed, place);
    } else {
        if let Some((content, place)) = content(tree, &config, Need::Always, place) {
            manifest.config = Config::Other(blob(&config, content, &place));
        }
        manifest.layers = artifact_layers(tree, &links, place);
    }
    Some(manifest)
}

/// The readable descriptors of the layers, and the number of all. `None` if there is no list.
fn layers(tree: &mut Tree, value: &Value, place: &Place) -> Option<(Vec<Link>, usize)> {
    if value.get("layers").is_some_and(Value::is_null) {
        let message = "layers is null, expected a list";
        tree.reading.note(Code::LayersNull, place, message);
        return Some((Vec::new(), 0));
    }
    let listed = value.get("layers").and_then(Value::as_array);
    let listed = listed.map_or(0, Vec::len);
    let links = tree.links(value, "layers", limits::LAYERS, place);
    // What is no list has been noted.
    let links = if listed == 0 { Vec::new() } else { links? };
    if value.get("layers").is_some_and(Value::is_array) && listed == 0 {
        let message = "the manifest has no layers";
        tree.reading.note(Code::LayersEmpty, place, message);
    }
    Some((links, listed))
}

/// Whether a manifest is that of an image. Its config has the media type of an image config. Attestations and signatures may
/// have one too, but no layer that is, or encrypts, a file system.
fn is_image(config: &Link, link: Option<&Link>, layers: &[Link]) -> bool {
    if !media_type::is_image_config(&config.descriptor.media_type) {
        return false;
    }
    let media_types = || {
        layers
            .iter()
            .map(|layer| layer.descriptor.media_type.as_str())
    };
    let attestation = is_attestation(link.is_some_and(Link::is_about_another), media_types());
    let signature = !layers.is_empty() && media_types().all(media_type::is_of_cosign);
    !attestation && !signature
}

/// The layers of an artifact, which are copied unchanged.
fn artifact_layers(tree: &mut Tree, links: &[Link], place: &Place) -> Vec<Layer> {
    let of = links.len();
    let layers = links.iter().enumerate().map(|(position, link)| {
        let place = place.at_layer(position, of);
        match content(tree, link, Need::UnlessListed, &place) {
            Some((content, place)) => Layer::Other(blob(link, content, &place)),
            None => Layer::Absent {
                descriptor: Some(link.descriptor.clone()),
                diff_id: None,
            },
        }
    });
    layers.collect()
}

fn blob(link: &Link, content: Content, place: &Place) -> Blob {
    Blob {
        descriptor: link.descriptor.clone(),
        content,
        file: place.file.clone().unwrap_or_default(),
    }
}

/// Reads the config and the layers of an image into `manifest`.
fn image(
    tree: &mut Tree,
    manifest: &mut Manifest,
    config: &Link,
    links: Vec<Link>,
    listed: usize,
    place: &Place,
) {
    let config = read_config(tree, config, place);
    let diff_ids = config
        .as_ref()
        .and_then(|config| config.view.diff_ids.clone());
    let is_tar =
        |link: &Link| media_type::layer_kind(&link.descriptor.media_type) != LayerKind::Other;
    let all_tar = links.iter().all(is_tar);
    let same_count = diff_ids
        .as_ref()
        .is_some_and(|diff_ids| diff_ids.len() == listed);
    if let (Some(diff_ids), false, true) = (&diff_ids, same_count, all_tar) {
        tree.reading.layer_count(diff_ids.len(), listed, place);
    }
    // If a descriptor is unreadable, or some layers are not file systems, the diff_ids cannot be assigned to layers.
    let diff_ids = diff_ids
        .filter(|_| same_count && links.len() == listed)
        .unwrap_or_default();
    let (links, reordered) = in_order(tree, links, &diff_ids, place);
    manifest.reordered = reordered;
    let of = links.len();
    let layers = links.iter().enumerate().map(|(position, link)| {
        let place = place.at_layer(position, of);
        layer(tree, link, diff_ids.get(position).copied(), &place)
    });
    manifest.layers = layers.collect();
    if let Some(config) = config {
        manifest.config = Config::Image(config);
    }
}

fn read_config(tree: &mut Tree, link: &Link, place: &Place) -> Option<ImageConfig> {
    let (content, place) = content(tree, link, Need::Always, place)?;
    let digest = link.descriptor.digest;
    let read = tree
        .reading
        .document_fields(&content, Some(&digest), &config::KEPT, &place)?;
    Some(ImageConfig {
        view: config::read(tree.reading, &read.value, &place),
        document: Document {
            media_type: link.descriptor.media_type.clone(),
            digest,
            bytes: read.bytes,
        },
    })
}

/// Docker 25.0.0 wrote uncompressed layers, which are named by their `diff_ids`, in random order
/// (<https://github.com/moby/moby/issues/47065>). The order of the config is correct. Returns whether the order changed.
fn in_order(
    tree: &mut Tree,
    links: Vec<Link>,
    diff_ids: &[DiffId],
    place: &Place,
) -> (Vec<Link>, bool) {
    let digests: Vec<Digest> = links.iter().map(|link| link.descriptor.digest).collect();
    let wanted: Vec<Digest> = diff_ids.iter().map(|diff_id| diff_id.0).collect();
    let sorted = |digests: &[Digest]| {
        let mut digests = digests.to_vec();
        digests.sort_unstable();
        digests
    };
    if digests == wanted || sorted(&digests) != sorted(&wanted) {
        return (links, false);
    }
    let list = |digests: &[Digest]| {
        let texts: Vec<String> = digests.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    let message = "the manifest lists its layers in another order than its config";
    tree.reading.add(Finding {
        expected: Some(list(&wanted)),
        found: Some(list(&digests)),
        ..Finding::new(Code::DockerLayerOrder, place, message)
    });
    let find = |digest: &Digest| links.iter().find(|link| link.descriptor.digest == *digest);
    (wanted.iter().filter_map(find).cloned().collect(), true)
}

fn layer(tree: &mut Tree, link: &Link, diff_id: Option<DiffId>, place: &Place) -> Layer {
    let descriptor = &link.descriptor;
    let absent = || Layer::Absent {
        descriptor: Some(descriptor.clone()),
        diff_id,
    };
    if media_type::layer_kind(&descriptor.media_type) == LayerKind::Other {
        let Some((content, place)) = content(tree, link, Need::UnlessListed, place) else {
            return absent();
        };
        let message = format!(
            "mediaType is {}, expected that of a file system layer",
            descriptor.media_type
        );
        tree.reading
            .note(Code::LayerUnknownMediaType, &place, message);
        return Layer::Other(blob(link, content, &place));
    }
    let name = tree.places.blob(&descriptor.digest);
    let place = place.in_file(&name);
    let content = match tree.reading.find(&name, &place) {
        Found::Here(content) => content,
        Found::Absent => {
            // Engines download only file system layers from `urls`.
            if descriptor.has_urls() {
                tree.reading
                    .note(Code::ForeignLayerAbsent, &place, FOREIGN_ABSENT);
            } else {
                tree.reading.missing(&descriptor.digest, &place);
            }
            return absent();
        }
        Found::Broken => return absent(),
    };
    if link.has_size {
        tree.reading.size(descriptor.size, &content, &place);
    }
    Layer::Tar(TarLayer {
        digest: Some(descriptor.digest),
        diff_id,
        descriptor: Some(descriptor.clone()),
        ..TarLayer::new(content, name)
    })
}

/// The message about a missing foreign layer.
pub(crate) const FOREIGN_ABSENT: &str =
    "a foreign layer that is missing from the input: only its urls are kept";

/// Whether a blob must be here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Always,
    /// Not where the layout says that it leaves it out.
    UnlessListed,
}

/// The content of a blob, and its place.
fn content(tree: &mut Tree, link: &Link, need: Need, place: &Place) -> Option<(Content, Place)> {
    let name = tree.places.blob(&link.descriptor.digest);
    let place = place.in_file(&name);
    let content = match tree.reading.find(&name, &place) {
        Found::Here(content) => content,
        Found::Absent if need == Need::UnlessListed => {
            tree.reading.missing(&link.descriptor.digest, &place);
            return None;
        }
        Found::Absent => {
            tree.reading.note(Code::MissingBlob, &place, MISSING);
            return None;
        }
        Found::Broken => return None,
    };
    if link.has_size {
        tree.reading.size(link.descriptor.size, &content, &place);
    }
    Some((content, place))
}

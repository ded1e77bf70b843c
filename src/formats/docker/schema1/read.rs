//! An image from a schema 1 manifest and its blobs.

use std::sync::Arc;

use super::{Emptiness, Schema1, Schema1Error, Schema1Layer, parse};
use crate::compression::Decoder;
use crate::digest::Digest;
use crate::error::chain;
use crate::findings::{Code, Finding, Place};
use crate::formats::docker::jws::Verdict;
use crate::formats::docker::view_of_v1;
use crate::formats::oci::tree::Places;
use crate::formats::reading::{Found, MISSING, Reading};
use crate::formats::{Loose, json};
use crate::image::{
    Config, Entry, FsLayer, Layer, Manifest, Node, Reference, Schema1Document, TarLayer, V1Config,
    V1Layer, media_type,
};
use crate::limits;
use crate::source::Content;

/// Where a manifest is.
pub(crate) struct Origin<'a> {
    /// Which entry of the input it becomes.
    pub position: usize,
    /// The manifest's name in the input.
    pub file: &'a str,
    /// The digest that it must have, where something says it.
    pub digest: Option<Digest>,
    /// What its image is called. `None` for what it says itself.
    pub name: Option<&'a str>,
    pub places: &'a dyn Places,
}

/// Reads the image of a manifest; `None` where it cannot be read, which is noted.
pub(crate) fn read(reading: &mut Reading, origin: &Origin, bytes: &[u8]) -> Option<Entry> {
    let place = Place::file(origin.file);
    let place = match origin.name {
        Some(name) => Place::image(name).in_file_of(&place),
        None => place,
    };
    let manifest = parsed(reading, bytes, &place)?;
    reading.entry = Some(origin.position);
    if let Some(expected) = origin.digest {
        let found = manifest.digest;
        if found != expected {
            let (code, what) = (Code::BlobDigest, "digest");
            reading.add(Finding::mismatch(code, &place, what, &expected, &found));
        }
    }
    signatures(reading, &manifest, &place);
    let name = origin.name.map_or_else(|| name(&manifest), |_| None);
    let label = origin.name.or(name.as_deref());
    let label = label.map_or_else(|| format!("@{}", origin.position), str::to_owned);
    reading.names(name.iter().map(String::len), limits::NAMES, &place);
    let place = Place::image(label);
    let image = image(reading, &manifest, bytes, origin.places, &place);
    reading.entry = None;
    let reference = name.as_deref().map(Reference::of_docker);
    Some(Entry {
        references: vec![reference.unwrap_or_default()],
        node: Node::Manifest(Arc::new(image)),
    })
}

/// Reads a manifest that a descriptor refers to, in the file of `place`. The descriptor names its image.
pub(crate) fn read_listed(
    reading: &mut Reading,
    bytes: &[u8],
    places: &dyn Places,
    place: &Place,
) -> Option<Manifest> {
    let manifest = parsed(reading, bytes, place)?;
    signatures(reading, &manifest, place);
    let image_place = place.in_file_of(&Place::default());
    Some(image(reading, &manifest, bytes, places, &image_place))
}

fn parsed(reading: &mut Reading, bytes: &[u8], place: &Place) -> Option<Schema1> {
    match parse(bytes) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            let code = match error {
                Schema1Error::TooManySignatures { .. } => Code::Limit,
                _ => Code::Schema1,
            };
            reading.note(code, place, chain(&error));
            None
        }
    }
}

/// Notes the signatures that do not verify.
fn signatures(reading: &mut Reading, manifest: &Schema1, place: &Place) {
    let of = manifest.signatures.len();
    for (number, verdict) in manifest.signatures.iter().enumerate() {
        let (code, reason): (Code, &dyn std::error::Error) = match verdict {
            Verdict::Valid { .. } => continue,
            Verdict::Invalid(reason) => (Code::Schema1Signature, reason),
            Verdict::Unsupported(reason) => (Code::Schema1Unverified, reason),
        };
        let message = format!("signature {} of {of}: {}", number + 1, chain(reason));
        reading.note(code, place, message);
    }
}

fn name(manifest: &Schema1) -> Option<String> {
    let repository = (!manifest.name.is_empty()).then_some(&manifest.name)?;
    Some(match &manifest.tag {
        Some(tag) => format!("{repository}:{tag}"),
        None => repository.clone(),
    })
}

fn image(
    reading: &mut Reading,
    manifest: &Schema1,
    bytes: &[u8],
    places: &dyn Places,
    image: &Place,
) -> Manifest {
    let of = manifest.layers.len();
    let mut layers = Vec::new();
    let mut metadata = Vec::with_capacity(of);
    let is_kept = reading.charge_layers(of, image);
    for (position, layer) in manifest.layers.iter().enumerate().filter(|_| is_kept) {
        let place = image.at_layer(position, of);
        // Documents in a document: what is wrong with their form is noted as of any other.
        for (code, message) in json::read(layer.v1.as_bytes()).problems {
            reading.note(code, &place, format!("v1Compatibility: {message}"));
        }
        let blob = blob(reading, layer, places, &place);
        metadata.push(V1Layer {
            json: layer.v1.as_bytes().into(),
            empty: matches!(blob, ReadLayer::Empty(_)),
        });
        match blob {
            ReadLayer::Layer(layer) => layers.push(layer),
            ReadLayer::Empty(blob) => reading.empty_layers.extend(blob),
        }
    }
    let metadata = V1Config::Schema1(metadata);
    let view = view_of_v1(reading, &metadata, image);
    let fs_layers = manifest.layers.iter().map(|layer| FsLayer {
        blob: layer.blob,
        throwaway: layer.throwaway == Some(true),
    });
    let schema1 = Schema1Document {
        media_type: if manifest.signatures.is_empty() {
            media_type::DOCKER_SCHEMA1
        } else {
            media_type::DOCKER_SCHEMA1_SIGNED
        },
        digest: manifest.digest,
        bytes: bytes.to_vec(),
        layers: fs_layers.collect(),
    };
    Manifest {
        layers,
        schema1: Some(schema1),
        config: view.map_or(Config::Unreadable, |view| Config::V1 { metadata, view }),
        ..Manifest::default()
    }
}

/// The blob of an entry of `fsLayers`.
enum ReadLayer {
    Layer(Layer),
    /// An empty layer, with its blob if there is one. The blob is not needed.
    Empty(Option<Loose>),
}

fn blob(
    reading: &mut Reading,
    layer: &Schema1Layer,
    places: &dyn Places,
    place: &Place,
) -> ReadLayer {
    let emptiness = layer.emptiness();
    let file = places.blob(&layer.blob);
    let place = place.in_file(&file);
    let absent = || {
        ReadLayer::Layer(Layer::Absent {
            descriptor: None,
            diff_id: None,
        })
    };
    let content = match reading.find(&file, &place) {
        Found::Here(content) => content,
        Found::Absent => {
            return match emptiness {
                Emptiness::Yes | Emptiness::IfZerosOrMissing => ReadLayer::Empty(None),
                Emptiness::No | Emptiness::IfZeros => {
                    reading.note(Code::MissingBlob, &place, MISSING);
                    absent()
                }
            };
        }
        Found::Broken => return absent(),
    };
    let is_empty = match emptiness {
        Emptiness::Yes => true,
        Emptiness::No => false,
        Emptiness::IfZeros | Emptiness::IfZerosOrMissing => {
            let known = reading.zeros.entry(content.id());
            // If it cannot be decoded, the check of the layer says so.
            *known.or_insert_with(|| is_zeros(&content).unwrap_or(false))
        }
    };
    if is_empty {
        return ReadLayer::Empty(Some(Loose {
            content,
            digest: layer.blob,
            file,
        }));
    }
    ReadLayer::Layer(Layer::Tar(TarLayer {
        digest: Some(layer.blob),
        ..TarLayer::new(content, file)
    }))
}

/// Whether the decoded content is only zeros, which is an empty tar. The first bytes of any other tar are not zeros. `None` if it
/// cannot be decoded.
fn is_zeros(content: &Content) -> Option<bool> {
    if content.size() > limits::EMPTY_LAYER_BYTES {
        return Some(false);
    }
    let codec = content.codec().ok()?;
    let reader = std::io::BufReader::new(content.reader().ok()?);
    let mut decoder = Decoder::new(codec, reader).ok()?;
    let mut buffer = Vec::new();
    let mut length = 0;
    loop {
        let result = decoder.read_chunk(&mut buffer, 64 << 10);
        length += buffer.len() as u64;
        if buffer.iter().any(|byte| *byte != 0) || length > limits::EMPTY_LAYER_BYTES {
            return Some(false);
        }
        result.ok()?;
        if buffer.is_empty() {
            return Some(true);
        }
    }
}

//! An image from a schema 1 manifest with its blobs beside it.

use std::io::Read;

use super::view_of_v1;
use crate::compression::Codec;
use crate::compression::Decoder;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::findings::{Code, Finding, Place};
use crate::formats::Beside;
use crate::formats::ReadOptions;
use crate::image::Config;
use crate::image::Entry;
use crate::image::FsLayer;
use crate::image::KnownAs;
use crate::image::Layer;
use crate::image::Manifest;
use crate::image::Node;
use crate::image::Reference;
use crate::image::Schema1Document;
use crate::image::TarLayer;
use crate::image::{V1Config, V1Layer};
use crate::layer::Job;
use crate::source::Content;
use crate::source::Files;

use crate::formats::docker::jws::Verdict;
use crate::formats::docker::schema1;
use crate::formats::docker::schema1::Emptiness;
use crate::formats::docker::schema1::Schema1;
use crate::formats::docker::schema1::Schema1Layer;
use crate::image::media_type;

/// Reads the image of a manifest.
pub(crate) fn read(
    files: &Files,
    bytes: &[u8],
    options: &ReadOptions,
    warnings: &mut Vec<Finding>,
) -> Result<Entry> {
    let manifest = schema1::parse(bytes, options.ignore_signatures)
        .map_err(|source| Error::Schema1 { source })?;
    for verdict in &manifest.signatures {
        match verdict {
            Verdict::Valid { .. } => {}
            Verdict::Invalid(_) | Verdict::Unsupported(_) => {
                let message = "the manifest's signature does not verify; ignored";
                warnings.push(Finding::new(
                    Code::Schema1Signature,
                    &Place::default(),
                    message,
                ));
            }
        }
    }
    let name = name(&manifest);
    let label = name.clone().unwrap_or_else(|| "@0".to_owned());
    let image = image(files, &manifest, bytes, options).at(|| Place::image(label))?;
    Ok(Entry {
        references: vec![Reference {
            containerd_name: name.as_deref().map(crate::image::fully_qualified),
            name,
            ..Reference::default()
        }],
        node: Node::Manifest(Box::new(image)),
    })
}

fn name(manifest: &Schema1) -> Option<String> {
    let repository = (!manifest.name.is_empty()).then_some(&manifest.name)?;
    Some(match &manifest.tag {
        Some(tag) => format!("{repository}:{tag}"),
        None => repository.clone(),
    })
}

fn image(
    files: &Files,
    manifest: &Schema1,
    bytes: &[u8],
    options: &ReadOptions,
) -> Result<Manifest> {
    let of = manifest.layers.len();
    let mut layers = Vec::new();
    let mut metadata = Vec::with_capacity(of);
    for (position, layer) in manifest.layers.iter().enumerate() {
        let content =
            content(files, layer, options.layer_bytes).at(|| Place::layer(position + 1, of))?;
        metadata.push(V1Layer {
            json: layer.v1.clone().into_bytes(),
            empty: content.is_none(),
        });
        layers.extend(content.map(|content| {
            Layer::Tar(TarLayer {
                content,
                file: layer.blob.hex(),
                descriptor: None,
                digest: Some(layer.blob),
                diff_id: None,
                foreign: false,
            })
        }));
    }
    let config = V1Config::Schema1(metadata);
    Ok(Manifest {
        document: None,
        reordered: false,
        layers,
        subject: None,
        artifact_type: None,
        known_as: KnownAs {
            schema1: Some(Schema1Document {
                media_type: if manifest.signatures.is_empty() {
                    media_type::DOCKER_SCHEMA1
                } else {
                    media_type::DOCKER_SCHEMA1_SIGNED
                },
                digest: manifest.digest,
                bytes: bytes.to_vec(),
                layers: manifest
                    .layers
                    .iter()
                    .map(|layer| FsLayer {
                        blob: layer.blob,
                        throwaway: layer.throwaway == Some(true),
                    })
                    .collect(),
            }),
        },
        config: Config::V1 {
            view: view_of_v1(&config)?,
            metadata: config,
        },
    })
}

/// The blob of a layer, or `None` for an empty layer, which needs none.
pub(crate) fn content(
    files: &Files,
    layer: &Schema1Layer,
    layer_bytes: u64,
) -> Result<Option<Content>> {
    let emptiness = layer.emptiness();
    if emptiness == Emptiness::Yes {
        return Ok(None);
    }
    let Some(name) = (Beside { files }).blob(&layer.blob) else {
        return match emptiness {
            Emptiness::IfZerosOrMissing => Ok(None),
            _ => Err(Error::Missing {
                name: format!("blob {}", layer.blob),
            }),
        };
    };
    let content = files.get(&name)?;
    if emptiness != Emptiness::No && is_zeros(content, layer_bytes)? {
        return Ok(None);
    }
    Ok(Some(content.clone()))
}

/// Whether the decoded content is only zeros: a tar of nothing. The first bytes of any other tar tell already.
fn is_zeros(content: &Content, limit: u64) -> Result<bool> {
    let codec = Job::sniff(content)?;
    let reader = std::io::BufReader::new(content.reader()?);
    let damaged = |source| match codec {
        Codec::None => Error::io("read", "the layer")(source),
        codec => Error::Decode {
            codec: codec.name(),
            source,
        },
    };
    let mut decoder = Decoder::new(codec, reader).map_err(damaged)?;
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(count) if buffer[..count].iter().all(|byte| *byte == 0) => {
                length += count as u64;
                if length > limit {
                    return Err(Error::LayerTooLarge { limit });
                }
            }
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(error)),
        }
    }
}

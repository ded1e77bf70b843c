//! Copies the blobs of an existing tar that is added to.

use std::io::Read;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::formats::Input;
use crate::image::{AbsentBlob, Config, Document, Layer, Node, Schema1Document};
use crate::interrupt::Interrupt;
use crate::source::Content;

/// Collects everything in `node`: manifests, indexes and configs as documents, the rest as blobs.
pub(super) fn collect(
    node: &Node,
    documents: &mut Vec<Document>,
    blobs: &mut Vec<(Digest, Content)>,
) {
    node.walk(&mut |node| match node {
        Node::Index(index) => documents.push(index.document.clone()),
        Node::Blob(blob) => blobs.push((blob.descriptor.digest, blob.content.clone())),
        Node::Absent { .. } => {}
        Node::Manifest(manifest) => {
            documents.extend(manifest.document.clone());
            documents.extend(manifest.schema1.as_ref().map(Schema1Document::document));
            match &manifest.config {
                Config::Image(config) => documents.push(config.document.clone()),
                Config::Other(blob) => blobs.push((blob.descriptor.digest, blob.content.clone())),
                Config::V1 { .. } | Config::Unreadable => {}
            }
            let layers = manifest.present_layers();
            blobs.extend(layers.filter_map(|one| Some((one.digest?, one.content.clone()))));
        }
    });
}

/// The blobs below `node` that are left out on purpose.
pub(super) fn absent(node: &Node, input: &Input) -> Vec<AbsentBlob> {
    let mut absent = Vec::new();
    for manifest in node.manifests() {
        for layer in &manifest.layers {
            if let Layer::Absent {
                descriptor: Some(descriptor),
                ..
            } = layer
            {
                absent.extend(input.absent.get(&descriptor.digest).cloned());
            }
        }
    }
    absent
}

/// Reads a blob to its end and checks its digest.
pub(super) fn copy(
    digest: &Digest,
    content: &Content,
    interrupt: &Interrupt,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut reader = content.reader()?;
    let mut hasher = digest.hasher();
    let mut buffer = vec![0; 1 << 20];
    loop {
        interrupt.check()?;
        let count = reader
            .read(&mut buffer)
            .map_err(Error::io("read", digest.blob_path()))?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        write(&buffer[..count])?;
    }
    let found = hasher.finish();
    if found != *digest {
        return Err(Error::DigestMismatch {
            what: digest.blob_path(),
            expected: *digest,
            found,
        });
    }
    Ok(())
}

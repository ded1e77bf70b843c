//! Sources of blobs and layers that an input lacks.

use std::collections::HashMap;

use crate::digest::{DiffId, Digest};
use crate::formats::Input;
use crate::image::{Layer, Node};
use crate::source::Content;

/// All blobs and layers of some inputs.
#[derive(Default)]
pub(crate) struct Sources<'a> {
    by_digest: HashMap<Digest, Copy<'a>>,
    by_diff_id: HashMap<DiffId, Copy<'a>>,
}

/// A blob of an input.
pub(super) struct Copy<'a> {
    /// The input as the user named it.
    pub source: &'a str,
    pub content: &'a Content,
    pub file: &'a str,
    /// The digest that its bytes must have, if known.
    pub digest: Option<Digest>,
    /// Whether the output contains it.
    pub in_output: bool,
}

impl<'a> Sources<'a> {
    /// Earlier inputs are preferred. `output` is the existing output, if images are added to one.
    pub fn new(inputs: impl Iterator<Item = &'a Input>, output: Option<&'a Input>) -> Sources<'a> {
        let mut sources = Sources::default();
        // Blobs of the output need not be copied.
        if let Some(output) = output {
            sources.add(output, true);
        }
        for input in inputs {
            sources.add(input, false);
        }
        sources
    }

    fn add(&mut self, input: &'a Input, in_output: bool) {
        let copy = |content, file: &'a str, digest| Copy {
            source: &input.name,
            content,
            file,
            digest,
            in_output,
        };
        for entry in &input.entries {
            entry.node.walk(&mut |node| {
                let Node::Manifest(manifest) = node else {
                    return;
                };
                for layer in &manifest.layers {
                    match layer {
                        Layer::Tar(layer) => {
                            let copy = || copy(&layer.content, &layer.file, layer.digest);
                            if let Some(digest) = layer.digest {
                                self.by_digest.entry(digest).or_insert_with(copy);
                            }
                            if let Some(diff_id) = layer.diff_id {
                                self.by_diff_id.entry(diff_id).or_insert_with(copy);
                            }
                        }
                        Layer::Other(blob) => {
                            let digest = blob.descriptor.digest;
                            let copy = || copy(&blob.content, &blob.file, Some(digest));
                            self.by_digest.entry(digest).or_insert_with(copy);
                        }
                        Layer::Absent { .. } => {}
                    }
                }
            });
        }
        for loose in &input.loose {
            let copy = || copy(&loose.content, &loose.file, Some(loose.digest));
            self.by_digest.entry(loose.digest).or_insert_with(copy);
        }
    }

    /// A copy of a blob. A copy with another size is damaged.
    pub(super) fn blob(&self, digest: &Digest, size: u64) -> Option<&Copy<'a>> {
        let copy = self.by_digest.get(digest);
        copy.filter(|copy| copy.content.size() == size)
    }

    /// A copy of a layer in any encoding.
    pub(super) fn layer(&self, diff_id: &DiffId) -> Option<&Copy<'a>> {
        self.by_diff_id.get(diff_id)
    }

    /// Whether an input has a copy of the blob with this file name.
    pub fn has_file(&self, name: &str) -> bool {
        let digest = |component: &str| {
            let long = || format!("sha512:{component}").parse().ok();
            Digest::from_sha256_hex(component).or_else(long)
        };
        // A registry has blobs in folders of their own.
        let mut digests = name.split('/').filter_map(digest);
        digests.any(|digest| self.by_digest.contains_key(&digest))
    }
}

//! Sources of blobs and layers that an input lacks.

use std::collections::HashMap;

use crate::digest::{DiffId, Digest};
use crate::formats::Input;
use crate::image::PresentBlob;

/// All blobs and layers of some inputs.
#[derive(Default)]
pub(crate) struct Sources<'a> {
    by_digest: HashMap<Digest, BlobCopy<'a>>,
    by_diff_id: HashMap<DiffId, BlobCopy<'a>>,
}

/// A blob of an input.
#[derive(Clone, Copy)]
pub(super) struct BlobCopy<'a> {
    /// The input as the user named it.
    pub source: &'a str,
    pub blob: PresentBlob<'a>,
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
        for blob in input.present_blobs() {
            let copy = BlobCopy {
                source: &input.name,
                blob,
                in_output,
            };
            if let Some(digest) = blob.digest {
                self.by_digest.entry(digest).or_insert(copy);
            }
            if let Some(diff_id) = blob.diff_id {
                self.by_diff_id.entry(diff_id).or_insert(copy);
            }
        }
    }

    /// A copy of a blob. A copy with another size is damaged.
    pub(super) fn blob(&self, digest: &Digest, size: u64) -> Option<&BlobCopy<'a>> {
        let copy = self.by_digest.get(digest);
        copy.filter(|copy| copy.blob.content.size() == size)
    }

    /// A copy of a layer in any encoding.
    pub(super) fn layer(&self, diff_id: &DiffId) -> Option<&BlobCopy<'a>> {
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

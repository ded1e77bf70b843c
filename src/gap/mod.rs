//! Images that are carried across an air gap in parts: blobs that the other side has are left out, and added there again.

mod fill;
mod have;
mod list;
mod recipes;
mod sources;

use std::collections::BTreeMap;

pub(crate) use fill::{Lacking, fill};
pub(crate) use have::{Have, usable};
pub(crate) use sources::Sources;

use crate::digest::Digest;
use crate::formats::Input;
use crate::image::AbsentBlob;

/// The blobs that the inputs leave out, of all inputs together.
pub(crate) fn listed(inputs: &[Input]) -> BTreeMap<Digest, AbsentBlob> {
    let mut listed = BTreeMap::new();
    for input in inputs {
        for (digest, blob) in &input.absent {
            listed.entry(*digest).or_insert_with(|| blob.clone());
        }
    }
    listed
}

//! Images that cross a gap in parts: what the other side has is left out, and taken from there again.

mod fill;
mod have;
mod list;
mod sources;

use std::collections::BTreeMap;

pub(crate) use fill::{Lacking, fill};
pub(crate) use have::{Have, usable};
pub(crate) use sources::Sources;

use crate::digest::Digest;
use crate::formats::Input;
use crate::image::AbsentBlob;

/// What the inputs leave out, all together.
pub(crate) fn listed(inputs: &[Input]) -> BTreeMap<Digest, AbsentBlob> {
    let mut listed = BTreeMap::new();
    for input in inputs {
        for (digest, blob) in &input.absent {
            listed.entry(*digest).or_insert_with(|| blob.clone());
        }
    }
    listed
}

//! OCI image layouts: index.json and the names in it.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::documents::{ManifestView, check_data, refuse_both, refuse_keys_in_other_case};
use super::tree::{Blobs, Tree};
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::findings::{Code, Finding, Place};
use crate::image::Entry;
use crate::image::Reference;
use crate::source::Files;

use crate::image::CONTAINERD_NAME;
use crate::image::Descriptor;
use crate::image::REF_NAME;

const INDEX: &str = "index.json";

#[derive(Deserialize)]
struct LayoutView {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

/// Reads a layout.
pub(crate) fn read(files: &Files, warnings: &mut Vec<Finding>) -> Result<Vec<Entry>> {
    let layout: LayoutView = crate::formats::parse("oci-layout", &files.document("oci-layout")?)?;
    if layout.version != "1.0.0" {
        return Err(Error::document(
            "oci-layout",
            format!(
                "imageLayoutVersion is {:?}, expected \"1.0.0\"",
                layout.version
            ),
        ));
    }
    let bytes = files.document(INDEX)?;
    let index: ManifestView = crate::formats::parse(INDEX, &bytes)?;
    refuse_both(INDEX, &index)?;
    refuse_keys_in_other_case(INDEX, &bytes)?;
    check_data(INDEX, &index)?;
    // Docker 25.0.0 to 25.0.2 wrote `"manifests": null`.
    let descriptors = index.manifests.unwrap_or_default();
    crate::formats::check_name_count(descriptors.len())?;
    let mut tree = Tree::new(files, &Blobs);
    let mut entries: Vec<Entry> = Vec::new();
    for descriptor in descriptors {
        let reference = reference(&descriptor);
        let known = entries
            .iter_mut()
            .find(|entry| entry.node.digest() == Some(descriptor.digest));
        if let Some(entry) = known {
            tree.one_media_type(&descriptor)?;
            if !entry.references.contains(&reference) {
                entry.references.push(reference);
            }
            continue;
        }
        let label = reference
            .display_name()
            .map_or_else(|| format!("@{}", entries.len()), str::to_owned);
        let node = tree.node(descriptor, 0).at(|| Place::image(label))?;
        entries.push(Entry {
            references: vec![reference],
            node,
        });
    }
    warnings.append(&mut tree.warnings);
    tell_names_apart(&mut entries, warnings);
    Ok(entries)
}

/// What containerd exports has the tag alone as ref.name, so that `latest` may stand for several images. Their full
/// names then take its place. Where there are none, nothing can be done: the specification does not forbid it.
fn tell_names_apart(entries: &mut [Entry], warnings: &mut Vec<Finding>) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for reference in entries.iter().flat_map(|entry| &entry.references) {
        if let Some(name) = &reference.name {
            *count.entry(name.clone()).or_default() += 1;
        }
    }
    count.retain(|_, count| *count > 1);
    for reference in entries.iter_mut().flat_map(|entry| &mut entry.references) {
        if let (Some(name), Some(full)) = (&reference.name, &reference.containerd_name)
            && count.contains_key(name)
        {
            count.entry(name.clone()).and_modify(|count| *count -= 1);
            reference.name = Some(full.clone());
        }
    }
    for (name, count) in count {
        if count > 1 {
            let message = format!("{count} images are named {name}");
            warnings.push(Finding::new(
                Code::RefNameDuplicate,
                &Place::default(),
                message,
            ));
        }
    }
}

fn reference(descriptor: &Descriptor) -> Reference {
    let mut annotations = descriptor.annotations.clone().unwrap_or_default();
    let mut take = |key| match annotations.shift_remove(key) {
        Some(Value::String(name)) => Some(name),
        _ => None,
    };
    Reference {
        name: take(REF_NAME),
        containerd_name: take(CONTAINERD_NAME),
        annotations,
        artifact_type: descriptor.artifact_type.clone(),
    }
}

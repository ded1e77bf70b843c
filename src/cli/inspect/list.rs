//! One line per image.

use ocify::{InspectedEntry, InspectedImage, InspectedNode, Inspection};

use super::age::age;
use crate::cli::escape::escape;
use crate::cli::progress::bytes;

/// A line for each image: image ID (or manifest digest), platform, size, age, names, and the input if there are several.
pub fn text(inspection: &Inspection, input: Option<&str>) -> String {
    let mut lines = String::new();
    for entry in &inspection.entries {
        node(&entry.node, &mut |image| {
            lines.push_str(&escape(&line(entry, image, input)));
            lines.push('\n');
        });
    }
    lines
}

fn node(node: &InspectedNode, visit: &mut dyn FnMut(&InspectedImage)) {
    match node {
        InspectedNode::Image(image) => visit(image),
        InspectedNode::Index(index) => {
            for (_, child) in &index.children {
                self::node(child, visit);
            }
        }
        InspectedNode::Artifact(_) | InspectedNode::Blob(_) | InspectedNode::Absent { .. } => {}
    }
}

fn line(entry: &InspectedEntry, image: &InspectedImage, input: Option<&str>) -> String {
    let manifest = image.manifest.as_ref().map(|manifest| manifest.digest);
    let id = image.image_id.or(manifest);
    let id = id.map_or_else(|| "-".to_owned(), |id| id.short());
    let platform = image.platform.as_ref();
    let platform = platform.map_or_else(|| "-".to_owned(), ToString::to_string);
    let size = bytes(image.own_size + image.shared_size);
    let age = image.created.as_deref().and_then(age);
    let age = age.unwrap_or_else(|| "-".to_owned());
    let names = match &*entry.names {
        [] => format!("@{}", entry.position),
        names => names.join(" "),
    };
    let line = format!("{id:<12}  {platform:<12}  {size:>10}  {age:<13}  {names}");
    match input {
        Some(input) => format!("{line}  {input}"),
        None => line,
    }
}

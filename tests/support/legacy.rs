//! `docker save` archives before Docker 1.10.

use serde_json::{Value, json};

use super::docker::v1_id;
use super::files::Files;
use super::layers::Layer;

/// The `json` file of a layer, with all fields of an image.
pub fn v1(layer: &Layer, parent: Option<&Layer>, docker_version: &str) -> Value {
    let mut json = json!({
        "id": v1_id(layer),
        "created": "2015-06-01T12:00:00.5Z",
        "container_config": { "Cmd": ["/bin/sh", "-c", "echo a > b"] },
        "docker_version": docker_version,
        "author": "someone",
        "config": { "Cmd": ["/bin/sh"] },
        "architecture": "amd64",
        "os": "linux",
        "Size": layer.tar.len(),
    });
    if let Some(parent) = parent {
        json["parent"] = json!(v1_id(parent));
    }
    json
}

/// Adds a chain of layers, the base first, to an archive.
pub fn add_chain(files: &mut Files, layers: &[Layer], docker_version: &str) {
    for (position, layer) in layers.iter().enumerate() {
        let parent = position.checked_sub(1).map(|parent| &layers[parent]);
        let id = v1_id(layer);
        files.put(&format!("{id}/VERSION"), "1.0");
        files.put(
            &format!("{id}/json"),
            v1(layer, parent, docker_version).to_string(),
        );
        files.put(&format!("{id}/layer.tar"), layer.tar.clone());
    }
}

/// An archive of one image with this repository and tag.
pub fn save(repository: &str, tag: &str, layers: &[Layer]) -> Files {
    let mut files = Files::default();
    add_chain(&mut files, layers, "1.9.1");
    let top = v1_id(layers.last().unwrap());
    files.put(
        "repositories",
        json!({ repository: { tag: top } }).to_string(),
    );
    files
}

/// The config of an image of these layers, each of which has this entry in its history. Keys are sorted, and "<", ">" and "&"
/// escaped, as Go does.
pub fn config(entry: &str, layers: &[Layer]) -> String {
    let diff_ids: Vec<String> = layers.iter().map(Layer::diff_id).collect();
    let history = vec![entry; layers.len()].join(",");
    format!(
        "{{\"architecture\":\"amd64\",\"author\":\"someone\",\"config\":{{\"Cmd\":[\"/bin/sh\"]}},\
         \"container_config\":{{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo a \\u003e b\"]}},\
         \"created\":\"2015-06-01T12:00:00.5Z\",\"docker_version\":\"1.9.1\",\
         \"history\":[{history}],\"os\":\"linux\",\
         \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":{}}}}}",
        json!(diff_ids)
    )
}

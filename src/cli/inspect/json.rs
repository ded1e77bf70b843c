//! The contents of an input as JSON. Field names are those of the image-spec if it defines them.

use ocify::Descriptor;
use ocify::{InspectedEntry, InspectedImage, InspectedLayer, InspectedNode, Inspection};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value, json};

/// The result of an inspection. Its images become JSON one by one, because there may be a hundred thousand.
pub struct Document<'a>(pub &'a Inspection);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document(inspection) = self;
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("input", &inspection.input)?;
        fields.serialize_entry("format", &inspection.format)?;
        fields.serialize_entry("imageCount", &inspection.images)?;
        fields.serialize_entry("images", &Entries(&inspection.entries))?;
        fields.serialize_entry("signatures", &inspection.signatures)?;
        fields.serialize_entry("errors", &inspection.errors)?;
        fields.serialize_entry("warnings", &inspection.warnings)?;
        fields.end()
    }
}

struct Entries<'a>(&'a [InspectedEntry]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(entry))
    }
}

fn entry(entry: &InspectedEntry) -> Value {
    let mut fields = Map::new();
    fields.insert("position".to_owned(), json!(entry.position));
    fields.insert("names".to_owned(), json!(entry.names));
    fields.append(&mut node(&entry.node));
    Value::Object(fields)
}

fn node(node: &InspectedNode) -> Map<String, Value> {
    let value = match node {
        InspectedNode::Image(image) => return self::image(image),
        InspectedNode::Index(index) => json!({
            "kind": "index",
            "mediaType": index.manifest.media_type,
            "digest": index.manifest.digest,
            "size": index.manifest.size,
            "manifests": index.children.iter().map(child).collect::<Vec<_>>(),
        }),
        InspectedNode::Artifact(artifact) => json!({
            "kind": if artifact.attests.is_some() { "attestation" } else { "artifact" },
            "mediaType": artifact.manifest.media_type,
            "digest": artifact.manifest.digest,
            "size": artifact.manifest.size,
            "artifactType": artifact.artifact_type,
            "attests": artifact.attests,
            "subject": artifact.subject,
            "layers": artifact.layers.iter().map(layer).collect::<Vec<_>>(),
        }),
        InspectedNode::Blob(descriptor) => json!({
            "kind": "blob",
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size,
        }),
        InspectedNode::Absent {
            descriptor,
            missing,
        } => json!({
            "kind": "absent",
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size,
            "missing": missing,
        }),
    };
    object(value)
}

fn image(image: &InspectedImage) -> Map<String, Value> {
    let manifest = image.manifest.as_ref();
    object(json!({
        "kind": "image",
        "mediaType": manifest.map(|manifest| &manifest.media_type),
        "digest": manifest.map(|manifest| manifest.digest),
        "size": manifest.map(|manifest| manifest.size),
        "platform": image.platform,
        "created": image.created,
        "config": {
            "Entrypoint": image.runtime.entrypoint,
            "Cmd": image.runtime.cmd,
            "Env": image.runtime.env,
            "User": image.runtime.user,
            "WorkingDir": image.runtime.working_dir,
            "ExposedPorts": image.runtime.exposed_ports,
            "Volumes": image.runtime.volumes,
            "Labels": image.runtime.labels,
        },
        "ownSize": image.own_size,
        "sharedSize": image.shared_size,
        "imageId": image.image_id,
        "subject": image.subject,
        "layers": image.layers.iter().map(layer).collect::<Vec<_>>(),
    }))
}

/// The descriptor's fields are used if the child itself has none.
fn child((descriptor, child): &(Descriptor, InspectedNode)) -> Value {
    let mut fields = node(child);
    if !fields.contains_key("platform") {
        fields.insert("platform".to_owned(), json!(descriptor.platform));
    }
    Value::Object(fields)
}

fn layer(layer: &InspectedLayer) -> Value {
    json!({
        "mediaType": layer.media_type,
        "digest": layer.digest,
        "size": layer.size,
        "codec": layer.codec.map(ocify::Codec::name),
        "diffId": layer.diff_id,
        "createdBy": layer.created_by,
        "present": layer.present,
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

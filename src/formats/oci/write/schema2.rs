//! Schema 2 manifests and manifest lists that an OCI document can be composed from without losing anything.

use serde_json::{Map, Value};

use crate::formats::json;
use crate::image::{Document, media_type};

const DESCRIPTOR: &[&str] = &["mediaType", "size", "digest"];
const LAYER: &[&str] = &["mediaType", "size", "digest", "urls"];
const ENTRY: &[&str] = &["mediaType", "size", "digest", "platform"];
const PLATFORM: &[&str] = &["architecture", "os", "os.version", "os.features", "variant"];

/// Whether a document is a schema 2 manifest or a manifest list with only the fields that OCI has too.
///
/// skopeo composes a new document of any, and so loses other fields:
/// <https://github.com/containers/image/blob/v5.22.1/manifest/oci.go>
pub(super) fn is_plain(document: &Document) -> bool {
    let is_list = match document.media_type.as_str() {
        media_type::DOCKER_MANIFEST => false,
        media_type::DOCKER_LIST => true,
        _ => return false,
    };
    let Some(Value::Object(fields)) = json::read(&document.bytes).value else {
        return false;
    };
    if is_list {
        has_only(&fields, &["schemaVersion", "mediaType", "manifests"])
            && all(fields.get("manifests"), is_plain_entry)
    } else {
        has_only(&fields, &["schemaVersion", "mediaType", "config", "layers"])
            && is_object(fields.get("config"), DESCRIPTOR)
            && all(fields.get("layers"), |layer| is_object(Some(layer), LAYER))
    }
}

fn is_plain_entry(entry: &Value) -> bool {
    let has_value = |field: &Value| match field {
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty() && list.iter().all(Value::is_string),
        _ => false,
    };
    let is_plain_platform = |platform: &Map<String, Value>| {
        has_only(platform, PLATFORM)
            && platform.values().all(has_value)
            // Without these, the reader ignores the platform.
            && platform.contains_key("architecture")
            && platform.contains_key("os")
    };
    let platform = entry.get("platform").and_then(Value::as_object);
    is_object(Some(entry), ENTRY) && platform.is_some_and(is_plain_platform)
}

fn is_object(value: Option<&Value>, known: &[&str]) -> bool {
    let fields = value.and_then(Value::as_object);
    fields.is_some_and(|fields| has_only(fields, known))
}

fn has_only(fields: &Map<String, Value>, known: &[&str]) -> bool {
    fields.keys().all(|key| known.contains(&key.as_str()))
}

fn all(list: Option<&Value>, is: impl Fn(&Value) -> bool) -> bool {
    let list = list.and_then(Value::as_array);
    list.is_some_and(|list| list.iter().all(is))
}

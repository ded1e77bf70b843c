//! Keys that differ from those of a specification only in case.
//!
//! Go treats them as the same (<https://pkg.go.dev/encoding/json#Unmarshal>), so engines see a field where other readers see an
//! unknown one. Engines use the last of several.

use std::borrow::Cow;

use serde_json::Value;

use super::docker::same_name;
use super::reading::Reading;
use crate::findings::{Code, Place};
use crate::limits;

/// The keys of a manifest or index.
pub(crate) const DOCUMENT: &[&str] = &[
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
];

/// The keys of a descriptor.
pub(crate) const DESCRIPTOR: &[&str] = &[
    "mediaType",
    "digest",
    "size",
    "urls",
    "annotations",
    "data",
    "platform",
    "artifactType",
];

/// The keys of a platform.
pub(crate) const PLATFORM: &[&str] =
    &["architecture", "os", "os.version", "os.features", "variant"];

/// The keys of an image in the manifest.json of a `docker save` archive.
pub(crate) const SAVED_IMAGE: &[&str] = &["Config", "RepoTags", "Layers", "LayerSources"];

/// The object as Go reads it: a key in another case replaces the known one. Such keys are noted. `what` names the object in
/// messages.
pub(crate) fn as_go_reads<'v>(
    reading: &mut Reading,
    object: &'v Value,
    known: &[&'static str],
    what: &str,
    place: &Place,
) -> Cow<'v, Value> {
    let others: Vec<(&str, &str)> = in_other_case(object, known).collect();
    let mut object = Cow::Borrowed(object);
    for (found, known) in others {
        let (code, message) = match object.get(known) {
            Some(other) if *other != object[found] => (
                Code::JsonDuplicateKey,
                format!(
                    "{what} has the keys {known:?} and {found:?}, so readers disagree about it"
                ),
            ),
            _ => (
                Code::JsonKeyCase,
                format!("the key {found:?} of {what} differs from {known:?} only in case"),
            ),
        };
        reading.note(code, place, message);
        if object.get(known).is_none() {
            // The object is copied, and the value in it again.
            if !reading.charge_values(2 * count(&object), limits::ENTRY_BYTES, place) {
                return object;
            }
            let value = object[found].clone();
            object.to_mut()[known] = value;
        }
    }
    object
}

/// Renames the keys that Go treats as those of the specification to the spelling of the specification.
pub(crate) fn spelt_as_specified(mut document: Value) -> Value {
    rename(&mut document, DOCUMENT);
    for list in ["manifests", "layers"] {
        let descriptors = document.get_mut(list).and_then(Value::as_array_mut);
        for descriptor in descriptors.into_iter().flatten() {
            rename(descriptor, DESCRIPTOR);
            if let Some(platform) = descriptor.get_mut("platform") {
                rename(platform, PLATFORM);
            }
        }
    }
    for key in ["config", "subject"] {
        if let Some(descriptor) = document.get_mut(key) {
            rename(descriptor, DESCRIPTOR);
        }
    }
    document
}

fn rename(object: &mut Value, known: &[&'static str]) {
    let others = in_other_case(object, known);
    let others: Vec<(String, &str)> = others
        .map(|(found, known)| (found.to_owned(), known))
        .collect();
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    for (found, known) in others {
        // Different values stop the conversion earlier.
        if let Some(value) = fields.shift_remove(&found)
            && !fields.contains_key(known)
        {
            fields.insert(known.to_owned(), value);
        }
    }
}

/// The keys of an object that are not in `known` but differ from one of them only in case, with that one.
fn in_other_case<'a>(
    object: &'a Value,
    known: &'a [&'static str],
) -> impl Iterator<Item = (&'a str, &'static str)> {
    let keys = object.as_object().into_iter().flat_map(|map| map.keys());
    keys.filter(|key| !known.contains(&key.as_str()))
        .filter_map(move |key| {
            let mut known = known.iter().copied();
            Some((key.as_str(), known.find(|known| same_name(known, key))?))
        })
}

/// The number of values in a value, itself included.
fn count(value: &Value) -> u64 {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn case_as_go_folds_it() {
        let object = json!({
            "layers": [], "Layers": [], "LAYERS": [], "layerſ": [], "layer": [], "layers ": [],
            "\u{212a}ey": [],
        });
        let found: Vec<_> = in_other_case(&object, &["layers", "key"]).collect();
        let expected = [
            ("Layers", "layers"),
            ("LAYERS", "layers"),
            ("layerſ", "layers"),
            ("\u{212a}ey", "key"),
        ];
        assert_eq!(found, expected);
    }
}

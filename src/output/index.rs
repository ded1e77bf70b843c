//! index.json: what a conversion adds to it, and how that joins what is there.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::error::Result;
use crate::formats::to_bytes;
use crate::image::CONTAINERD_NAME;
use crate::image::Descriptor;
use crate::image::Document;
use crate::image::REF_NAME;
use crate::image::media_type;

/// The descriptors that a conversion adds to index.json, each with at most one name.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    pub descriptors: Vec<Descriptor>,
}

impl Additions {
    /// The index with the additions in it. `existing` is index.json as it is.
    ///
    /// A name that is there already moves to the new image. The old one stays without a name, as with skopeo, so that
    /// nothing is lost that somebody may know by its digest.
    pub fn merge(&self, existing: Option<&[u8]>) -> Result<Document> {
        let mut index = match existing {
            Some(bytes) => parse(bytes)?,
            None => json!({ "schemaVersion": 2, "mediaType": media_type::INDEX }),
        };
        let malformed = || Error::document("index.json", "it is no object with manifests");
        let fields = index.as_object_mut().ok_or_else(malformed)?;
        let mut manifests = match fields.get_mut("manifests").map(Value::take) {
            Some(Value::Array(manifests)) => manifests,
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(malformed()),
        };
        self.add_to(&mut manifests)?;
        fields.insert("manifests".to_owned(), Value::Array(manifests));
        Ok(Document::new(media_type::INDEX, to_bytes(&index)?))
    }

    fn add_to(&self, manifests: &mut Vec<Value>) -> Result<()> {
        let mut placed = vec![false; self.descriptors.len()];
        for value in manifests.iter_mut() {
            for (descriptor, placed) in self.descriptors.iter().zip(&mut placed) {
                if !shares_name(value, descriptor) {
                    continue;
                }
                if text(value, "digest") == Some(&descriptor.digest.to_string()) && !*placed {
                    *value = to_value(descriptor)?;
                    *placed = true;
                } else {
                    remove_names(value);
                }
            }
        }
        for (descriptor, placed) in self.descriptors.iter().zip(placed) {
            let value = to_value(descriptor)?;
            if !placed && !manifests.contains(&value) {
                manifests.push(value);
            }
        }
        remove_repeated(manifests);
        Ok(())
    }
}

/// An image without a name need not be listed beside itself.
fn remove_repeated(manifests: &mut Vec<Value>) {
    let listed: Vec<(Option<String>, bool)> = manifests
        .iter()
        .map(|value| (text(value, "digest").map(str::to_owned), is_named(value)))
        .collect();
    let mut positions = 0..;
    manifests.retain(|value| {
        let position = positions.next().unwrap_or_default();
        let repeated = listed.iter().enumerate().any(|(other, (digest, named))| {
            digest.as_deref() == text(value, "digest") && (*named || other < position)
        });
        is_named(value) || !repeated
    });
}

fn to_value(descriptor: &Descriptor) -> Result<Value> {
    serde_json::to_value(descriptor).map_err(|source| Error::Json {
        document: "a new descriptor".to_owned(),
        source,
    })
}

fn shares_name(value: &Value, descriptor: &Descriptor) -> bool {
    let mut keys = [REF_NAME, CONTAINERD_NAME].into_iter();
    keys.any(|key| {
        let name = descriptor.annotation(key);
        name.is_some() && annotation(value, key) == name
    })
}

fn parse(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json {
        document: "index.json".to_owned(),
        source,
    })
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn annotation<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get("annotations")?.get(key)?.as_str()
}

fn is_named(value: &Value) -> bool {
    annotation(value, REF_NAME).is_some() || annotation(value, CONTAINERD_NAME).is_some()
}

fn remove_names(value: &mut Value) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    let annotations = fields.get_mut("annotations").and_then(Value::as_object_mut);
    let empty = annotations.is_some_and(|annotations: &mut Map<String, Value>| {
        annotations.shift_remove(REF_NAME);
        annotations.shift_remove(CONTAINERD_NAME);
        annotations.is_empty()
    });
    if empty {
        fields.shift_remove("annotations");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn image(content: &str, name: Option<&str>) -> Descriptor {
        let mut descriptor =
            Descriptor::new(media_type::MANIFEST, Digest::sha256(content.as_bytes()), 7);
        descriptor.annotations = name.map(|name| {
            let annotations = json!({ REF_NAME: name });
            annotations.as_object().unwrap().clone()
        });
        descriptor
    }

    /// Merges lists one after the other; gives (content, name) of what is there in the end.
    fn merged(lists: &[&[(&str, Option<&str>)]]) -> Vec<(String, Option<String>)> {
        let mut index: Option<Vec<u8>> = None;
        let mut contents = Vec::new();
        for list in lists {
            let descriptors = list.iter().map(|(content, name)| image(content, *name));
            let additions = Additions {
                descriptors: descriptors.collect(),
            };
            contents.extend(list.iter().map(|(content, _)| (*content).to_owned()));
            index = Some(additions.merge(index.as_deref()).unwrap().bytes);
        }
        let index: Value = serde_json::from_slice(&index.unwrap()).unwrap();
        let manifests = index["manifests"].as_array().unwrap().iter();
        let content = |value: &Value| {
            let digest = value["digest"].as_str().unwrap();
            let named =
                |content: &&String| Digest::sha256(content.as_bytes()).to_string() == digest;
            contents.iter().find(named).unwrap().clone()
        };
        manifests
            .map(|value| {
                (
                    content(value),
                    annotation(value, REF_NAME).map(str::to_owned),
                )
            })
            .collect()
    }

    #[test]
    fn names_move_and_images_stay() {
        let entry =
            |content: &str, name: Option<&str>| (content.to_owned(), name.map(str::to_owned));
        let old: &[(&str, Option<&str>)] = &[("A", Some("app:1")), ("B", Some("base"))];
        assert_eq!(
            merged(&[old, &[("C", Some("app:1"))]]),
            [
                entry("A", None),
                entry("B", Some("base")),
                entry("C", Some("app:1"))
            ]
        );
        // An image that has another name does not stay without a name too.
        let twice: &[(&str, Option<&str>)] = &[("A", Some("app:1")), ("A", Some("app:latest"))];
        assert_eq!(
            merged(&[twice, &[("C", Some("app:1"))]]),
            [entry("A", Some("app:latest")), entry("C", Some("app:1"))]
        );
        // The same again changes nothing.
        assert_eq!(merged(&[old, old]), merged(&[old]));
        assert_eq!(
            merged(&[&[("A", None)], &[("A", None)]]),
            [entry("A", None)]
        );
        // A name for what had none.
        assert_eq!(
            merged(&[&[("A", None)], &[("A", Some("app:1"))]]),
            [entry("A", Some("app:1"))]
        );
    }

    #[test]
    fn unknown_fields_of_the_index_stay() {
        let existing = br#"{"schemaVersion":2,"annotations":{"a":"b"},"manifests":null,"x":1}"#;
        let merged = Additions::default().merge(Some(existing)).unwrap();
        assert_eq!(
            String::from_utf8(merged.bytes).unwrap(),
            r#"{"schemaVersion":2,"annotations":{"a":"b"},"manifests":[],"x":1}"#
        );
    }
}

//! index.json: what a conversion adds to it, and how that joins what is there.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::formats::to_bytes;
use crate::image::{CONTAINERD_NAME, Descriptor, Document, REF_NAME, media_type};
use crate::limits;

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
    ///
    /// # Errors
    /// An index that could not be read again, by this program or others.
    pub fn merge(&self, existing: Option<&[u8]>) -> Result<Document> {
        let mut index = match existing {
            Some(bytes) => parse(bytes)?,
            None => json!({ "schemaVersion": 2, "mediaType": media_type::INDEX }),
        };
        let malformed = || Error::document("index.json", "it is not an object with manifests");
        let fields = index.as_object_mut().ok_or_else(malformed)?;
        let mut manifests = match fields.get_mut("manifests").map(Value::take) {
            Some(Value::Array(manifests)) => manifests,
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(malformed()),
        };
        self.add_to(&mut manifests)?;
        check_names(self.descriptors.iter().filter_map(name))?;
        limits::at_most("the number of names", manifests.len(), limits::NAMES)?;
        fields.insert("manifests".to_owned(), Value::Array(manifests));
        let bytes = to_bytes(&index)?;
        check_size("index.json", &bytes)?;
        Ok(Document::new(media_type::INDEX, bytes))
    }

    fn add_to(&self, manifests: &mut Vec<Value>) -> Result<()> {
        let additions: Vec<Value> = self
            .descriptors
            .iter()
            .map(to_value)
            .collect::<Result<_>>()?;
        let mut placed = vec![false; additions.len()];
        let mut same_image = ByName::new();
        let mut moved: HashSet<Key<'_>> = HashSet::new();
        for (position, addition) in additions.iter().enumerate() {
            for key in offered(addition) {
                let digest = text(addition, "digest");
                same_image
                    .entry((key, digest))
                    .or_default()
                    .push_back(position);
                moved.insert(key);
            }
        }
        let mut changes = Vec::with_capacity(manifests.len());
        for value in manifests.iter() {
            changes.push(match same_name(value, &mut same_image, &placed) {
                Some(position) => {
                    placed[position] = true;
                    Change::Become(position)
                }
                None if wanted(value).any(|key| moved.contains(&key)) => Change::LoseName,
                None => Change::Stay,
            });
        }
        drop(same_image);
        for (value, change) in manifests.iter_mut().zip(changes) {
            match change {
                Change::Become(position) => *value = additions[position].clone(),
                Change::LoseName => remove_names(value),
                Change::Stay => {}
            }
        }
        let mut seen = HashSet::new();
        for (addition, placed) in additions.iter().zip(placed) {
            if seen.insert(addition.to_string()) && !placed {
                manifests.push(addition.clone());
            }
        }
        remove_repeated(manifests);
        Ok(())
    }
}

/// By what two descriptors have the same name: the whole name, or ref.name where at least one of them has nothing else.
/// With a whole name in both, ref.name may be just the tag and says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    Whole(&'a str),
    RefName(&'a str),
    /// That of a descriptor without a whole name.
    LoneRefName(&'a str),
}

/// The keys that a new descriptor takes names away by.
fn offered(value: &Value) -> impl Iterator<Item = Key<'_>> {
    let whole = annotation(value, CONTAINERD_NAME);
    let ref_name = annotation(value, REF_NAME);
    let lone = ref_name.filter(|_| whole.is_none());
    [
        whole.map(Key::Whole),
        ref_name.map(Key::RefName),
        lone.map(Key::LoneRefName),
    ]
    .into_iter()
    .flatten()
}

/// The keys by which a descriptor that is there loses its name.
fn wanted(value: &Value) -> impl Iterator<Item = Key<'_>> {
    let ref_name = annotation(value, REF_NAME);
    let keys = match annotation(value, CONTAINERD_NAME) {
        Some(whole) => [Some(Key::Whole(whole)), ref_name.map(Key::LoneRefName)],
        None => [ref_name.map(Key::RefName), None],
    };
    keys.into_iter().flatten()
}

/// What happens to a descriptor that is there.
enum Change {
    /// It is the new one at this position.
    Become(usize),
    LoseName,
    Stay,
}

/// New descriptors by their names and digests.
type ByName<'a> = HashMap<(Key<'a>, Option<&'a str>), VecDeque<usize>>;

/// The first new descriptor of the same name and image that has no place yet.
fn same_name<'a>(value: &'a Value, new: &mut ByName<'a>, placed: &[bool]) -> Option<usize> {
    for key in wanted(value) {
        let Some(positions) = new.get_mut(&(key, text(value, "digest"))) else {
            continue;
        };
        while let Some(position) = positions.pop_front() {
            if !placed[position] {
                return Some(position);
            }
        }
    }
    None
}

/// An image without a name need not be listed next to itself.
fn remove_repeated(manifests: &mut Vec<Value>) {
    let mut named: HashSet<String> = HashSet::new();
    for value in manifests.iter().filter(|value| is_named(value)) {
        named.extend(text(value, "digest").map(str::to_owned));
    }
    let mut listed: HashSet<String> = HashSet::new();
    manifests.retain(|value| {
        let Some(digest) = text(value, "digest") else {
            return true;
        };
        is_named(value) || !named.contains(digest) && listed.insert(digest.to_owned())
    });
}

/// Refuses names that no command would read again.
pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let (count, longest) = names.fold((0, 0), |(count, longest), name| {
        (count + 1, longest.max(name.len() as u64))
    });
    limits::at_most("the number of names", count, limits::NAMES)?;
    limits::at_most(
        "the length of an image's name in bytes",
        longest,
        limits::IMAGE_NAME_BYTES,
    )
}

/// Refuses a document that no command would read again.
pub(super) fn check_size(name: &str, bytes: &[u8]) -> Result<()> {
    let what = format!("the size of the new {name} in bytes");
    limits::at_most(what, bytes.len() as u64, limits::DOCUMENT_BYTES)
}

/// A descriptor's longest name.
fn name(descriptor: &Descriptor) -> Option<&str> {
    let names = [REF_NAME, CONTAINERD_NAME].into_iter();
    let names = names.filter_map(|key| descriptor.annotation(key));
    names.max_by_key(|name| name.len())
}

/// Annotations are strings: Go's readers refuse the whole index for one that is not.
fn to_value(descriptor: &Descriptor) -> Result<Value> {
    let mut descriptor = descriptor.clone();
    if let Some(annotations) = &mut descriptor.annotations {
        annotations.retain(|_, value| value.is_string());
    }
    descriptor.annotations = descriptor
        .annotations
        .filter(|annotations| !annotations.is_empty());
    serde_json::to_value(descriptor).map_err(|source| Error::Json {
        document: "a new descriptor".to_owned(),
        source,
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
            index = Some(additions.merge(index.as_deref()).unwrap().bytes.to_vec());
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

    /// Many images may have the same tag: <https://github.com/containerd/containerd> exports them so.
    #[test]
    fn the_whole_name_counts() {
        let image = |content: &str, tag: &str, whole: Option<&str>| {
            let mut descriptor = image(content, Some(tag));
            let annotations = descriptor.annotations.as_mut().unwrap();
            annotations.extend(whole.map(|whole| (CONTAINERD_NAME.to_owned(), json!(whole))));
            descriptor
        };
        let merge = |descriptor: &Descriptor, existing: Option<&[u8]>| {
            let descriptors = vec![descriptor.clone()];
            Additions { descriptors }.merge(existing).unwrap().bytes
        };
        let a = image("A", "1", Some("docker.io/x/a:1"));
        let b = image("B", "1", Some("docker.io/x/b:1"));
        let next_a = image("C", "1", Some("docker.io/x/a:1"));
        let plain = image("D", "1", None);
        let both = merge(&b, Some(&merge(&a, None)));
        let names = |index: &[u8]| {
            let index: Value = serde_json::from_slice(index).unwrap();
            let manifests = index["manifests"].as_array().unwrap().iter();
            manifests
                .map(|value| annotation(value, CONTAINERD_NAME).map(str::to_owned))
                .collect::<Vec<_>>()
        };
        let [name_a, name_b] = ["docker.io/x/a:1", "docker.io/x/b:1"].map(|n| Some(n.to_owned()));
        assert_eq!(names(&both), [name_a.clone(), name_b.clone()]);
        let next = merge(&next_a, Some(&both));
        assert_eq!(names(&next), [None, name_b.clone(), name_a]);
        // A reader that knows only ref.name finds one image.
        assert_eq!(names(&merge(&plain, Some(&both))), [None, None, None]);
    }

    #[test]
    fn annotations_are_strings() {
        let mut descriptor = image("A", Some("app:1"));
        let annotations = descriptor.annotations.as_mut().unwrap();
        annotations.insert("z".to_owned(), json!(1));
        let descriptors = vec![descriptor];
        let merged = Additions { descriptors }.merge(None).unwrap();
        let index: Value = serde_json::from_slice(&merged.bytes).unwrap();
        assert_eq!(
            index["manifests"][0]["annotations"],
            json!({ REF_NAME: "app:1" })
        );
    }

    #[test]
    fn unknown_fields_of_the_index_stay() {
        let existing = br#"{"schemaVersion":2,"annotations":{"a":"b"},"manifests":null,"x":1}"#;
        let merged = Additions::default().merge(Some(existing)).unwrap();
        assert_eq!(
            String::from_utf8(merged.bytes.to_vec()).unwrap(),
            r#"{"schemaVersion":2,"annotations":{"a":"b"},"manifests":[],"x":1}"#
        );
    }
}

//! index.json: what a conversion adds to it, and how that joins what is there.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::formats::to_bytes;
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME, media_type};
use crate::limits;

/// The descriptors that a conversion adds to index.json, each with at most one name.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    pub descriptors: Vec<Descriptor>,
}

impl Additions {
    /// The index with the additions in it, sorted. `existing` is index.json as it is.
    ///
    /// A name that is there already moves to the new image. An image that has no name left leaves the index: skopeo keeps
    /// it without a name, and then refuses to read the layout without being told which image.
    ///
    /// # Errors
    /// An index that could not be read again, by this program or others.
    pub fn merge(&self, existing: Option<&[u8]>) -> Result<Merged> {
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
        let moved = self.add_to(&mut manifests)?;
        sort(&mut manifests);
        check_names(self.descriptors.iter().filter_map(name))?;
        limits::at_most("the number of names", manifests.len(), limits::NAMES)?;
        fields.insert("manifests".to_owned(), Value::Array(manifests));
        let bytes = to_bytes(&index)?;
        check_size("index.json", &bytes)?;
        Ok(Merged { bytes, moved })
    }

    /// Gives the names that have moved.
    fn add_to(&self, manifests: &mut Vec<Value>) -> Result<Vec<MovedName>> {
        let additions: Vec<Value> = self
            .descriptors
            .iter()
            .map(to_value)
            .collect::<Result<_>>()?;
        let mut placed = vec![false; additions.len()];
        let mut same_image = ByName::new();
        let mut takers: HashMap<Key<'_>, usize> = HashMap::new();
        for (position, addition) in additions.iter().enumerate() {
            for key in offered(addition) {
                let digest = text(addition, "digest");
                same_image
                    .entry((key, digest))
                    .or_default()
                    .push_back(position);
                takers.insert(key, position);
            }
        }
        let mut changes = Vec::with_capacity(manifests.len());
        for value in manifests.iter() {
            changes.push(match same_name(value, &mut same_image, &placed) {
                Some(position) => {
                    placed[position] = true;
                    Change::Become(position)
                }
                None => match wanted(value).find_map(|key| takers.get(&key)) {
                    None => Change::Stay,
                    Some(&position)
                        if text(value, "digest") == text(&additions[position], "digest") =>
                    {
                        Change::Leave
                    }
                    Some(&position) => Change::LoseNameTo(position),
                },
            });
        }
        drop(same_image);
        let mut moved = Vec::new();
        let mut kept = Vec::with_capacity(manifests.len() + additions.len());
        for (value, change) in manifests.drain(..).zip(changes) {
            match change {
                Change::Become(position) => kept.push(additions[position].clone()),
                Change::LoseNameTo(position) => {
                    moved.extend(MovedName::new(&value, &additions[position]));
                }
                Change::Leave => {}
                Change::Stay => kept.push(value),
            }
        }
        *manifests = kept;
        let mut seen = HashSet::new();
        for (addition, placed) in additions.iter().zip(placed) {
            if seen.insert(addition.to_string()) && !placed {
                manifests.push(addition.clone());
            }
        }
        remove_repeated(manifests);
        Ok(moved)
    }
}

/// An index.json with the additions in it.
#[derive(Debug)]
pub(crate) struct Merged {
    pub bytes: Vec<u8>,
    pub moved: Vec<MovedName>,
}

/// A name that an output had already, and that leads to another image now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MovedName {
    /// The name.
    pub name: String,
    /// Digest of the image that had it.
    pub from: String,
    /// Digest of the image that has it now.
    pub to: String,
}

impl MovedName {
    fn new(old: &Value, new: &Value) -> Option<MovedName> {
        let name = annotation(old, REF_NAME).or_else(|| annotation(old, CONTAINERD_NAME))?;
        Some(MovedName {
            name: name.to_owned(),
            from: text(old, "digest")?.to_owned(),
            to: text(new, "digest")?.to_owned(),
        })
    }
}

/// Sorts by name and digest, what has no name last, so that the order of the runs does not show.
fn sort(manifests: &mut [Value]) {
    manifests.sort_by_cached_key(|value| {
        let name = annotation(value, REF_NAME).or_else(|| annotation(value, CONTAINERD_NAME));
        let name = name.map(str::to_owned);
        let digest = text(value, "digest").map(str::to_owned);
        (name.is_none(), name, digest, value.to_string())
    });
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
        // A tag is no name: an image that is called by it alone is another one.
        Some(whole) if ref_name.is_some_and(|name| is_tag_of(name, whole)) => {
            [Some(Key::Whole(whole)), None]
        }
        Some(whole) => [Some(Key::Whole(whole)), ref_name.map(Key::LoneRefName)],
        None => [ref_name.map(Key::RefName), None],
    };
    keys.into_iter().flatten()
}

/// What happens to a descriptor that is there.
enum Change {
    /// It is the new one at this position.
    Become(usize),
    /// The new one at this position has its name.
    LoseNameTo(usize),
    /// The new one says all that it said.
    Leave,
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

/// The digests of the descriptors of an index.json that we made.
pub(super) fn digests(index: &[u8]) -> Result<HashSet<Digest>> {
    let index = parse(index)?;
    let manifests = index.get("manifests").and_then(Value::as_array);
    let digests = manifests.into_iter().flatten();
    Ok(digests
        .filter_map(|value| text(value, "digest")?.parse().ok())
        .collect())
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

/// Whether a ref.name is no more than the tag of the whole name, as buildx, `ctr` and Docker's containerd store write it.
fn is_tag_of(name: &str, whole: &str) -> bool {
    whole
        .strip_suffix(name)
        .is_some_and(|path| path.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn names_move_and_nothing_stays_without_a_name() {
        let entry =
            |content: &str, name: Option<&str>| (content.to_owned(), name.map(str::to_owned));
        let old: &[(&str, Option<&str>)] = &[("A", Some("app:1")), ("B", Some("base"))];
        assert_eq!(
            merged(&[old, &[("C", Some("app:1"))]]),
            [entry("C", Some("app:1")), entry("B", Some("base"))]
        );
        // An image that has another name does not stay without a name too.
        let twice: &[(&str, Option<&str>)] = &[("A", Some("app:1")), ("A", Some("app:latest"))];
        assert_eq!(
            merged(&[twice, &[("C", Some("app:1"))]]),
            [entry("C", Some("app:1")), entry("A", Some("app:latest"))]
        );
        // What never had a name stays.
        let nameless: &[(&str, Option<&str>)] = &[("A", None), ("B", Some("base"))];
        assert_eq!(
            merged(&[nameless, &[("C", Some("base"))]]),
            [entry("C", Some("base")), entry("A", None)]
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
        assert_eq!(names(&next).len(), 2);
        assert!(names(&next).contains(&name_a) && names(&next).contains(&name_b));
        // One that is called by the tag alone is yet another image.
        assert_eq!(names(&merge(&plain, Some(&both))).len(), 3);
    }

    #[test]
    fn the_order_of_the_runs_does_not_show() {
        let lists: [&[(&str, Option<&str>)]; 3] = [
            &[("A", Some("b:1")), ("B", None)],
            &[("C", Some("a:1")), ("A", Some("a:2"))],
            &[("D", None)],
        ];
        let expected = merged(&lists);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(merged(&order.map(|run| lists[run])), expected);
        }
    }

    #[test]
    fn a_moved_name_is_told() {
        let old = Additions {
            descriptors: vec![image("A", Some("app:1")), image("B", Some("b:1"))],
        };
        let old = old.merge(None).unwrap().bytes;
        let new = Additions {
            descriptors: vec![image("C", Some("app:1")), image("B", Some("b:1"))],
        };
        let digest = |content: &str| Digest::sha256(content.as_bytes()).to_string();
        let moved = MovedName {
            name: "app:1".to_owned(),
            from: digest("A"),
            to: digest("C"),
        };
        assert_eq!(new.merge(Some(&old)).unwrap().moved, [moved]);
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
            String::from_utf8(merged.bytes).unwrap(),
            r#"{"schemaVersion":2,"annotations":{"a":"b"},"manifests":[],"x":1}"#
        );
    }
}

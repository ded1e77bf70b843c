//! index.json: what a conversion adds to it, and how that joins what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::formats::to_bytes;
use crate::image::{AbsentBlob, CONTAINERD_NAME, Descriptor, REF_NAME, media_type};
use crate::limits;

/// What a conversion adds to an output besides blobs and documents.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    /// The descriptors for index.json, each with at most one name.
    pub descriptors: Vec<Descriptor>,
    /// Detached signatures, by the name of the file that a `dir:` folder has them in.
    pub signatures: Vec<(String, Vec<u8>)>,
    /// Whether the output is a part, which may lack blobs. A new one then says what it lacks even if that is nothing.
    pub is_part: bool,
    /// Blobs that the output may lack.
    pub absent: BTreeMap<Digest, AbsentBlob>,
    /// Blobs that the output had already, and that were not written again.
    pub in_place: BTreeSet<Digest>,
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
mod tests;

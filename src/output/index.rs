//! Merges the images of a conversion into index.json.

mod listed;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use listed::{IndexParts, Listed};

use crate::digest::Digest;
use crate::error::Result;
use crate::image::{AbsentBlob, CONTAINERD_NAME, Descriptor, REF_NAME, is_tag_of};
use crate::limits;

/// Additions to an output besides blobs and documents.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    /// The descriptors for index.json, each with at most one name.
    pub descriptors: Vec<Descriptor>,
    /// Where the images belong in a registry.
    pub in_registry: Vec<InRegistry>,
    /// Detached signatures, by the name of their file in a `dir:` folder.
    pub signatures: Vec<(String, Vec<u8>)>,
    /// Whether the output is a part, which may lack blobs. A new one then says what it lacks even if that is nothing.
    pub is_part: bool,
    /// Blobs that the output may lack.
    pub absent: BTreeMap<Digest, AbsentBlob>,
    /// All blobs but documents, in the order of the images.
    pub order: Vec<Digest>,
    /// Blobs that no part may lack.
    pub required: BTreeSet<Digest>,
    /// What is said of a blob that a part lacks, for all layers.
    pub blobs: BTreeMap<Digest, AbsentBlob>,
    /// Blobs that the output had already, and that were not written again.
    pub in_place: BTreeSet<Digest>,
}

/// A place of an image in a registry.
#[derive(Debug)]
pub(crate) struct InRegistry {
    pub digest: Digest,
    pub repository: String,
    /// `None` for a manifest without a tag.
    pub tag: Option<String>,
}

impl Additions {
    /// The sorted index with the additions. `existing` is the existing index.json.
    ///
    /// An existing name moves to the new image. An image without a remaining name is removed from the index, because skopeo
    /// refuses to read a layout with several images unless one is selected.
    ///
    /// # Errors
    /// The index exceeds the limits of this program or others.
    pub fn merge(&self, existing: Option<&[u8]>) -> Result<MergedIndex> {
        let mut index = IndexParts::read(existing)?;
        let moved = self.add_to(&mut index.manifests)?;
        sort(&mut index.manifests);
        check_names(self.descriptors.iter().filter_map(name))?;
        limits::at_most(
            "the number of names",
            index.manifests.len(),
            limits::LAYOUT_NAMES,
        )?;
        let entries = index.manifests.len();
        let bytes = index.into_bytes()?;
        check_size("index.json", &bytes, limits::LAYOUT_INDEX_BYTES)?;
        Ok(MergedIndex {
            bytes,
            entries,
            moved,
        })
    }

    /// Returns the names that have moved.
    fn add_to(&self, manifests: &mut Vec<Listed<'_>>) -> Result<Vec<MovedName>> {
        let additions = self.descriptors.iter().map(Listed::of);
        let additions: Vec<Listed<'static>> = additions.collect::<Result<_>>()?;
        let mut takers: HashMap<NameKey<'_>, usize> = HashMap::new();
        let mut same_image = HashSet::new();
        for (position, addition) in additions.iter().enumerate() {
            for key in offered(addition) {
                same_image.insert((key, addition.digest.as_deref()));
                takers.insert(key, position);
            }
        }
        let mut moved = Vec::new();
        manifests.retain(|listed| {
            let digest = listed.digest.as_deref();
            if wanted(listed).any(|key| same_image.contains(&(key, digest))) {
                // The new descriptor has all its fields.
                return false;
            }
            let taker = wanted(listed).find_map(|key| takers.get(&key));
            let taker = taker.map(|&position| &additions[position]);
            moved.extend(taker.and_then(|taker| MovedName::new(listed, taker)));
            taker.is_none()
        });
        let mut seen = HashSet::new();
        let distinct = additions.iter().filter(|one| seen.insert(&one.text));
        manifests.extend(distinct.cloned());
        remove_repeated(manifests);
        Ok(moved)
    }
}

/// An index.json with the additions.
#[derive(Debug)]
pub(crate) struct MergedIndex {
    pub bytes: Vec<u8>,
    /// Number of its entries.
    pub entries: usize,
    pub moved: Vec<MovedName>,
}

/// A name in an existing output that has moved to another image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MovedName {
    /// The name.
    pub name: String,
    /// Digest of the old image.
    pub from: String,
    /// Digest of the new image.
    pub to: String,
}

impl MovedName {
    fn new(old: &Listed, new: &Listed) -> Option<MovedName> {
        Some(MovedName {
            name: old.name()?.to_owned(),
            from: old.digest.as_deref()?.to_owned(),
            to: new.digest.as_deref()?.to_owned(),
        })
    }
}

/// Sorts by name and digest, with unnamed images last, so that the result does not depend on the order of runs.
fn sort(manifests: &mut [Listed]) {
    fn key<'k>(listed: &'k Listed<'_>) -> (bool, Option<&'k str>, Option<&'k str>, &'k str) {
        let name = listed.name();
        (name.is_none(), name, listed.digest.as_deref(), &listed.text)
    }
    // What is there is in order mostly, which this sort makes use of.
    manifests.sort_by(|one, other| key(one).cmp(&key(other)));
}

/// Decides whether two descriptors have the same name: by the full name, or by ref.name if one of them has no full name. If
/// both have a full name, ref.name may be only the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum NameKey<'a> {
    Whole(&'a str),
    RefName(&'a str),
    /// The ref.name of a descriptor without a full name.
    LoneRefName(&'a str),
}

/// The keys by which a new descriptor takes a name.
fn offered<'a>(listed: &'a Listed<'_>) -> impl Iterator<Item = NameKey<'a>> {
    let whole = listed.containerd_name.as_deref();
    let ref_name = listed.ref_name.as_deref();
    let lone = ref_name.filter(|_| whole.is_none());
    [
        whole.map(NameKey::Whole),
        ref_name.map(NameKey::RefName),
        lone.map(NameKey::LoneRefName),
    ]
    .into_iter()
    .flatten()
}

/// The keys by which an existing descriptor loses its name.
fn wanted<'a>(listed: &'a Listed<'_>) -> impl Iterator<Item = NameKey<'a>> {
    let ref_name = listed.ref_name.as_deref();
    let keys = match listed.containerd_name.as_deref() {
        // A tag is not a name: an image with only this tag as its name is another one.
        Some(whole) if ref_name.is_some_and(|name| is_tag_of(name, whole)) => {
            [Some(NameKey::Whole(whole)), None]
        }
        Some(whole) => [
            Some(NameKey::Whole(whole)),
            ref_name.map(NameKey::LoneRefName),
        ],
        None => [ref_name.map(NameKey::RefName), None],
    };
    keys.into_iter().flatten()
}

/// Removes unnamed entries of images that are listed with a name.
fn remove_repeated(manifests: &mut Vec<Listed<'_>>) {
    if manifests.iter().all(|listed| listed.name().is_some()) {
        return;
    }
    let named = manifests.iter().filter(|listed| listed.name().is_some());
    let named: HashSet<String> = named.filter_map(digest).collect();
    let mut listed: HashSet<String> = HashSet::new();
    manifests.retain(|one| match digest(one) {
        Some(digest) => one.name().is_some() || !named.contains(&digest) && listed.insert(digest),
        None => true,
    });
}

fn digest(listed: &Listed) -> Option<String> {
    listed.digest.as_deref().map(str::to_owned)
}

/// The digests of the descriptors in a new index.json.
pub(super) fn digests(index: &[u8]) -> Result<HashSet<Digest>> {
    let index = IndexParts::read(Some(index))?;
    let digests = index.manifests.iter().filter_map(digest);
    Ok(digests.filter_map(|digest| digest.parse().ok()).collect())
}

/// Refuses names that exceed the limits for reading.
pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let (count, longest) = names.fold((0, 0), |(count, longest), name| {
        (count + 1, longest.max(name.len() as u64))
    });
    limits::at_most("the number of names", count, limits::LAYOUT_NAMES)?;
    limits::at_most(
        "the length of an image's name in bytes",
        longest,
        limits::IMAGE_NAME_BYTES,
    )
}

/// Refuses a document that exceeds the limit for reading.
pub(super) fn check_size(name: &str, bytes: &[u8], limit: u64) -> Result<()> {
    let what = format!("the size of the new {name} in bytes");
    limits::at_most(what, bytes.len() as u64, limit)
}

/// The longest name of a descriptor.
fn name(descriptor: &Descriptor) -> Option<&str> {
    let names = [REF_NAME, CONTAINERD_NAME].into_iter();
    let names = names.filter_map(|key| descriptor.annotation(key));
    names.max_by_key(|name| name.len())
}

#[cfg(test)]
mod tests;

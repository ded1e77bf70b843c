//! index.json: what a conversion adds to it, and how that joins what is there.

mod listed;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use listed::{IndexParts, Listed};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::image::{AbsentBlob, CONTAINERD_NAME, Descriptor, REF_NAME};
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
    /// All blobs but documents, in the order of the images.
    pub order: Vec<Digest>,
    /// Blobs that no part may lack.
    pub required: BTreeSet<Digest>,
    /// What is said of a blob that a part lacks, for all layers.
    pub blobs: BTreeMap<Digest, AbsentBlob>,
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
        let mut index = IndexParts::read(existing)?;
        let moved = self.add_to(&mut index.manifests)?;
        sort(&mut index.manifests);
        check_names(self.descriptors.iter().filter_map(name))?;
        limits::at_most(
            "the number of names",
            index.manifests.len(),
            limits::LAYOUT_NAMES,
        )?;
        let bytes = index.into_bytes()?;
        check_size("index.json", &bytes, limits::LAYOUT_INDEX_BYTES)?;
        Ok(Merged { bytes, moved })
    }

    /// Gives the names that have moved.
    fn add_to(&self, manifests: &mut Vec<Listed<'_>>) -> Result<Vec<MovedName>> {
        let additions = self.descriptors.iter().map(listed);
        let additions: Vec<Listed<'static>> = additions.collect::<Result<_>>()?;
        let mut placed = vec![false; additions.len()];
        let mut same_image = ByName::new();
        let mut takers: HashMap<Key<'_>, usize> = HashMap::new();
        for (position, addition) in additions.iter().enumerate() {
            for key in offered(addition) {
                same_image
                    .entry((key, addition.digest.as_deref()))
                    .or_default()
                    .push_back(position);
                takers.insert(key, position);
            }
        }
        let mut changes = Vec::with_capacity(manifests.len());
        for listed in manifests.iter() {
            changes.push(match same_name(listed, &mut same_image, &placed) {
                Some(position) => {
                    placed[position] = true;
                    Change::Become(position)
                }
                None => match wanted(listed).find_map(|key| takers.get(&key)) {
                    None => Change::Stay,
                    Some(&position) if listed.digest == additions[position].digest => Change::Leave,
                    Some(&position) => Change::LoseNameTo(position),
                },
            });
        }
        drop(same_image);
        let mut moved = Vec::new();
        let mut kept = Vec::with_capacity(manifests.len() + additions.len());
        for (listed, change) in manifests.drain(..).zip(changes) {
            match change {
                Change::Become(position) => kept.push(additions[position].clone()),
                Change::LoseNameTo(position) => {
                    moved.extend(MovedName::new(&listed, &additions[position]));
                }
                Change::Leave => {}
                Change::Stay => kept.push(listed),
            }
        }
        *manifests = kept;
        let mut seen = HashSet::new();
        for (addition, placed) in additions.iter().zip(placed) {
            if seen.insert(&addition.text) && !placed {
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
    fn new(old: &Listed, new: &Listed) -> Option<MovedName> {
        Some(MovedName {
            name: old.name()?.to_owned(),
            from: old.digest.as_deref()?.to_owned(),
            to: new.digest.as_deref()?.to_owned(),
        })
    }
}

/// Sorts by name and digest, what has no name last, so that the order of the runs does not show.
fn sort(manifests: &mut [Listed]) {
    fn key<'k>(listed: &'k Listed<'_>) -> (bool, Option<&'k str>, Option<&'k str>, &'k str) {
        let name = listed.name();
        (name.is_none(), name, listed.digest.as_deref(), &listed.text)
    }
    // What is there is in order mostly, which this sort makes use of.
    manifests.sort_by(|one, other| key(one).cmp(&key(other)));
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
fn offered<'a>(listed: &'a Listed<'_>) -> impl Iterator<Item = Key<'a>> {
    let whole = listed.containerd_name.as_deref();
    let ref_name = listed.ref_name.as_deref();
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
fn wanted<'a>(listed: &'a Listed<'_>) -> impl Iterator<Item = Key<'a>> {
    let ref_name = listed.ref_name.as_deref();
    let keys = match listed.containerd_name.as_deref() {
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
fn same_name<'k>(listed: &'k Listed<'_>, new: &mut ByName<'k>, placed: &[bool]) -> Option<usize> {
    for key in wanted(listed) {
        let Some(positions) = new.get_mut(&(key, listed.digest.as_deref())) else {
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

/// The digests of the descriptors of an index.json that we made.
pub(super) fn digests(index: &[u8]) -> Result<HashSet<Digest>> {
    let index = IndexParts::read(Some(index))?;
    let digests = index.manifests.iter().filter_map(digest);
    Ok(digests.filter_map(|digest| digest.parse().ok()).collect())
}

/// Refuses names that no command would read again.
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

/// Refuses a document that no command would read again.
pub(super) fn check_size(name: &str, bytes: &[u8], limit: u64) -> Result<()> {
    let what = format!("the size of the new {name} in bytes");
    limits::at_most(what, bytes.len() as u64, limit)
}

/// A descriptor's longest name.
fn name(descriptor: &Descriptor) -> Option<&str> {
    let names = [REF_NAME, CONTAINERD_NAME].into_iter();
    let names = names.filter_map(|key| descriptor.annotation(key));
    names.max_by_key(|name| name.len())
}

/// Annotations are strings: Go's readers refuse the whole index for one that is not.
fn listed(descriptor: &Descriptor) -> Result<Listed<'static>> {
    let mut descriptor = descriptor.clone();
    if let Some(annotations) = &mut descriptor.annotations {
        annotations.retain(|_, value| value.is_string());
    }
    descriptor.annotations = descriptor
        .annotations
        .filter(|annotations| !annotations.is_empty());
    let value = serde_json::to_value(descriptor).map_err(|source| Error::Json {
        document: "a new descriptor".to_owned(),
        source,
    })?;
    Ok(Listed::new(&value))
}

/// Whether a ref.name is no more than the tag of the whole name, as buildx, `ctr` and Docker's containerd store write it.
fn is_tag_of(name: &str, whole: &str) -> bool {
    whole
        .strip_suffix(name)
        .is_some_and(|path| path.ends_with(':'))
}

#[cfg(test)]
mod tests;

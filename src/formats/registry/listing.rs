//! The images that a tree lists in tags or revisions, or only has as blobs.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::peek::peek;
use crate::digest::Digest;
use crate::findings::{Code, Place};
use crate::formats::reading::{Found, Reading, UNLISTED};
use crate::image::Reference;
use crate::source::Content;
use crate::source::registry::{self, LINK, MANIFESTS, REPOSITORIES};

/// Maximum size of a link. A sha512 digest has 135 bytes.
const LINK_BYTES: u64 = 256;

/// An image, index or artifact.
#[derive(Debug)]
pub(super) struct ListedImage {
    pub digest: Digest,
    /// One for each tag, then one without a name for each repository that has it without a tag. Never empty.
    pub references: Vec<Reference>,
    /// Blobs with signatures of a schema 1 manifest.
    pub signatures: BTreeSet<Digest>,
    /// The first link to it, or the blob itself.
    pub file: String,
}

impl ListedImage {
    pub fn name(&self) -> Option<&str> {
        self.references.iter().find_map(Reference::display_name)
    }
}

#[derive(Debug, Default)]
pub(super) struct Listing {
    pub images: Vec<ListedImage>,
    /// Whether all links could be read.
    pub is_complete: bool,
    positions: HashMap<Digest, usize>,
}

/// A link to a manifest.
enum LinkKind<'n> {
    Tag(&'n str),
    Revision,
    /// Of the revision.
    Signature(Digest),
}

/// The parts of a link's name before and after the manifests folder of a repository.
fn split(name: &str) -> Option<(&str, &str)> {
    let folder = format!("/{MANIFESTS}/");
    let (repository, link) = name.split_once(&folder)?;
    link.ends_with(LINK).then_some((repository, link))
}

/// The root of the tree that contains a link.
pub(super) fn root_of_link(name: &str) -> Option<&str> {
    let (repository, _) = split(name)?;
    let folder = format!("{REPOSITORIES}/");
    if repository.starts_with(&folder) {
        return Some("");
    }
    let end = repository.find(&format!("/{folder}"))?;
    Some(&name[..=end])
}

/// The type of a link by its name below the manifests folder. `None` for other files.
fn kind(link: &str) -> Option<LinkKind<'_>> {
    let components: Vec<&str> = link.split('/').collect();
    let digest = |algorithm: &str, hex: &str| format!("{algorithm}:{hex}").parse().ok();
    match *components {
        ["tags", tag, "current", LINK] => Some(LinkKind::Tag(tag)),
        ["revisions", _, _, LINK] => Some(LinkKind::Revision),
        ["revisions", algorithm, hex, "signatures", _, _, LINK] => {
            digest(algorithm, hex).map(LinkKind::Signature)
        }
        _ => None,
    }
}

impl Listing {
    /// Lists images by the links of all repositories.
    pub fn of_links(reading: &mut Reading, root: &str) -> Listing {
        let mut listing = Listing {
            is_complete: true,
            ..Listing::default()
        };
        let files = reading.files;
        let prefix = format!("{root}{REPOSITORIES}/");
        let mut untagged = Vec::new();
        let mut revisions: HashMap<&str, HashSet<Digest>> = HashMap::new();
        let mut tagged: Vec<(&str, &str, Digest)> = Vec::new();
        let mut signatures = Vec::new();
        for name in files.names() {
            let Some((repository, link)) = name.strip_prefix(&prefix).and_then(split) else {
                continue;
            };
            let Some(kind) = kind(link) else { continue };
            let Some(digest) = read_link(reading, name) else {
                listing.is_complete = false;
                continue;
            };
            match kind {
                LinkKind::Tag(tag) => {
                    // A tree has no name of its own host, so `app:1` may be that of any registry.
                    let reference = Reference {
                        name: Some(format!("{repository}:{tag}")),
                        ..of_repository(repository)
                    };
                    listing.add(digest, reference, name);
                    tagged.push((repository, name, digest));
                }
                LinkKind::Revision => {
                    untagged.push((repository, name, digest));
                    revisions.entry(repository).or_default().insert(digest);
                }
                LinkKind::Signature(revision) => signatures.push((revision, digest)),
            }
        }
        for &(repository, name, digest) in &tagged {
            let revisions = revisions.get(repository);
            if !revisions.is_some_and(|revisions| revisions.contains(&digest)) {
                let message = format!(
                    "the repository has no link to the revision {digest}, so a registry does not serve it"
                );
                reading.note(Code::RegistryRevision, &Place::file(name), message);
            }
        }
        let tagged: HashSet<(&str, Digest)> = tagged
            .into_iter()
            .map(|(repository, _, digest)| (repository, digest))
            .collect();
        for (repository, name, digest) in untagged {
            if !tagged.contains(&(repository, digest)) {
                listing.add(digest, of_repository(repository), name);
            }
        }
        for (revision, digest) in signatures {
            if let Some(&position) = listing.positions.get(&revision) {
                listing.images[position].signatures.insert(digest);
            }
        }
        listing
    }

    /// Lists images by the blobs that are manifests, for trees without links.
    pub fn of_blobs(reading: &mut Reading, root: &str) -> Listing {
        let mut listing = Listing {
            is_complete: true,
            ..Listing::default()
        };
        let files = reading.files;
        let of_folder = files.blob_names().unwrap_or_default();
        let names = files.names().chain(of_folder.iter().map(String::as_str));
        for name in names {
            let digest = name.strip_prefix(root).and_then(registry::digest_of);
            let (Some(digest), Ok(Some(content))) = (digest, files.find(name)) else {
                continue;
            };
            if peek(&content, &mut HashSet::new()).is_some() {
                listing.add(digest, Reference::default(), name);
            }
        }
        listing
    }

    fn add(&mut self, digest: Digest, reference: Reference, file: &str) {
        let next = self.images.len();
        let position = *self.positions.entry(digest).or_insert(next);
        if position == next {
            self.images.push(ListedImage {
                digest,
                references: Vec::new(),
                signatures: BTreeSet::new(),
                file: file.to_owned(),
            });
        }
        self.images[position].references.push(reference);
    }
}

fn of_repository(repository: &str) -> Reference {
    Reference {
        repository: Some(repository.to_owned()),
        ..Reference::default()
    }
}

/// The digest in a link. Problems become findings.
fn read_link(reading: &mut Reading, name: &str) -> Option<Digest> {
    let place = Place::file(name);
    let entry = reading.entry.replace(UNLISTED);
    let digest = match reading.find(name, &place) {
        Found::Here(content) => {
            reading.links.insert(content.id());
            let digest = digest_in(&content);
            let noted = |(code, message)| reading.note(code, &place, message);
            digest.map_err(noted).ok()
        }
        Found::Absent | Found::Broken => None,
    };
    reading.entry = entry;
    digest
}

/// The digest in a link, or its problem.
fn digest_in(link: &Content) -> Result<Digest, (Code, String)> {
    let no_digest = |found: &str| {
        let message = format!("the link {found}, expected a digest");
        (Code::RegistryLink, message)
    };
    if link.size() > LINK_BYTES {
        return Err(no_digest(&format!("has {} bytes", link.size())));
    }
    let bytes = link.document();
    let bytes = bytes.map_err(|error| (Code::Unreadable, error.chain()))?;
    match String::from_utf8_lossy(&bytes).as_ref() {
        "" => Err(no_digest("is empty")),
        text => text
            .parse()
            .map_err(|_| no_digest(&format!("contains {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots() {
        for (name, root) in [
            ("repositories/a/_manifests/tags/1/current/link", Some("")),
            (
                "docker/registry/v2/repositories/repositories/a/_manifests/tags/1/current/link",
                Some("docker/registry/v2/"),
            ),
            ("repositories/a/_layers/sha256/1/link", None),
            ("a/_manifests/tags/1/current/link", None),
        ] {
            assert_eq!(root_of_link(name), root, "{name}");
        }
    }
}

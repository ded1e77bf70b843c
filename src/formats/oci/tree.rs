//! Reads the tree of indexes and manifests below a descriptor. A damaged branch does not hide the others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::{form, manifest};
use crate::digest::Digest;
use crate::findings::{Code, Finding, Place};
use crate::formats::descriptor::{self, Link};
use crate::formats::docker::schema1;
use crate::formats::json::field;
use crate::formats::keys;
use crate::formats::reading::{Found, MISSING, Reading};
use crate::image::media_type::{self, DocumentKind};
use crate::image::{Blob, Document, Index, Node, REFERENCE_DIGEST};
use crate::limits;

/// Where the blobs and documents of a tree are: in a layout's `blobs`, or beside each other as in `dir:`.
pub(crate) trait Places {
    /// The name of a blob in the input.
    fn blob(&self, digest: &Digest) -> String;
    /// The name of a manifest or index in the input.
    fn document(&self, digest: &Digest) -> String {
        self.blob(digest)
    }
}

/// Blobs as a layout has them.
pub(crate) struct LayoutBlobs;

impl Places for LayoutBlobs {
    fn blob(&self, digest: &Digest) -> String {
        digest.blob_path()
    }
}

/// Reads manifests and indexes by their descriptors.
pub(crate) struct Tree<'r, 'f> {
    pub reading: &'r mut Reading<'f>,
    pub places: &'r dyn Places,
    /// Number of nodes so far, each counted as often as it is listed.
    count: usize,
    pub max_count: usize,
    /// The nodes that were read. Attestations are read differently from images.
    seen: HashMap<(Digest, bool), Option<Node>>,
    /// The media type of each manifest, index or blob in its descriptors.
    media_types: HashMap<Digest, String>,
}

impl<'r, 'f> Tree<'r, 'f> {
    pub fn new(reading: &'r mut Reading<'f>, places: &'r dyn Places) -> Tree<'r, 'f> {
        Tree {
            reading,
            places,
            count: 0,
            max_count: limits::IMAGES,
            seen: HashMap::new(),
            media_types: HashMap::new(),
        }
    }

    /// What a descriptor points to; `None` where it cannot be read, which is noted. `place` is the image, `depth` the
    /// number of indexes above it.
    pub fn node(&mut self, link: &Link, place: &Place, depth: usize) -> Option<Node> {
        let descriptor = &link.descriptor;
        let name = self.places.document(&descriptor.digest);
        let place = place.in_file(&name);
        // Other images may be selected, which do not need it.
        let outer = self.reading.manifest.replace(descriptor.digest);
        let found = self.reading.find(&name, &place);
        self.reading.manifest = outer;
        let content = match found {
            Found::Here(content) => content,
            Found::Absent => {
                return self.counted(1, &place).then(|| Node::Absent {
                    descriptor: descriptor.clone(),
                    missing: name,
                });
            }
            Found::Broken => return None,
        };
        if link.has_size {
            self.reading.size(descriptor.size, &content, &place);
        }
        let is_first = self.one_media_type(link, &place);
        let kind = media_type::kind(&descriptor.media_type);
        let is_typed = !descriptor.media_type.is_empty();
        if matches!(kind, DocumentKind::Other | DocumentKind::Schema1)
            && is_typed
            && is_first
            && let Some(own) = super::own_media_type(&content)
        {
            self.media_type_mismatch(&descriptor.media_type, &own, &place);
        }
        if kind == DocumentKind::Other && is_typed {
            let kept = self.counted(1, &place) && self.reading.charge(0, &place);
            return kept.then(|| {
                Node::Blob(Blob {
                    descriptor: descriptor.clone(),
                    content,
                    file: name,
                })
            });
        }
        let key = (descriptor.digest, link.is_about_another());
        if let Some(node) = self.seen.get(&key) {
            // A repeated node takes memory again.
            let (count, bytes) = node.as_ref().map_or((1, 0), extent);
            if !self.counted(count, &place) || !self.reading.charge(bytes, &place) {
                return None;
            }
            return self.seen.get(&key).cloned().flatten();
        }
        if !self.counted(1, &place) {
            return None;
        }
        // Before reading, because a damaged document may lead back to itself.
        self.seen.insert(key, None);
        let document = self
            .reading
            .document(&content, Some(&descriptor.digest), &place)?;
        let node = if kind == DocumentKind::Schema1 {
            self.schema1(&document.bytes, descriptor.digest, &place)
        } else {
            let named = Document {
                media_type: descriptor.media_type.clone(),
                digest: descriptor.digest,
                bytes: document.bytes,
            };
            self.document(&document.value, named, Some(link), &place, depth)
        };
        self.seen.insert(key, node.clone());
        node
    }

    /// Manifest lists may list images of schema 1, and some tools put them into layouts.
    /// <https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-2.md#manifest-list>
    fn schema1(&mut self, bytes: &[u8], digest: Digest, place: &Place) -> Option<Node> {
        let outer = self.reading.manifest.replace(digest);
        let manifest = schema1::read_listed(self.reading, bytes, self.places, place);
        self.reading.manifest = outer;
        Some(Node::Manifest(Arc::new(manifest?)))
    }

    /// Compares another descriptor of a node with the node. `index` is the document that lists it.
    pub fn again(&mut self, link: &Link, node: &Node, image: &Place, index: &Place) {
        let name = self.places.document(&link.descriptor.digest);
        let place = image.in_file(&name);
        self.one_media_type(link, &place);
        if let (true, Ok(Some(content))) = (link.has_size, self.reading.files.find(&name)) {
            self.reading.size(link.descriptor.size, &content, &place);
        }
        self.compare_platform(link, node, &image.in_file_of(index));
    }

    /// Counts nodes. Returns whether they are within the limit.
    fn counted(&mut self, count: usize, place: &Place) -> bool {
        let before = self.count;
        self.count += count;
        if before > self.max_count {
            // The limit was noted.
            return false;
        }
        let what = "the number of manifests";
        self.reading
            .at_most(what, self.count, self.max_count, place)
    }

    /// Reads a manifest or index. `link` is what led to it, if anything did; `document` has its media type, if that said
    /// one.
    pub fn document(
        &mut self,
        value: &Value,
        document: Document,
        link: Option<&Link>,
        place: &Place,
        depth: usize,
    ) -> Option<Node> {
        let known = keys::DOCUMENT;
        let value = keys::as_go_reads(self.reading, value, known, "the document", place);
        let kind = self.form(&value, &document.media_type, place)?;
        let document = Document {
            media_type: form::document_media_type(&value, kind, &document.media_type),
            ..document
        };
        if kind == DocumentKind::Index {
            let index = self.index(&value, document, place, depth)?;
            return Some(Node::Index(Arc::new(index)));
        }
        let outer = self.reading.manifest.replace(document.digest);
        let manifest = manifest::read(self, &value, document, link, place);
        self.reading.manifest = outer;
        Some(Node::Manifest(Arc::new(manifest?)))
    }

    /// Checks that all descriptors of a digest have the same media type. Otherwise one reader could see an image where another
    /// sees none. Returns whether this is the first descriptor.
    fn one_media_type(&mut self, link: &Link, place: &Place) -> bool {
        let (digest, said) = (link.descriptor.digest, &link.descriptor.media_type);
        let is_first = !self.media_types.contains_key(&digest);
        let known = self.media_types.entry(digest);
        let first = known.or_insert_with(|| said.clone());
        if first.is_empty() {
            first.clone_from(said);
        }
        if !said.is_empty() && first != said {
            let message = format!("mediaType is {first} in one descriptor, {said} in another");
            let finding = Finding {
                expected: Some(first.clone()),
                found: Some(said.clone()),
                ..Finding::new(Code::MediaTypeMismatch, place, message)
            };
            self.reading.add(finding);
        }
        is_first
    }

    fn index(
        &mut self,
        value: &Value,
        document: Document,
        place: &Place,
        depth: usize,
    ) -> Option<Index> {
        let what = "the depth of nested indexes";
        if !self
            .reading
            .at_most(what, depth + 1, limits::INDEX_DEPTH, place)
        {
            return None;
        }
        self.subject(value, place);
        let links = self.links(value, "manifests", limits::IMAGES, place)?;
        self.attestations(&links, place);
        let mut children = Vec::with_capacity(links.len());
        let mut absent: Vec<Place> = Vec::new();
        let mut is_present = false;
        for link in links {
            if self.count > self.max_count {
                return None;
            }
            let child_place = place.below(&link.descriptor.label());
            let Some(node) = self.node(&link, &child_place, depth + 1) else {
                // The reason was noted. The child is not missing, but nothing else is known about it.
                is_present |= !link.is_about_another();
                let missing = self.places.document(&link.descriptor.digest);
                let descriptor = link.descriptor;
                children.push((
                    descriptor.clone(),
                    Node::Absent {
                        descriptor,
                        missing,
                    },
                ));
                continue;
            };
            if let Node::Absent { missing, .. } = &node {
                absent.push(child_place.in_file(missing));
            } else {
                self.compare_platform(&link, &node, &child_place.in_file_of(place));
                is_present |= !link.is_about_another();
            }
            children.push((link.descriptor, node));
        }
        for child in absent {
            if is_present {
                let message = "the index lists a manifest that is missing from the input";
                self.reading.note(Code::PlatformAbsent, &child, message);
            } else {
                self.reading.note(Code::MissingBlob, &child, MISSING);
            }
        }
        Some(Index { document, children })
    }

    /// The readable descriptors of a list. `None` if it is not a list, or has more than `limit` entries.
    pub fn links(
        &mut self,
        value: &Value,
        key: &str,
        limit: usize,
        place: &Place,
    ) -> Option<Vec<Link>> {
        let Some(list) = value.get(key).and_then(Value::as_array) else {
            let message = match value.get(key) {
                Some(_) => format!("{key} is not a list"),
                None => format!("{key} is missing"),
            };
            self.reading.note(Code::DocumentField, place, message);
            return None;
        };
        let what = format!("the number of {key}");
        if !self.reading.at_most(&what, list.len(), limit, place) {
            return None;
        }
        let links = list.iter().enumerate();
        let links = links.filter_map(|(number, value)| {
            descriptor::read(self.reading, value, &format!("{key}[{number}]"), place)
        });
        Some(links.collect())
    }

    /// Reads the subject, which may be missing. The subject itself is checked where an index lists it.
    pub fn subject(&mut self, value: &Value, place: &Place) -> Option<Digest> {
        let subject = field(value, "subject")?;
        let link = descriptor::read(self.reading, subject, "subject", place)?;
        let digest = link.descriptor.digest;
        let name = self.places.document(&digest);
        if let Ok(None) = self.reading.files.find(&name) {
            let message = format!("the subject {digest} is missing from the input");
            self.reading.note(Code::SubjectMissing, place, message);
        }
        Some(digest)
    }

    /// An attestation names the manifest beside it that it is about.
    /// <https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/attestation-storage.md>
    pub fn attestations(&mut self, links: &[Link], place: &Place) {
        let listed: HashSet<String> = links
            .iter()
            .map(|link| link.descriptor.digest.to_string())
            .collect();
        for link in links {
            let Some(about) = link.descriptor.annotation(REFERENCE_DIGEST) else {
                continue;
            };
            if !listed.contains(about) {
                let digest = link.descriptor.digest;
                let message = format!(
                    "attestation {digest} refers to {about}, which is not in the same index"
                );
                self.reading
                    .note(Code::AttestationReference, place, message);
            }
        }
    }

    /// Compares the platform of a descriptor with that of the image's config.
    pub fn compare_platform(&mut self, link: &Link, node: &Node, place: &Place) {
        let Node::Manifest(manifest) = node else {
            return;
        };
        let (Some(said), Some(found)) = (&link.descriptor.platform, manifest.platform()) else {
            return;
        };
        let variant =
            said.variant.is_none() || found.variant.is_none() || said.variant == found.variant;
        if said.os != found.os || said.architecture != found.architecture || !variant {
            let what = "the platform of the config";
            let code = Code::PlatformMismatch;
            self.reading
                .add(Finding::mismatch(code, place, what, &said, &found));
        }
    }
}

/// Number of nodes in a tree, and memory of their documents in bytes.
fn extent(node: &Node) -> (usize, u64) {
    let (mut count, mut bytes) = (0, 0);
    node.walk(&mut |node| {
        count += 1;
        bytes += match node {
            Node::Index(index) => index.document.bytes.len() as u64,
            Node::Manifest(manifest) => manifest.memory(),
            Node::Blob(_) | Node::Absent { .. } => 0,
        };
    });
    (count, bytes)
}

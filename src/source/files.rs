//! The files of an input, an archive or a folder, by name. Names are only keys here, never paths.

mod broken;
mod list;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use broken::Broken;

use super::content::Content;
use super::registry::{BlobFolder, Unlisted};
use crate::error::{Error, Result};
use crate::limits;

/// What a name refers to.
#[derive(Debug, Clone)]
enum FileEntry {
    File(Content),
    /// A symbolic or hard link, resolved to a clean name from the root.
    Link(String),
    /// A folder or a device.
    Other,
    /// A file or folder of a folder that cannot be read.
    Broken(Broken),
}

impl FileEntry {
    /// Approximate memory in bytes, without the name.
    fn memory(&self) -> u64 {
        // The entry itself in the map, and what its allocations take.
        let own = 320;
        own + match self {
            FileEntry::File(content) => content.memory(),
            FileEntry::Link(target) => target.len() as u64,
            FileEntry::Other | FileEntry::Broken(_) => 0,
        }
    }
}

/// A member of an archive that known readers of tar interpret differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ambiguity {
    /// Offset of its header in the uncompressed archive.
    pub offset: u64,
    pub name: String,
    pub what: &'static str,
}

/// All names of an input, cleaned: components joined by `/`, none of them empty, `.` or `..`.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// A repeated name replaces the earlier entry, as it does when an archive is unpacked.
    entries: BTreeMap<String, FileEntry>,
    /// Names that an archive contains more than once.
    repeated: BTreeSet<String>,
    ambiguous: Vec<Ambiguity>,
    /// Blobs that are not among the entries, but looked for when they are asked for.
    blobs: Option<BlobFolder>,
    unlisted: Vec<Unlisted>,
    /// A folder without the files of an image may contain a registry's tree. This is a subfolder that could not be searched.
    unsearched: Option<Broken>,
    /// The part of [`limits::METADATA_BYTES`] that is used.
    metadata: AtomicU64,
    /// Number of files of a folder. 0 for an archive, which may be small when it is compressed.
    in_folder_count: u64,
    /// Size of the input on the disk, in bytes.
    on_disk: u64,
}

impl Files {
    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The root of the registry tree that a folder is.
    pub fn registry_root(&self) -> Option<&str> {
        self.blobs.as_ref().map(BlobFolder::root)
    }

    /// The names of the blobs that are not among the other names, in order.
    pub fn blob_names(&self) -> Result<Vec<String>> {
        let blobs = self.blobs.as_ref();
        blobs.map_or_else(|| Ok(Vec::new()), BlobFolder::names)
    }

    /// What of a folder cannot be listed.
    pub fn unlisted(&self) -> &[Unlisted] {
        &self.unlisted
    }

    /// Why a folder without any files could not be searched for a registry's tree.
    pub fn unsearched(&self) -> Option<Error> {
        let is_file = |entry: &FileEntry| matches!(entry, FileEntry::File(_));
        let broken = self.unsearched.as_ref()?;
        let has_files = self.entries.values().any(is_file);
        (!has_files).then(|| broken.error(""))
    }

    /// Names that an archive contains more than once, including all folders.
    pub fn repeated(&self) -> impl Iterator<Item = &str> {
        self.repeated.iter().map(String::as_str)
    }

    /// Members that known readers of tar interpret differently, including all folders.
    pub fn ambiguous(&self) -> &[Ambiguity] {
        &self.ambiguous
    }

    /// Whether a folder with this name exists, or anything inside it.
    pub fn has_folder(&self, name: &str) -> bool {
        let inside = format!("{name}/");
        let mut after = self.entries.range(inside.clone()..);
        matches!(
            self.entries.get(name),
            Some(FileEntry::Other | FileEntry::Broken(_))
        ) || after
            .next()
            .is_some_and(|(first, _)| first.starts_with(&inside))
    }

    /// Whether the name is a file or a link, or cannot be read.
    pub fn has(&self, name: &str) -> bool {
        matches!(
            self.entries.get(name),
            Some(FileEntry::File(_) | FileEntry::Link(_) | FileEntry::Broken(_))
        )
    }

    /// The folder around a name that cannot be read.
    fn broken_folder(&self, name: &str) -> Option<Error> {
        let ends = name.match_indices('/').map(|(end, _)| end);
        ends.map(|end| &name[..end])
            .find_map(|folder| match self.entries.get(folder)? {
                FileEntry::Broken(broken) => Some(broken.error(folder)),
                _ => None,
            })
    }

    /// The file with a name as spelled in a document. Links are followed.
    ///
    /// # Errors
    /// The name is missing or not a file, a link dangles or leads back to itself, or the system cannot read it.
    pub fn get(&self, name: &str) -> Result<Content> {
        let missing = || Error::Missing {
            name: name.to_owned(),
        };
        self.find(name)?.ok_or_else(missing)
    }

    /// Like [`Files::get`], but `None` if the name is missing.
    pub fn find(&self, name: &str) -> Result<Option<Content>> {
        let clean = clean_name(name);
        // Windows daemons before 18.05 wrote "\" in Layers: https://github.com/moby/moby/pull/36813
        let slashed = || clean_name(&name.replace('\\', "/"));
        let Some(mut entry) = self
            .entries
            .get(&clean)
            .or_else(|| self.entries.get(&slashed()))
        else {
            if let Some(error) = self.broken_folder(&clean) {
                return Err(error);
            }
            let blobs = self.blobs.as_ref();
            return blobs.map_or(Ok(None), |blobs| blobs.find(&clean));
        };
        for _ in 0..limits::LINK_HOPS {
            match entry {
                FileEntry::File(content) => return Ok(Some(content.clone())),
                FileEntry::Other => {
                    return Err(Error::NotAFile {
                        name: name.to_owned(),
                    });
                }
                FileEntry::Broken(broken) => return Err(broken.error(name)),
                FileEntry::Link(target) => {
                    entry = self
                        .entries
                        .get(target)
                        .ok_or_else(|| Error::DanglingLink {
                            name: name.to_owned(),
                            target: target.clone(),
                        })?;
                }
            }
        }
        Err(Error::LinkCycle {
            name: name.to_owned(),
        })
    }

    /// Reads a document.
    pub fn read(&self, content: &Content) -> Result<Vec<u8>> {
        self.read_within(content, limits::DOCUMENT_BYTES)
    }

    /// The bytes of a content that is a document of at most `max_bytes`.
    pub fn read_within(&self, content: &Content, max_bytes: u64) -> Result<Vec<u8>> {
        // A document above its own limit has another message.
        self.charge(content.size().min(max_bytes))?;
        content.document_within(max_bytes)
    }

    /// Counts metadata that is kept: the bytes of a document, or 0 for a layer or a name. A document counts each time it is
    /// read, because an archive of a few kilobytes may refer to it a thousand times.
    pub fn charge(&self, bytes: u64) -> Result<()> {
        let cost = bytes.max(limits::ENTRY_BYTES);
        let found = self.metadata.fetch_add(cost, Ordering::Relaxed) + cost;
        limits::at_most(
            "the size of all metadata in bytes",
            found,
            self.within(limits::METADATA_BYTES) + self.in_folder_count * limits::FOLDER_FILE_BYTES,
        )
    }

    /// Maximum memory of the values of a JSON document, in bytes.
    pub fn json_memory(&self) -> u64 {
        self.within(limits::JSON_MEMORY)
    }

    /// Maximum number of entries of a layout's index.json.
    pub fn max_layout_names(&self) -> usize {
        let for_size = usize::try_from(self.on_disk / limits::ENTRY_INPUT_BYTES);
        for_size.map_or(limits::LAYOUT_NAMES, |names| {
            names.clamp(limits::IMAGES, limits::LAYOUT_NAMES)
        })
    }

    /// The limit of large inputs, or a lower one for a small input.
    fn within(&self, limit: u64) -> u64 {
        let for_size = self.on_disk.saturating_mul(limits::INPUT_RATIO);
        limit.min(limits::SMALL_INPUT_BYTES.max(for_size))
    }
}

/// A name without `.`, empty components and leading slashes; `..` stops at the root, as in a chroot.
pub(crate) fn clean_name(name: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    for component in name.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop();
            }
            component => components.push(component),
        }
    }
    components.join("/")
}

/// The target of the symbolic link at `name`, relative to the root. Release candidates of Docker 1.12 wrote one `../` too
/// many; it stops at the root.
fn link_target(name: &str, target: &str) -> String {
    if target.starts_with('/') {
        return clean_name(target);
    }
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    clean_name(&format!("{folder}/{target}"))
}

//! The files of an input, an archive or a folder, by name. Names are only keys here, never paths.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use walkdir::WalkDir;

use super::archive::Archive;
use super::content::Content;
use super::registry::{self, BlobFolder, Links, Unlisted};
use crate::error::{Error, Result};
use crate::limits;
use crate::progress::{Progress, Silent};
use crate::tar::{self, Member, MemberKind};

/// What a name refers to.
#[derive(Debug, Clone)]
enum FileEntry {
    File(Content),
    /// A symbolic or hard link, resolved to a clean name from the root.
    Link(String),
    /// A folder or a device.
    Other,
}

impl FileEntry {
    fn of(member: &Member, name: &str, archive: &Arc<Archive>) -> FileEntry {
        let link = || String::from_utf8_lossy(member.link());
        match member.kind() {
            MemberKind::File => {
                let extents = member.extents();
                FileEntry::File(Content::in_archive(archive.clone(), extents, member.size))
            }
            MemberKind::Symlink => FileEntry::Link(link_target(name, &link())),
            MemberKind::HardLink => FileEntry::Link(clean_name(&link())),
            MemberKind::Folder | MemberKind::Device => FileEntry::Other,
        }
    }

    /// Approximate memory in bytes, without the name.
    fn memory(&self) -> u64 {
        // The entry itself in the map, and what its allocations take.
        let own = 320;
        own + match self {
            FileEntry::File(content) => content.memory(),
            FileEntry::Link(target) => target.len() as u64,
            FileEntry::Other => 0,
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
    /// The part of [`limits::METADATA_BYTES`] that is used.
    metadata: AtomicU64,
    /// Number of files of a folder. 0 for an archive, which may be small when it is compressed.
    in_folder_count: u64,
    /// Size of the input on the disk, in bytes.
    on_disk: u64,
}

/// How deep a folder is searched: `blobs/sha256/<hex>` in a folder of its own is four.
const FOLDER_DEPTH: usize = 5;

impl Files {
    /// The members of an uncompressed tar.
    pub fn in_archive(archive: &Arc<Archive>) -> Result<Files> {
        let (files, result) = Files::in_damaged_archive(archive, &Silent);
        result.map(|()| files)
    }

    /// The members of a tar before the first damage, and the damage.
    pub fn in_damaged_archive(
        archive: &Arc<Archive>,
        progress: &dyn Progress,
    ) -> (Files, Result<()>) {
        let mut files = Files {
            on_disk: archive.on_disk,
            ..Files::default()
        };
        let result = files.add_members(archive, limits::MEMBERS, progress);
        (files.without_common_folder(), result)
    }

    /// Adds a member of an archive. `kept` counts the memory of all members in bytes.
    fn add(&mut self, member: &Member, archive: &Arc<Archive>, kept: &mut u64) -> Result<()> {
        let name = String::from_utf8_lossy(&member.name()).into_owned();
        let lengths = [name.len(), member.link().len()];
        for length in lengths {
            let what = "the length of a member's name or link in bytes";
            limits::at_most(what, length as u64, limits::NAME_BYTES)?;
        }
        let name = clean_name(&name);
        let entry = FileEntry::of(member, &name, archive);
        *kept += name.len() as u64 + entry.memory();
        if let Some(what) = tar::disagreement(member) {
            let offset = member.at;
            let name = name.clone();
            *kept += (name.len() + size_of::<Ambiguity>()) as u64;
            self.ambiguous.push(Ambiguity { offset, name, what });
        }
        limits::at_most(
            "the size of the archive's index in bytes",
            *kept,
            self.within(limits::INDEX_BYTES),
        )?;
        let folder = matches!(entry, FileEntry::Other);
        let Some(before) = self.entries.insert(name.clone(), entry) else {
            return Ok(());
        };
        *kept -= name.len() as u64 + before.memory();
        if !folder || !matches!(before, FileEntry::Other) {
            let memory = (name.len() + size_of::<String>()) as u64;
            if self.repeated.insert(name) {
                *kept += memory;
            }
        }
        Ok(())
    }

    fn add_members(
        &mut self,
        archive: &Arc<Archive>,
        max_count: usize,
        progress: &dyn Progress,
    ) -> Result<()> {
        let open = archive.open()?;
        let mut count = 0;
        let mut kept = 0;
        let read = |buffer: &mut [u8], offset| open.read_exact_at(buffer, offset);
        tar::members(archive.length(), read, |member| {
            count += 1;
            limits::at_most("the number of members", count, max_count)?;
            progress.reached(member.at);
            self.add(member, archive, &mut kept)
        })
    }

    /// The registry tree in or below a folder that has nothing else; `None` where there is none.
    pub fn in_registry(folder: &Path) -> Result<Option<Files>> {
        let markers = ["index.json", "manifest.json", "oci-layout"];
        if markers.iter().any(|marker| folder.join(marker).exists()) {
            return Ok(None);
        }
        let Some(root) = registry::root_below(folder)? else {
            return Ok(None);
        };
        let Links { links, unlisted } = registry::links(folder, &root)?;
        let in_folder_count = links.len() as u64;
        let entries = links.into_iter();
        Ok(Some(Files {
            in_folder_count,
            entries: entries
                .map(|(name, link)| (name, FileEntry::File(link)))
                .collect(),
            blobs: Some(BlobFolder::new(folder, &root)),
            unlisted,
            // Its blobs are not listed.
            on_disk: u64::MAX,
            ..Files::default()
        }))
    }

    /// The files below a folder. Links are followed, because a user may convert whatever the user can read.
    pub fn in_folder(folder: &Path) -> Result<Files> {
        let mut entries = BTreeMap::new();
        let mut on_disk = 0;
        // A whole disk is not searched for what would have to be at its root.
        let depth = if may_be_image(folder) {
            FOLDER_DEPTH
        } else {
            1
        };
        let walk = WalkDir::new(folder)
            .follow_links(true)
            .min_depth(1)
            .max_depth(depth);
        for found in walk {
            // A dangling link or an unreadable folder matters only if something refers to it, and is then missing.
            let Ok(found) = found else { continue };
            let Some(name) = found
                .path()
                .strip_prefix(folder)
                .ok()
                .and_then(Path::to_str)
            else {
                continue;
            };
            let entry = match found.metadata() {
                Ok(metadata) if metadata.is_file() => {
                    on_disk += metadata.len();
                    FileEntry::File(Content::in_folder(found.path(), metadata.len()))
                }
                _ => FileEntry::Other,
            };
            entries.insert(name.to_owned(), entry);
            limits::at_most("the number of files", entries.len(), limits::MEMBERS)?;
        }
        Ok(Files {
            in_folder_count: entries.len() as u64,
            on_disk,
            entries,
            ..Files::default()
        })
    }

    /// `tar cf image.tar image/` puts all into one folder; its name is of no interest.
    fn without_common_folder(self) -> Files {
        const MARKERS: [&str; 4] = ["manifest.json", "index.json", "oci-layout", "repositories"];
        let has_marker = |folder: &str| {
            let mut markers = MARKERS.iter();
            markers.any(|marker| self.entries.contains_key(&format!("{folder}{marker}")))
        };
        let Some(first) = self.entries.keys().find_map(|name| name.split('/').next()) else {
            return self;
        };
        let folder = format!("{first}/");
        let common = self
            .entries
            .keys()
            .all(|name| name == first || name.starts_with(&folder));
        if !common || has_marker("") || !has_marker(&folder) {
            return self;
        }
        let strip = |mut name: String| {
            if name.starts_with(&folder) {
                name.drain(..folder.len());
            }
            name
        };
        // Entries are moved one by one, because an archive may have a million of them.
        let mut entries = BTreeMap::new();
        for (name, entry) in self.entries {
            if name.len() > folder.len() {
                let entry = match entry {
                    FileEntry::Link(target) => FileEntry::Link(strip(target)),
                    entry => entry,
                };
                entries.insert(strip(name), entry);
            }
        }
        Files { entries, ..self }
    }

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
        matches!(self.entries.get(name), Some(FileEntry::Other))
            || after
                .next()
                .is_some_and(|(first, _)| first.starts_with(&inside))
    }

    /// Whether the name is a file or a link.
    pub fn has(&self, name: &str) -> bool {
        matches!(
            self.entries.get(name),
            Some(FileEntry::File(_) | FileEntry::Link(_))
        )
    }

    /// The file with a name as spelled in a document. Links are followed.
    ///
    /// # Errors
    /// The name is missing or not a file, or a link dangles or leads back to itself.
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

/// Whether a folder has some JSON document, `repositories`, or a layer with v1 metadata at its root, as all formats do.
fn may_be_image(folder: &Path) -> bool {
    let Ok(found) = std::fs::read_dir(folder) else {
        return true;
    };
    found.flatten().any(|entry| {
        let path = entry.path();
        path.extension()
            .is_some_and(|extension| extension == "json")
            || entry.file_name() == "oci-layout"
            || entry.file_name() == "repositories"
            || path.join("json").is_file()
    })
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn members_are_counted_even_if_they_have_one_name() {
        let mut builder = ::tar::Builder::new(Vec::new());
        for _ in 0..3 {
            let mut header = ::tar::Header::new_gnu();
            header.set_size(0);
            builder.append_data(&mut header, "empty", &[][..]).unwrap();
        }
        let bytes = builder.into_inner().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let archive = Archive::in_open_file(Arc::new(file), 0, bytes.len() as u64);
        let archive = Arc::new(archive);
        let index = |max_count| Files::default().add_members(&archive, max_count, &Silent);
        assert!(index(3).is_ok());
        let limit = index(2);
        assert!(matches!(
            limit,
            Err(Error::Limit {
                found: 3,
                limit: 2,
                ..
            })
        ));
    }

    #[test]
    fn names_are_clean_and_stay_below_the_root() {
        for (name, clean) in [
            ("./a//b/", "a/b"),
            ("/a/./b", "a/b"),
            ("../../a", "a"),
            ("a/../../b", "b"),
            ("", ""),
        ] {
            assert_eq!(clean_name(name), clean, "{name}");
        }
        assert_eq!(link_target("x/layer.tar", "../y/layer.tar"), "y/layer.tar");
        assert_eq!(
            link_target("x/layer.tar", "../../y/layer.tar"),
            "y/layer.tar"
        );
        assert_eq!(link_target("layer.tar", "/y/layer.tar"), "y/layer.tar");
    }
}

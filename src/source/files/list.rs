//! Lists the files of an archive or a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use walkdir::WalkDir;

use super::broken::Broken;
use super::{Ambiguity, FileEntry, Files, clean_name, link_target};
use crate::error::Result;
use crate::limits;
use crate::progress::{Progress, Silent};
use crate::source::archive::Archive;
use crate::source::content::Content;
use crate::source::registry::{self, BlobFolder, Links, Search};
use crate::tar::{self, Member, MemberKind};

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

    /// The files of a folder: those of an image, or those of a registry's tree in or below it if it has nothing else.
    pub fn of_folder(folder: &Path) -> Result<Files> {
        let markers = ["index.json", "manifest.json", "oci-layout"];
        if markers.iter().any(|marker| folder.join(marker).exists()) {
            return Files::in_folder(folder);
        }
        let Search { root, unread } = registry::root_below(folder)?;
        if let Some(root) = root {
            return Files::in_registry(folder, &root);
        }
        Ok(Files {
            unsearched: unread.and_then(|(path, error)| Broken::of(&path, &error)),
            ..Files::in_folder(folder)?
        })
    }

    fn in_registry(folder: &Path, root: &str) -> Result<Files> {
        let Links { links, unlisted } = registry::links(folder, root)?;
        let in_folder_count = links.len() as u64;
        let entries = links.into_iter();
        Ok(Files {
            in_folder_count,
            entries: entries
                .map(|(name, link)| (name, FileEntry::File(link)))
                .collect(),
            blobs: Some(BlobFolder::new(folder, root)),
            unlisted,
            // Its blobs are not listed.
            on_disk: u64::MAX,
            ..Files::default()
        })
    }

    /// The files below a folder. Links are followed, because a user may convert whatever the user can read.
    pub fn in_folder(folder: &Path) -> Result<Files> {
        Files::in_folder_of(folder, limits::MEMBERS)
    }

    fn in_folder_of(folder: &Path, max_count: usize) -> Result<Files> {
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
            // What cannot be read matters only if something refers to it, and is not missing then.
            let (path, entry) = match found {
                Ok(found) => {
                    let entry = match found.metadata() {
                        Ok(metadata) if metadata.is_file() => {
                            on_disk += metadata.len();
                            FileEntry::File(Content::in_folder(found.path(), metadata.len()))
                        }
                        Ok(_) => FileEntry::Other,
                        Err(error) => match Broken::of_walk(error) {
                            Some((_, broken)) => FileEntry::Broken(broken),
                            None => continue,
                        },
                    };
                    (found.into_path(), entry)
                }
                Err(error) => match Broken::of_walk(error) {
                    Some((path, broken)) if path == folder => return Err(broken.error("")),
                    Some((path, broken)) => (path, FileEntry::Broken(broken)),
                    None => continue,
                },
            };
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str);
            let Some(name) = name else {
                continue;
            };
            entries.insert(name.to_owned(), entry);
            limits::at_most("the number of files", entries.len(), max_count)?;
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::error::Error;

    /// Whether a limit of 2 was exceeded by 1.
    fn is_one_too_many<T>(result: &Result<T>) -> bool {
        matches!(
            result,
            Err(Error::Limit {
                found: 3,
                limit: 2,
                ..
            })
        )
    }

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
        assert!(is_one_too_many(&limit));
    }

    #[test]
    fn the_files_of_a_folder_are_counted_with_its_folders() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("blobs")).unwrap();
        for name in ["index.json", "blobs/1"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert!(Files::in_folder_of(folder.path(), 3).is_ok());
        let limit = Files::in_folder_of(folder.path(), 2);
        assert!(is_one_too_many(&limit));
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

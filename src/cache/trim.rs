//! Keeps a cache within its size.
//!
//! No lock is needed: concurrent runs see the same entries in the same order, and an entry that another run has removed counts
//! as removed. A run that reads an entry keeps it open, and can read it to the end.

use rustix::fs::{FileType, Stat};

use super::name::{self, Name};
use crate::error::Result;
use crate::fs::Dir;

/// Removes the least recently used entries of any version until at most `size` bytes are left. Entries that cannot be listed
/// or removed stay.
pub(super) fn trim(root: &Dir, size: u64) {
    let mut folders = Vec::new();
    for (folder_name, _) in root.names().unwrap_or_default() {
        if name::is_folder(&folder_name)
            && let Ok(Some(folder)) = root.folder(&folder_name)
        {
            folders.push(folder);
        }
    }
    let mut entries: Vec<CachedFile> = folders.iter().flat_map(entries).collect();
    entries.sort_by(|one, other| (one.used, &one.name).cmp(&(other.used, &other.name)));
    let mut sum: u64 = entries.iter().map(|entry| entry.size).sum();
    for entry in entries {
        if sum <= size {
            break;
        }
        sum -= entry.size;
        let _: Result<()> = entry.folder.remove_file(&entry.name);
    }
}

struct CachedFile<'a> {
    folder: &'a Dir,
    name: String,
    size: u64,
    /// Seconds and nanoseconds since 1970.
    used: (i128, i128),
}

fn entries(folder: &Dir) -> Vec<CachedFile<'_>> {
    let names = folder.names().unwrap_or_default().into_iter();
    let entry = |(name, _): (String, FileType)| {
        Name::parse(&name)?;
        let status: Stat = folder.status(&name).ok()??;
        let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
        let size = u64::try_from(status.st_size).ok()?;
        is_file.then(|| CachedFile {
            folder,
            name,
            size,
            used: (status.st_mtime.into(), status.st_mtime_nsec.into()),
        })
    };
    names.filter_map(entry).collect()
}

//! A staged entry, which gets the bytes of a blob while they are written to the output.

use std::io::Write;
use std::sync::atomic::Ordering;

use super::{Cache, STAGED, name};
use crate::compression::Encoding;
use crate::digest::{DiffId, Digest};
use crate::error::{Error, Result};
use crate::fs::StagedFile;
use crate::mutex::lock;

/// Never fails: if an entry cannot be written, it is dropped, and no more entries are added to the cache.
pub(crate) struct StagedEntry<'a> {
    cache: &'a Cache,
    encoding: Encoding,
    /// `None` if the entry was dropped.
    staged: Option<StagedFile>,
    size: u64,
}

impl<'a> StagedEntry<'a> {
    pub(super) fn new(cache: &'a Cache, encoding: Encoding) -> Result<StagedEntry<'a>> {
        Ok(StagedEntry {
            cache,
            encoding,
            staged: Some(StagedFile::new(&cache.root, STAGED, &cache.interrupt)?),
            size: 0,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) {
        let Some(staged) = &mut self.staged else {
            return;
        };
        self.cache.used.store(true, Ordering::Relaxed);
        self.size += bytes.len() as u64;
        // The entry alone exceeds the size of the cache.
        if self.size > self.cache.size {
            self.staged = None;
            return;
        }
        let free_space = self.cache.free_space.check(self.size);
        let path = staged.path();
        let file = &mut staged.file;
        let written =
            free_space.and_then(|()| file.write_all(bytes).map_err(Error::io("write", path)));
        if let Err(error) = written {
            self.cache.close(&error);
            self.staged = None;
        }
    }

    /// Renames the entry. Its bytes have this digest, and their decoded bytes this `diff_id`.
    pub fn finish(self, diff_id: &DiffId, digest: &Digest) {
        let Some(mut staged) = self.staged else {
            return;
        };
        let folder_name = self.cache.folder_name(self.encoding);
        let name = name::entry(&folder_name, diff_id, digest);
        let mut publish = || {
            let folder = self.cache.root.ensure_folder(&folder_name)?;
            let published = staged.publish(&folder, &name)?;
            published.then_some(()).ok_or_else(|| Error::NotAFile {
                name: folder.path(&name).display().to_string(),
            })
        };
        match publish() {
            Ok(()) => lock(&self.cache.stored).push((folder_name, name)),
            Err(error) => self.cache.close(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cache::CacheOptions;
    use crate::interrupt::Interrupt;

    #[test]
    fn a_full_disk_is_a_warning_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let options = CacheOptions {
            folder: folder.path().to_owned(),
            size: 1 << 20,
        };
        let cache = Cache::open(&options, None, &Interrupt::new()).unwrap();
        let mut entries = [
            cache.stage(Encoding::GZIP).unwrap(),
            cache.stage(Encoding::ZSTD).unwrap(),
        ];
        for entry in &mut entries {
            let full = fs::OpenOptions::new().write(true).open("/dev/full");
            entry.staged.as_mut().unwrap().file = full.unwrap();
            entry.write(b"bytes");
            entry.write(b"more");
        }
        for entry in entries {
            entry.finish(&DiffId(Digest::sha256(b"")), &Digest::sha256(b""));
        }
        assert!(cache.stage(Encoding::GZIP).is_none());
        let warnings = cache.take_warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0]
                .message
                .starts_with("no more layers are added to the cache: cannot write ")
                && warnings[0].message.ends_with(": No space left on device"),
            "{warnings:?}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

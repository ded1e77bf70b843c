//! An entry in the making: gets the bytes of a blob while they are written to the output.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::Ordering;

use super::{Cache, STAGED, name};
use crate::compression::Encoding;
use crate::digest::DiffId;
use crate::digest::Digest;
use crate::error::Error;
use crate::error::Result;
use crate::fs::staging;
use crate::mutex::lock;

/// Never fails: when it cannot be written, there will be no entry, and the cache takes no more.
pub(crate) struct StagedEntry<'a> {
    cache: &'a Cache,
    encoding: Encoding,
    staged_name: String,
    /// `None` when it was given up or is finished.
    file: Option<File>,
    size: u64,
}

impl<'a> StagedEntry<'a> {
    pub(super) fn new(cache: &'a Cache, encoding: Encoding) -> Result<StagedEntry<'a>> {
        cache.interrupt.set_staged(true);
        let (staged_name, file) = staging::make_file(&cache.root, STAGED)
            .inspect_err(|_| cache.interrupt.set_staged(false))?;
        Ok(StagedEntry {
            cache,
            encoding,
            staged_name,
            file: Some(file),
            size: 0,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        self.cache.used.store(true, Ordering::Relaxed);
        self.size += bytes.len() as u64;
        // It would be the first to go.
        if self.size > self.cache.size {
            return self.give_up();
        }
        let room = self.cache.free_space.check(self.size);
        let path = self.cache.root.path(&self.staged_name);
        let written = room.and_then(|()| file.write_all(bytes).map_err(Error::io("write", path)));
        if let Err(error) = written {
            self.cache.close(&error);
            self.give_up();
        }
    }

    /// Gives the entry its name. Its bytes have this digest, and decode to what has this `diff_id`.
    pub fn finish(mut self, diff_id: &DiffId, digest: &Digest) {
        if self.file.is_none() {
            return;
        }
        let folder_name = self.cache.folder_name(self.encoding);
        let name = name::entry(diff_id, digest);
        let publish = || {
            let folder = self.cache.root.ensure_folder(&folder_name)?;
            let root = &self.cache.root;
            let renamed = root.rename(&self.staged_name, &folder, &name)?;
            renamed.then_some(()).ok_or_else(|| Error::NotAFile {
                name: folder.path(&name).display().to_string(),
            })
        };
        match publish() {
            Ok(()) => {
                self.file = None;
                lock(&self.cache.stored).push((folder_name, name));
            }
            Err(error) => self.cache.close(&error),
        }
    }

    fn give_up(&mut self) {
        if self.file.take().is_some() {
            // What cannot be removed now, the next run removes.
            let _: Result<()> = self.cache.root.remove_file(&self.staged_name);
        }
    }
}

impl Drop for StagedEntry<'_> {
    fn drop(&mut self) {
        self.give_up();
        self.cache.interrupt.set_staged(false);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cache::CacheOptions;
    use crate::interrupt::Interrupt;
    use crate::output::Target;

    #[test]
    fn a_full_disk_is_a_warning_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let options = CacheOptions {
            folder: folder.path().to_owned(),
            size: 1 << 20,
        };
        let cache = Cache::open(&options, &Target::Stdout, &Interrupt::new()).unwrap();
        let mut entries = [
            cache.stage(Encoding::GZIP).unwrap(),
            cache.stage(Encoding::ZSTD).unwrap(),
        ];
        for entry in &mut entries {
            let full = fs::OpenOptions::new().write(true).open("/dev/full");
            entry.file = Some(full.unwrap());
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
                .starts_with("the cache takes no more layers: cannot write ")
                && warnings[0]
                    .message
                    .ends_with(": No space left on device (os error 28)"),
            "{warnings:?}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

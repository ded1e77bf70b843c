//! The list of absent blobs of a layout in a folder, while blobs are added.
//!
//! The list is never too short: blobs that will be missing are listed before index.json refers to them, and blobs that arrive
//! are removed from the list afterwards. A run that is killed can leave a list that is too long, and readers ignore listed
//! blobs that exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustix::fs::FileType;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::formats::oci::{ABSENT, parse_absent, write_absent};
use crate::fs::{Dir, StagedDir};
use crate::image::AbsentBlob;
use crate::interrupt::Interrupt;
use crate::limits;

/// The name of the next list in a staging folder.
const NEXT: &str = "ocify-absent.json.new";

/// The list of a locked layout.
pub(super) struct AbsentList<'a> {
    layout: &'a Dir,
    /// The list before the run.
    before: BTreeMap<Digest, AbsentBlob>,
    /// The current list.
    now: BTreeMap<Digest, AbsentBlob>,
}

impl AbsentList<'_> {
    pub fn read(layout: &Dir) -> Result<AbsentList<'_>> {
        let list = match layout.read(ABSENT)? {
            Some(bytes) => parse(&bytes)?,
            None => BTreeMap::new(),
        };
        Ok(AbsentList {
            layout,
            before: list.clone(),
            now: list,
        })
    }

    /// Adds blobs that will be missing.
    pub fn extend(
        &mut self,
        absent: &BTreeMap<Digest, AbsentBlob>,
        staged: &Dir,
        fsync: bool,
    ) -> Result<()> {
        let mut next = self.now.clone();
        for (digest, blob) in absent {
            if !has(self.layout, digest)? {
                next.insert(*digest, blob.clone());
            }
        }
        self.put(next, staged, fsync)
    }

    /// Removes blobs that have arrived from the list.
    pub fn cross_out(&mut self, staged: &Dir, fsync: bool) -> Result<()> {
        let mut next = BTreeMap::new();
        for (digest, blob) in &self.now {
            if !has(self.layout, digest)? {
                next.insert(*digest, blob.clone());
            }
        }
        self.put(next, staged, fsync)
    }

    /// Restores the list. If this fails, the list is too long.
    pub fn restore(mut self, staged: &Dir) {
        let before = std::mem::take(&mut self.before);
        let _: Result<()> = self.put(before, staged, false);
    }

    fn put(&mut self, next: BTreeMap<Digest, AbsentBlob>, staged: &Dir, fsync: bool) -> Result<()> {
        if next == self.now {
            return Ok(());
        }
        if next.is_empty() {
            self.layout.remove_file(ABSENT)?;
        } else {
            let file = staged.write(NEXT, &bytes(&next)?, false)?;
            self.layout.copy_mode(ABSENT, &file)?;
            if fsync {
                let synced = file.sync_all();
                synced.map_err(Error::io("sync", self.layout.path(ABSENT)))?;
            }
            if !staged.rename(NEXT, self.layout, ABSENT)? {
                return Err(super::not_a_file(self.layout, ABSENT));
            }
        }
        self.now = next;
        Ok(())
    }
}

/// Removes unreferenced blobs from the list of a locked layout.
pub(crate) fn keep_needed(
    layout: &Arc<Dir>,
    is_needed: impl Fn(&Digest) -> bool,
    interrupt: &Interrupt,
) -> Result<()> {
    let mut list = AbsentList::read(layout)?;
    let mut next = list.now.clone();
    next.retain(|digest, _| is_needed(digest));
    if next == list.now {
        return Ok(());
    }
    let staged = StagedDir::new(layout, super::folder::INSIDE, interrupt)?;
    list.put(next, &staged.dir, false)
}

/// The bytes of a list.
pub(super) fn bytes(absent: &BTreeMap<Digest, AbsentBlob>) -> Result<Vec<u8>> {
    let bytes = write_absent(absent)?;
    super::index::check_size(ABSENT, &bytes, limits::DOCUMENT_BYTES)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<Digest, AbsentBlob>> {
    let document = crate::formats::parse(ABSENT, bytes)?;
    parse_absent(&document).map_err(|reason| Error::document(ABSENT, reason))
}

/// Whether a layout has a blob.
pub(super) fn has(layout: &Dir, digest: &Digest) -> Result<bool> {
    let Some(blobs) = layout.folder("blobs")? else {
        return Ok(false);
    };
    let Some(folder) = blobs.folder(digest.algorithm())? else {
        return Ok(false);
    };
    Ok(folder.kind(digest.hex())? == Some(FileType::RegularFile))
}

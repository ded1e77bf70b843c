//! A layout as a tar: blobs are written straight into their places, in layer order; headers are filled in afterwards.
//!
//! Everything in it depends on the content alone: no times, no owners, no random order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::fs::FileType;
use tar::{EntryType, Header};

use super::index::{Additions, Merged, MovedName};
use super::{OutputOptions, docker, encode, existing_tar, stdout, target};
use crate::compression::Encoding;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::formats::Input;
use crate::fs::{Dir, StagedFile, dir, staging};
use crate::interrupt::Interrupt;
use crate::mutex::lock;
use crate::progress::{Progress, Step};
use crate::source::Content;

use crate::formats::oci::ABSENT;
use crate::image::{AbsentBlob, Document};
use crate::limits;

const BLOCK_BYTES: usize = 512;
const BLOCK: u64 = BLOCK_BYTES as u64;

pub(super) struct TarOutput {
    medium: Medium,
    path: PathBuf,
    contents: Mutex<Contents>,
    options: OutputOptions,
    interrupt: Interrupt,
}

/// Where the tar is in the end.
enum Medium {
    /// A file that gets this name.
    Staged {
        staged: StagedFile,
        parent: Arc<Dir>,
        name: String,
        /// Where the tar is written first, if it is compressed in the end: a file without a name.
        plain: Option<File>,
        encoding: Encoding,
    },
    /// A file without a name, which is copied to standard output.
    Temporary { file: File, stdout: File },
}

impl Medium {
    /// What is written to, in places front and back.
    fn file(&self) -> &File {
        match self {
            Medium::Staged {
                plain: Some(file), ..
            }
            | Medium::Temporary { file, .. } => file,
            Medium::Staged { staged, .. } => &staged.file,
        }
    }
}

/// A tar that is in the output's place, locked.
struct Existing {
    _lock: File,
    /// Its content, if it is added to.
    input: Option<Input>,
}

#[derive(Default)]
struct Contents {
    end: u64,
    blobs: BTreeSet<Digest>,
    /// Blobs that are not in it on purpose: somebody else has them.
    absent: BTreeMap<Digest, AbsentBlob>,
    is_part: bool,
    /// Manifests and indexes, for manifest.json.
    documents: BTreeMap<Digest, Vec<u8>>,
}

impl Contents {
    fn start(&mut self, additions: &Additions) {
        self.absent.clone_from(&additions.absent);
        self.is_part = additions.is_part;
    }
}

impl docker::Blobs for Contents {
    fn document(&self, digest: &Digest) -> Option<&[u8]> {
        self.documents.get(digest).map(Vec::as_slice)
    }

    fn has(&self, digest: &Digest) -> bool {
        self.blobs.contains(digest) || self.absent.contains_key(digest)
    }
}

impl TarOutput {
    pub fn open(path: &Path, options: OutputOptions, interrupt: &Interrupt) -> Result<TarOutput> {
        let (parent, name) = Dir::parent_of(path)?;
        let kind = parent.kind(&name)?;
        super::refuse_link(kind, path)?;
        match kind {
            None => {}
            // Looked at now, since it would be a pity to find out in the end.
            Some(FileType::RegularFile) if options.existing == super::Existing::Add => {
                existing_tar::open(&parent, &name, path, interrupt)?;
            }
            Some(FileType::RegularFile) => existing_tar::refuse_other_file(&parent, &name, path)?,
            Some(_) => {
                return Err(Error::NotALayout {
                    path: path.to_owned(),
                });
            }
        }
        let prefix = staging::prefix(&name);
        staging::remove_stale(&parent, &prefix, |_| Ok(()));
        let parent = Arc::new(parent);
        let staged = StagedFile::new(&parent, &prefix, interrupt)?;
        // Who may read the tar stays as it was, from the first byte on.
        parent.copy_mode(&name, &staged.file)?;
        let encoding = target::encoding(path).unwrap_or(Encoding::None);
        let plain = if encoding == Encoding::None {
            None
        } else {
            let folder = parent.own_path();
            let file = tempfile::tempfile_in(folder);
            Some(file.map_err(Error::io("create a temporary file in", folder))?)
        };
        let medium = Medium::Staged {
            staged,
            parent,
            name,
            plain,
            encoding,
        };
        TarOutput::new(medium, path, options, interrupt)
    }

    pub fn stdout(options: OutputOptions, interrupt: &Interrupt) -> Result<TarOutput> {
        let stdout = stdout::open()?;
        let folder = std::env::temp_dir();
        let file = tempfile::tempfile_in(&folder)
            .map_err(Error::io("create a temporary file in", folder))?;
        let path = Path::new("standard output");
        TarOutput::new(Medium::Temporary { file, stdout }, path, options, interrupt)
    }

    fn new(
        medium: Medium,
        path: &Path,
        options: OutputOptions,
        interrupt: &Interrupt,
    ) -> Result<TarOutput> {
        let output = TarOutput {
            medium,
            path: path.to_owned(),
            contents: Mutex::default(),
            options,
            interrupt: interrupt.clone(),
        };
        {
            let mut contents = output.contents();
            output.append(&mut contents, "oci-layout", crate::image::LAYOUT_FILE)?;
            for folder in ["blobs/", "blobs/sha256/"] {
                let header = header(folder, EntryType::Directory, 0);
                output.write_at(&header, contents.end)?;
                contents.end += BLOCK;
            }
        }
        Ok(output)
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        lock(&self.contents)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.medium
            .file()
            .write_all_at(bytes, offset)
            .map_err(Error::io("write", &self.path))
    }

    /// Begins a blob at the end. One at a time: the pipeline sees to that.
    pub fn begin_blob(&self, expected: Option<Digest>) -> TarBlob<'_> {
        let long_name = matches!(expected, Some(Digest::Sha512(_)));
        let start = self.contents().end;
        TarBlob {
            output: self,
            start,
            data: start + if long_name { 3 * BLOCK } else { BLOCK },
            size: 0,
        }
    }

    pub fn put(&self, document: &Document) -> Result<()> {
        let digest = document.digest;
        let mut contents = self.contents();
        contents.documents.insert(digest, document.bytes.to_vec());
        let new = contents.blobs.insert(digest);
        drop(contents);
        if !new {
            return Ok(());
        }
        let mut blob = self.begin_blob(Some(digest));
        blob.write(&document.bytes)?;
        blob.close(&digest)
    }

    /// Adds a small file at the end.
    fn append(&self, contents: &mut Contents, name: &str, bytes: &[u8]) -> Result<()> {
        let size = bytes.len() as u64;
        self.write_at(&header(name, EntryType::Regular, size), contents.end)?;
        self.write_at(bytes, contents.end + BLOCK)?;
        contents.end = pad(self, contents.end + BLOCK + size)?;
        Ok(())
    }

    pub fn commit(
        mut self,
        additions: &Additions,
        progress: &dyn Progress,
    ) -> Result<Vec<MovedName>> {
        let (parent, name) = match &self.medium {
            Medium::Staged { parent, name, .. } => (parent.clone(), name.clone()),
            Medium::Temporary { file, stdout } => {
                self.contents().start(additions);
                let (_, moved) = self.close(additions.merge(None)?)?;
                self.copy_to(file, stdout)?;
                return Ok(moved);
            }
        };
        let interrupt = self.interrupt.clone();
        let blobs_end = self.contents().end;
        let blobs = self.contents().blobs.clone();
        loop {
            let existing = self.lock_existing(&parent, &name)?;
            let input = existing.as_ref().and_then(|there| there.input.as_ref());
            self.contents().start(additions);
            let index = match input {
                Some(input) => {
                    let index = input.files.get("index.json");
                    let limit = limits::LAYOUT_INDEX_BYTES;
                    let index =
                        index.and_then(|content| input.files.read_within(&content, limit))?;
                    let merged = additions.merge(Some(&index))?;
                    self.copy_existing(input, &merged.bytes)?;
                    merged
                }
                None => additions.merge(None)?,
            };
            let (length, moved) = self.close(index)?;
            self.compress(length, progress)?;
            self.sync()?;
            let _publishing = interrupt.publishing()?;
            if self.publish(&parent, &name, existing.is_some())? {
                if self.options.fsync {
                    parent.sync()?;
                }
                return Ok(moved);
            }
            let mut contents = self.contents();
            contents.end = blobs_end;
            contents.blobs.clone_from(&blobs);
        }
    }

    /// Puts the tar in its place. What another run has put there meanwhile is not replaced: `false`.
    fn publish(&mut self, parent: &Dir, name: &str, replace: bool) -> Result<bool> {
        match &mut self.medium {
            Medium::Staged { staged, .. } if replace => staged.publish(parent, name),
            Medium::Staged { staged, .. } => staged.publish_to_free(name),
            Medium::Temporary { .. } => Ok(true),
        }
    }

    /// Opens and locks the tar that is there. A file that was replaced while we waited for its lock is let go again.
    fn lock_existing(&self, parent: &Dir, name: &str) -> Result<Option<Existing>> {
        loop {
            let Some(file) = parent.open_file(name)? else {
                return Ok(None);
            };
            dir::lock(&file, &self.path, &self.interrupt)?;
            let metadata = file.metadata().map_err(Error::io("examine", &self.path))?;
            let locked = (metadata.dev(), metadata.ino());
            if parent.identity(name)? != Some(locked) {
                continue;
            }
            let input = if self.options.existing == super::Existing::Add {
                Some(existing_tar::open(
                    parent,
                    name,
                    &self.path,
                    &self.interrupt,
                )?)
            } else {
                existing_tar::refuse_other_file(parent, name, &self.path)?;
                None
            };
            return Ok(Some(Existing { _lock: file, input }));
        }
    }

    /// Copies the blobs of the tar that is there, as far as the new index.json leads to them.
    fn copy_existing(&self, input: &Input, index: &[u8]) -> Result<()> {
        let kept = super::index::digests(index)?;
        let mut documents = Vec::new();
        let mut blobs: Vec<(Digest, Content)> = Vec::new();
        for entry in &input.entries {
            if entry
                .node
                .digest()
                .is_none_or(|digest| kept.contains(&digest))
            {
                super::copy_blobs::collect(&entry.node, &mut documents, &mut blobs);
                let mut contents = self.contents();
                for blob in super::copy_blobs::absent(&entry.node, input) {
                    contents.absent.entry(blob.digest).or_insert(blob);
                }
            }
        }
        for document in &documents {
            self.put(document)?;
        }
        for (digest, content) in blobs {
            if self.contents().blobs.contains(&digest) {
                continue;
            }
            let mut blob = self.begin_blob(Some(digest));
            super::copy_blobs::copy(&digest, &content, &self.interrupt, |bytes| {
                blob.write(bytes)
            })?;
            blob.finish(&digest)?;
        }
        Ok(())
    }

    /// Writes index.json, manifest.json and the end-of-archive marker. Gives the tar's length.
    fn close(&self, index: Merged) -> Result<(u64, Vec<MovedName>)> {
        let mut contents = self.contents();
        let Contents { blobs, absent, .. } = &mut *contents;
        absent.retain(|digest, _| !blobs.contains(digest));
        self.append(&mut contents, "index.json", &index.bytes)?;
        if contents.is_part || !contents.absent.is_empty() {
            let absent = super::absent::bytes(&contents.absent)?;
            self.append(&mut contents, ABSENT, &absent)?;
        }
        if self.options.docker_manifest
            && let Some(manifest) = docker::manifest(&index.bytes, &*contents)?
        {
            self.append(&mut contents, "manifest.json", &manifest)?;
        }
        let end = contents.end + 2 * BLOCK;
        self.write_at(&[0; 2 * BLOCK_BYTES], contents.end)?;
        let file = self.medium.file();
        file.set_len(end).map_err(Error::io("write", &self.path))?;
        Ok((end, index.moved))
    }

    /// Writes the staged file, where the tar was written elsewhere.
    fn compress(&self, length: u64, progress: &dyn Progress) -> Result<()> {
        let Medium::Staged {
            staged,
            plain: Some(plain),
            encoding,
            ..
        } = &self.medium
        else {
            return Ok(());
        };
        progress.step(&Step::Compress { bytes: length });
        let mut position = 0;
        let work = encode::Work {
            interrupt: &self.interrupt,
            progress,
        };
        encode::encode(plain, length, *encoding, &work, |bytes| {
            let written = staged.file.write_all_at(bytes, position);
            position += bytes.len() as u64;
            written.map_err(Error::io("write", &self.path))
        })?;
        // It may have been longer in a round before.
        let cut = staged.file.set_len(position);
        cut.map_err(Error::io("write", &self.path))
    }

    fn sync(&self) -> Result<()> {
        match &self.medium {
            Medium::Staged { staged, .. } if self.options.fsync => {
                let synced = staged.file.sync_all();
                synced.map_err(Error::io("sync", &self.path))
            }
            _ => Ok(()),
        }
    }

    fn copy_to(&self, mut file: &File, mut stdout: &File) -> Result<()> {
        io::Seek::rewind(&mut file).map_err(Error::io("read", &self.path))?;
        io::copy(&mut file, &mut stdout).map_err(Error::io("write", &self.path))?;
        Ok(())
    }
}

/// A header that says nothing but name, kind and size.
fn header(name: &str, kind: EntryType, size: u64) -> [u8; 512] {
    let mut header = Header::new_gnu();
    // Names are ours and short; what does not fit goes into a long name in front.
    let bytes = name.as_bytes();
    let length = bytes.len().min(100);
    header.as_mut_bytes()[..length].copy_from_slice(&bytes[..length]);
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory {
        0o755
    } else {
        0o644
    });
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    *header.as_bytes()
}

/// Zeros up to the next block; gives its offset.
fn pad(output: &TarOutput, end: u64) -> Result<u64> {
    let padded = end.next_multiple_of(BLOCK);
    let zeros = [0; BLOCK_BYTES];
    let count = usize::try_from(padded - end)
        .map_err(|error| Error::io("write", &output.path)(io::Error::other(error)))?;
    output.write_at(&zeros[..count], end)?;
    Ok(padded)
}

/// A staged blob.
pub(crate) struct TarBlob<'a> {
    output: &'a TarOutput,
    /// Where its header will be.
    start: u64,
    /// Where its bytes begin.
    data: u64,
    size: u64,
}

impl TarBlob<'_> {
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.write_at(bytes, self.data + self.size)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Gives the blob its name. One that is there already is forgotten: the next blob is written over it.
    pub fn finish(self, digest: &Digest) -> Result<()> {
        if self.output.contents().blobs.insert(*digest) {
            self.close(digest)?;
        }
        Ok(())
    }

    fn close(self, digest: &Digest) -> Result<()> {
        let name = digest.blob_path();
        let end = pad(self.output, self.data + self.size)?;
        let own = header(&name, EntryType::Regular, self.size);
        self.output.write_at(&own, self.data - BLOCK)?;
        if self.data - self.start > BLOCK {
            let length = name.len() as u64 + 1;
            let long = header("././@LongLink", EntryType::GNULongName, length);
            let mut block = [0; BLOCK_BYTES];
            block[..name.len()].copy_from_slice(name.as_bytes());
            self.output.write_at(&long, self.start)?;
            self.output.write_at(&block, self.start + BLOCK)?;
        }
        self.output.contents().end = end;
        Ok(())
    }
}

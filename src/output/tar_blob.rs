//! A blob that becomes a member of a tar.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::tar_writer::{TarMember, TarWriter};
use crate::digest::Digest;
use crate::error::Result;
use crate::mutex::lock;

/// A blob that becomes a member, unless the tar has it.
pub(crate) struct TarBlob<'a> {
    member: TarMember<'a>,
    /// The blobs of the tar.
    blobs: &'a Mutex<BTreeSet<Digest>>,
    name: fn(&Digest) -> String,
}

impl<'a> TarBlob<'a> {
    /// Starts a blob at the end. The pipeline writes one blob at a time.
    pub fn begin(
        tar: &'a TarWriter,
        expected: Option<Digest>,
        blobs: &'a Mutex<BTreeSet<Digest>>,
        name: fn(&Digest) -> String,
    ) -> TarBlob<'a> {
        let length = expected.map_or(0, |expected| name(&expected).len());
        TarBlob {
            member: tar.begin(length),
            blobs,
            name,
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.member.write(bytes)
    }

    /// Names the blob. A duplicate is discarded: the next member overwrites it.
    pub fn finish(self, digest: &Digest) -> Result<()> {
        if lock(self.blobs).insert(*digest) {
            self.member.close(&(self.name)(digest))?;
        }
        Ok(())
    }
}

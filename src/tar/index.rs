//! Lists the members of an archive that can be read by position. Data is skipped, and nothing is read twice.

use std::io;

use super::member::Member;
use super::walk::{Ending, Next, Walk};
use crate::error::{Error, Result};

/// Calls `found` with each member of an archive of `length` bytes, up to its end or to the first damage. `read` fills a buffer
/// from an offset.
///
/// # Errors
/// Damage to the archive, which must have an end-of-archive marker; the errors of `read` and `found`.
pub(crate) fn members(
    length: u64,
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
    mut found: impl FnMut(&Member) -> Result<()>,
) -> Result<()> {
    let mut walk = Walk::new();
    let mut bytes = Vec::new();
    loop {
        let left = length - walk.offset();
        match walk.next() {
            Next::End => return Ok(()),
            Next::Pass(count) if count <= left => walk.pass(count),
            Next::Take(count) if count as u64 <= left => {
                bytes.resize(count, 0);
                read(&mut bytes, walk.offset()).map_err(Error::io("read", "the archive"))?;
                let is_whole = |walk: &Walk| match walk.next() {
                    Next::Pass(count) => count <= length - walk.offset(),
                    _ => true,
                };
                if walk.take(&bytes)? && is_whole(&walk) {
                    found(walk.member())?;
                }
            }
            cut_short => {
                let what = walk.place();
                let partial = match cut_short {
                    Next::Take(_) => left,
                    _ => 0,
                };
                walk.pass(left - partial);
                return Err(match walk.ending(partial) {
                    Ending::WithinData { missing } => Error::Truncated {
                        what,
                        needed: length.saturating_add(missing),
                        found: length,
                    },
                    _ => Error::NoEndOfArchive { found: length },
                });
            }
        }
    }
}

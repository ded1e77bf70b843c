//! Checks the structure of a layer's tar while its bytes are read.

use super::header::BLOCK;
use super::member::Member;
use super::paths::{Named, Paths};
use super::walk::{Ending, Next, Walk};
use crate::error::Error;
use crate::findings::Code;

/// Checks a tar that is fed in pieces of any length.
pub(crate) struct TarCheck {
    pub(super) walk: Walk,
    /// The beginning of what the walk needs next.
    partial: Vec<u8>,
    /// Whether the tar cannot be understood from here on. The rest is then ignored.
    damaged: bool,
    pub(super) paths: Paths,
    /// Entries of types that engines refuse.
    not_unpacked: Named,
    problems: Vec<(Code, String)>,
}

/// The first bytes of the table of contents that `BuildKit` writes after the end of the tar in stargz layers. Engines ignore
/// it: <https://github.com/containerd/stargz-snapshotter/blob/v0.17.0/docs/estargz.md>.
const CONTENTS_OF_ESTARGZ: &[u8] = b"stargz.index.json\0";

impl TarCheck {
    /// Remembers up to `max_paths` paths, at 9 to 18 bytes each, to find duplicates.
    pub fn new(max_paths: usize) -> TarCheck {
        TarCheck {
            walk: Walk::new(),
            partial: Vec::with_capacity(BLOCK),
            damaged: false,
            paths: Paths::new(max_paths),
            not_unpacked: Named::default(),
            problems: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.damaged {
            let taken = match self.walk.next() {
                Next::Take(count) => self.gather(count, bytes),
                Next::Pass(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    self.walk.pass(taken as u64);
                    taken
                }
                Next::End => return self.after_end(bytes),
            };
            bytes = &bytes[taken..];
        }
    }

    /// Collects `count` bytes and then passes them to the walk. Returns how many bytes it has used.
    fn gather(&mut self, count: usize, bytes: &[u8]) -> usize {
        if self.partial.is_empty() && bytes.len() >= count {
            self.take(&bytes[..count]);
            return count;
        }
        let taken = (count - self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..taken]);
        if self.partial.len() == count {
            let mut gathered = std::mem::take(&mut self.partial);
            self.take(&gathered);
            gathered.clear();
            gathered.shrink_to(BLOCK);
            self.partial = gathered;
        }
        taken
    }

    fn take(&mut self, bytes: &[u8]) {
        let error = match self.walk.take(bytes) {
            Ok(false) => return,
            Ok(true) => return self.member(),
            Err(error) => error,
        };
        let code = match error {
            Error::Limit { .. } => Code::Limit,
            Error::TarHeader { offset: 0, .. } => Code::LayerNotTar,
            _ => Code::LayerTarHeader,
        };
        self.problem(code, error.to_string());
        self.damaged = true;
    }

    fn member(&mut self) {
        let member = self.walk.member();
        let path = member.name();
        self.paths.add(&path);
        if !is_unpacked(member) {
            let path = String::from_utf8_lossy(&path);
            let kind = char::from(member.header.kind());
            self.not_unpacked.add(&format!("{path} (type {kind:?})"));
        }
    }

    fn after_end(&mut self, bytes: &[u8]) {
        if let Some(position) = bytes.iter().position(|byte| *byte != 0) {
            if bytes[position..].starts_with(CONTENTS_OF_ESTARGZ) {
                self.damaged = true;
                return self.walk.pass(bytes.len() as u64);
            }
            let at = self.walk.offset() + position as u64;
            self.problem(
                Code::LayerTarAfterEnd,
                format!("data at byte {at}, after the end-of-archive marker"),
            );
            self.damaged = true;
        }
        self.walk.pass(bytes.len() as u64);
    }

    /// Returns the problems, after all bytes were fed.
    pub fn finish(mut self) -> Vec<(Code, String)> {
        if !self.damaged {
            self.ending();
        }
        let Paths {
            twice,
            outside,
            full,
            max,
            ..
        } = std::mem::take(&mut self.paths);
        let not_unpacked = std::mem::take(&mut self.not_unpacked);
        if not_unpacked.count > 0 {
            let message = format!(
                "entries of types that engines refuse: {}",
                not_unpacked.describe()
            );
            self.problem(Code::LayerEntryType, message);
        }
        if twice.count > 0 {
            let message = format!("entries of the same path: {}", twice.describe());
            self.problem(Code::LayerDuplicatePath, message);
        }
        if outside.count > 0 {
            let message = format!("paths with \"..\": {}", outside.describe());
            self.problem(Code::LayerPath, message);
        }
        if full {
            self.problem(
                Code::LayerManyPaths,
                format!("only the first {max} entries were searched for duplicates"),
            );
        }
        self.problems
    }

    fn ending(&mut self) {
        let partial = self.partial.len() as u64;
        let at = self.walk.offset() + partial;
        let (code, what) = match self.walk.ending(partial) {
            Ending::Marked => return,
            Ending::Unmarked => (
                Code::LayerTarNoEnd,
                " without an end-of-archive marker".to_owned(),
            ),
            Ending::WithinHeader => (Code::LayerTarTruncated, ", within a header".to_owned()),
            Ending::WithinData { missing } => {
                let what = format!(", {missing} bytes before the end of a file");
                (Code::LayerTarTruncated, what)
            }
        };
        self.problem(code, format!("the tar ends at byte {at}{what}"));
    }

    fn problem(&mut self, code: Code, message: String) {
        self.problems.push((code, message));
    }
}

/// Whether engines unpack an entry of this type. Go reads some other types, such as sparse files in GNU's old format, but
/// containerd, Docker, podman and umoci fail on them:
/// <https://github.com/containerd/containerd/blob/v2.1.0/pkg/archive/tar.go>.
fn is_unpacked(member: &Member) -> bool {
    matches!(member.header.kind(), 0 | b'0'..=b'6')
}

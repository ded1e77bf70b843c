//! Blobs next to their manifest, with any of the names that tools give them.

use crate::digest::Digest;
use crate::source::Files;

/// The files of the folder that a manifest is in.
pub(crate) struct FlatFolder<'a> {
    pub files: &'a Files,
}

impl FlatFolder<'_> {
    /// The name of a blob: `<hex>` as in `dir:` folders, or another common name.
    pub fn blob(&self, digest: &Digest) -> Option<String> {
        let (algorithm, hex) = (digest.algorithm(), digest.hex());
        let mut names = [
            hex.clone(),
            format!("{hex}.tar"),
            format!("{hex}.tar.gz"),
            format!("{hex}.tgz"),
            format!("{algorithm}:{hex}"),
            format!("{algorithm}-{hex}"),
            format!("{algorithm}:{hex}.tar"),
            format!("{algorithm}-{hex}.tar.gz"),
            format!("blobs/{algorithm}/{hex}"),
        ]
        .into_iter();
        names.find(|name| self.files.has(name))
    }
}

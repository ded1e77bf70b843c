//! Extension headers before a member: PAX records and GNU's long names.

use super::header::text;
use super::pax::{self, Pax};

/// The extension headers of the member that follows them.
#[derive(Debug, Default)]
pub(crate) struct Extensions {
    /// From GNU's `L` header.
    pub long_name: Option<Vec<u8>>,
    pub long_link: Option<Vec<u8>>,
    pub pax: Option<Pax>,
    /// Why readers may disagree about them.
    pub doubt: Option<&'static str>,
}

const REPEATED: &str =
    "several extension headers of one type precede it: Python takes the first, others the last";

impl Extensions {
    /// Reads the data of an extension header: `size` bytes and their padding.
    ///
    /// # Errors
    /// The reason why engines refuse it.
    pub fn take(&mut self, kind: u8, size: usize, padded: &[u8]) -> Result<(), String> {
        let data = &padded[..size.min(padded.len())];
        match kind {
            b'L' => self.long_name = self.long_text(self.long_name.is_some(), data, padded),
            b'K' => self.long_link = self.long_text(self.long_link.is_some(), data, padded),
            b'x' => {
                let pax = Pax::parse(data)?;
                self.doubt(pax.doubt);
                self.doubt(self.pax.is_some().then_some(REPEATED));
                self.pax = Some(pax);
            }
            // Engines ignore global headers, and the extension headers before them.
            _ => {
                let relevant = pax::is_relevant(data)?;
                let sets = "a global PAX header sets names or sizes: Go ignores it, others do not";
                let hides = "a global PAX header follows its extension headers: Go then ignores them, others do not";
                let Extensions {
                    long_name,
                    long_link,
                    pax,
                    doubt,
                } = std::mem::take(self);
                let some = long_name.is_some() || long_link.is_some() || pax.is_some();
                self.doubt = doubt;
                self.doubt(relevant.then_some(sets));
                self.doubt(some.then_some(hides));
            }
        }
        Ok(())
    }

    /// Keeps the first doubt.
    pub fn doubt(&mut self, doubt: Option<&'static str>) {
        self.doubt = self.doubt.or(doubt);
    }

    fn long_text(&mut self, repeated: bool, data: &[u8], padded: &[u8]) -> Option<Vec<u8>> {
        let found = text(data);
        self.doubt(repeated.then_some(REPEATED));
        let open = "its long name does not end with a NUL: Go ends it by its size, others at the first NUL";
        self.doubt((text(padded) != found).then_some(open));
        let empty = "its long name is empty: Go takes the one in the header, others the empty one";
        self.doubt(found.is_empty().then_some(empty));
        Some(found.to_vec()).filter(|found| !found.is_empty())
    }
}

//! The 512-byte header of a member, read as by Go's `archive/tar`, which container engines use:
//! <https://github.com/golang/go/blob/go1.25.0/src/archive/tar/reader.go>.

use std::borrow::Cow;

use super::number::number;

pub(crate) const BLOCK: usize = 512;

/// One header block.
#[derive(Clone)]
pub(crate) struct Header([u8; BLOCK]);

/// The variants of the header format. They differ in what follows the oldest fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The format of the seventies: no further fields.
    V7,
    /// A prefix of the name.
    Ustar,
    /// A shorter prefix and times, by Jörg Schilling's star.
    Star,
    /// Times and a sparse map.
    Gnu,
}

impl Default for Header {
    fn default() -> Header {
        Header([0; BLOCK])
    }
}

impl Header {
    pub fn new(block: &[u8; BLOCK]) -> Header {
        Header(*block)
    }

    pub fn bytes(&self) -> &[u8; BLOCK] {
        &self.0
    }

    /// The type flag.
    pub fn kind(&self) -> u8 {
        self.0[156]
    }

    pub fn dialect(&self) -> Dialect {
        match &self.0[257..265] {
            [b'u', b's', b't', b'a', b'r', 0, ..] if self.0.ends_with(b"tar\0") => Dialect::Star,
            [b'u', b's', b't', b'a', b'r', 0, ..] => Dialect::Ustar,
            b"ustar  \0" => Dialect::Gnu,
            _ => Dialect::V7,
        }
    }

    /// The name, unless an extension header replaces it.
    pub fn name(&self) -> Cow<'_, [u8]> {
        let name = text(&self.0[..100]);
        match self.prefix() {
            [] => Cow::Borrowed(name),
            prefix => Cow::Owned([prefix, b"/", name].concat()),
        }
    }

    fn prefix(&self) -> &[u8] {
        match self.dialect() {
            Dialect::V7 => &[],
            Dialect::Ustar => text(&self.0[345..500]),
            Dialect::Star => text(&self.0[345..476]),
            // Go's writer before 1.8 wrote a prefix where GNU has times.
            Dialect::Gnu => {
                let is_time = |field: &[u8]| field[0] == 0 || number(field).is_some();
                let prefix = text(&self.0[345..500]);
                let times = is_time(&self.0[345..357]) && is_time(&self.0[357..369]);
                if times || !prefix.is_ascii() {
                    &[]
                } else {
                    prefix
                }
            }
        }
    }

    /// The link target, unless an extension header replaces it.
    pub fn link(&self) -> &[u8] {
        text(&self.0[157..257])
    }

    pub fn size_field(&self) -> &[u8] {
        &self.0[124..136]
    }

    /// The size. `None` if it is not a number.
    pub fn size(&self) -> Option<u64> {
        number(self.size_field()).and_then(|size| u64::try_from(size).ok())
    }

    /// The entries of GNU's old sparse map.
    pub fn sparse_entries(&self) -> &[u8] {
        &self.0[386..482]
    }

    /// Whether GNU's old sparse map continues after this header.
    pub fn is_extended(&self) -> bool {
        self.0[482] != 0
    }

    /// The size of a sparse file including its holes, in GNU's old format.
    pub fn real_size(&self) -> Option<u64> {
        number(&self.0[483..495]).and_then(|size| u64::try_from(size).ok())
    }

    /// Whether the checksum is correct. POSIX sums unsigned bytes, some old tars signed ones. The checksum field counts as
    /// spaces.
    pub fn checksum_matches(&self) -> bool {
        let field = &self.0[148..156];
        // Unlike other fields, it has only octal digits.
        let Some(expected) = number(field).filter(|_| field[0] & 0x80 == 0) else {
            return false;
        };
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
        let unsigned = i64::from(sum(&self.0) - sum(field) + 8 * u32::from(b' '));
        let negative = || {
            let rest = self.0[..148].iter().chain(&self.0[156..]);
            rest.map(|byte| i64::from(byte >> 7)).sum::<i64>()
        };
        expected == unsigned || expected == unsigned - 256 * negative()
    }

    /// The first numeric field that is not a number. Engines refuse an archive that has one.
    pub fn not_a_number(&self) -> Option<&'static str> {
        // https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06
        let dialect = self.dialect();
        let of_dialect = match dialect {
            // Without device numbers.
            Dialect::V7 => 4,
            Dialect::Ustar | Dialect::Gnu => 6,
            Dialect::Star => 8,
        };
        let mut fields = self.numbers().into_iter().take(of_dialect);
        fields
            .find(|(_, field)| number(field).is_none())
            .map(|(name, _)| name)
    }

    /// All numeric fields except the size. Not every dialect has the last four.
    pub fn numbers(&self) -> [(&'static str, &[u8]); 8] {
        [
            ("mode", &self.0[100..108]),
            ("owner", &self.0[108..116]),
            ("group", &self.0[116..124]),
            ("time", &self.0[136..148]),
            ("major number", &self.0[329..337]),
            ("minor number", &self.0[337..345]),
            ("time of access", &self.0[476..488]),
            ("time of change", &self.0[488..500]),
        ]
    }
}

/// The part of a field before the first NUL.
pub(crate) fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

//! Finds members that known readers of tar interpret differently: Go's `archive/tar` (1.19), GNU tar (1.34) and Python's
//! `tarfile` (3.11). An attacker can craft such an archive so that a scanner sees another image than an engine.
//!
//! The behaviour of all three was tested. Our own walk follows Go.

use std::borrow::Cow;

use super::extensions::Extensions;
use super::header::{Dialect, Header, text};
use super::member::{Member, MemberKind};
use super::number::number;
use super::sparse::{self, MapPlace};

/// Returns what the readers disagree about, if anything.
pub(crate) fn disagreement(member: &Member) -> Option<&'static str> {
    let doubts = [
        member.extensions.doubt,
        about_numbers(&member.header),
        about_names(member),
        about_kind(member),
        about_sparse(member),
    ];
    doubts.into_iter().flatten().next()
}

/// Finds numbers that readers interpret differently, and numbers at which one of them stops without an error.
pub(crate) fn about_numbers(header: &Header) -> Option<&'static str> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let size = header.size_field();
    let blanks = size.iter().take_while(|byte| is_blank(byte)).count();
    if size[0] == b' ' && blanks == size.len() {
        return Some("its size is blank: GNU tar skips it, others take it for 0");
    }
    if blanks < size.len() && size[..blanks].contains(&0) {
        return Some("a NUL precedes the digits of its size: Python takes that for 0, Go does not");
    }
    // Python accepts only two first bytes for base 256, and reads device numbers in old headers too.
    let numbers = header.numbers();
    let mut fields = numbers.iter().take(6).map(|(_, field)| field);
    let is_other = fields.any(|field| field[0] & 0x80 != 0 && !matches!(field[0], 0x80 | 0xff));
    let mut devices = numbers[4..6].iter().map(|(_, field)| field);
    let is_none = header.dialect() == Dialect::V7 && devices.any(|field| number(field).is_none());
    (is_other || is_none)
        .then_some("Python cannot read a number in its header, and takes the header for the end of the archive")
}

fn about_names(member: &Member) -> Option<&'static str> {
    let Extensions {
        long_name,
        long_link,
        pax,
        ..
    } = &member.extensions;
    let differ = |long: &Option<Vec<u8>>, pax: &[u8]| {
        !pax.is_empty() && long.as_ref().is_some_and(|long| long != pax)
    };
    let is_link = matches!(member.kind(), MemberKind::Symlink | MemberKind::HardLink);
    if let Some(pax) = pax
        && (differ(long_name, pax.path.as_deref().unwrap_or_default())
            || differ(long_name, pax.sparse("name"))
            || is_link && differ(long_link, pax.link.as_deref().unwrap_or_default()))
    {
        return Some("its GNU and PAX names differ: Go takes the former, GNU tar the latter");
    }
    let named = long_name.is_some()
        || pax
            .as_ref()
            .is_some_and(|pax| pax.path.is_some() || !pax.sparse("name").is_empty());
    if named {
        return None;
    }
    // Python uses the prefix in every dialect, except for GNU's own types. GNU tar uses the whole POSIX prefix.
    let header = &member.header;
    let prefix = text(&header.bytes()[345..500]);
    let is_other = match header.dialect() {
        Dialect::Ustar => false,
        Dialect::Star => prefix.len() > 131,
        Dialect::V7 | Dialect::Gnu if header.kind() == b'S' => {
            matches!(header.name(), Cow::Owned(_))
        }
        Dialect::V7 | Dialect::Gnu => !prefix.is_empty(),
    };
    is_other.then_some("readers disagree which bytes of its header are a prefix of its name")
}

fn about_kind(member: &Member) -> Option<&'static str> {
    let header = &member.header;
    if member.declared == 0 && !matches!(header.kind(), b'M' | b'X') {
        return None;
    }
    let ends_with_slash =
        member.name().ends_with(b"/") || header.kind() == 0 && header.name().ends_with(b"/");
    match header.kind() {
        // GNU tar takes the size of a hard link only from a PAX header.
        b'1' if member.pax_size().is_none() => None,
        b'1'..=b'4' | b'6' => Some(
            "it is a link or device with a size: GNU tar skips that much data, Go and Python skip none",
        ),
        b'D' | b'M' | b'V' => Some("its type is a file to Go and Python, but not to GNU tar"),
        b'X' => Some("its type is a PAX header to GNU tar and Python, a file to Go"),
        0 | b'0' | b'7' | b'S' if ends_with_slash => Some(
            "its name ends with a slash, but it has a size: GNU tar takes it for a folder with data, others do not",
        ),
        _ => None,
    }
}

/// Readers use different sparse records, unless the records are those that GNU tar writes.
fn about_sparse(member: &Member) -> Option<&'static str> {
    let pax = member.extensions.pax.as_ref()?;
    let doubt = Some("its sparse records do not follow one format: readers use different ones");
    if member.header.kind() == b'S' {
        return doubt.filter(|_| pax.size.is_some() || !pax.sparse.is_empty());
    }
    let has = |key: &str| pax.sparse.contains_key(key.as_bytes());
    let is_one = match sparse::map_place(pax) {
        None => pax.sparse.is_empty(),
        Some(MapPlace::Records) => has("size") && !has("realsize") && !has("major"),
        Some(MapPlace::Data) => has("realsize") && !has("size") && !has("map") && !has("numblocks"),
    };
    doubt.filter(|_| !is_one)
}

//! What engines read of tar headers besides names and sizes. They refuse the whole archive where it cannot be read, as Go's
//! `archive/tar` does: <https://github.com/golang/go/blob/go1.25.0/src/archive/tar/reader.go>.

use tar::EntryType;

use crate::tar::number;

/// The first field of a header that is not the number that it must be.
pub(crate) fn not_a_number(block: &[u8]) -> Option<&'static str> {
    // https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06
    let of_all = [
        ("mode", &block[100..108]),
        ("owner", &block[108..116]),
        ("group", &block[116..124]),
        ("time", &block[136..148]),
    ];
    // Older headers than these have no numbers of devices.
    let has_devices =
        block[257..].starts_with(b"ustar\0") || block[257..].starts_with(b"ustar  \0");
    let of_devices = [
        ("major number", &block[329..337]),
        ("minor number", &block[337..345]),
    ];
    let of_devices = of_devices.iter().filter(|_| has_devices);
    let mut fields = of_all.iter().chain(of_devices);
    fields
        .find(|(_, field)| number(field).is_none())
        .map(|(name, _)| *name)
}

/// Whether a record of a PAX header can be one: no NUL where none may be.
pub(crate) fn is_record(key: &[u8], value: &[u8]) -> bool {
    match key {
        b"path" | b"linkpath" | b"uname" | b"gname" => !value.contains(&0),
        key => !key.contains(&0),
    }
}

/// Whether a record of the header of one entry has a value of its kind. An empty one takes away what there was.
pub(crate) fn has_value(key: &[u8], value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else {
        return !matches!(
            key,
            b"uid" | b"gid" | b"size" | b"mtime" | b"atime" | b"ctime"
        );
    };
    let is_number = |text: &str| text.parse::<i64>().is_ok();
    let is_time = |text: &str| {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        is_number(seconds) && fraction.bytes().all(|digit| digit.is_ascii_digit())
    };
    match key {
        _ if value.is_empty() => true,
        b"uid" | b"gid" | b"size" => is_number(value),
        b"mtime" | b"atime" | b"ctime" => is_time(value),
        _ => true,
    }
}

/// Whether engines unpack entries of a type. Go reads some others, among them sparse files of GNU's old format, but containerd,
/// Docker, podman and umoci end with an error when they come to one:
/// <https://github.com/containerd/containerd/blob/v2.1.0/pkg/archive/tar.go>.
pub(crate) fn is_unpacked(kind: EntryType) -> bool {
    matches!(
        kind,
        EntryType::Regular
            | EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo
    )
}

//! Headers in a layer's tar that engines refuse, and unusual ones that they accept. The expected results are those of umoci
//! 0.4.7 and podman 4.3, which unpack with Go's `archive/tar`. Then headers of archives that readers interpret differently.

use std::ops::Range;

use crate::support::docker::save_one;
use crate::support::layers::Layer;
use crate::support::parts::Parts;
use crate::support::sandbox::Sandbox;
use crate::support::tar::{self, Member};
use crate::{Case, archives_have, has};

const MODE: Range<usize> = 100..108;
const OWNER: Range<usize> = 108..116;
const GROUP: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const TIME: Range<usize> = 136..148;
const KIND: Range<usize> = 156..157;
const MAGIC: Range<usize> = 257..265;
const MAJOR: Range<usize> = 329..337;

const DAMAGED: &[&str] = &["error layer-tar-header: warns"];

/// A layer whose second header has these bytes in a field.
fn with(tar: &[u8], at: usize, changes: &[(Range<usize>, &[u8])]) -> crate::support::files::Files {
    let mut tar = tar.to_vec();
    let mut header: [u8; 512] = tar[at..at + 512].try_into().unwrap();
    for (field, bytes) in changes {
        header[field.clone()].copy_from_slice(bytes);
    }
    tar[at..at + 512].copy_from_slice(&tar::checksummed(header));
    Parts::plain(&tar).files()
}

#[test]
fn numbers() {
    let files = tar::tar(&[Member::file("a", "content"), Member::file("b", "content")]);
    let second = |field: Range<usize>, bytes: &[u8]| with(&files, 1024, &[(field, bytes)]);
    let empty = tar::tar(&[Member::file("a", "content"), Member::file("b", "")]);
    let no_number = b"nonsense";
    archives_have(vec![
        ("mode", second(MODE, no_number), DAMAGED),
        ("owner", second(OWNER, no_number), DAMAGED),
        ("group", second(GROUP, b"0000008\0"), DAMAGED),
        ("time", second(TIME, b"-0000000001\0"), DAMAGED),
        ("major number", second(MAJOR, no_number), DAMAGED),
        (
            "major number in a header that has none",
            with(&files, 1024, &[(MAGIC, &[0; 8]), (MAJOR, no_number)]),
            &[],
        ),
        ("size with a sign", second(SIZE, b"+0000000007\0"), DAMAGED),
        (
            "size that is negative",
            second(SIZE, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf9"),
            DAMAGED,
        ),
        (
            "size of more than 64 bits",
            second(SIZE, b"\x80\0\0\x01\0\0\0\0\0\0\0\x07"),
            DAMAGED,
        ),
        (
            "size in base 256",
            second(SIZE, b"\x80\0\0\0\0\0\0\0\0\0\0\x07"),
            &[],
        ),
        ("size behind spaces", second(SIZE, b"          7\0"), &[]),
        ("owner left out", second(OWNER, &[0; 8]), &[]),
        (
            "time before 1970",
            second(TIME, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            &[],
        ),
        (
            "size left out",
            with(&empty, 1024, &[(SIZE, &[0; 12])]),
            &[],
        ),
        (
            "size of spaces",
            with(&empty, 1024, &[(SIZE, &[b' '; 12])]),
            &[],
        ),
    ]);
}

#[test]
fn kinds_of_entries() {
    let files = tar::tar(&[Member::file("a", "content"), Member::file("b", "content")]);
    let folder = tar::tar(&[Member::file("a", "content"), Member::file("b/", "")]);
    let refused: &[&str] = &["error layer-entry-type: warns"];
    let kind = |kind: &[u8]| with(&files, 1024, &[(KIND, kind)]);
    archives_have(vec![
        ("a file as in old tars", kind(b"\0"), &[]),
        ("a contiguous file", kind(b"7"), refused),
        ("a volume's name", kind(b"V"), refused),
        ("a kind that nobody knows", kind(b"Z"), refused),
        (
            "a folder as in old tars, of which the size is no length",
            with(
                &folder,
                1024,
                &[(KIND, b"\0"), (SIZE, b"00000010000\0"), (MAGIC, &[0; 8])],
            ),
            &[],
        ),
    ]);
}

#[test]
fn records() {
    let file = tar::tar(&[Member::file("a", "content")]);
    let first = tar::without_end(&[Member::file("first", "content")]);
    let record = |key: &'static str, value: &str| {
        let header = tar::pax(&[(key, value.to_owned())]);
        [first.clone(), header, file.clone()].concat()
    };
    let refused = |key: &'static str, value: &str| -> Case {
        (key, Parts::plain(&record(key, value)).files(), DAMAGED)
    };
    let taken = |key: &'static str, value: &str| -> Case {
        (key, Parts::plain(&record(key, value)).files(), &[])
    };
    let global = |key: &'static str, value: &str| with(&record(key, value), 1024, &[(KIND, b"g")]);
    let no_record = {
        let mut tar = record("comment", "x");
        tar[1536] = b'x';
        with(&tar, 1024, &[(KIND, b"g")])
    };
    let replaced = {
        let path = |path: &str| tar::pax(&[("path", path.to_owned())]);
        let comment = tar::pax(&[("comment", "x".to_owned())]);
        [path("first"), comment, file[..1024].to_vec(), file.clone()].concat()
    };
    archives_have(vec![
        refused("mtime", "yesterday"),
        refused("mtime", "1.5s"),
        refused("atime", "1e9"),
        refused("uid", "root"),
        refused("gid", "1.0"),
        refused("size", "-7"),
        refused("path", "a\0b"),
        refused("linkpath", "\0"),
        refused("SCHILY.xattr.\0", "x"),
        refused("", "x"),
        taken("mtime", "-1.5"),
        taken("uid", "4294967296"),
        taken("comment", "a\0b"),
        // After an empty value the header is used.
        taken("size", ""),
        taken("path", ""),
        ("a global header", global("comment", "x"), &[]),
        // Engines ignore it.
        ("a global time", global("mtime", "yesterday"), &[]),
        ("a global header of no records", no_record, DAMAGED),
        (
            "a header in place of the one before",
            Parts::plain(&replaced).files(),
            &["warning layer-duplicate-path: warns"],
        ),
    ]);
}

/// Members before a valid image that GNU tar skips or interprets differently from Go and Python.
#[test]
fn archives_that_readers_take_for_different_things() {
    let archive = save_one("app:1", &[Layer::new("base")]).tar();
    let link = |kind: u8, size: u64| tar::header("link", kind, size, "manifest.json").to_vec();
    let path = |path: &str| tar::pax(&[("path", path.to_owned())]);
    let file = || tar::without_end(&[Member::file("file", "content")]);
    let global = |records: Vec<u8>| {
        let mut header: [u8; 512] = records[..512].try_into().unwrap();
        header[KIND].copy_from_slice(b"g");
        [&tar::checksummed(header)[..], &records[512..]].concat()
    };
    let ambiguous: &[&str] = &["error archive-ambiguous: warns"];
    for (name, first, expected) in [
        ("a link", link(b'2', 0), &[][..]),
        ("a link with a size", link(b'2', 1024), ambiguous),
        (
            "a hard link with a size, on which all agree",
            link(b'1', 1024),
            &[],
        ),
        ("a device with a size", link(b'3', 1024), ambiguous),
        ("a PAX header", [path("one"), file()].concat(), &[]),
        (
            "two PAX headers",
            [path("one"), path("two"), file()].concat(),
            ambiguous,
        ),
        (
            "a global comment",
            global(tar::pax(&[("comment", "x".to_owned())])),
            &[],
        ),
        (
            "a global size",
            global(tar::pax(&[("size", "7".to_owned())])),
            ambiguous,
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("app.tar", &[&first[..], &archive].concat());
        has(name, &sandbox, "app.tar", expected);
    }
}

//! Archives of one crafted member, and what it is to Go.

use super::support::{checksummed, header, pax};
use crate::tar::BLOCK;

fn padded(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(BLOCK), 0);
    data
}

/// A member whose header is changed: its type, its size if it is not that of the data, and what stands elsewhere.
fn member(name: &str, kind: u8, data: &[u8], changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut block = header(name, kind, data.len() as u64, "");
    for (at, bytes) in changes {
        block[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    [&checksummed(block)[..], &padded(data)].concat()
}

pub fn file(name: &str, content: &str) -> Vec<u8> {
    member(name, b'0', content.as_bytes(), &[])
}

/// A member without data that says that it is as long as another, which follows.
fn hiding(kind: u8) -> Vec<u8> {
    let own = header("own", kind, 1024, "target");
    [&own[..], &file("inner", "inner")].concat()
}

fn long(kind: u8, text: &[u8]) -> Vec<u8> {
    member("././@LongLink", kind, text, &[(257, GNU)])
}

fn records(records: &[(&str, &str)]) -> Vec<u8> {
    let records: Vec<_> = records
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect();
    pax(&records)
}

fn global(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = records(pairs);
    bytes[156] = b'g';
    let block = checksummed(bytes[..512].try_into().unwrap());
    bytes[..512].copy_from_slice(&block);
    bytes
}

const GNU: &[u8] = b"ustar  \0";
const V7: &[u8] = &[0; 8];
const SIZE: usize = 124;
const MAGIC: usize = 257;
const PREFIX: usize = 345;

/// A row for each archive: what it is called, the parts of it, what it is to Go.
macro_rules! rows {
    ($($name:literal: [$($part:expr),*] => $expected:literal;)*) => {
        vec![$(($name, [$($part),*].concat(), $expected)),*]
    };
}

/// What each of them is to Go, as `indexed` writes it.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn table() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let file_of = |name: &str| file(name, "content");
    let link = |name: &str| header(name, b'2', 0, "target").to_vec();
    let with = |changes: &[(usize, &[u8])]| member("name", b'0', b"content", changes);
    let sized = |size: &[u8; 12]| [with(&[(SIZE, size)])].concat();
    let old_folder = |name: &str| member(name, 0, &file("inner", "inner"), &[(MAGIC, V7)]);
    let inner = || file("inner", "inner");
    let map = "5,7";
    let sparse_01 = [
        ("GNU.sparse.size", "13"),
        ("GNU.sparse.numblocks", "1"),
        ("GNU.sparse.name", "sparse"),
        ("GNU.sparse.map", map),
    ];
    let sparse_10 = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "sparse"),
        ("GNU.sparse.realsize", "13"),
    ];
    let in_data = || {
        let data = [padded(b"1\n5\n7\n"), b"content".to_vec()].concat();
        member("name", b'0', &data, &[])
    };
    let old_sparse: &[(usize, &[u8])] = &[
        (MAGIC, GNU),
        (386, b"00000000005\x0000000000007\0"),
        (483, b"00000000015\0"),
    ];
    rows! {
        "files": [file("a", "b")] => "a=b";
        "an empty file": [file("a", "")] => "a=";
        // Data that only some skip.
        "a hard link with a size": [hiding(b'1')] => "own->target inner=inner";
        "a symlink with a size": [hiding(b'2')] => "own->target inner=inner ?";
        "a device with a size": [hiding(b'3')] => "own! inner=inner ?";
        "another device with a size": [hiding(b'4')] => "own! inner=inner ?";
        "a folder with a size": [hiding(b'5')] => "own/ inner=inner";
        "a pipe with a size": [hiding(b'6')] => "own! inner=inner ?";
        "a hard link with a PAX size": [records(&[("size", "1024")]), hiding(b'1')] => "own->target inner=inner ?";
        "a symlink whose PAX size is 0": [records(&[("size", "0")]), hiding(b'2')] => "own->target inner=inner";
        "a folder with a PAX size": [records(&[("size", "1024")]), hiding(b'5')] => "own/ inner=inner";
        "a folder by its name": [old_folder("d/")] => "d/ inner=inner ?";
        "a folder by its PAX path": [records(&[("path", "d/")]), old_folder("d")] => "d/ inner=inner ?";
        "no folder by its PAX path": [records(&[("path", "d")]), member("d/", 0, b"content", &[])] => "d=content ?";
        "a file whose name ends with a slash": [file("d/", "content")] => "d/=content ?";
        "an empty file whose name ends with a slash": [file("d/", "")] => "d/";
        // Types that are files to Go.
        "a contiguous file": [member("a", b'7', b"b", &[])] => "a=b";
        "a type of a vendor": [member("a", b'A', b"b", &[])] => "a=b";
        "an unknown type": [member("a", 0x80, b"b", &[])] => "a=b";
        "a volume's name": [member("a", b'V', b"", &[])] => "a=";
        "a volume's name with data": [member("a", b'V', b"b", &[])] => "a=b ?";
        "a list of files": [member("a", b'D', b"b", &[])] => "a=b ?";
        "another volume's file": [member("a", b'M', b"b", &[])] => "a=b ?";
        "a PAX header of Solaris": [member("a", b'X', b"b", &[])] => "a=b ?";
        // Names.
        "a PAX path": [records(&[("path", "pax")]), file_of("a")] => "pax=content";
        "two PAX headers": [records(&[("path", "pax")]), records(&[("comment", "c")]), file_of("a")] => "a=content ?";
        "one key twice": [records(&[("path", "one"), ("path", "two")]), file_of("a")] => "two=content";
        "an empty path": [records(&[("path", "one"), ("path", "")]), file_of("a")] => "a=content ?";
        "a long name": [long(b'L', b"long\0"), file_of("a")] => "long=content";
        "two long names": [long(b'L', b"one\0"), long(b'L', b"two\0"), file_of("a")] => "two=content ?";
        "a long name with a NUL": [long(b'L', b"lo\0ng\0"), file_of("a")] => "lo=content";
        "a long name without a NUL": [long(b'L', b"long"), file_of("a")] => "long=content";
        "an empty long name": [long(b'L', b"\0"), file_of("a")] => "a=content ?";
        "a long name of no bytes": [long(b'L', b""), file_of("a")] => "a=content ?";
        "a long name and a path":
            [long(b'L', b"long\0"), records(&[("path", "pax")]), file_of("a")] => "long=content ?";
        "a path and a long name":
            [records(&[("path", "pax")]), long(b'L', b"long\0"), file_of("a")] => "long=content ?";
        "a path and the same long name":
            [records(&[("path", "a b")]), long(b'L', b"a b\0"), file_of("a")] => "a b=content";
        "a long name and a sparse name":
            [long(b'L', b"long\0"), records(&sparse_01), file_of("a")] => "sparse=.....content. ?";
        "a sparse name and the same long name":
            [records(&sparse_01), long(b'L', b"sparse\0"), file_of("a")] => "sparse=.....content.";
        "a long link": [long(b'K', b"long\0"), link("a")] => "a->long";
        "a PAX link": [records(&[("linkpath", "pax")]), link("a")] => "a->pax";
        "a long link and a PAX link":
            [long(b'K', b"long\0"), records(&[("linkpath", "pax")]), link("a")] => "a->long ?";
        "a prefix": [with(&[(PREFIX, b"prefix")])] => "prefix/name=content";
        "a prefix with another version": [with(&[(MAGIC, b"ustar\0  "), (PREFIX, b"prefix")])] => "prefix/name=content";
        "a prefix in an old header": [with(&[(MAGIC, V7), (PREFIX, b"prefix")])] => "name=content ?";
        "a prefix in a header of GNU": [with(&[(MAGIC, GNU), (PREFIX, b"prefix")])] => "prefix/name=content ?";
        "times in a header of GNU": [with(&[(MAGIC, GNU), (PREFIX, b"00000000001\0")])] => "name=content ?";
        "a prefix of star": [with(&[(PREFIX, b"prefix"), (508, b"tar\0")])] => "prefix/name=content";
        // Global headers.
        "a global comment": [global(&[("comment", "c")]), file_of("a")] => "a=content";
        "a global path": [global(&[("path", "pax")]), file_of("a"), file_of("b")] => "a=content b=content ?";
        "a global size": [global(&[("size", "1024")]), file("a", ""), inner()] => "a= inner=inner ?";
        "a global header behind a PAX header":
            [records(&[("path", "pax")]), global(&[("comment", "c")]), file_of("a")] => "a=content ?";
        // Numbers.
        "a PAX size":
            [records(&[("size", "7")]), member("a", b'0', b"content", &[(SIZE, b"00000000000\0")])] => "a=content";
        "a PAX size with a sign": [records(&[("size", "+7")]), file_of("a")] => "a=content ?";
        "a PAX size that is negative": [records(&[("size", "-7")]), file_of("a")] => "ERROR";
        "base 256": [sized(b"\x80\0\0\0\0\0\0\0\0\0\0\x07")] => "name=content";
        "a NUL in front of a size": [sized(b"\x0000000000007")] => "name=content ?";
        "a blank size": [member("a", b'0', b"", &[(SIZE, b"            ")])] => "a= ?";
        "an owner that Python does not read": [with(&[(108, b"\x81\0\0\0\0\0\0\0")])] => "name=content ?";
        "an owner that nobody reads": [with(&[(108, b"nonsense")])] => "ERROR";
        "no device in an old header": [with(&[(MAGIC, V7), (329, b"nonsense")])] => "name=content ?";
        // Sparse files.
        "a sparse file of GNU": [member("name", b'S', b"content", old_sparse)] => "name=.....content.";
        "a sparse file of GNU with a prefix":
            [member("name", b'S', b"content", &[old_sparse, &[(PREFIX, b"prefix")]].concat())] => "prefix/name=.....content. ?";
        "a sparse file of GNU with a PAX size":
            [records(&[("size", "7")]), member("name", b'S', b"content", old_sparse)] => "name=.....content. ?";
        "a sparse file without GNU's fields": [member("name", b'S', b"content", &old_sparse[1..])] => "ERROR";
        "format 0.1": [records(&sparse_01), with(&[])] => "sparse=.....content.";
        "format 0.1 with a path behind":
            [records(&[&sparse_01[..], &[("path", "pax")]].concat()), with(&[])] => "sparse=.....content. ?";
        "format 0.1 with a wrong count":
            [records(&[&sparse_01[..], &[("GNU.sparse.numblocks", "2")]].concat()), with(&[])] => "ERROR";
        "format 1.0": [records(&sparse_10), in_data()] => "sparse=.....content.";
        "format 1.0 and a map":
            [records(&[&sparse_10[..], &[("GNU.sparse.map", map)]].concat()), in_data()] => "sparse=.....content. ?";
        "a sparse name alone": [records(&[("GNU.sparse.name", "sparse")]), file_of("a")] => "a=content ?";
        "a sparse link": [records(&sparse_01), link("a")] => "ERROR";
        // The end.
        "a single zero block": [vec![0; 512]] => "ERROR";
    }
}

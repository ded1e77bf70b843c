//! The index of archives and the check of layers over the same bytes. What members there are, and which readers disagree, was
//! tried with Go 1.19's `archive/tar`, GNU tar 1.34 and Python 3.11's `tarfile`.

use std::io;

use super::*;
use crate::error::Error;
use crate::findings::Code;
use support::{END, checksummed};
use table::{file, table};

mod check;
mod table;

#[path = "../../../tests/support/tar.rs"]
#[allow(dead_code)]
mod support;

/// `name=content`, `name->link`, `name/` for a folder, `name!` for a device; at the end `ERROR` and `?` for each member that
/// readers take for different things.
fn indexed(bytes: &[u8]) -> String {
    let mut found = Vec::new();
    let mut doubts = String::new();
    let result = members(bytes.len() as u64, reader(bytes), |member| {
        let name = String::from_utf8_lossy(&member.name()).into_owned();
        let link = String::from_utf8_lossy(member.link());
        found.push(match member.kind() {
            MemberKind::File => format!("{name}={}", content(member, bytes)),
            MemberKind::Symlink | MemberKind::HardLink => format!("{name}->{link}"),
            MemberKind::Folder => format!("{}/", name.trim_end_matches('/')),
            MemberKind::Device => format!("{name}!"),
        });
        doubts.extend(disagreement(member).map(|_| '?'));
        Ok(())
    });
    found.extend(result.is_err().then(|| "ERROR".to_owned()));
    found.extend(Some(doubts).filter(|doubts| !doubts.is_empty()));
    found.join(" ")
}

fn reader(bytes: &[u8]) -> impl Fn(&mut [u8], u64) -> io::Result<()> {
    |buffer, offset| {
        let start = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
        Ok(())
    }
}

/// The bytes of a member; holes are dots.
fn content(member: &Member, bytes: &[u8]) -> String {
    let mut content = vec![b'.'; usize::try_from(member.size).unwrap()];
    for extent in member.extents() {
        let at = |number: u64| usize::try_from(number).unwrap();
        let stored = &bytes[at(extent.offset)..][..at(extent.length)];
        content[at(extent.position)..][..stored.len()].copy_from_slice(stored);
    }
    String::from_utf8_lossy(&content).into_owned()
}

#[test]
fn members_are_those_that_go_sees() {
    for (name, bytes, expected) in table() {
        let archive = [
            file("first", "1"),
            bytes.clone(),
            file("last", "9"),
            END.to_vec(),
        ]
        .concat();
        let (expected, doubts) = match expected.strip_suffix(" ?") {
            Some(expected) => (expected, " ?"),
            None => (expected, ""),
        };
        let expected = match expected {
            "ERROR" => "first=1 ERROR".to_owned(),
            expected => format!("first=1 {expected} last=9{doubts}"),
        };
        assert_eq!(indexed(&archive), expected, "{name}");
        agree(&archive, name);
    }
}

/// The index and the check see the same members in the same places, and the same damage.
fn agree(bytes: &[u8], name: &str) {
    let mut indexed = Vec::new();
    let add = |list: &mut Vec<_>, member: &Member| {
        list.push((
            member.at,
            member.name().into_owned(),
            member.data,
            member.stored,
        ));
    };
    let result = members(bytes.len() as u64, reader(bytes), |member| {
        add(&mut indexed, member);
        Ok(())
    });
    let mut check = TarCheck::new(MOST_PATHS);
    let mut checked: Vec<(u64, Vec<u8>, u64, u64)> = Vec::new();
    for block in bytes.chunks(BLOCK) {
        check.feed(block);
        let member = check.walk.member();
        let is_new = member.data > checked.last().map_or(0, |last| last.2);
        if is_new {
            add(&mut checked, member);
        }
    }
    let problems = check.finish();
    let problem = problems.iter().find(|(code, _)| {
        let codes = [
            Code::LayerNotTar,
            Code::LayerTarHeader,
            Code::LayerTarTruncated,
            Code::LayerTarNoEnd,
            Code::Limit,
        ];
        codes.contains(code)
    });
    match result {
        Ok(()) => assert_eq!(problem, None, "{name}"),
        Err(Error::Truncated { .. }) => {
            assert_eq!(problem.unwrap().0, Code::LayerTarTruncated, "{name}");
            // Its header is whole, its data is not.
            checked.truncate(indexed.len());
        }
        Err(Error::NoEndOfArchive { .. }) => {
            let codes = [Code::LayerTarTruncated, Code::LayerTarNoEnd];
            assert!(codes.contains(&problem.unwrap().0), "{name}");
            checked.truncate(indexed.len());
        }
        Err(error) => assert_eq!(problem.unwrap().1, error.to_string(), "{name}"),
    }
    assert_eq!(indexed, checked, "{name}");
}

/// Random changes to headers, whose checksums are put right.
#[test]
fn the_index_and_the_check_agree_about_mutants() {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let table = table();
    let fields = [
        0, 100, 108, 124, 136, 156, 157, 257, 263, 329, 345, 386, 482, 483, 508,
    ];
    let values: [&[u8]; 12] = [
        b"",
        b"0",
        b"1",
        b"5",
        b"S",
        b"x",
        b"g",
        b"L",
        b"\x80",
        b"\xff",
        b"        ",
        b"00000000003\0",
    ];
    for round in 0..4000 {
        let rows = [random(table.len()), random(table.len())];
        let mut bytes: Vec<u8> = rows.iter().flat_map(|row| table[*row].1.clone()).collect();
        bytes.extend(file("last", "9"));
        bytes.extend(END);
        for _ in 0..=random(3) {
            let at = random(bytes.len() / BLOCK) * BLOCK;
            let block: &mut [u8; BLOCK] = (&mut bytes[at..at + BLOCK]).try_into().unwrap();
            let is_header = Header::new(block).checksum_matches();
            let (field, value) = (fields[random(fields.len())], values[random(values.len())]);
            block[field] = 0;
            let end = (field + value.len()).min(BLOCK);
            block[field..end].copy_from_slice(&value[..end - field]);
            if is_header {
                *block = checksummed(*block);
            }
        }
        if random(8) == 0 {
            bytes.truncate(random(bytes.len()));
        }
        agree(
            &bytes,
            &format!("round {round}: {} {}", table[rows[0]].0, table[rows[1]].0),
        );
    }
}

#[test]
fn every_prefix_of_an_archive_is_an_error() {
    let rows = [
        "a long name",
        "a PAX path",
        "a sparse file of GNU",
        "format 1.0",
    ];
    let table = table();
    let rows = table.iter().filter(|row| rows.contains(&row.0));
    let archive = [rows.flat_map(|row| row.1.clone()).collect(), END.to_vec()].concat();
    for end in 0..archive.len() {
        let found = indexed(&archive[..end]);
        assert!(found.ends_with("ERROR"), "{end}: {found}");
        agree(&archive[..end], &format!("the first {end} bytes"));
    }
    assert!(!indexed(&archive).contains("ERROR"));
}

const MOST_PATHS: usize = 1 << 10;

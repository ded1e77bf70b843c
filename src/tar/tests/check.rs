//! What the check of a layer says.

use super::MOST_PATHS;
use crate::findings::Code;
use crate::tar::TarCheck;

/// A tar of `entries` with names that need extensions, and its end.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn problems_of(bytes: &[u8], piece: usize) -> Vec<(Code, String)> {
    let mut walk = TarCheck::new(MOST_PATHS);
    bytes.chunks(piece).for_each(|piece| walk.feed(piece));
    walk.finish()
}

#[test]
fn pieces_of_any_length_give_the_same() {
    let long = "long/".repeat(40) + "name";
    let tar = archive(&[
        ("a", b"x"),
        (&long, &[7; 1025]),
        ("empty", b""),
        (&long, b"again"),
    ]);
    let mut behind = tar.clone();
    behind.extend(b"data");
    for bytes in [&tar[..], &tar[..tar.len() - 1024], &tar[..700], &behind] {
        let whole = problems_of(bytes, bytes.len());
        for piece in [1, 7, 511, 512, 513, 1024] {
            assert_eq!(
                problems_of(bytes, piece),
                whole,
                "in pieces of {piece} bytes"
            );
        }
    }
    let problems = problems_of(&tar, 100);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].0, Code::LayerDuplicatePath);
    assert_eq!(problems[0].1, format!("entries of the same path: {long}"));
}

/// Padding may be missing at the end, as Go has it, behind an extension header as behind a file.
#[test]
fn the_end_may_be_within_padding() {
    // Not a folder's name, which would have no data.
    let name = "long/".repeat(40) + "name";
    let long = archive(&[(&name, b"x")]);
    for end in [512 + name.len() + 1, 512 + 300, 1536 + 1, 1536 + 511] {
        let codes: Vec<Code> = problems_of(&long[..end], 512)
            .iter()
            .map(|(code, _)| *code)
            .collect();
        assert_eq!(codes, [Code::LayerTarNoEnd], "{end}");
    }
}

/// The size of a header may be anything; adding it up must not overflow.
#[test]
fn sizes_beyond_any_file_are_damage() {
    let mut header = tar::Header::new_gnu();
    header.set_path("a").unwrap();
    header.set_size(u64::MAX >> 1);
    header.set_cksum();
    let problems = problems_of(header.as_bytes(), 512);
    assert_eq!(problems[0].0, Code::LayerTarTruncated);
    header.set_size(u64::MAX);
    header.set_cksum();
    let problems = problems_of(header.as_bytes(), 512);
    assert_eq!(problems[0].0, Code::LayerNotTar);
}

#[test]
fn many_paths_are_counted_and_few_named() {
    let names: Vec<String> = (0..5).map(|number| format!("../{number}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let mut tar = Vec::new();
    for (name, _) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(0);
        header.set_cksum();
        tar.extend(header.as_bytes());
    }
    let problems = problems_of(&tar, 512);
    let message = "paths with \"..\": ../0, ../1, ../2 and 2 more";
    assert!(
        problems.contains(&(Code::LayerPath, message.to_owned())),
        "{problems:?}"
    );
}

#[test]
fn duplicates_are_looked_for_among_as_many_paths_as_fit() {
    let tar = archive(&[("a", b""), ("a", b"")]);
    for (count, expected) in [
        (MOST_PATHS - 2, Code::LayerDuplicatePath),
        (MOST_PATHS, Code::LayerManyPaths),
    ] {
        let mut walk = TarCheck::new(MOST_PATHS);
        (0..count as u64).for_each(|key| {
            walk.paths.seen.insert(key);
        });
        walk.feed(&tar);
        let problems = walk.finish();
        let codes: Vec<Code> = problems.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [expected]);
    }
}

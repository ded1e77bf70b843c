//! Damage to tars: to layers, whose digests are corrected, and to archives.

use crate::repair;
use crate::support::files::Files;
use crate::support::random::Random;
use crate::support::tar::{self, Body, Member};
use crate::support::{codec, sha256_hex};

const BLOCK: usize = 512;

/// Changes the tar of one layer and everything that depends on it. Returns a description of the change.
pub fn mutate_layer(files: &mut Files, random: &mut Random) -> Option<(&'static str, String)> {
    let layers: Vec<usize> = (0..files.members.len())
        .filter(|position| uncompressed(files.members[*position].bytes()).is_some())
        .collect();
    if layers.is_empty() {
        return None;
    }
    let position = *random.pick(&layers);
    let name = files.members[position].name.clone();
    let blob = files.members[position].bytes().to_vec();
    let old = uncompressed(&blob)?;
    let is_gzip = old != blob;
    let (what, new) = if is_gzip && random.once_in(4) {
        let (what, new) = spoiled_stream(&blob, random);
        repair::replace(files, position, new);
        return Some((what, name));
    } else {
        mutated_tar(&old, random)
    };
    let new_blob = if is_gzip {
        codec::gzip(&new)
    } else {
        new.clone()
    };
    // One in four keeps its digests, which then do not match.
    if random.once_in(4) {
        files.members[position].body = Body::File(new_blob);
        return Some((what, format!("{name}, digests not put right")));
    }
    repair::replace(files, position, new_blob);
    if is_gzip || !name.contains(&sha256_hex(&old)) {
        repair::replace_diff_id(files, &old, &new);
    }
    Some((what, name))
}

/// The tar of a layer, if it is a plain or gzip tar.
fn uncompressed(blob: &[u8]) -> Option<Vec<u8>> {
    let tar = if blob.starts_with(&[0x1f, 0x8b]) {
        codec::decode(blob, "+gzip")
    } else {
        blob.to_vec()
    };
    (tar.len() >= BLOCK && tar[257..].starts_with(b"ustar")).then_some(tar)
}

fn spoiled_stream(blob: &[u8], random: &mut Random) -> (&'static str, Vec<u8>) {
    let mut bytes = blob.to_vec();
    let last = bytes.len() - 1;
    match random.below(4) {
        0 => {
            bytes[last - 5] ^= 1;
            ("layer: CRC of the gzip stream", bytes)
        }
        1 => {
            bytes.truncate(1 + random.below(last));
            ("layer: gzip stream cut short", bytes)
        }
        2 => {
            bytes.extend(b"garbage");
            ("layer: garbage after the gzip stream", bytes)
        }
        _ => {
            bytes.extend([0; 16]);
            ("layer: zeros after the gzip stream", bytes)
        }
    }
}

/// Changes a tar. Returns a description of the change.
pub fn mutated_tar(tar: &[u8], random: &mut Random) -> (&'static str, Vec<u8>) {
    let headers = headers(tar);
    let header = *random.pick(&headers);
    let mut bytes = tar.to_vec();
    match random.below(12) {
        0 => {
            bytes[header + random.below(BLOCK)] ^= 1;
            ("tar: bit of a header", bytes)
        }
        1 => {
            bytes[header + random.below(100)] = *random.pick(b"\0/.a\xff\x1b \\");
            (
                "tar: letter of a name, checksum right",
                checksummed(bytes, header),
            )
        }
        2 => {
            bytes[header + 156] = *random.pick(b"\x000123456789ASKLVxgXZ!");
            ("tar: type, checksum right", checksummed(bytes, header))
        }
        3 => {
            let size = *random.pick::<&[u8; 12]>(&[
                b"00000000000\0",
                b"00000000001\0",
                b"77777777777\0",
                b"           \0",
                b"-0000000001\0",
                b"\x80\0\0\0\0\0\0\0\0\0\x02\0",
                b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                b"0x000000000\0",
                b"12\x00000000000",
            ]);
            bytes[header + 124..header + 136].copy_from_slice(size);
            ("tar: size, checksum right", checksummed(bytes, header))
        }
        4 => {
            bytes.truncate(random.below(bytes.len()));
            ("tar: cut short", bytes)
        }
        5 => {
            bytes.extend(b"garbage".repeat(100));
            ("tar: garbage after the end", bytes)
        }
        6 => {
            bytes.truncate(bytes.len() - tar::END.len());
            ("tar: no end", bytes)
        }
        7 => {
            let size = *random.pick(&["0", "1", "-1", "18446744073709551616", "512", "x"]);
            let records = tar::pax(&[("size", size.to_owned())]);
            bytes.splice(header..header, records);
            ("tar: a PAX size", bytes)
        }
        8 => {
            let path = *random.pick(&["", "../x", "/etc/passwd", "manifest.json", "index.json"]);
            let records = tar::pax(&[("path", path.to_owned())]);
            bytes.splice(header..header, records);
            ("tar: a PAX path", bytes)
        }
        9 => {
            bytes.splice(header..header, [0; BLOCK]);
            ("tar: a block of zeros", bytes)
        }
        10 => {
            bytes.splice(header..header, tar::END);
            ("tar: an end in the middle", bytes)
        }
        _ => {
            let twin = tar::without_end(&[Member::file("manifest.json", "[]")]);
            let member = *random.pick(&[&twin[..], &tar[header..next(tar, header)]]);
            let at = *random.pick(&headers);
            bytes.splice(at..at, member.iter().copied());
            ("tar: a member again", bytes)
        }
    }
}

/// Offsets of the headers in a valid tar.
fn headers(tar: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + BLOCK <= tar.len() && tar[at] != 0 {
        found.push(at);
        at = next(tar, at);
    }
    if found.is_empty() {
        found.push(0);
    }
    found
}

/// End of the member with this header.
fn next(tar: &[u8], header: usize) -> usize {
    let digits = &tar[header + 124..header + 135];
    let text = std::str::from_utf8(digits).unwrap_or("0");
    let size = usize::from_str_radix(text, 8).unwrap_or(0);
    (header + BLOCK + size.next_multiple_of(BLOCK)).min(tar.len())
}

fn checksummed(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    let header: [u8; BLOCK] = bytes[at..at + BLOCK].try_into().unwrap();
    bytes[at..at + BLOCK].copy_from_slice(&tar::checksummed(header));
    bytes
}

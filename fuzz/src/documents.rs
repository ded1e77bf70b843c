//! Splits fuzzed bytes into documents that refer to each other by digest.

use sha2::{Digest, Sha256};

/// The line between two documents.
const SEPARATOR: &[u8] = b"\n%%\n";

/// The documents in the bytes, at most `max`.
pub fn split(bytes: &[u8], max: usize) -> Vec<&[u8]> {
    let mut documents = Vec::new();
    let mut rest = bytes;
    while documents.len() + 1 < max
        && let Some(at) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR)
    {
        documents.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    documents.push(rest);
    documents
}

/// Replaces `@1` to `@9` by the hex of the SHA-256 of that document, `#1` to `#9` by its size. A document can refer to
/// later ones only, so mutations keep the digests right.
pub fn link(documents: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
    let mut linked: Vec<(String, Vec<u8>)> = vec![Default::default(); documents.len()];
    for (number, document) in documents.iter().enumerate().rev() {
        let mut bytes = Vec::with_capacity(document.len());
        let mut position = 0;
        while let Some(&byte) = document.get(position) {
            let digit = document.get(position + 1).filter(|digit| digit.is_ascii_digit());
            let target = digit.map(|digit| usize::from(digit - b'0'));
            match (byte, target.filter(|target| *target > number)) {
                (b'@', Some(target)) if target < linked.len() => {
                    bytes.extend_from_slice(linked[target].0.as_bytes());
                    position += 2;
                }
                (b'#', Some(target)) if target < linked.len() => {
                    bytes.extend_from_slice(linked[target].1.len().to_string().as_bytes());
                    position += 2;
                }
                _ => {
                    bytes.push(byte);
                    position += 1;
                }
            }
        }
        linked[number] = (hex(&bytes), bytes);
    }
    linked
}

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

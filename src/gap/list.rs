//! Files that list digests and `diff_ids`: text with one per line, or JSON as printed by engines.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use crate::compression::Codec;
use crate::digest::Digest;
use crate::error::{Error, RequestError, Result};
use crate::formats;
use crate::limits;
use crate::tar::{BLOCK, Header};

/// The digests that a file lists, or `None` if it is a container image.
pub(super) fn read(path: &Path) -> Result<Option<HashSet<Digest>>> {
    if path == Path::new("-") {
        let list = parse(std::io::stdin().lock(), path)?;
        return list.map(Some).ok_or(RequestError::NotAList.into());
    }
    let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
    if !metadata.is_file() {
        return Ok(None);
    }
    parse(File::open(path).map_err(Error::io("open", path))?, path)
}

fn parse(reader: impl Read, path: &Path) -> Result<Option<HashSet<Digest>>> {
    let mut bytes = Vec::new();
    let mut start = reader.take(BLOCK as u64);
    start
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if is_archive(&bytes) {
        return Ok(None);
    }
    let limit = limits::INPUT_LIST_BYTES;
    let mut rest = start.into_inner().take(limit);
    rest.read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    limits::at_most("the size of the list in bytes", bytes.len() as u64, limit)?;
    let text = String::from_utf8_lossy(&bytes);
    match text.trim_start().as_bytes().first() {
        Some(b'[' | b'{') => in_json(&text),
        _ => in_lines(&text).map(Some),
    }
}

fn is_archive(beginning: &[u8]) -> bool {
    let is_tar = beginning
        .first_chunk::<BLOCK>()
        .is_some_and(|block| Header::new(block).checksum_matches());
    is_tar || Codec::sniff(beginning) != Codec::None || beginning.contains(&0)
}

/// The first word of each line. A name may follow it.
fn in_lines(text: &str) -> Result<HashSet<Digest>> {
    let lines = text.lines().enumerate();
    let words = lines.filter_map(|(number, line)| Some((number, line.split_whitespace().next()?)));
    words
        .map(|(number, word)| digest(word, format!("line {}", number + 1)))
        .collect()
}

/// One or several documents: lists of digests, as printed by `docker image inspect -f '{{json .RootFS.Layers}}'`, or objects
/// that contain digests, as printed by `skopeo inspect`. A manifest is an image, not a list.
fn in_json(text: &str) -> Result<Option<HashSet<Digest>>> {
    let mut digests = HashSet::new();
    let documents = Deserializer::from_str(text).into_iter::<&RawValue>();
    for (number, document) in documents.enumerate() {
        let document = document.map_err(|source| Error::Json {
            document: "the list of digests".to_owned(),
            source,
        })?;
        let document = formats::bounded(document.get().as_bytes());
        let document = document.map_err(|reason| Error::document("the list of digests", reason))?;
        match &document {
            Value::Object(fields) if fields.contains_key("schemaVersion") => return Ok(None),
            Value::Array(list) if list.iter().all(Value::is_string) => {
                for (position, value) in list.iter().enumerate() {
                    let place = format!("document {}, [{position}]", number + 1);
                    digests.insert(digest(value.as_str().unwrap_or_default(), place)?);
                }
            }
            document => search(document, &mut digests),
        }
    }
    Ok(Some(digests))
}

/// The depth is at most [`limits::JSON_DEPTH`], because the parser refuses more.
fn search(value: &Value, digests: &mut HashSet<Digest>) {
    match value {
        Value::String(text) => digests.extend(text.parse::<Digest>()),
        Value::Array(values) => values.iter().for_each(|value| search(value, digests)),
        Value::Object(fields) => fields.values().for_each(|value| search(value, digests)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn digest(word: &str, place: String) -> Result<Digest> {
    let not_a_digest = |_| {
        Error::Request(RequestError::NotADigest {
            place,
            found: word.to_owned(),
        })
    };
    word.parse().map_err(not_a_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_many_kinds() {
        let [a, b] = [Digest::sha256(b"a"), Digest::sha256(b"b")];
        let both = HashSet::from([a, b]);
        assert_eq!(
            in_lines(&format!("{a}\r\n\n  {b} app:1.0\n")).unwrap(),
            both
        );
        for text in [
            format!("[\"{a}\"]\n[\"{b}\"]\n"),
            format!("[\"{a}\",\"{b}\"]"),
            format!(
                "{{\"Layers\":[\"{a}\"],\"Name\":\"x\",\"LayersData\":[{{\"Digest\":\"{b}\"}}]}}"
            ),
            format!("[{{\"RootFS\":{{\"Layers\":[\"{a}\",\"{b}\"]}}}}]"),
        ] {
            assert_eq!(in_json(&text).unwrap(), Some(both.clone()), "{text}");
        }
        assert_eq!(in_json("{\"schemaVersion\":2}").unwrap(), None);
        assert_eq!(in_lines("").unwrap(), HashSet::new());
    }
}

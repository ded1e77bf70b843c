//! Parses JSON documents so that one problem does not hide the next: invalid UTF-8 is replaced, and repeated keys are listed.
//!
//! Documents are interpreted as by Go's `encoding/json`, which engines use: the last value of a repeated key is used, and half
//! of a surrogate pair becomes U+FFFD.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::docker::same_name;
use crate::error::{Error, Result};
use crate::findings::Code;
use crate::limits;

/// Maximum number of repeated keys that are listed for a document.
const MAX_REPEATED: usize = 20;

/// A parsed document, and problems of its syntax.
pub(crate) struct Parsed {
    /// `None` if it is not valid JSON.
    pub value: Option<Value>,
    /// Code and message of each problem.
    pub problems: Vec<Problem>,
    /// The number of values in it, without those that are dropped.
    pub value_count: u64,
}

/// Parses a document that this program wrote or has read before into a type.
pub(crate) fn parse<'a, T: serde::Deserialize<'a>>(document: &str, bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json {
        document: document.to_owned(),
        source,
    })
}

/// The bytes of a new document.
pub(crate) fn to_bytes(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|source| Error::Json {
        document: "a new document".to_owned(),
        source,
    })
}

/// Parses a document as far as possible.
pub(crate) fn read(bytes: &[u8]) -> Parsed {
    read_fields(bytes, &Fields::All, limits::SMALL_INPUT_BYTES)
}

/// The fields of a document that become values. The others are parsed to find problems, and then dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fields {
    All,
    /// Only these fields of an object, or of each object in a list. Keys match in any case, as in Go.
    These(&'static [(&'static str, Fields)]),
}

impl Fields {
    /// The fields of the value of `key`. `None` if the value is dropped.
    fn of(&self, key: &str) -> Option<&Fields> {
        match self {
            Fields::All => Some(self),
            Fields::These(fields) => {
                let mut fields = fields.iter();
                let found = fields.find(|(known, _)| same_name(known, key));
                found.map(|(_, fields)| fields)
            }
        }
    }
}

/// Parses a document of which only some fields are needed. The others take no memory. `max_memory` is a limit in bytes.
pub(crate) fn read_fields(bytes: &[u8], fields: &Fields, max_memory: u64) -> Parsed {
    let mut problems = Vec::new();
    let mut text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            let at = error.valid_up_to();
            problems.push((Code::JsonUtf8, format!("not valid UTF-8 at byte {at}")));
            String::from_utf8_lossy(bytes)
        }
    };
    let mut result = build(&text, fields, max_memory);
    if let Err((Code::JsonSyntax, _)) = &result
        && let Some(replaced) = without_lone_surrogates(&text)
    {
        let message =
            "half of a surrogate pair in a string: Go reads it as U+FFFD, others refuse it";
        problems.push((Code::JsonSurrogate, message.to_owned()));
        text = Cow::Owned(replaced);
        result = build(&text, fields, max_memory);
    }
    let (value, value_count) = match result {
        Ok((value, notes)) => {
            problems.extend(notes.repeated);
            (Some(value), notes.value_count)
        }
        Err(problem) => {
            problems.push(problem);
            (None, 0)
        }
    };
    Parsed {
        value,
        problems,
        value_count,
    }
}

/// Parses a document of others of any size into a value that takes at most [`limits::JSON_MEMORY`].
///
/// # Errors
/// Why there is no value.
pub(crate) fn bounded(bytes: &[u8]) -> Result<Value, String> {
    let parsed = read_fields(bytes, &Fields::All, limits::JSON_MEMORY);
    let reason = parsed.problems.into_iter().next_back();
    let reason = reason.map_or_else(String::new, |(_, reason)| reason);
    parsed.value.ok_or(reason)
}

/// A problem of the syntax of a document.
pub(crate) type Problem = (Code, String);

/// Parses a value and lists repeated keys.
fn build(text: &str, fields: &Fields, max_memory: u64) -> Result<(Value, Notes), Problem> {
    let mut notes = Notes {
        max_memory,
        ..Notes::default()
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Build {
        notes: &mut notes,
        fields: Some(fields),
    };
    let value = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map(|value| (value, notes)).map_err(|error| {
        let message = error.to_string();
        // serde_json does not distinguish these errors.
        let limit = ["recursion limit exceeded", "number out of range", TOO_MANY];
        if limit.iter().any(|limit| message.starts_with(limit)) {
            (Code::Limit, message)
        } else {
            (Code::JsonSyntax, format!("not valid JSON: {message}"))
        }
    })
}

const TOO_MANY: &str = "the values take more memory than the limit of ";

/// Approximate memory of a value, of an object that is not empty, of each of its fields, and of a string, in bytes. Text is
/// added to that.
const VALUE: usize = 96;
const OBJECT: usize = 256;
const FIELD: usize = 128;
const STRING: usize = 32;

/// Notes taken while a value is parsed.
#[derive(Default)]
struct Notes {
    /// The path of the current value: keys and positions.
    path: Vec<PathStep>,
    repeated: Vec<Problem>,
    /// Approximate memory of all values so far, in bytes.
    memory: usize,
    max_memory: u64,
    value_count: u64,
}

enum PathStep {
    Key(String),
    Position(usize),
}

impl Notes {
    fn repeat(&mut self, key: &str, same: bool) {
        if self.repeated.len() >= MAX_REPEATED {
            return;
        }
        let mut path = String::new();
        for step in &self.path {
            match step {
                PathStep::Key(key) if path.is_empty() => path.push_str(key),
                PathStep::Key(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                PathStep::Position(position) => path.extend(["[", &position.to_string(), "]"]),
            }
        }
        if !path.is_empty() {
            path.push('.');
        }
        self.repeated.push(if same {
            let message = format!("the key {path}{key} occurs twice");
            (Code::JsonRepeatedKey, message)
        } else {
            let message = format!("the key {path}{key} occurs twice with different values");
            (Code::JsonDuplicateKey, message)
        });
    }
}

/// Builds a value. Dropped values become null.
struct Build<'a> {
    notes: &'a mut Notes,
    fields: Option<&'a Fields>,
}

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.fields.is_some() {
            self.notes.memory += VALUE;
            self.notes.value_count += 1;
        }
        let limit = self.notes.max_memory;
        if self.notes.memory as u64 > limit {
            return Err(D::Error::custom(format!("{TOO_MANY}{limit} bytes")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        if self.fields.is_none() {
            return Ok(Value::Null);
        }
        self.notes.memory += STRING + value.len();
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            self.notes.path.push(PathStep::Position(values.len()));
            let item = items.next_element_seed(Build {
                notes: self.notes,
                fields: self.fields,
            })?;
            self.notes.path.pop();
            match item {
                Some(value) if self.fields.is_some() => values.push(value),
                Some(_) => {}
                None => {
                    values.shrink_to_fit();
                    return Ok(Value::Array(values));
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut forgotten = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            let fields = self.fields.and_then(|fields| fields.of(&key));
            let is_first = fields.is_some() && map.is_empty();
            self.notes.memory += STRING + key.len();
            self.notes.memory += if fields.is_some() { FIELD } else { 0 };
            self.notes.memory += if is_first { OBJECT } else { 0 };
            self.notes.path.push(PathStep::Key(key));
            let value = entries.next_value_seed(Build {
                notes: self.notes,
                fields,
            })?;
            let Some(PathStep::Key(key)) = self.notes.path.pop() else {
                return Err(A::Error::custom("a path without a key"));
            };
            if fields.is_none() {
                // No reader uses the value, so readers cannot disagree about it.
                if forgotten.contains(&key) {
                    self.notes.repeat(&key, true);
                }
                forgotten.insert(key);
                continue;
            }
            if let Some(before) = map.get(&key) {
                self.notes.repeat(&key, *before == value);
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Replaces each lone half of a surrogate pair with U+FFFD. `None` if there is none.
fn without_lone_surrogates(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut replaced = text.to_owned();
    let mut any = false;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        at += match unit(at) {
            Some(0xd800..0xdc00) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => 12,
            Some(0xd800..0xe000) => {
                replaced.replace_range(at..at + 6, "\\ufffd");
                any = true;
                6
            }
            Some(_) => 6,
            None => 2,
        };
    }
    any.then_some(replaced)
}

/// A field of an object, unless it is missing or null.
pub(crate) fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| !value.is_null())
}

/// A field that is a string.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_of_form_are_all_found_and_the_rest_is_read() {
        let parsed = read(b"{\"a\": [{\"b\": 1, \"b\": 2}], \"a\": \"\xff\", \"c\": 3, \"c\": 3}");
        let codes: Vec<Code> = parsed.problems.iter().map(|(code, _)| *code).collect();
        assert_eq!(
            codes,
            [
                Code::JsonUtf8,
                Code::JsonDuplicateKey,
                Code::JsonDuplicateKey,
                Code::JsonRepeatedKey
            ]
        );
        let message = "the key a[0].b occurs twice with different values";
        assert_eq!(parsed.problems[1].1, message);
        assert_eq!(parsed.value.unwrap()["c"], 3);
        let nested = read(br#"{"a": {"b": {"c": 1, "c": 1}}}"#);
        assert_eq!(nested.problems[0].1, "the key a.b.c occurs twice");
    }

    #[test]
    fn what_follows_the_value_is_an_error() {
        for bad in [&b"{} x"[..], b"", b"{", b"\xef\xbb\xbf{}"] {
            let parsed = read(bad);
            assert!(parsed.value.is_none());
            assert_eq!(parsed.problems[0].0, Code::JsonSyntax);
        }
    }

    #[test]
    fn valid_json_beyond_the_limits_is_called_that() {
        for large in [
            b"[".repeat(100_000),
            b"1e400".to_vec(),
            [b"[0".to_vec(), b",0".repeat(1 << 20), b"]".to_vec()].concat(),
            [b"[{}".to_vec(), b",{\"\":0}".repeat(1 << 18), b"]".to_vec()].concat(),
        ] {
            let parsed = read(&large);
            assert!(parsed.value.is_none());
            assert_eq!(parsed.problems[0].0, Code::Limit);
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_what_go_makes_of_it() {
        let parsed = read(br#"{"a": "\ud83d\ude00 \ud83d \\ud83d \ude00"}"#);
        assert_eq!(
            parsed.value.unwrap()["a"],
            "\u{1f600} \u{fffd} \\ud83d \u{fffd}"
        );
        assert_eq!(parsed.problems[0].0, Code::JsonSurrogate);
    }
}

//! Documents as JSON, read so that one problem does not hide the next: bad UTF-8 is replaced, duplicate keys are listed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::findings::Code;

/// The most duplicate keys that are listed of one document.
const MOST_DUPLICATES: usize = 20;

/// What a document is, as far as it could be read, and what is wrong with its form.
pub(super) struct Parsed {
    /// `None` when it is no JSON. Of a key that comes twice, the last value, as Go and most others read it.
    pub value: Option<Value>,
    /// In the words of a message.
    pub problems: Vec<(Code, String)>,
}

/// Parses a document.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut problems = Vec::new();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            let at = error.valid_up_to();
            problems.push((Code::JsonUtf8, format!("it is not UTF-8 at byte {at}")));
            String::from_utf8_lossy(bytes)
        }
    };
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let seed = Strict {
        path: "",
        duplicates: &mut duplicates,
    };
    let value = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    let duplicates = duplicates.into_iter().map(|path| {
        let message = format!("the key {path} comes twice");
        (Code::JsonDuplicateKey, message)
    });
    problems.extend(duplicates);
    let value =
        value.map_err(|error| problems.push((Code::JsonSyntax, format!("it is no JSON: {error}"))));
    Parsed {
        value: value.ok(),
        problems,
    }
}

/// Builds a value and notes the keys that come twice in an object, with their path.
struct Strict<'a> {
    path: &'a str,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
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
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number out of range"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, values.len());
            let seed = Strict {
                path: &path,
                duplicates: self.duplicates,
            };
            match items.next_element_seed(seed)? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = match self.path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            if map.contains_key(&key) && self.duplicates.len() < MOST_DUPLICATES {
                self.duplicates.push(path.clone());
            }
            let seed = Strict {
                path: &path,
                duplicates: self.duplicates,
            };
            let value = entries.next_value_seed(seed)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// A field of an object that is there and not null.
pub(super) fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| !value.is_null())
}

/// A field that is a string.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_of_form_are_all_found_and_the_rest_is_read() {
        let parsed = parse(b"{\"a\": [{\"b\": 1, \"b\": 2}], \"a\": \"\xff\", \"c\": 3}");
        let codes: Vec<Code> = parsed.problems.iter().map(|(code, _)| *code).collect();
        assert_eq!(
            codes,
            [
                Code::JsonUtf8,
                Code::JsonDuplicateKey,
                Code::JsonDuplicateKey
            ]
        );
        assert_eq!(parsed.problems[1].1, "the key a[0].b comes twice");
        assert_eq!(parsed.value.unwrap()["c"], 3);
    }

    #[test]
    fn what_stands_behind_the_value_is_an_error() {
        for bad in [
            &b"{} x"[..],
            b"",
            b"{",
            b"\xef\xbb\xbf{}",
            &b"[".repeat(100_000),
        ] {
            let parsed = parse(bad);
            assert!(parsed.value.is_none());
            assert_eq!(parsed.problems[0].0, Code::JsonSyntax);
        }
    }
}

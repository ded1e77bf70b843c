//! JSON as Go's [encoding/json](https://pkg.go.dev/encoding/json) parses and writes it.
//!
//! The image ID is the digest of the config, so a created config must have the bytes that Docker or skopeo would write. Strings
//! are encoded as by Go up to 1.21, with which Docker 20.10 and skopeo 1.9 are built. Go 1.22 shortened `\u0008` and `\u000c`
//! to `\b` and `\f`.
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// any number
    Number,
    /// a string
    String,
    /// an array
    Array,
    /// an object
    Object,
}

impl JsonKind {
    /// The kind of `value`, from its first byte.
    #[must_use]
    pub fn of(value: &RawValue) -> Self {
        match value.get().as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool,
            Some(b'"') => Self::String,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            _ => Self::Number,
        }
    }
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "a list",
            Self::Object => "an object",
        })
    }
}

/// Why a document cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum GoJsonError {
    /// Not valid JSON, or not UTF-8.
    #[error("not valid JSON")]
    Syntax(#[source] serde_json::Error),
    /// The document is not an object.
    #[error("the document is {found}, expected an object")]
    NotAnObject {
        /// The kind of the document.
        found: JsonKind,
    },
    /// A field has a value of the wrong kind.
    #[error("{field} is {found}, expected {expected}")]
    Type {
        /// Names from the outermost object inwards, joined by dots.
        field: String,
        /// The expected kind.
        expected: &'static str,
        /// The kind that was found.
        found: JsonKind,
    },
    /// A number that is not an integer of 64 bits.
    #[error("{field} is {value}, expected a 64-bit integer")]
    Integer {
        /// Names from the outermost object inwards, joined by dots.
        field: String,
        /// The number as written.
        value: String,
    },
    /// A time that is not in the form of RFC 3339.
    #[error("{field} is {value}, expected an RFC 3339 time")]
    Time {
        /// Names from the outermost object inwards, joined by dots.
        field: String,
        /// The JSON string as written, with its quotes.
        value: String,
    },
}

impl GoJsonError {
    /// The same error in the member `name` of an object.
    #[must_use]
    pub fn within(mut self, name: &str) -> Self {
        if let Self::Type { field, .. } | Self::Integer { field, .. } | Self::Time { field, .. } =
            &mut self
        {
            let separator = if field.is_empty() { "" } else { "." };
            *field = format!("{name}{separator}{field}");
        }
        self
    }
}

/// The document in `bytes`, checked but not decoded.
///
/// # Errors
/// [`GoJsonError::Syntax`], also for bytes that are not UTF-8, which Go accepts in strings.
pub fn document(bytes: &[u8]) -> Result<&RawValue, GoJsonError> {
    serde_json::from_slice(bytes).map_err(GoJsonError::Syntax)
}

/// The members of an object in order, including duplicates.
///
/// # Errors
/// [`GoJsonError::NotAnObject`]; [`GoJsonError::Syntax`] for a name with half a surrogate pair.
pub fn members(object: &RawValue) -> Result<Vec<(String, &RawValue)>, GoJsonError> {
    match JsonKind::of(object) {
        JsonKind::Object => serde_json::from_str(object.get())
            .map(|Members(members)| members)
            .map_err(GoJsonError::Syntax),
        found => Err(GoJsonError::NotAnObject { found }),
    }
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// Whether Go stores the member `name` in the struct field `field`. Go ignores case with Unicode's simple folding, in which two
/// letters outside ASCII equal letters in it.
#[must_use]
pub fn same_name(field: &str, name: &str) -> bool {
    let fold = |c: char| match c {
        '\u{212a}' => 'k',
        '\u{017f}' => 's',
        c => c.to_ascii_lowercase(),
    };
    field.chars().map(fold).eq(name.chars().map(fold))
}

/// The text of a JSON string. Half of a surrogate pair becomes U+FFFD, as in Go. `None` if `value` is not a string.
#[must_use]
pub fn string(value: &RawValue) -> Option<String> {
    let mut rest = value.get().strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(rest.len());
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut characters = escape.chars();
        match characters.next()? {
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'u' => {
                let unit = code_unit(escape)?;
                let low = escape
                    .get(5..)
                    .and_then(|next| next.strip_prefix('\\'))
                    .and_then(code_unit);
                let pair = low.and_then(|low| char::decode_utf16([unit, low]).next()?.ok());
                let alone = char::from_u32(u32::from(unit));
                text.push(alone.or(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
                let used = if alone.is_none() && pair.is_some() {
                    11
                } else {
                    5
                };
                rest = escape.get(used..)?;
                continue;
            }
            other => text.push(other),
        }
        rest = characters.as_str();
    }
    text.push_str(rest);
    Some(text)
}

/// The UTF-16 code unit in an escape, `uXXXX`, given without its backslash.
fn code_unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok()
}

/// `value` as Go's `json.Marshal` writes a `json.RawMessage`: without white space, with characters that are special in HTML or
/// JavaScript escaped, and otherwise unchanged.
pub fn compact(value: &RawValue) -> String {
    let mut out = String::with_capacity(value.get().len());
    let mut in_string = false;
    let mut after_backslash = false;
    for c in value.get().chars() {
        match c {
            ' ' | '\t' | '\n' | '\r' if !in_string => {}
            c if html(c) => escape(c, &mut out),
            c => out.push(c),
        }
        in_string ^= c == '"' && !after_backslash;
        after_backslash = c == '\\' && !after_backslash;
    }
    out
}

/// `text` as a JSON string, as Go's `json.Marshal` writes it.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' || html(c) => escape(c, &mut out),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An object. `members` are names and encoded values, in order.
pub fn object(members: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> String {
    let members = members.into_iter();
    let members = members.map(|(name, value)| quoted(name.as_ref()) + ":" + value.as_ref());
    format!("{{{}}}", joined(members))
}

/// A list of encoded values.
pub fn list(values: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    format!("[{}]", joined(values))
}

fn joined(values: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut out = String::new();
    for (position, value) in values.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str(value.as_ref());
    }
    out
}

/// A list of strings.
pub fn list_of_texts(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    list(texts.into_iter().map(|text| quoted(text.as_ref())))
}

fn html(c: char) -> bool {
    matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

fn escape(c: char, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;

    // What is expected was printed by Go 1.19.8.

    #[test]
    fn raw_values_are_compacted_and_escaped() {
        for (document, expected) in [
            (
                " { \"b\" : [ 1.50 , \"a  <b>&\u{2028}\u{2029}\" , {} ] ,\n\t\"a\" : \"\\\"<\\\\\" , \"c\":\"\\u003c\\/\\b\" } ",
                r#"{"b":[1.50,"a  \u003cb\u003e\u0026\u2028\u2029",{}],"a":"\"\u003c\\","c":"\u003c\/\b"}"#,
            ),
            ("[]", "[]"),
            ("-0.0e+10", "-0.0e+10"),
            (r#""\\" "#, r#""\\""#),
            (r#"{"a":1, "a":2}"#, r#"{"a":1,"a":2}"#),
            ("\"\u{7f}😀\"", "\"\u{7f}😀\""),
        ] {
            let document = super::document(document.as_bytes()).unwrap();
            assert_eq!(compact(document), expected);
        }
    }

    #[test]
    fn strings_are_quoted_with_the_escapes_of_go_before_1_22() {
        for (text, expected) in [
            ("plain é😀", r#""plain é😀""#),
            (
                "<a href=\"x\">&\\/",
                r#""\u003ca href=\"x\"\u003e\u0026\\/""#,
            ),
            (
                "\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}",
                "\"\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\u{7f}\"",
            ),
            ("\u{2028}\u{2029}\u{fffd}", "\"\\u2028\\u2029\u{fffd}\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn escapes_are_decoded_and_half_a_pair_is_replaced() {
        for (value, expected) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\ud800A""#, "\u{fffd}A"),
            (r#""\ud800\u0041""#, "\u{fffd}A"),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\udc00\ud800""#, "\u{fffd}\u{fffd}"),
            (r#""\"\\\/\b\f\n\r\t\u00e9""#, "\"\\/\u{8}\u{c}\n\r\t\u{e9}"),
            (r#""é\\u0041""#, "é\\u0041"),
        ] {
            assert_eq!(
                string(document(value.as_bytes()).unwrap()).as_deref(),
                Some(expected)
            );
        }
        assert_eq!(string(document(b"1").unwrap()), None);
    }

    /// K and S have a third case each in Unicode: the Kelvin sign and the long s.
    #[test]
    fn names_match_in_any_case() {
        assert!(same_name("docker_version", "DOCKER_VERSION"));
        assert!(same_name("docker_version", "doc\u{212a}er_ver\u{017f}ion"));
        assert!(!same_name("docker_version", "docker-version"));
        assert!(!same_name("id", "ids"));
    }
}

//! Decodes JSON into a Go struct and encodes it again: unknown fields are dropped, and order and `omitempty` apply.
//!
//! A struct is a table of its fields, which resembles the Go source.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use crate::formats::docker::go_json::{self, GoJsonError, JsonKind};
use crate::formats::docker::go_time;

/// A field of a Go struct.
#[derive(Debug)]
pub struct Field {
    name: &'static str,
    of: Type,
    omit_empty: bool,
}

impl Field {
    /// A field that is always written.
    #[must_use]
    pub const fn new(name: &'static str, of: Type) -> Self {
        Self {
            name,
            of,
            omit_empty: false,
        }
    }

    /// A field with `omitempty`.
    #[must_use]
    pub const fn omit_empty(name: &'static str, of: Type) -> Self {
        Self {
            name,
            of,
            omit_empty: true,
        }
    }
}

/// The type of a field, with Go's name for it.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// `string`
    String,
    /// `bool`
    Bool,
    /// `*bool`
    BoolPointer,
    /// `int64`
    Integer,
    /// `*int`
    IntegerPointer,
    /// `time.Time`
    Time,
    /// `[]string`
    Strings,
    /// Docker's `strslice.StrSlice`: a list of strings, or one string for a list of one
    StringOrStrings,
    /// `map[string]struct{}`
    Set,
    /// `map[string]string`
    Map,
    /// a struct
    Struct(&'static [Field]),
    /// a pointer to a struct
    StructPointer(&'static [Field]),
}

/// A value of a [`Type`].
#[derive(Debug, Clone)]
pub enum GoValue {
    /// A nil pointer, slice or map.
    Nil,
    /// See [`Type::String`].
    String(String),
    /// See [`Type::Bool`].
    Bool(bool),
    /// See [`Type::Integer`].
    Integer(i64),
    /// See [`Type::Time`]; as Go writes it.
    Time(String),
    /// See [`Type::Strings`].
    Strings(Vec<String>),
    /// See [`Type::Set`].
    Set(BTreeSet<String>),
    /// See [`Type::Map`].
    Map(BTreeMap<String, String>),
    /// See [`Type::Struct`].
    Struct(Struct),
}

/// A Go struct with its values.
#[derive(Debug, Clone)]
pub struct Struct {
    fields: &'static [Field],
    values: Vec<GoValue>,
}

impl Struct {
    /// Decodes `object` into a struct as Go's `json.Unmarshal` does.
    ///
    /// # Errors
    /// [`GoJsonError`] if it is not an object, or if a field has the wrong type.
    pub fn decode(fields: &'static [Field], object: &RawValue) -> Result<Self, GoJsonError> {
        let mut decoded = Self::zero(fields);
        decoded.set(object)?;
        Ok(decoded)
    }

    fn zero(fields: &'static [Field]) -> Self {
        Self {
            fields,
            values: fields.iter().map(|field| field.of.zero()).collect(),
        }
    }

    /// A repeated member is set twice, which merges structs and maps.
    fn set(&mut self, object: &RawValue) -> Result<(), GoJsonError> {
        for (name, value) in go_json::members(object)? {
            let exact = self.fields.iter().position(|field| field.name == name);
            let folded = || {
                self.fields
                    .iter()
                    .position(|field| go_json::same_name(field.name, &name))
            };
            let Some(index) = exact.or_else(folded) else {
                continue;
            };
            let field = &self.fields[index];
            set(field.of, &mut self.values[index], value)
                .map_err(|error| error.within(field.name))?;
        }
        Ok(())
    }

    /// The value of a field. `GoValue::Nil` if the struct has no such field.
    #[must_use]
    pub fn get(&self, name: &str) -> &GoValue {
        let index = self.fields.iter().position(|field| field.name == name);
        index.map_or(&GoValue::Nil, |index| &self.values[index])
    }

    /// The text of a field that is a string or a time. Empty for other fields.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            GoValue::String(text) | GoValue::Time(text) => text,
            _ => "",
        }
    }

    /// The fields that are not left out, in the order of the struct, with their encoded values.
    #[must_use]
    pub fn encoded_fields(&self) -> Vec<(&'static str, String)> {
        let both = self.fields.iter().zip(&self.values);
        both.filter(|(field, value)| !(field.omit_empty && field.of.is_empty(value)))
            .map(|(field, value)| (field.name, value.encode()))
            .collect()
    }
}

impl Type {
    fn zero(self) -> GoValue {
        match self {
            Self::String => GoValue::String(String::new()),
            Self::Bool => GoValue::Bool(false),
            Self::Integer => GoValue::Integer(0),
            Self::Time => GoValue::Time(go_time::ZERO.to_owned()),
            Self::Struct(fields) => GoValue::Struct(Struct::zero(fields)),
            Self::BoolPointer
            | Self::IntegerPointer
            | Self::Strings
            | Self::StringOrStrings
            | Self::Set
            | Self::Map
            | Self::StructPointer(_) => GoValue::Nil,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Bool | Self::BoolPointer => "a boolean",
            Self::Integer | Self::IntegerPointer => "a 64-bit integer",
            Self::Time => "an RFC 3339 time",
            Self::Strings => "a list of strings",
            Self::StringOrStrings => "a string or a list of strings",
            Self::Set | Self::Map | Self::Struct(_) | Self::StructPointer(_) => "an object",
        }
    }

    /// Whether `omitempty` leaves `value` out. It never leaves out structs (including times) and the targets of pointers.
    fn is_empty(self, value: &GoValue) -> bool {
        match value {
            GoValue::Nil => true,
            GoValue::String(text) => text.is_empty(),
            GoValue::Bool(value) => !value && matches!(self, Self::Bool),
            GoValue::Integer(value) => *value == 0 && matches!(self, Self::Integer),
            GoValue::Strings(values) => values.is_empty(),
            GoValue::Set(names) => names.is_empty(),
            GoValue::Map(members) => members.is_empty(),
            GoValue::Time(_) | GoValue::Struct(_) => false,
        }
    }
}

impl GoValue {
    fn encode(&self) -> String {
        match self {
            Self::Nil => "null".to_owned(),
            Self::String(text) | Self::Time(text) => go_json::quoted(text),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Strings(values) => go_json::list_of_texts(values),
            Self::Set(names) => go_json::object(names.iter().map(|name| (name, "{}"))),
            Self::Map(members) => {
                let members = members.iter();
                go_json::object(members.map(|(name, value)| (name, go_json::quoted(value))))
            }
            Self::Struct(value) => go_json::object(value.encoded_fields()),
        }
    }
}

/// Sets `target` to `value`. `null` makes a pointer, slice or map nil, and is ignored otherwise.
fn set(of: Type, target: &mut GoValue, value: &RawValue) -> Result<(), GoJsonError> {
    let found = JsonKind::of(value);
    if found == JsonKind::Null {
        if !matches!(
            of,
            Type::String | Type::Bool | Type::Integer | Type::Time | Type::Struct(_)
        ) {
            *target = GoValue::Nil;
        }
        return Ok(());
    }
    let mismatch = || GoJsonError::Type {
        field: String::new(),
        expected: of.expected(),
        found,
    };
    match of {
        Type::String => *target = GoValue::String(go_json::string(value).ok_or_else(mismatch)?),
        Type::Bool | Type::BoolPointer if found == JsonKind::Bool => {
            *target = GoValue::Bool(value.get() == "true");
        }
        Type::Integer | Type::IntegerPointer if found == JsonKind::Number => {
            *target = GoValue::Integer(integer(value)?);
        }
        Type::Time if found == JsonKind::String => *target = GoValue::Time(time(value)?),
        Type::StringOrStrings if found == JsonKind::String => {
            *target = GoValue::Strings(go_json::string(value).into_iter().collect());
        }
        Type::Strings | Type::StringOrStrings if found == JsonKind::Array => {
            let items: Vec<&RawValue> =
                serde_json::from_str(value.get()).map_err(GoJsonError::Syntax)?;
            *target = GoValue::Strings(
                items
                    .into_iter()
                    .map(item)
                    .collect::<Option<_>>()
                    .ok_or_else(mismatch)?,
            );
        }
        Type::Set if found == JsonKind::Object => {
            let GoValue::Set(names) = or_empty(target, GoValue::Set(BTreeSet::new())) else {
                return Err(mismatch());
            };
            for (name, value) in go_json::members(value)? {
                match JsonKind::of(value) {
                    JsonKind::Object | JsonKind::Null => names.insert(name),
                    found => {
                        let expected = "an object";
                        return Err(GoJsonError::Type {
                            field: name,
                            expected,
                            found,
                        });
                    }
                };
            }
        }
        Type::Map if found == JsonKind::Object => {
            let GoValue::Map(members) = or_empty(target, GoValue::Map(BTreeMap::new())) else {
                return Err(mismatch());
            };
            for (name, value) in go_json::members(value)? {
                let Some(text) = item(value) else {
                    let (expected, found) = ("a string", JsonKind::of(value));
                    return Err(GoJsonError::Type {
                        field: name,
                        expected,
                        found,
                    });
                };
                members.insert(name, text);
            }
        }
        Type::Struct(fields) | Type::StructPointer(fields) if found == JsonKind::Object => {
            match or_empty(target, GoValue::Struct(Struct::zero(fields))) {
                GoValue::Struct(inner) => inner.set(value)?,
                _ => return Err(mismatch()),
            }
        }
        _ => return Err(mismatch()),
    }
    Ok(())
}

/// Returns `target`, after setting it to `empty` if it is nil.
fn or_empty(target: &mut GoValue, empty: GoValue) -> &mut GoValue {
    if matches!(target, GoValue::Nil) {
        *target = empty;
    }
    target
}

/// A string in a list or map, in which `null` is the empty string.
fn item(value: &RawValue) -> Option<String> {
    if JsonKind::of(value) == JsonKind::Null {
        Some(String::new())
    } else {
        go_json::string(value)
    }
}

fn integer(value: &RawValue) -> Result<i64, GoJsonError> {
    let text = value.get();
    text.parse().map_err(|_| GoJsonError::Integer {
        field: String::new(),
        value: text.to_owned(),
    })
}

/// Go's `time.Time` parses the string with its escapes.
fn time(value: &RawValue) -> Result<String, GoJsonError> {
    let text = value.get();
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner
        .and_then(go_time::normalized)
        .ok_or_else(|| GoJsonError::Time {
            field: String::new(),
            value: text.to_owned(),
        })
}

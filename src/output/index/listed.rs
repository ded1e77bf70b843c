//! index.json as text. An unchanged descriptor is copied as text, and only its names and digest are parsed, so that adding an
//! image to a layout of a hundred thousand images is fast.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::formats::{bounded, to_bytes};
use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME, media_type};

/// Deeper than any descriptor. Deeper ones are parsed as values, which have a limit.
const MAX_DEPTH: u32 = 16;

/// A descriptor of index.json.
#[derive(Debug, Clone)]
pub(super) struct Listed<'a> {
    /// Compact JSON.
    pub text: Cow<'a, str>,
    pub digest: Option<Cow<'a, str>>,
    pub ref_name: Option<Cow<'a, str>>,
    pub containerd_name: Option<Cow<'a, str>>,
}

impl<'a> Listed<'a> {
    /// Finds the fields of a descriptor in its text.
    fn read(raw: &'a RawValue) -> Result<Listed<'a>> {
        if is_plain(raw.get())
            && let Ok(view) = serde_json::from_str::<View>(raw.get())
        {
            let annotations = view.annotations.unwrap_or_default();
            return Ok(Listed {
                text: Cow::Borrowed(raw.get()),
                digest: view.digest.map(Cow::Borrowed),
                ref_name: annotations.ref_name.map(Cow::Borrowed),
                containerd_name: annotations.containerd_name.map(Cow::Borrowed),
            });
        }
        let value: Value = serde_json::from_str(raw.get()).map_err(malformed)?;
        let owned = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str);
            text.map(|text| Cow::Owned(text.to_owned()))
        };
        let annotation = |key| owned(value.get("annotations").and_then(|all| all.get(key)));
        Ok(Listed {
            text: Cow::Owned(value.to_string()),
            digest: owned(value.get("digest")),
            ref_name: annotation(REF_NAME),
            containerd_name: annotation(CONTAINERD_NAME),
        })
    }

    /// A new descriptor.
    pub fn of(descriptor: &Descriptor) -> Result<Listed<'static>> {
        let owned = |text: &str| Cow::Owned(text.to_owned());
        let text = serde_json::to_string(descriptor).map_err(|source| Error::Json {
            document: "a new descriptor".to_owned(),
            source,
        })?;
        Ok(Listed {
            text: Cow::Owned(text),
            digest: Some(Cow::Owned(descriptor.digest.to_string())),
            ref_name: descriptor.annotation(REF_NAME).map(owned),
            containerd_name: descriptor.annotation(CONTAINERD_NAME).map(owned),
        })
    }

    /// The name that `--image` selects.
    pub fn name(&self) -> Option<&str> {
        self.ref_name.as_deref().or(self.containerd_name.as_deref())
    }
}

/// The fields that are used. Strings are borrowed, so they must not contain escapes.
#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow)]
    digest: Option<&'a str>,
    #[serde(borrow)]
    annotations: Option<Annotations<'a>>,
}

#[derive(Default, Deserialize)]
struct Annotations<'a> {
    #[serde(borrow, rename = "org.opencontainers.image.ref.name")]
    ref_name: Option<&'a str>,
    #[serde(borrow, rename = "io.containerd.image.name")]
    containerd_name: Option<&'a str>,
}

/// Whether a JSON text has the form in which this program writes it: no white space between tokens, no escapes, little nesting.
fn is_plain(text: &str) -> bool {
    let mut in_string = false;
    let mut depth = 0_u32;
    for byte in text.bytes() {
        match byte {
            b'\\' => return false,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b' ' | b'\n' | b'\r' | b'\t' => return false,
            b'{' | b'[' if depth == MAX_DEPTH => return false,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// An index.json and its descriptors.
pub(super) struct IndexParts<'a> {
    /// All fields in their order, except the content of `manifests`.
    fields: Map<String, Value>,
    pub manifests: Vec<Listed<'a>>,
}

const MANIFESTS: &str = "manifests";

impl<'a> IndexParts<'a> {
    /// Splits an index.json, or creates a new one.
    pub fn read(existing: Option<&'a [u8]>) -> Result<IndexParts<'a>> {
        let Some(bytes) = existing else {
            let fields = json!({ "schemaVersion": 2, "mediaType": media_type::INDEX });
            let fields = fields.as_object().cloned().unwrap_or_default();
            return Ok(IndexParts {
                fields,
                manifests: Vec::new(),
            });
        };
        let raw: RawIndex = match serde_json::from_slice(bytes) {
            Ok(raw) => raw,
            // It may be JSON, but not an index.
            Err(source) => {
                return Err(match serde_json::from_slice::<IgnoredAny>(bytes) {
                    Ok(_) => no_manifests(),
                    Err(_) => malformed(source),
                });
            }
        };
        // What lost its manifests must not lose its blobs too, which nothing would refer to afterwards.
        let manifests = raw.manifests.ok_or_else(no_manifests)?;
        let manifests = manifests.into_iter().map(Listed::read);
        let manifests = manifests.collect::<Result<_>>()?;
        let mut fields = Map::new();
        for (key, text) in raw.fields {
            let refuse = |reason| Error::document("index.json", reason);
            bounded(text.get().as_bytes()).map_err(refuse)?;
            fields.insert(key, serde_json::from_str(text.get()).map_err(malformed)?);
        }
        Ok(IndexParts { fields, manifests })
    }

    pub fn into_bytes(mut self) -> Result<Vec<u8>> {
        let length: usize = self.manifests.iter().map(|listed| listed.text.len()).sum();
        let mut bytes = Vec::with_capacity(length + self.manifests.len() + 1024);
        self.fields
            .entry(MANIFESTS)
            .or_insert_with(|| Value::Array(Vec::new()));
        for (number, (key, value)) in self.fields.iter().enumerate() {
            bytes.push(if number == 0 { b'{' } else { b',' });
            bytes.extend(to_bytes(key)?);
            bytes.push(b':');
            if key == MANIFESTS {
                bytes.push(b'[');
                for (number, listed) in self.manifests.iter().enumerate() {
                    if number > 0 {
                        bytes.push(b',');
                    }
                    bytes.extend_from_slice(listed.text.as_bytes());
                }
                bytes.push(b']');
            } else {
                bytes.extend(to_bytes(value)?);
            }
        }
        bytes.push(b'}');
        Ok(bytes)
    }
}

/// The fields of an index.json, with `manifests` as text.
struct RawIndex<'a> {
    fields: Vec<(String, &'a RawValue)>,
    /// `None` if the field is missing.
    manifests: Option<Vec<&'a RawValue>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawIndex<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawIndex<'a>, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawIndex<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object with manifests")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawIndex<'de>, A::Error> {
                let mut index = RawIndex {
                    fields: Vec::new(),
                    manifests: None,
                };
                while let Some(key) = map.next_key::<String>()? {
                    if key == MANIFESTS {
                        let manifests: Option<Vec<&RawValue>> = map.next_value()?;
                        index.manifests = Some(manifests.unwrap_or_default());
                        index.fields.push((key, RawValue::NULL));
                    } else {
                        index.fields.push((key, map.next_value()?));
                    }
                }
                Ok(index)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

fn no_manifests() -> Error {
    Error::document("index.json", "it is not an object with manifests")
}

fn malformed(source: serde_json::Error) -> Error {
    Error::Json {
        document: "index.json".to_owned(),
        source,
    }
}

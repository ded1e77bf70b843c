//! V1 metadata that is made of a config: of its history, and of the config itself for the newest layer.
//!
//! <https://github.com/containers/image/blob/v5.22.1/internal/image/docker_schema2.go>

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::digest::{Digest, Hasher};
use crate::formats::docker::go_json::{self, GoJsonError, object};
use crate::formats::docker::go_struct::{Field, GoValue, Struct, Type};

/// An entry of the config's history, decoded as Go decodes it.
pub(crate) struct History(Struct);

const HISTORY: &[Field] = &[
    Field::new("created", Type::Time),
    Field::new("author", Type::String),
    Field::new("created_by", Type::String),
    Field::new("comment", Type::String),
    Field::new("empty_layer", Type::Bool),
];

impl History {
    pub fn is_empty(&self) -> bool {
        matches!(self.0.get("empty_layer"), GoValue::Bool(true))
    }
}

/// The oldest first.
pub(crate) fn history(config: &RawValue) -> Result<Vec<History>, GoJsonError> {
    let Some(list) = member(config, "history")? else {
        return Ok(Vec::new());
    };
    let entries: Option<Vec<&RawValue>> =
        serde_json::from_str(list.get()).map_err(GoJsonError::Syntax)?;
    let entries = entries.unwrap_or_default().into_iter();
    entries
        .map(|entry| Struct::decode(HISTORY, entry).map(History))
        .collect()
}

/// The entries that made a layer, or as many empty ones, where their number is not that of the layers.
pub(crate) fn layer_history(config: &RawValue, layers: usize) -> Result<Vec<History>, GoJsonError> {
    let mut entries = history(config)?;
    entries.retain(|entry| !entry.is_empty());
    if entries.len() == layers {
        return Ok(entries);
    }
    let empty = || Struct::decode(HISTORY, go_json::document(b"{}")?);
    (0..layers).map(|_| empty().map(History)).collect()
}

/// The member that Go takes for a field: the last of its name.
fn member<'a>(object: &'a RawValue, name: &str) -> Result<Option<&'a RawValue>, GoJsonError> {
    let members = go_json::members(object)?.into_iter().rev();
    let mut found = members.filter(|(found, _)| go_json::same_name(name, found));
    Ok(found.next().map(|(_, value)| value))
}

pub(crate) fn text(object: &RawValue, name: &str) -> Result<String, GoJsonError> {
    let value = member(object, name)?;
    Ok(value.and_then(go_json::string).unwrap_or_default())
}

/// The v1 metadata of a layer.
#[derive(Debug)]
pub(crate) struct V1Json {
    pub id: String,
    pub json: String,
}

/// The v1 metadata for each entry of a history and its blob, the oldest first. The newest has the config in it.
pub(crate) fn chain(
    bytes: &[u8],
    history: &[History],
    blobs: &[Digest],
) -> Result<Vec<V1Json>, GoJsonError> {
    let config = go_json::document(bytes)?;
    let mut all = Vec::with_capacity(history.len());
    let mut parent = String::new();
    for (position, (entry, blob)) in history.iter().zip(blobs).enumerate() {
        let is_top = position + 1 == history.len();
        let id = v1_id(blob, &parent, is_top.then_some(bytes));
        let json = if is_top {
            top(config, &id, &parent, entry.is_empty())?
        } else {
            inner(entry, &id, &parent)
        };
        parent.clone_from(&id);
        all.push(V1Json { id, json });
    }
    Ok(all)
}

/// The ID is never more than a name: the same parts give the same.
fn v1_id(blob: &Digest, parent: &str, config: Option<&[u8]>) -> String {
    let mut hasher = Hasher::sha256();
    hasher.update(blob.hex().as_bytes());
    hasher.update(b" ");
    hasher.update(parent.as_bytes());
    if let Some(config) = config {
        hasher.update(b" ");
        hasher.update(config);
    }
    hasher.finish().hex()
}

fn inner(entry: &History, id: &str, parent: &str) -> String {
    let is_empty = entry.is_empty();
    let History(entry) = entry;
    let command = go_json::list_of_texts([entry.text("created_by")]);
    let mut members = vec![("id", go_json::quoted(id))];
    let mut add = |name, text: &str| {
        if !text.is_empty() {
            members.push((name, go_json::quoted(text)));
        }
    };
    add("parent", parent);
    add("comment", entry.text("comment"));
    add("created", entry.text("created"));
    members.push(("container_config", object([("Cmd", command)])));
    if !entry.text("author").is_empty() {
        members.push(("author", go_json::quoted(entry.text("author"))));
    }
    if is_empty {
        members.push(("throwaway", "true".to_owned()));
    }
    object(members)
}

/// The config without what schema 1 has elsewhere.
fn top(config: &RawValue, id: &str, parent: &str, is_empty: bool) -> Result<String, GoJsonError> {
    let mut members: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in go_json::members(config)? {
        members.insert(name, go_json::compact(value));
    }
    for name in ["rootfs", "history"] {
        members.remove(name);
    }
    members.insert("id".to_owned(), go_json::quoted(id));
    if !parent.is_empty() {
        members.insert("parent".to_owned(), go_json::quoted(parent));
    }
    if is_empty {
        members.insert("throwaway".to_owned(), "true".to_owned());
    }
    Ok(object(members))
}

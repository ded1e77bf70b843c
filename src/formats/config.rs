//! Reads the config of an image, and checks it against the specification and the rules of engines.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>

use serde_json::Value;

use super::descriptor::platform_values;
use super::json::{Fields, field, text};
use super::reading::Reading;
use super::{go_time, keys};
use crate::digest::DiffId;
use crate::findings::{Code, Finding, Place};
use crate::image::{ConfigView, HistoryEntry, Platform};

/// The types of fields.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Texts,
    Time,
    Object,
    /// An object of strings.
    TextMap,
    /// An object of empty objects: a set.
    Set,
    Objects,
    Flag,
}

impl Shape {
    fn is_of(self, value: &Value) -> bool {
        let object = value.as_object();
        let list = value.as_array();
        match self {
            Shape::Text => value.is_string(),
            Shape::Texts => list.is_some_and(|list| list.iter().all(Value::is_string)),
            Shape::Time => value
                .as_str()
                .is_some_and(|text| go_time::normalized(text).is_some()),
            Shape::Object => value.is_object(),
            Shape::TextMap => object.is_some_and(|map| map.values().all(Value::is_string)),
            Shape::Set => object.is_some_and(|map| map.values().all(Value::is_object)),
            Shape::Objects => list.is_some_and(|list| list.iter().all(Value::is_object)),
            Shape::Flag => value.is_boolean(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Shape::Text => "a string",
            Shape::Texts => "a list of strings",
            Shape::Time => "a time (RFC 3339)",
            Shape::Object => "an object",
            Shape::TextMap => "an object of strings",
            Shape::Set => "an object of objects",
            Shape::Objects => "a list of objects",
            Shape::Flag => "true or false",
        }
    }
}

const FIELDS: &[(&str, Shape)] = &[
    ("created", Shape::Time),
    ("author", Shape::Text),
    ("architecture", Shape::Text),
    ("os", Shape::Text),
    ("os.version", Shape::Text),
    ("os.features", Shape::Texts),
    ("variant", Shape::Text),
    ("config", Shape::Object),
    ("rootfs", Shape::Object),
    ("history", Shape::Objects),
];

/// The fields of the object `config`.
const CONFIG_FIELDS: &[(&str, Shape)] = &[
    ("User", Shape::Text),
    ("ExposedPorts", Shape::Set),
    ("Env", Shape::Texts),
    ("Entrypoint", Shape::Texts),
    ("Cmd", Shape::Texts),
    ("Volumes", Shape::Set),
    ("WorkingDir", Shape::Text),
    ("Labels", Shape::TextMap),
    ("StopSignal", Shape::Text),
];

const HISTORY_FIELDS: &[(&str, Shape)] = &[
    ("created", Shape::Time),
    ("author", Shape::Text),
    ("created_by", Shape::Text),
    ("comment", Shape::Text),
    ("empty_layer", Shape::Flag),
];

/// The fields of a config that are checked or used.
pub(crate) const KEPT: Fields = Fields::These(&[
    ("created", Fields::All),
    ("author", Fields::All),
    ("architecture", Fields::All),
    ("os", Fields::All),
    ("os.version", Fields::All),
    ("os.features", Fields::All),
    ("variant", Fields::All),
    (
        "config",
        Fields::These(&[
            ("User", Fields::All),
            ("ExposedPorts", Fields::All),
            ("Env", Fields::All),
            ("Entrypoint", Fields::All),
            ("Cmd", Fields::All),
            ("Volumes", Fields::All),
            ("WorkingDir", Fields::All),
            ("Labels", Fields::All),
            ("StopSignal", Fields::All),
        ]),
    ),
    (
        "rootfs",
        Fields::These(&[("type", Fields::All), ("diff_ids", Fields::All)]),
    ),
    (
        "history",
        Fields::These(&[
            ("created", Fields::All),
            ("author", Fields::All),
            ("created_by", Fields::All),
            ("comment", Fields::All),
            ("empty_layer", Fields::All),
        ]),
    ),
]);

/// Reads a config and notes its problems.
pub(crate) fn read(reading: &mut Reading, config: &Value, place: &Place) -> ConfigView {
    if !config.is_object() {
        reading.note(Code::ConfigField, place, "the config is not an object");
        return ConfigView::default();
    }
    let config = &*fields(reading, config, "", FIELDS, place);
    if let Some(value) = field(config, "config") {
        fields(reading, value, "config.", CONFIG_FIELDS, place);
    }
    let history = config.get("history").and_then(Value::as_array);
    let history = history.into_iter().flatten().enumerate();
    let history = history.map(|(number, entry)| {
        let prefix = format!("history[{number}].");
        let entry = fields(reading, entry, &prefix, HISTORY_FIELDS, place);
        HistoryEntry {
            created_by: text(&entry, "created_by").map(str::to_owned),
            empty_layer: entry.get("empty_layer").and_then(Value::as_bool) == Some(true),
        }
    });
    let history: Vec<HistoryEntry> = history.collect();
    let texts = history.iter().filter_map(|entry| entry.created_by.as_ref());
    let texts: usize = texts.map(String::len).sum();
    let memory = texts + history.len() * size_of::<HistoryEntry>();
    reading.charge(memory as u64, place);
    for key in ["os", "architecture"] {
        if text(config, key).is_none_or(str::is_empty) {
            let message = format!("the config lacks {key}");
            reading.note(Code::ConfigPlatform, place, message);
        }
    }
    let platform = platform(config);
    platform_values(reading, &platform, "the config", place);
    let diff_ids = diff_ids(reading, config, place);
    if let Some(diff_ids) = &diff_ids {
        history_count(reading, &history, diff_ids.len(), place);
    }
    let is_known =
        |platform: &Platform| !platform.os.is_empty() && !platform.architecture.is_empty();
    ConfigView {
        platform: Some(platform).filter(is_known),
        created: text(config, "created").map(str::to_owned),
        // If one is not a digest, which was noted, the others cannot be assigned to layers.
        diff_ids: diff_ids.and_then(|diff_ids| diff_ids.into_iter().collect()),
        history,
    }
}

/// Notes the problems of the fields of an object, and returns the object as Go reads it.
fn fields<'v>(
    reading: &mut Reading,
    object: &'v Value,
    prefix: &str,
    fields: &[(&'static str, Shape)],
    place: &Place,
) -> std::borrow::Cow<'v, Value> {
    let known: Vec<&str> = fields.iter().map(|(key, _)| *key).collect();
    let what = match prefix.strip_suffix('.') {
        Some(prefix) => format!("{prefix} of the config"),
        None => "the config".to_owned(),
    };
    let object = keys::as_go_reads(reading, object, &known, &what, place);
    for (key, shape) in fields {
        if field(&object, key).is_some_and(|value| !shape.is_of(value)) {
            let message = format!("{prefix}{key} is not {}", shape.name());
            reading.note(Code::ConfigField, place, message);
        }
    }
    object
}

fn platform(config: &Value) -> Platform {
    let get = |key| text(config, key).map(str::to_owned);
    let features = field(config, "os.features").and_then(Value::as_array);
    let features = features.and_then(|list| {
        let texts = list.iter().map(|value| value.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<String>>>()
    });
    Platform {
        architecture: get("architecture").unwrap_or_default(),
        os: get("os").unwrap_or_default(),
        os_version: get("os.version"),
        os_features: features,
        variant: get("variant"),
    }
}

/// The `diff_ids`, with `None` for one that is not a digest. `None` if there is no list.
fn diff_ids(reading: &mut Reading, config: &Value, place: &Place) -> Option<Vec<Option<DiffId>>> {
    let Some(rootfs) = field(config, "rootfs") else {
        reading.note(Code::ConfigRootfs, place, "the config lacks rootfs");
        return None;
    };
    let known = ["type", "diff_ids"];
    let rootfs = &*keys::as_go_reads(reading, rootfs, &known, "rootfs of the config", place);
    if text(rootfs, "type") != Some("layers") {
        let message = match field(rootfs, "type") {
            Some(found) => format!("rootfs.type of the config is {found}, expected \"layers\""),
            None => "rootfs of the config has no type, expected \"layers\"".to_owned(),
        };
        reading.note(Code::ConfigRootfs, place, message);
    }
    // Docker leaves out the list, or writes null, for an image without layers.
    let Some(list) = field(rootfs, "diff_ids") else {
        return Some(Vec::new());
    };
    let Some(list) = list.as_array() else {
        let message = "rootfs.diff_ids of the config is not a list";
        reading.note(Code::ConfigRootfs, place, message);
        return None;
    };
    let parse = |value: &Value| Some(DiffId(value.as_str()?.parse().ok()?));
    let diff_ids: Vec<Option<DiffId>> = list.iter().map(parse).collect();
    for (number, _) in diff_ids.iter().enumerate().filter(|(_, id)| id.is_none()) {
        let found = &list[number];
        let message =
            format!("rootfs.diff_ids[{number}] of the config is {found}, expected a digest");
        reading.note(Code::ConfigRootfs, place, message);
    }
    Some(diff_ids)
}

/// Compares the history with the number of layers. Docker refuses a config whose history has more layers than rootfs
/// (<https://github.com/moby/moby/blob/v28.5.2/image/store.go>, "too many non-empty layers in History section"), and
/// images are built on by counting along it.
fn history_count(reading: &mut Reading, history: &[HistoryEntry], layers: usize, place: &Place) {
    let count = history.iter().filter(|entry| !entry.empty_layer).count();
    let code = match count.cmp(&layers) {
        std::cmp::Ordering::Greater => Code::HistoryExcess,
        std::cmp::Ordering::Less if !history.is_empty() => Code::HistoryShort,
        _ => return,
    };
    let what = "the number of history entries that created a layer";
    reading.add(Finding::mismatch(code, place, what, &layers, &count));
}

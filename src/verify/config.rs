//! The config of an image: what the specification asks of it, and what engines refuse.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>

use serde_json::Value;

use super::findings::Findings;
use super::json::{field, text};
use super::shape;
use crate::digest::DiffId;
use crate::findings::Code;
use crate::findings::Place;
use crate::formats::docker::go_time;
use crate::image::Platform;

/// What a config says of its layers.
pub(super) struct ConfigFacts {
    /// `None` when there is no list; within it, `None` where one is no digest.
    pub diff_ids: Option<Vec<Option<DiffId>>>,
    pub platform: Platform,
}

/// What a field must be.
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
    fn fits(self, value: &Value) -> bool {
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

/// Of the object `config`.
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

/// Checks a config.
pub(super) fn check(findings: &mut Findings, config: &Value, place: &Place) -> ConfigFacts {
    if !config.is_object() {
        findings.problem(Code::ConfigField, place, "the config is no object");
        return ConfigFacts {
            diff_ids: None,
            platform: platform(&Value::Null),
        };
    }
    fields(findings, config, "", FIELDS, place);
    if let Some(value) = field(config, "config") {
        fields(findings, value, "config.", CONFIG_FIELDS, place);
    }
    let history = config.get("history").and_then(Value::as_array);
    for (number, entry) in history.into_iter().flatten().enumerate() {
        fields(
            findings,
            entry,
            &format!("history[{number}]."),
            HISTORY_FIELDS,
            place,
        );
    }
    for key in ["os", "architecture"] {
        if text(config, key).is_none_or(str::is_empty) {
            findings.problem(
                Code::ConfigPlatform,
                place,
                format!("the config has no {key}"),
            );
        }
    }
    let platform = platform(config);
    shape::platform_values(findings, &platform, "the config", place);
    let diff_ids = diff_ids(findings, config, place);
    if let Some(diff_ids) = &diff_ids {
        history_count(findings, config, diff_ids.len(), place);
    }
    ConfigFacts { diff_ids, platform }
}

fn fields(
    findings: &mut Findings,
    object: &Value,
    prefix: &str,
    fields: &[(&'static str, Shape)],
    place: &Place,
) {
    let known: Vec<&str> = fields.iter().map(|(key, _)| *key).collect();
    let what = match prefix.strip_suffix('.') {
        Some(prefix) => format!("{prefix} of the config"),
        None => "the config".to_owned(),
    };
    shape::keys(findings, object, &known, &what, place);
    for (key, shape) in fields {
        if field(object, key).is_some_and(|value| !shape.fits(value)) {
            let message = format!("{prefix}{key} is not {}", shape.name());
            findings.problem(Code::ConfigField, place, message);
        }
    }
}

fn platform(config: &Value) -> Platform {
    let get = |key| text(config, key).map(str::to_owned);
    Platform {
        architecture: get("architecture").unwrap_or_default(),
        os: get("os").unwrap_or_default(),
        os_version: get("os.version"),
        os_features: None,
        variant: get("variant"),
    }
}

fn diff_ids(findings: &mut Findings, config: &Value, place: &Place) -> Option<Vec<Option<DiffId>>> {
    let Some(rootfs) = field(config, "rootfs") else {
        findings.problem(Code::ConfigRootfs, place, "the config has no rootfs");
        return None;
    };
    shape::keys(
        findings,
        rootfs,
        &["type", "diff_ids"],
        "rootfs of the config",
        place,
    );
    if text(rootfs, "type") != Some("layers") {
        let message = "rootfs.type of the config is not \"layers\"";
        findings.problem(Code::ConfigRootfs, place, message);
    }
    // Docker leaves the list out, or writes null, for an image of no layers.
    let Some(list) = field(rootfs, "diff_ids") else {
        return Some(Vec::new());
    };
    let Some(list) = list.as_array() else {
        findings.problem(
            Code::ConfigRootfs,
            place,
            "rootfs.diff_ids of the config is no list",
        );
        return None;
    };
    let parse = |value: &Value| Some(DiffId(value.as_str()?.parse().ok()?));
    let diff_ids: Vec<Option<DiffId>> = list.iter().map(parse).collect();
    for (number, _) in diff_ids.iter().enumerate().filter(|(_, id)| id.is_none()) {
        let message = format!(
            "rootfs.diff_ids[{number}] of the config is {}",
            list[number]
        );
        findings.problem(Code::ConfigRootfs, place, message);
    }
    Some(diff_ids)
}

/// Docker refuses a config whose history has more layers than rootfs
/// (<https://github.com/moby/moby/blob/v28.5.2/image/store.go>, "too many non-empty layers in History section"), and
/// images are built on by counting along it.
fn history_count(findings: &mut Findings, config: &Value, layers: usize, place: &Place) {
    let Some(history) = config.get("history").and_then(Value::as_array) else {
        return;
    };
    let empty = |entry: &&Value| entry.get("empty_layer").and_then(Value::as_bool) == Some(true);
    let count = history.iter().filter(|entry| !empty(entry)).count();
    let code = match count.cmp(&layers) {
        std::cmp::Ordering::Greater => Code::HistoryExcess,
        std::cmp::Ordering::Less if !history.is_empty() => Code::HistoryShort,
        _ => return,
    };
    findings.add(crate::findings::Finding::mismatch(
        code,
        place,
        "the number of history entries that made a layer",
        &layers,
        &count,
    ));
}

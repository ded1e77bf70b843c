//! What a container of an image runs, and how.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::image::{Config, Manifest};

/// What a container of an image runs, and how: the object `config` of the image's config, as far as it is what it should be.
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#properties>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeConfig {
    /// The command and its arguments.
    pub entrypoint: Vec<String>,
    /// Arguments, or the command where there is no entrypoint.
    pub cmd: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// Whom it runs as; empty for root.
    pub user: String,
    /// Where it runs.
    pub working_dir: String,
    /// `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Folders that are volumes.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ConfigDocument<'a> {
    #[serde(borrow)]
    config: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fields<'a> {
    #[serde(borrow)]
    entrypoint: Option<&'a RawValue>,
    #[serde(borrow)]
    cmd: Option<&'a RawValue>,
    #[serde(borrow)]
    env: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    working_dir: Option<&'a RawValue>,
    #[serde(borrow)]
    exposed_ports: Option<&'a RawValue>,
    #[serde(borrow)]
    volumes: Option<&'a RawValue>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
}

/// That of a manifest's image. What is wrong with the config is in the findings, and is left out here.
pub(super) fn of(manifest: &Manifest) -> RuntimeConfig {
    let json = match &manifest.config {
        Config::Image(config) => &config.document.bytes,
        // The v1 metadata of the top layer is what a config is made of.
        Config::V1 { metadata, .. } => match metadata.layers().last() {
            Some(top) => &top.json,
            None => return RuntimeConfig::default(),
        },
        Config::Other(_) | Config::Unreadable => return RuntimeConfig::default(),
    };
    parse(json)
}

fn parse(json: &[u8]) -> RuntimeConfig {
    let document: Option<ConfigDocument> = serde_json::from_slice(json).ok();
    let config = document.and_then(|document| document.config);
    let fields: Fields = value(config);
    let keys = |set| {
        let set: BTreeMap<String, &RawValue> = value(set);
        set.into_keys().collect()
    };
    RuntimeConfig {
        entrypoint: value(fields.entrypoint),
        cmd: value(fields.cmd),
        env: value(fields.env),
        user: value(fields.user),
        working_dir: value(fields.working_dir),
        exposed_ports: keys(fields.exposed_ports),
        volumes: keys(fields.volumes),
        labels: value(fields.labels),
    }
}

/// A value of the right type, or none.
fn value<'a, T: Default + Deserialize<'a>>(json: Option<&'a RawValue>) -> T {
    let value = json.and_then(|json| serde_json::from_str(json.get()).ok());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_wrong_type_are_left_out() {
        let config = parse(
            br#"{"config": {"Cmd": ["a", "b"], "Env": "A=b", "User": null, "WorkingDir": "/srv",
                "ExposedPorts": {"80/tcp": {}, "53/udp": 3}, "Labels": {"one": "1"}}}"#,
        );
        assert_eq!(config.cmd, ["a", "b"]);
        assert_eq!(config.exposed_ports, ["53/udp", "80/tcp"]);
        assert_eq!(config.working_dir, "/srv");
        assert_eq!(config.labels["one"], "1");
        assert_eq!((config.env.len(), config.user.as_str()), (0, ""));
        for other in ["", "[]", "{}", r#"{"config": []}"#, r#"{"config": null}"#] {
            assert_eq!(parse(other.as_bytes()), RuntimeConfig::default());
        }
    }
}

//! Creates an image config from v1 metadata: the JSON document of each layer of an archive before Docker 1.10, or of each
//! history entry of a schema 1 manifest.
//!
//! The bytes are those of [Docker 20.10] and of [c/image], so that the image ID is the same. Docker 25 and later write the
//! author after `created_by` and leave out a missing time.
//!
//! [Docker 20.10]: https://github.com/moby/moby/blob/v20.10.24/image/v1/imagev1.go
//! [c/image]: https://github.com/containers/image/blob/v5.22.1/manifest/docker_schema1.go
use std::collections::BTreeMap;

use crate::digest::DiffId;
use crate::formats::docker::go_json::{self, GoJsonError};
use crate::formats::docker::go_struct::{Field, GoValue, Struct, Type};

/// Why no config can be created.
#[derive(Debug, thiserror::Error)]
pub enum V1Error {
    /// There is no metadata.
    #[error("no layer has v1 metadata")]
    Empty,
    /// The layers and their `diff_ids` do not match in number.
    #[error("{layers} layers, but {diff_ids} diff_ids")]
    DiffIds {
        /// Number of layers that are not empty.
        layers: usize,
        /// Number of `diff_ids`.
        diff_ids: usize,
    },
    /// The metadata of a layer cannot be decoded.
    #[error("v1 metadata of layer {layer} of {layers}")]
    Metadata {
        /// Number of the layer. The base is 1.
        layer: usize,
        /// Number of layers.
        layers: usize,
        /// The problem.
        #[source]
        source: GoJsonError,
    },
}

/// The v1 metadata of one layer of a schema 1 manifest.
#[derive(Debug, Clone, Copy)]
pub struct V1History<'a> {
    /// The JSON in `v1Compatibility`.
    pub v1: &'a [u8],
    /// Whether the layer is left out of `rootfs`, and its history marked `empty_layer`.
    pub empty: bool,
}

/// The config that `docker load` creates for an archive before 1.10. `chain` has the `json` file of each layer, the base first,
/// and `diff_ids` one for each layer.
///
/// # Errors
/// [`V1Error`]. Like Docker, this refuses invalid metadata of the top layer.
pub fn docker_load_config(chain: &[&[u8]], diff_ids: &[DiffId]) -> Result<Vec<u8>, V1Error> {
    let entries: Vec<_> = chain
        .iter()
        .map(|v1| V1History { v1, empty: false })
        .collect();
    // Without a version, Docker compares the empty string, which is less than any version.
    config(&entries, diff_ids, DOCKER_IMAGE, before_1_8_3)
}

/// The config that c/image (skopeo, podman) creates when it converts a schema 1 manifest to schema 2. `history` has the base
/// first, and `diff_ids` one for each layer that is not empty.
///
/// # Errors
/// [`V1Error`]. Like c/image, this refuses invalid metadata of the top layer.
pub fn schema2_config(history: &[V1History], diff_ids: &[DiffId]) -> Result<Vec<u8>, V1Error> {
    config(history, diff_ids, SCHEMA2_IMAGE, |version| {
        !version.is_empty() && before_1_8_3(version)
    })
}

fn config(
    entries: &[V1History],
    diff_ids: &[DiffId],
    image: &'static [Field],
    is_encoded_again: fn(&str) -> bool,
) -> Result<Vec<u8>, V1Error> {
    let layers = entries.len();
    let top = entries.last().ok_or(V1Error::Empty)?;
    let filled = entries.iter().filter(|entry| !entry.empty).count();
    if filled != diff_ids.len() {
        return Err(V1Error::DiffIds {
            layers: filled,
            diff_ids: diff_ids.len(),
        });
    }
    let in_layer = |layer| {
        move |source| V1Error::Metadata {
            layer,
            layers,
            source,
        }
    };

    let mut history = Vec::with_capacity(layers);
    for (entry, layer) in entries.iter().zip(1..) {
        history.push(history_item(entry).map_err(in_layer(layer))?);
    }
    let mut members = top_level(top.v1, image, is_encoded_again).map_err(in_layer(layers))?;
    for name in ["id", "parent", "parent_id", "layer_id", "throwaway", "Size"] {
        members.remove(name);
    }
    members.insert("rootfs".to_owned(), rootfs(diff_ids));
    members.insert("history".to_owned(), go_json::list(history));
    Ok(go_json::object(members).into_bytes())
}

/// The encoded members of the top layer by name. The last of several members with the same name is used.
fn top_level(
    v1: &[u8],
    image: &'static [Field],
    is_encoded_again: fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, GoJsonError> {
    let object = go_json::document(v1)?;
    let decoded = Struct::decode(image, object)?;
    if is_encoded_again(decoded.text("docker_version")) {
        let fields = decoded.encoded_fields().into_iter();
        return Ok(fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect());
    }
    let members = go_json::members(object)?.into_iter();
    Ok(members
        .map(|(name, value)| (name, go_json::compact(value)))
        .collect())
}

fn history_item(entry: &V1History) -> Result<String, GoJsonError> {
    let decoded = Struct::decode(HISTORY, go_json::document(entry.v1)?)?;
    let created_by = match decoded.get("container_config") {
        GoValue::Struct(container) => match container.get("Cmd") {
            GoValue::Strings(words) => words.join(" "),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let mut members = vec![("created", go_json::quoted(decoded.text("created")))];
    for (name, text) in [
        ("author", decoded.text("author")),
        ("created_by", &created_by),
        ("comment", decoded.text("comment")),
    ] {
        if !text.is_empty() {
            members.push((name, go_json::quoted(text)));
        }
    }
    if entry.empty {
        members.push(("empty_layer", "true".to_owned()));
    }
    Ok(go_json::object(members))
}

fn rootfs(diff_ids: &[DiffId]) -> String {
    let mut members = vec![("type", go_json::quoted("layers"))];
    if !diff_ids.is_empty() {
        let diff_ids = diff_ids.iter().map(ToString::to_string);
        members.push(("diff_ids", go_json::list_of_texts(diff_ids)));
    }
    go_json::object(members)
}

/// Compares versions as Docker does: numbers between dots, and 0 for a part that is not a number, so that `1.8.3-rc1` is less
/// than 1.8.3.
fn before_1_8_3(version: &str) -> bool {
    let numbers: Vec<_> = version.split('.').map(number).collect();
    let length = numbers.len().max(3);
    let padded = |mut numbers: Vec<i64>| {
        numbers.resize(length, 0);
        numbers
    };
    padded(numbers) < padded(vec![1, 8, 3])
}

/// Go's `strconv.Atoi` without its error: the nearest number if out of range, and 0 if it is not a number.
fn number(text: &str) -> i64 {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse()
        .unwrap_or_else(|error: std::num::ParseIntError| match error.kind() {
            PosOverflow => i64::MAX,
            NegOverflow => i64::MIN,
            _ => 0,
        })
}

/// The fields of v1 metadata for a history entry.
const HISTORY: &[Field] = &[
    Field::new("comment", Type::String),
    Field::new("created", Type::Time),
    Field::new(
        "container_config",
        Type::Struct(&[Field::new("Cmd", Type::StringOrStrings)]),
    ),
    Field::new("author", Type::String),
];

/// [`V1Image`](https://github.com/moby/moby/blob/v20.10.24/image/image.go) of Docker.
const DOCKER_IMAGE: &[Field] = &v1_image(DOCKER_CONTAINER_CONFIG);

/// The same of c/image.
const SCHEMA2_IMAGE: &[Field] = &v1_image(SCHEMA2_CONTAINER_CONFIG);

const DOCKER_CONTAINER_CONFIG: &[Field] = &container_config(DOCKER_HEALTHCHECK);
const SCHEMA2_CONTAINER_CONFIG: &[Field] = &container_config(SCHEMA2_HEALTHCHECK);

const fn v1_image(config: &'static [Field]) -> [Field; 13] {
    [
        Field::omit_empty("id", Type::String),
        Field::omit_empty("parent", Type::String),
        Field::omit_empty("comment", Type::String),
        Field::new("created", Type::Time),
        Field::omit_empty("container", Type::String),
        Field::new("container_config", Type::Struct(config)),
        Field::omit_empty("docker_version", Type::String),
        Field::omit_empty("author", Type::String),
        Field::omit_empty("config", Type::StructPointer(config)),
        Field::omit_empty("architecture", Type::String),
        Field::omit_empty("variant", Type::String),
        Field::omit_empty("os", Type::String),
        Field::omit_empty("Size", Type::Integer),
    ]
}

/// [`container.Config`](https://github.com/moby/moby/blob/v20.10.24/api/types/container/config.go),
/// the same in Docker and c/image but for `healthcheck`.
const fn container_config(healthcheck: &'static [Field]) -> [Field; 25] {
    [
        Field::new("Hostname", Type::String),
        Field::new("Domainname", Type::String),
        Field::new("User", Type::String),
        Field::new("AttachStdin", Type::Bool),
        Field::new("AttachStdout", Type::Bool),
        Field::new("AttachStderr", Type::Bool),
        Field::omit_empty("ExposedPorts", Type::Set),
        Field::new("Tty", Type::Bool),
        Field::new("OpenStdin", Type::Bool),
        Field::new("StdinOnce", Type::Bool),
        Field::new("Env", Type::Strings),
        Field::new("Cmd", Type::StringOrStrings),
        Field::omit_empty("Healthcheck", Type::StructPointer(healthcheck)),
        Field::omit_empty("ArgsEscaped", Type::Bool),
        Field::new("Image", Type::String),
        Field::new("Volumes", Type::Set),
        Field::new("WorkingDir", Type::String),
        Field::new("Entrypoint", Type::StringOrStrings),
        Field::omit_empty("NetworkDisabled", Type::Bool),
        Field::omit_empty("MacAddress", Type::String),
        Field::new("OnBuild", Type::Strings),
        Field::new("Labels", Type::Map),
        Field::omit_empty("StopSignal", Type::String),
        Field::omit_empty("StopTimeout", Type::IntegerPointer),
        Field::omit_empty("Shell", Type::StringOrStrings),
    ]
}

const DOCKER_HEALTHCHECK: &[Field] = &[
    Field::omit_empty("Test", Type::Strings),
    Field::omit_empty("Interval", Type::Integer),
    Field::omit_empty("Timeout", Type::Integer),
    Field::omit_empty("StartPeriod", Type::Integer),
    Field::omit_empty("Retries", Type::Integer),
];

const SCHEMA2_HEALTHCHECK: &[Field] = &[
    Field::omit_empty("Test", Type::Strings),
    Field::omit_empty("StartPeriod", Type::Integer),
    Field::omit_empty("Interval", Type::Integer),
    Field::omit_empty("Timeout", Type::Integer),
    Field::omit_empty("Retries", Type::Integer),
];

#[cfg(test)]
mod tests;

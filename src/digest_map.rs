//! The digest map: the old and new digests of each image, for users who pin digests.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::error::Result;
use crate::image::media_type;
use crate::interrupt::Interrupt;
use crate::output::Target;
use crate::report::{EntryReport, ImageReport, LayerReport};
use crate::side_document::{self, SideDocument};

/// Its name in messages.
const WHAT: &str = "digest map";

/// The columns of the CSV form. Their order never changes. New columns are added at the end.
const COLUMNS: [&str; 14] = [
    "name",
    "input",
    "platform",
    "old_schema1",
    "old_schema2",
    "old_oci",
    "old_index",
    "old_image_id",
    "new_manifest",
    "new_index",
    "new_image_id",
    "v2s2_of_input",
    "v2s2_of_output",
    "layers",
];

/// Path and form of a digest map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestMap {
    path: PathBuf,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
}

/// Why a path is refused for a digest map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} does not end with .csv or .json", .0.display())]
pub struct DigestMapError(PathBuf);

impl DigestMap {
    /// CSV or JSON, by the name's ending.
    ///
    /// # Errors
    /// Any other ending.
    pub fn new(path: PathBuf) -> Result<DigestMap, DigestMapError> {
        // A name that is not UTF-8 has no extension.
        let extension = path.to_str().and_then(|_| path.extension());
        let form = match extension.and_then(|extension| extension.to_str()) {
            Some("csv") => Form::Csv,
            Some("json") => Form::Json,
            _ => return Err(DigestMapError(path)),
        };
        Ok(DigestMap { path, form })
    }

    /// The path of the map.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a map that would replace an input or a document of one, or that would be inside the output.
    pub(crate) fn refuse_inside(&self, inputs: &[PathBuf], target: &Target) -> Result<()> {
        side_document::refuse_inside(WHAT, &self.path, inputs, target)
    }

    /// Writes a map of its own, without an output.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, entries: &[EntryReport], fsync: bool, interrupt: &Interrupt) -> Result<()> {
        let mut map = StagedMap::new(self, fsync, interrupt)?;
        map.write(entries)?;
        map.publish()
    }

    fn content(&self, entries: &[EntryReport]) -> String {
        match self.form {
            Form::Csv => csv(entries),
            Form::Json => format!("{:#}\n", json(entries)),
        }
    }
}

/// A staged digest map.
pub(crate) struct StagedMap<'a> {
    map: &'a DigestMap,
    file: SideDocument,
}

impl<'a> StagedMap<'a> {
    /// Stages the map. Fails if it cannot be written.
    pub fn new(map: &'a DigestMap, fsync: bool, interrupt: &Interrupt) -> Result<StagedMap<'a>> {
        let file = SideDocument::stage(WHAT, &map.path, fsync, interrupt)?;
        Ok(StagedMap { map, file })
    }

    pub fn write(&mut self, entries: &[EntryReport]) -> Result<()> {
        self.file.write(self.map.content(entries).as_bytes())
    }

    /// Publishes the map after the output.
    pub fn publish(self) -> Result<()> {
        self.file.publish()
    }
}

/// The digest of the manifest in the input, if it had this media type.
fn old_manifest(image: &ImageReport, wanted: &str) -> Option<Digest> {
    let fits = image.old_media_type.as_deref() == Some(wanted);
    image.old_manifest.filter(|_| fits)
}

/// One line for each name of each image, and one for an image without a name. As in RFC 4180, but with plain line feeds, which
/// all readers of CSV accept, and which do not leave carriage returns in shell scripts.
fn csv(entries: &[EntryReport]) -> String {
    let mut lines = vec![COLUMNS.join(",")];
    for entry in entries {
        let nameless = [String::new()];
        let names = if entry.names.is_empty() {
            &nameless[..]
        } else {
            &entry.names
        };
        for image in &entry.images {
            lines.extend(names.iter().map(|name| row(name, &entry.input, image)));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn row(name: &str, input: &str, image: &ImageReport) -> String {
    let index = image.indexes.first();
    let digest =
        |digest: Option<Digest>| digest.as_ref().map(ToString::to_string).unwrap_or_default();
    let platform = image.platform.as_ref().map(ToString::to_string);
    let layers: Vec<String> = image.layers.iter().map(pair).collect();
    let fields: [String; COLUMNS.len()] = [
        text(name),
        text(input),
        text(&platform.unwrap_or_default()),
        digest(image.schema1),
        digest(old_manifest(image, media_type::DOCKER_MANIFEST)),
        digest(old_manifest(image, media_type::MANIFEST)),
        digest(index.map(|index| index.old)),
        digest(image.old_image_id),
        digest(image.manifest),
        digest(index.and_then(|index| index.new)),
        image.image_id.to_string(),
        digest(image.v2s2_of_input),
        digest(image.v2s2_of_output),
        layers.join(" "),
    ];
    fields.join(",")
}

/// `old=new`. For a layer without a digest, as in most archives, `old` is its `diff_id`.
fn pair(layer: &LayerReport) -> String {
    let old = layer.old_digest.or(layer.diff_id.map(|diff_id| diff_id.0));
    let digest =
        |digest: Option<Digest>| digest.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{}={}", digest(old), digest(layer.digest))
}

/// A field with text from the input. An annotation may begin like a formula, which a spreadsheet would compute
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn text(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    if guard.is_empty() && !text.contains([',', '"', '\r', '\n']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

fn json(entries: &[EntryReport]) -> Value {
    let images = entries.iter().flat_map(|entry| {
        let images = entry.images.iter();
        images.map(move |image| json_image(entry, image))
    });
    json!({ "images": images.collect::<Vec<_>>() })
}

fn json_image(entry: &EntryReport, image: &ImageReport) -> Value {
    let indexes = image.indexes.iter();
    json!({
        "names": entry.names,
        "input": entry.input,
        "platform": image.platform,
        "old": {
            "schema1": image.schema1,
            "schema2": old_manifest(image, media_type::DOCKER_MANIFEST),
            "oci": old_manifest(image, media_type::MANIFEST),
            "imageId": image.old_image_id,
        },
        "new": {
            "manifest": image.manifest,
            "imageId": image.image_id,
        },
        "indexes": indexes
            .map(|index| json!({ "old": index.old, "new": index.new }))
            .collect::<Vec<_>>(),
        "v2s2": {
            "ofInput": image.v2s2_of_input,
            "ofOutput": image.v2s2_of_output,
        },
        "layers": image.layers.iter().map(json_layer).collect::<Vec<_>>(),
    })
}

fn json_layer(layer: &LayerReport) -> Value {
    json!({
        "diffId": layer.diff_id,
        "old": { "digest": layer.old_digest, "size": layer.old_size },
        // Null for a missing foreign layer.
        "new": layer.digest.map(|digest| json!({ "digest": digest, "size": layer.size })),
    })
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn fields_are_quoted_and_no_formulas() {
        for (plain, field) in [
            ("example.test:5000/a/app:1.0", "example.test:5000/a/app:1.0"),
            ("a,b", "\"a,b\""),
            ("say \"a\"", "\"say \"\"a\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("@x", "\"'@x\""),
            ("", ""),
        ] {
            assert_eq!(text(plain), field);
        }
    }
}

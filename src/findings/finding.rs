//! What is wrong with an input, and where.

use std::fmt;

use serde::{Serialize, Serializer};

use super::code::Code;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something is damaged, missing, or breaks a MUST: some reader refuses it or reads something else.
    Error,
    /// It can be read, but breaks a SHOULD or means different things to different readers.
    Warning,
    /// Worth knowing, and allowed.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        })
    }
}

/// One thing that is wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Problem {
    /// Always that of the code.
    pub severity: Severity,
    /// What kind of problem it is, for programs.
    pub code: Code,
    /// Where it is.
    pub place: Location,
    /// What it is, for people. Text from the input is in it as it was found: escape it before it reaches a terminal.
    pub message: String,
    /// What should be there: a digest, a number of bytes, a media type. `None` where there is no such thing.
    pub expected: Option<String>,
    /// What is there instead.
    pub found: Option<String>,
}

/// Where in an input a problem is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Location {
    /// The image's name, or `@` and its number, and below an index its platform or digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which layer of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerNumber>,
    /// The file in the input, as the document that refers to it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A layer of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct LayerNumber {
    /// From 1, the base first.
    pub number: usize,
    /// How many the image has.
    pub of: usize,
}

impl Location {
    /// A file of the input that belongs to no image in particular.
    pub(crate) fn file(name: impl Into<String>) -> Location {
        Location {
            file: Some(name.into()),
            ..Location::default()
        }
    }

    /// An image.
    pub(crate) fn image(label: impl Into<String>) -> Location {
        Location {
            image: Some(label.into()),
            ..Location::default()
        }
    }

    /// The same place, but in another file.
    pub(crate) fn in_file(&self, name: impl Into<String>) -> Location {
        Location {
            file: Some(name.into()),
            ..self.clone()
        }
    }

    /// A layer at this place; `position` counts from 0.
    pub(crate) fn at_layer(&self, position: usize, of: usize) -> Location {
        Location {
            layer: Some(LayerNumber {
                number: position + 1,
                of,
            }),
            ..self.clone()
        }
    }

    /// An image below this one: its label is added.
    pub(crate) fn below(&self, label: &str) -> Location {
        Location::image(match &self.image {
            Some(image) => format!("{image} {label}"),
            None => label.to_owned(),
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer = self
            .layer
            .map(|layer| format!("layer {} of {}", layer.number, layer.of));
        let parts = [self.image.clone(), layer, self.file.clone()];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(": "))
    }
}

impl Problem {
    /// A problem with nothing to compare.
    pub(crate) fn new(code: Code, place: &Location, message: impl Into<String>) -> Problem {
        Problem {
            severity: code.severity(),
            code,
            place: place.clone(),
            message: message.into(),
            expected: None,
            found: None,
        }
    }

    /// Something is other than it should be.
    pub(crate) fn mismatch(
        code: Code,
        place: &Location,
        what: &str,
        expected: &dyn fmt::Display,
        found: &dyn fmt::Display,
    ) -> Problem {
        let (expected, found) = (expected.to_string(), found.to_string());
        Problem {
            message: format!("{what} is {found}, expected {expected}"),
            expected: Some(expected),
            found: Some(found),
            ..Problem::new(code, place, "")
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

//! Places in inputs.

use std::fmt;

use serde::Serialize;

/// A place: the input, image, layer and file, if they apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The input as the user named it. `None` if there is only one input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The name of the image, or `@` and its number. Inside an index, followed by its platform or digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The layer of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerNumber>,
    /// The file in the input, as spelled in the document that refers to it, or a file outside the inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A layer of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct LayerNumber {
    /// Number from 1, starting at the base layer.
    pub number: usize,
    /// Number of layers in the image.
    pub of: usize,
}

impl Place {
    /// An input as the user named it.
    pub(crate) fn input(name: impl Into<String>) -> Place {
        Place {
            input: Some(name.into()),
            ..Place::default()
        }
    }

    /// An image by its name or number.
    pub(crate) fn image(label: impl Into<String>) -> Place {
        Place {
            image: Some(label.into()),
            ..Place::default()
        }
    }

    /// A layer. `number` counts from 1.
    pub(crate) fn layer(number: usize, of: usize) -> Place {
        Place {
            layer: Some(LayerNumber { number, of }),
            ..Place::default()
        }
    }

    /// A file that does not belong to a single image.
    pub(crate) fn file(name: impl Into<String>) -> Place {
        Place {
            file: Some(name.into()),
            ..Place::default()
        }
    }

    /// The same place in another file.
    pub(crate) fn in_file(&self, name: impl Into<String>) -> Place {
        Place {
            file: Some(name.into()),
            ..self.clone()
        }
    }

    /// The same place in the file of another place.
    pub(crate) fn in_file_of(&self, other: &Place) -> Place {
        Place {
            file: other.file.clone(),
            ..self.clone()
        }
    }

    /// A layer of the image at this place. `position` counts from 0.
    pub(crate) fn at_layer(&self, position: usize, of: usize) -> Place {
        self.enclosing(&Place::layer(position + 1, of))
    }

    /// An image inside the index at this place, with this label.
    pub(crate) fn below(&self, label: &str) -> Place {
        Place {
            input: self.input.clone(),
            ..Place::default()
        }
        .enclosing(&Place {
            image: self.image.clone(),
            ..Place::default()
        })
        .enclosing(&Place::image(label))
    }

    /// `inner` as a part of this place.
    pub(crate) fn enclosing(&self, inner: &Place) -> Place {
        Place {
            input: self.input.clone().or_else(|| inner.input.clone()),
            image: match (&self.image, &inner.image) {
                (Some(outer), Some(inner)) => Some(format!("{outer} {inner}")),
                (outer, inner) => outer.clone().or_else(|| inner.clone()),
            },
            layer: inner.layer.or(self.layer),
            file: inner.file.clone().or_else(|| self.file.clone()),
        }
    }

    /// Whether the place has no parts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Place::default()
    }
}

impl fmt::Display for Place {
    /// The parts from the outermost to the innermost, separated by a colon and a space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer = self
            .layer
            .map(|layer| format!("layer {} of {}", layer.number, layer.of));
        let parts = [
            self.input.clone(),
            self.image.clone(),
            layer,
            self.file.clone(),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(": "))
    }
}

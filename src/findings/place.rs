//! Where in an input something is.

use std::fmt;

use serde::Serialize;

/// Where something is: in which input, image, layer and file, as far as each applies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The input as the user named it. `None` where there is only one that it can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The image's name, or `@` and its number, and below an index its platform or digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which layer of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerNumber>,
    /// The file in the input, as the document that refers to it has it; or a file outside of any input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A layer of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct LayerNumber {
    /// From 1, the base first.
    pub number: usize,
    /// How many the image has.
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

    /// A layer; `number` counts from 1.
    pub(crate) fn layer(number: usize, of: usize) -> Place {
        Place {
            layer: Some(LayerNumber { number, of }),
            ..Place::default()
        }
    }

    /// A file that belongs to no image in particular.
    pub(crate) fn file(name: impl Into<String>) -> Place {
        Place {
            file: Some(name.into()),
            ..Place::default()
        }
    }

    /// The same place, but in another file.
    pub(crate) fn in_file(&self, name: impl Into<String>) -> Place {
        Place {
            file: Some(name.into()),
            ..self.clone()
        }
    }

    /// The same place, but in the file of another.
    pub(crate) fn in_file_of(&self, other: &Place) -> Place {
        Place {
            file: other.file.clone(),
            ..self.clone()
        }
    }

    /// A layer at this place; `position` counts from 0.
    pub(crate) fn at_layer(&self, position: usize, of: usize) -> Place {
        self.enclosing(&Place::layer(position + 1, of))
    }

    /// An image below this one: its label is added.
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

    /// This place with what `inner` adds: an image within an image, a layer, a file.
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

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Place::default()
    }
}

impl fmt::Display for Place {
    /// The parts with a colon and a space between them, the outermost first.
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

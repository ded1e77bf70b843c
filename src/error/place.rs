//! Where an error happened: the input, the image, the layer.

use std::fmt;
use std::path::PathBuf;

use super::{Error, Result};

/// Where an error happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// An input or output as the user named it.
    File(String),
    /// An image by its name, or by its number when it has none.
    Image(String),
    /// A layer by its number, from 1.
    Layer {
        /// From 1, the base first.
        number: usize,
        /// How many the image has.
        of: usize,
    },
    /// An entry of the cache.
    CacheEntry(PathBuf),
}

impl Place {
    /// Several places in one line, the outermost first.
    pub(crate) fn path(places: &[Place]) -> String {
        let places: Vec<String> = places.iter().map(ToString::to_string).collect();
        places.join(": ")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(name) | Place::Image(name) => f.write_str(name),
            Place::Layer { number, of } => write!(f, "layer {number} of {of}"),
            Place::CacheEntry(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Error {
    /// The same error with a place in front.
    #[must_use]
    pub fn at(self, place: Place) -> Error {
        Error::At {
            place,
            source: Box::new(self),
        }
    }

    /// The same error with several places in front, the outermost first.
    pub(crate) fn at_all(self, places: &[Place]) -> Error {
        let places = places.iter().rev();
        places.fold(self, |error, place| error.at(place.clone()))
    }

    /// The fact at the end of the chain of places.
    #[must_use]
    pub fn fact(&self) -> &Error {
        match self {
            Error::At { source, .. } => source.fact(),
            fact => fact,
        }
    }

    /// The places in front of the fact, outermost first.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        let mut error = self;
        while let Error::At { place, source } = error {
            places.push(place.clone());
            error = source;
        }
        places
    }
}

/// Adds a place to the error of a result.
pub(crate) trait ResultExt<T> {
    fn at(self, place: impl FnOnce() -> Place) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T> {
    fn at(self, place: impl FnOnce() -> Place) -> Result<T> {
        self.map_err(|error| error.at(place()))
    }
}

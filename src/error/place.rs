//! Places of errors.

use super::{Error, Result};
use crate::findings::Place;

impl Error {
    /// The same error inside another place.
    #[must_use]
    pub fn at(self, place: Place) -> Error {
        match self {
            Error::At {
                place: inner,
                source,
            } => Error::At {
                place: Box::new(place.enclosing(&inner)),
                source,
            },
            fact => Error::At {
                place: Box::new(place),
                source: Box::new(fact),
            },
        }
    }

    /// The error without its place.
    #[must_use]
    pub fn fact(&self) -> &Error {
        match self {
            Error::At { source, .. } => source.fact(),
            fact => fact,
        }
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

//! One thing that is wrong with an input, or worth knowing of it.

use std::fmt;

use serde::Serialize;

use super::code::{Code, Response, Severity};
use super::place::Place;

/// One thing that is wrong with an input, or worth knowing of it, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Always that of the code.
    pub severity: Severity,
    /// What kind of finding it is, for programs.
    pub code: Code,
    /// Where it is.
    pub place: Place,
    /// What it is, for people. Text from the input is in it as it was found: escape it before it reaches a terminal.
    pub message: String,
    /// What should be there: a digest, a number of bytes, a media type. `None` where there is no such thing.
    pub expected: Option<String>,
    /// What is there instead.
    pub found: Option<String>,
}

impl Finding {
    /// A finding with nothing to compare.
    pub(crate) fn new(code: Code, place: &Place, message: impl Into<String>) -> Finding {
        Finding {
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
        place: &Place,
        what: &str,
        expected: &dyn fmt::Display,
        found: &dyn fmt::Display,
    ) -> Finding {
        let (expected, found) = (expected.to_string(), found.to_string());
        Finding {
            message: format!("{what} is {found}, expected {expected}"),
            expected: Some(expected),
            found: Some(found),
            ..Finding::new(code, place, "")
        }
    }

    /// The same finding with a place around its own.
    pub(crate) fn at(mut self, outer: &Place) -> Finding {
        self.place = outer.enclosing(&self.place);
        self
    }

    /// The finding as a conversion tells it that goes on: place, message, code, and what the output has.
    #[must_use]
    pub fn as_warning(&self) -> String {
        let done = match self.code.response() {
            Response::Corrects => "; corrected in the output",
            Response::Warns if self.severity == Severity::Error => "; copied unchanged",
            _ => "",
        };
        format!("{self} ({}{done})", self.code)
    }
}

impl fmt::Display for Finding {
    /// Place and message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

//! A problem of an input, or something worth knowing about it.

use std::fmt;

use serde::Serialize;

use super::code::{Code, Response, Severity};
use super::place::Place;

/// A problem of an input, or something worth knowing about it, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The severity of the code.
    pub severity: Severity,
    /// The kind of finding, for programs.
    pub code: Code,
    /// The place in the input.
    pub place: Place,
    /// The description, for people. It contains unchanged text from the input: escape it before printing it to a terminal.
    pub message: String,
    /// The expected value, such as a digest, size or media type. `None` if there is no value to compare.
    pub expected: Option<String>,
    /// The value that was found.
    pub found: Option<String>,
}

impl Finding {
    /// A finding without values to compare.
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

    /// A finding about a value that differs from the expected one.
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

    /// The same finding inside another place.
    pub(crate) fn at(mut self, outer: &Place) -> Finding {
        self.place = outer.enclosing(&self.place);
        self
    }

    /// The finding as a warning of a conversion: place, message, code, and the effect on the output.
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

//! What a conversion says of things that [`crate::verify()`] finds and that do not keep it from going on, in the same words.

use crate::error::Place;
use crate::findings::Code;

/// Of something that the output has just as the input has it.
pub(crate) fn copied(places: &[Place], code: Code, message: &str) -> String {
    format!(
        "{}: {message} ({code}; copied unchanged)",
        Place::path(places)
    )
}

/// Of something that the output has right.
pub(crate) fn mended(places: &[Place], code: Code, message: &str) -> String {
    format!(
        "{}: {message} ({code}; corrected in the output)",
        Place::path(places)
    )
}

//! What can be wrong with an input: the table of codes, a finding, its place.

mod code;
mod finding;
mod place;

pub use code::{Code, Response, Severity};
pub use finding::Finding;
pub use place::{LayerNumber, Place};

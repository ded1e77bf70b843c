//! Findings about inputs: the table of codes, findings, places.

mod code;
mod finding;
mod place;

pub use code::{Code, Response, Severity};
pub use finding::Finding;
pub use place::{LayerNumber, Place};

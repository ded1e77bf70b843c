//! What can be wrong with an input: the table of codes, a finding, its place.

mod code;
mod finding;

pub use code::Code;
pub use finding::{LayerNumber, Location, Problem, Severity};

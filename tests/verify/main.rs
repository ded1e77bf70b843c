//! `ocify verify`: its command line and reports, and valid inputs.

mod command_line;
mod places;
mod sound;

// Shared with other test programs, which use the rest.
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use ocify::{Interrupt, Silent, Verification, VerifyOptions};

/// Verifies the input at `path`.
fn verify(path: &Path) -> Verification {
    let mut options = VerifyOptions::default();
    options.threads = Some(2);
    ocify::verify(path, &options, &Silent, &Interrupt::new()).unwrap()
}

/// Severity and code of each problem, sorted.
fn found(verification: &Verification) -> Vec<String> {
    let problems = verification.problems.iter();
    let mut found: Vec<String> = problems
        .map(|problem| format!("{} {}", problem.severity, problem.code))
        .collect();
    found.sort();
    found
}

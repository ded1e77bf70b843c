//! Command lines that clap refuses, without its guesses that mislead.

use clap::error::{ContextKind, ContextValue};

/// What the options of other programs are called here.
const ELSEWHERE: [(&str, &str); 5] = [
    ("--force", OVERWRITE),
    ("-f", OVERWRITE),
    ("--overwrite", OVERWRITE),
    ("--jobs", "use `--threads` for the number of threads"),
    ("-j", "use `--threads` for the number of threads"),
];
const OVERWRITE: &str =
    "a tar is overwritten without this option; use `--replace` to replace a folder";

/// Prints what is wrong, or the help that was asked for.
pub fn print(mut error: clap::Error) {
    // That an unknown option could be the name of a file is right, and nearly never what was meant.
    error.remove(ContextKind::Suggested);
    let given = text(&error, ContextKind::InvalidArg);
    let suggested = text(&error, ContextKind::SuggestedArg);
    let is_near = match (&given, &suggested) {
        (Some(given), Some(suggested)) => begin_alike(given, suggested),
        _ => true,
    };
    if !is_near {
        error.remove(ContextKind::SuggestedArg);
        // It has the option that was suggested.
        error.remove(ContextKind::Usage);
    }
    let here = ELSEWHERE
        .iter()
        .find(|(elsewhere, _)| given.as_deref() == Some(elsewhere));
    // If nobody reads standard error, there is nobody to tell.
    let _ = error.print();
    if let Some((_, hint)) = here {
        eprintln!("hint: {hint}");
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Whether two long options have more than a letter in common before they differ.
fn begin_alike(one: &str, other: &str) -> bool {
    let common = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
    common.count() >= "--ab".len()
}

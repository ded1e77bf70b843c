//! Errors of the command line, without misleading suggestions of clap.

use clap::error::{ContextKind, ContextValue};

/// Options of other programs, with their names here.
const ELSEWHERE: [(&str, &str); 5] = [
    ("--force", OVERWRITE),
    ("-f", OVERWRITE),
    ("--overwrite", OVERWRITE),
    ("--jobs", "use `--threads` for the number of threads"),
    ("-j", "use `--threads` for the number of threads"),
];
const OVERWRITE: &str =
    "a tar is overwritten without this option; use `--replace` to replace a folder";

/// Prints the error, or the requested help.
pub fn print(mut error: clap::Error) {
    // clap suggests that an unknown option may be a file name, which is almost never meant.
    error.remove(ContextKind::Suggested);
    let given = text(&error, ContextKind::InvalidArg);
    let suggested = text(&error, ContextKind::SuggestedArg);
    let here = ELSEWHERE
        .iter()
        .find(|(elsewhere, _)| given.as_deref() == Some(elsewhere));
    let is_near = match (&given, &suggested) {
        _ if here.is_some() => false,
        (Some(given), Some(suggested)) => begin_alike(given, suggested),
        _ => true,
    };
    if !is_near {
        error.remove(ContextKind::SuggestedArg);
        // The command has the suggested option.
        error.remove(ContextKind::Usage);
    }
    // If standard error is closed, the message is lost.
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

/// Whether two long options start with more than one common letter.
fn begin_alike(one: &str, other: &str) -> bool {
    let common = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
    common.count() >= "--ab".len()
}

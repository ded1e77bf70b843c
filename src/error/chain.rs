//! Errors and their causes as one line.

use std::path::{Path, PathBuf};

use super::Error;

/// An error and its causes in one line. A path that the place names already is not repeated.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = text(error);
    let mut source = error.source();
    while let Some(error) = source {
        let mut text = text(error);
        if is_io(error) {
            for end in [format!(" in {line}"), format!(" {line}")] {
                if let Some(short) = text.strip_suffix(&end) {
                    text.truncate(short.len());
                    break;
                }
            }
        }
        line = format!("{line}: {text}");
        source = error.source();
    }
    line
}

/// Whether a cause is an error of the operating system, with a path. Sources are boxed.
fn is_io(error: &(dyn std::error::Error + 'static)) -> bool {
    let boxed = error.downcast_ref::<Box<Error>>().map(|error| &**error);
    matches!(boxed.or(error.downcast_ref()), Some(Error::Io { .. }))
}

/// One error of a chain, without the number that the standard library adds to the message of the system.
fn text(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let message = text
        .rsplit_once(" (os error ")
        .filter(|(_, end)| end.ends_with(')'));
    message.map_or(text.clone(), |(message, _)| message.to_owned())
}

/// A path as messages show it: what is staged goes by the name of the output that it is for, or of the folder that it is in.
pub(super) fn shown(path: &Path) -> String {
    let mut shown = PathBuf::new();
    for component in path.components() {
        let name = component.as_os_str().to_string_lossy();
        if name.starts_with(".ocify-") {
            let folder = if shown.as_os_str().is_empty() {
                Path::new(".")
            } else {
                &shown
            };
            return format!("a staged file in {}", folder.display());
        }
        let staged = name.strip_prefix('.');
        if let Some((output, _)) = staged.and_then(|name| name.split_once(".ocify-")) {
            shown.push(output);
            break;
        }
        shown.push(component);
    }
    shown.display().to_string()
}

//! The files that a run has read, as a rule for make and ninja.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A rule that makes `outputs` depend on `files`, and an empty rule for each file, so that make does not stop when a file was
/// removed.
///
/// # Errors
/// A name that cannot be written in a rule.
pub fn rule<'a>(
    outputs: &'a [PathBuf],
    files: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<Vec<u8>, &'a Path> {
    let escape = |path: &'a PathBuf| escape(path).ok_or(path.as_path());
    let outputs: Result<Vec<Vec<u8>>, &Path> = outputs.iter().map(escape).collect();
    let mut text = outputs?.join(&b' ');
    text.push(b':');
    let mut rules = Vec::new();
    for file in files {
        let name = escape(file)?;
        text.extend_from_slice(b" \\\n  ");
        text.extend_from_slice(&name);
        rules.extend_from_slice(b"\n");
        rules.extend_from_slice(&name);
        rules.extend_from_slice(b":\n");
    }
    text.push(b'\n');
    text.append(&mut rules);
    Ok(text)
}

/// A name in the syntax of both programs (<https://www.gnu.org/software/make/manual/html_node/Rule-Syntax.html>,
/// <https://ninja-build.org/manual.html#ref_headers>). Backslashes are literal, except before escaped characters.
fn escape(path: &Path) -> Option<Vec<u8>> {
    let mut escaped = Vec::new();
    let mut backslashes = 0;
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'\n' | b'\r' | b'\0' => return None,
            b' ' | b'\t' | b'#' | b':' => {
                escaped.extend(std::iter::repeat_n(b'\\', backslashes));
                escaped.push(b'\\');
            }
            b'$' => escaped.push(b'$'),
            _ => {}
        }
        backslashes = if byte == b'\\' { backslashes + 1 } else { 0 };
        escaped.push(byte);
    }
    // A name is followed by a space, a colon or a line end, which make would take as escaped.
    (backslashes == 0).then_some(escaped)
}

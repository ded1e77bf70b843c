//! What is selected of several inputs.

use std::path::{Path, PathBuf};

use ocify::{Input, Result, Selection};

use super::super::Failure;
use super::super::report::{Many, finish};

/// An input to inspect.
pub struct Part<'a> {
    pub path: &'a Path,
    /// The input with the part of the selection that it has. `None` if the input is opened when it is its turn.
    opened: Option<(Input, Selection)>,
}

impl Part<'_> {
    /// The open input, and what is selected of it.
    pub fn open(
        self,
        selection: &Selection,
        open: impl Fn(&Path) -> Result<Input>,
    ) -> Result<(Input, Selection)> {
        match self.opened {
            Some(opened) => Ok(opened),
            None => Ok((open(self.path)?, selection.clone())),
        }
    }
}

/// The inputs that have something of the selection. Only the inputs together tell whether all of it is there.
///
/// # Errors
/// No input has an image or a platform that is selected.
pub fn parts<'a>(
    inputs: &'a [PathBuf],
    selection: &Selection,
    many: &mut Many,
    open: impl Fn(&Path) -> Result<Input>,
) -> Result<Vec<Part<'a>>, Failure> {
    let selects_all = selection.images.is_empty() && selection.platforms.is_empty();
    if selects_all || inputs.len() == 1 {
        let unopened = |path: &'a PathBuf| Part { path, opened: None };
        return Ok(inputs.iter().map(unopened).collect());
    }
    let (mut paths, mut opened) = (Vec::new(), Vec::new());
    for path in inputs {
        if let Some(input) = many.take(path, open(path))? {
            paths.push(path);
            opened.push(input);
        }
    }
    if opened.is_empty() {
        return Ok(Vec::new());
    }
    let selections = match selection.in_each(&opened) {
        Ok(selections) => selections,
        Err(error) => {
            // The inputs that failed may be the cause.
            let _ = finish(&many.failed, inputs.len());
            return Err(error.into());
        }
    };
    let mut parts = Vec::new();
    for ((path, input), selection) in paths.into_iter().zip(opened).zip(selections) {
        if let Some(selection) = many.take(path, selection)?.flatten() {
            let opened = Some((input, selection));
            parts.push(Part { path, opened });
        }
    }
    Ok(parts)
}

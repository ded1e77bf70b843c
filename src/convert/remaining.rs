//! The inputs that are still to be converted, and the failures of the others.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::findings::Place;
use crate::formats::{Input, leave_out};
use crate::report::Failure;

/// Why an attempt to convert all inputs failed: errors with the number of the input that has the error, if it is that of an
/// input.
pub(super) struct Failed(Vec<(Option<usize>, Error)>);

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed(vec![(None, error)])
    }
}

impl Failed {
    /// Fails with one error for each of some inputs, if there are any.
    pub fn if_any(errors: impl IntoIterator<Item = (usize, Error)>) -> Result<(), Failed> {
        let errors = errors.into_iter();
        let errors: Vec<_> = errors.map(|(input, error)| (Some(input), error)).collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Failed(errors))
        }
    }

    /// Errors with the inputs in their places.
    pub fn in_their_places(inputs: &[Input], errors: impl IntoIterator<Item = Error>) -> Failed {
        let with_input = |error: Error| {
            let name = place(&error).and_then(|place| place.input.as_deref());
            let input = inputs.iter().position(|input| name == Some(&input.name));
            (input, error)
        };
        Failed(errors.into_iter().map(with_input).collect())
    }
}

fn place(error: &Error) -> Option<&Place> {
    match error {
        Error::At { place, .. } => Some(place),
        _ => None,
    }
}

/// The inputs without those that failed.
pub(super) struct Remaining {
    /// Whether an input that fails is left out. Otherwise the run fails.
    keep_going: bool,
    inputs: Vec<Input>,
    failures: Vec<Failure>,
}

impl Remaining {
    /// Opens all inputs.
    ///
    /// # Errors
    /// The first error, unless the run keeps going.
    pub fn open(
        paths: &[PathBuf],
        keep_going: bool,
        open: impl Fn(&PathBuf) -> Result<Input>,
    ) -> Result<Remaining> {
        let mut remaining = Remaining {
            keep_going,
            inputs: Vec::with_capacity(paths.len()),
            failures: Vec::new(),
        };
        for path in paths {
            match open(path) {
                Ok(input) => remaining.inputs.push(input),
                Err(error) if keep_going && !matches!(error.fact(), Error::Interrupted) => {
                    remaining.failures.push(Failure::of_input(path, &error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(remaining)
    }

    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Tries again with fewer inputs until none of them fails. Returns the result, or `None` if no input is left, and the
    /// failures.
    ///
    /// # Errors
    /// The first error, unless the run keeps going; [`Error::Interrupted`].
    pub fn attempt<T>(
        mut self,
        attempt: impl Fn(&[Input]) -> Result<T, Failed>,
    ) -> Result<(Option<T>, Vec<Failure>)> {
        while !self.inputs.is_empty() || self.failures.is_empty() {
            match attempt(&self.inputs) {
                Ok(done) => return Ok((Some(done), self.failures)),
                Err(failed) => self.leave_out(failed)?,
            }
        }
        Ok((None, self.failures))
    }

    /// Leaves out the inputs that failed, or only the failed images of a registry tree. An error that no input has ends the
    /// run, after the earlier failures, which may be its cause.
    fn leave_out(&mut self, Failed(errors): Failed) -> Result<()> {
        let mut of_inputs: BTreeMap<usize, Vec<Error>> = BTreeMap::new();
        for (input, error) in errors {
            let is_interrupt = matches!(error.fact(), Error::Interrupted);
            match input {
                Some(input) if self.keep_going && !is_interrupt => {
                    of_inputs.entry(input).or_default().push(error);
                }
                None if !self.failures.is_empty() && !is_interrupt => {
                    self.failures.push(Failure::new(None, &error));
                    self.inputs.clear();
                    return Ok(());
                }
                _ => return Err(error),
            }
        }
        for (number, mut input) in std::mem::take(&mut self.inputs).into_iter().enumerate() {
            let Some(errors) = of_inputs.get(&number) else {
                self.inputs.push(input);
                continue;
            };
            let mut failures = Vec::new();
            for error in errors {
                let place = place(error).cloned().unwrap_or_default();
                let labels = leave_out(&mut input, &place);
                let failure = |label| Failure::of_image(&input.name, label, error);
                failures.extend(labels.into_iter().map(failure));
            }
            match (errors.first(), failures.is_empty()) {
                (Some(error), true) => self.failures.push(Failure::new(Some(input.name), error)),
                _ if input.remaining().next().is_some() => self.inputs.push(input),
                _ => {}
            }
            self.failures.append(&mut failures);
        }
        Ok(())
    }
}

//! Refuses archives from a keyboard or to a screen.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use super::Failure;

/// Refuses to read an archive or a list of inputs from a terminal.
pub fn refuse_input<'a>(mut inputs: impl Iterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    if inputs.any(|input| input == Path::new("-")) && io::stdin().is_terminal() {
        let message = "the input `-` is a terminal, expected a pipe or a file";
        return Err(Failure::Usage(message.to_owned()));
    }
    Ok(())
}

/// Refuses to write a tar to a terminal.
pub fn refuse_output() -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        let message = "the output `-` is a terminal, expected a pipe or a file";
        return Err(Failure::Usage(message.to_owned()));
    }
    Ok(())
}

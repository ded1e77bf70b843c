//! Everything that prints: arguments, results as text and JSON, messages, progress.

mod args;
mod closing;
mod convert;
mod depfile;
mod dry_run;
mod escape;
mod generate;
mod inputs;
mod inspect;
mod json;
mod open_files;
mod progress;
mod prune;
mod report;
mod signals;
mod size;
mod terminal;
mod usage;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use ocify::{Error, Finding, Interrupt, TargetError};

use args::{Args, Command};
use escape::escape;

/// The exit status. Scripts rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Success.
    Done = 0,
    /// Bad input, a mismatch, or an error of the system.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Parses the arguments, runs the command, and returns the exit status.
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let help = !error.use_stderr();
            usage::print(error);
            return if help { Exit::Done } else { Exit::Usage }.into();
        }
    };
    open_files::raise_limit();
    let interrupt = Interrupt::new();
    let signals = signals::catch(&interrupt);
    let result = match &args.command {
        Some(Command::Convert(convert)) => convert::run(convert, &interrupt),
        Some(Command::Inspect(inspect)) => inspect::run(inspect, &interrupt),
        Some(Command::Verify(verify)) => verify::run(verify, &interrupt),
        Some(Command::Prune(prune)) => prune::run(prune, &interrupt),
        // Without a command and without arguments, clap has printed the help.
        None => args.generate.map_or(Ok(()), |document| {
            generate::run(document).map_err(Failure::Output)
        }),
    };
    match result {
        Ok(()) => Exit::Done.into(),
        Err(Failure::Reported) => Exit::Failed.into(),
        Err(Failure::Usage(message)) => {
            eprintln!("ocify: {}", escape(&message));
            eprintln!("hint: see `ocify --help`");
            Exit::Usage.into()
        }
        Err(Failure::Target(error)) => {
            eprintln!("ocify: {}", escape(&error.to_string()));
            eprintln!("hint: {}", escape(&error.hint));
            Exit::Usage.into()
        }
        Err(Failure::Failed(error)) if error.is_wrong_usage() => {
            print_error(&error);
            Exit::Usage.into()
        }
        Err(Failure::NoInputs) => {
            eprintln!("ocify: there are no inputs");
            eprintln!("hint: name archives or layouts, or folders that contain them");
            Exit::Failed.into()
        }
        Err(Failure::Other(message)) => {
            eprintln!("ocify: {}", escape(&message));
            Exit::Failed.into()
        }
        Err(Failure::Failed(error)) => {
            if matches!(error.fact(), Error::Interrupted) {
                signals.end();
            }
            print_error(&error);
            Exit::Failed.into()
        }
        // A reader that closes the pipe early, such as `head`, needs no explanation.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Exit::Failed.into()
        }
        Err(Failure::Output(source)) => {
            let path = "standard output".into();
            let action = "write to";
            let error = Error::Io {
                action,
                path,
                source,
            };
            eprintln!("ocify: {}", error.chain());
            Exit::Failed.into()
        }
    }
}

/// Why a command failed.
enum Failure {
    /// Options that clap cannot check.
    Usage(String),
    /// An invalid name for the output.
    Target(TargetError),
    /// An error of the library.
    Failed(Error),
    /// No input is named, listed or found.
    NoInputs,
    /// An error that is not the library's.
    Other(String),
    /// The printed result already shows the problem.
    Reported,
    /// Standard output cannot be written.
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Failed(error)
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Failure {
        Failure::Target(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// The whole chain in one line, and the hint if there is one.
fn print_error(error: &Error) {
    let line = format!("ocify: {}", error.chain());
    let mut stderr = io::stderr().lock();
    // A message that cannot be written cannot be reported either.
    let _ = writeln!(stderr, "{}", escape(&line));
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "hint: {hint}");
    }
}

fn warn(warnings: &[Finding], quiet: bool) {
    if !quiet {
        for warning in warnings {
            eprintln!("ocify: warning: {}", escape(&warning.as_warning()));
        }
    }
}

/// A number and a noun with its plural.
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

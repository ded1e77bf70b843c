//! `ocify verify`.

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::Value;

use ocify::{Interrupt, Severity, Verification, VerifyOptions};

use super::args::{Common, Verify};
use super::escape::escape;
use super::progress::Display;
use super::report::{Many, finish};
use super::{Failure, counted, json};

pub fn run(args: &Verify, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut options = VerifyOptions::default();
    options.threads = args.threads.map(usize::from);
    options.read.layer_bytes = args.limit.max_layer_size;
    let verify = |input: &PathBuf| {
        let display = Display::new(args.common.progress, args.common.quiet);
        ocify::verify(input, &options, &*display.tracker, interrupt)
    };
    let inputs = args.inputs.expand(&[], &[])?;
    let mut many = Many::new(&args.inputs);
    let mut with_errors = 0;
    for input in &inputs {
        let Some(verification) = many.take(input, verify(input))? else {
            continue;
        };
        if !verification.is_sound() {
            with_errors += 1;
        }
        if args.common.json {
            many.documents.push(value(&verification)?);
        } else {
            let name = (!many.is_one).then_some(&*verification.input);
            print(&verification, &args.common, name)?;
        }
    }
    if args.common.json {
        json::print(&many.json())?;
    } else if !args.common.quiet && !many.is_one {
        let count = counted(inputs.len() - many.failed.len(), "input");
        println(&format!("{count}: {with_errors} with errors"))?;
    }
    finish(&many.failed, inputs.len())?;
    if with_errors == 0 {
        Ok(())
    } else {
        Err(Failure::Reported)
    }
}

fn value(verification: &Verification) -> io::Result<Value> {
    serde_json::to_value(verification).map_err(io::Error::from)
}

fn println(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Prints the findings. `input` is the name of the input if there are several.
fn print(verification: &Verification, common: &Common, input: Option<&str>) -> io::Result<()> {
    let least = match (common.quiet, common.verbose) {
        (true, _) => Severity::Error,
        (_, true) => Severity::Note,
        _ => Severity::Warning,
    };
    let mut stdout = io::stdout().lock();
    for problem in &verification.problems {
        if problem.severity > least {
            continue;
        }
        let place = problem.place.to_string();
        let places = input.into_iter().chain(Some(&*place));
        let places = places.filter(|place| !place.is_empty());
        let place: String = places.flat_map(|place| [place, ": "]).collect();
        writeln!(
            stdout,
            "{}[{}]: {}{}",
            problem.severity,
            problem.code,
            escape(&place),
            escape(&problem.message)
        )?;
    }
    if !common.quiet {
        writeln!(stdout, "{}", summary(verification))?;
    }
    stdout.flush()
}

fn summary(verification: &Verification) -> String {
    let count = |severity, word: &str| counted(verification.count(severity), word);
    let format = verification
        .format
        .map_or_else(|| "unknown format".to_owned(), |format| format.to_string());
    format!(
        "{}: {format}, {}, {}: {}, {}, {}",
        escape(&verification.input),
        counted(verification.images, "image"),
        counted(verification.blobs, "blob"),
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Note, "note"),
    )
}

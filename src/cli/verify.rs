//! `ocify verify`.

use std::io::{self, IsTerminal, Write};

use ocify::{Interrupt, Progress, Severity, Silent, Verification, VerifyOptions};

use super::args::{Common, Verify};
use super::bars::Bars;
use super::escape::escape;
use super::{Failure, json, terminal};

pub fn run(args: &Verify, interrupt: &Interrupt) -> Result<(), Failure> {
    terminal::refuse_input(std::slice::from_ref(&args.input))?;
    let bars = (!args.common.quiet && io::stderr().is_terminal()).then(Bars::new);
    let progress: &dyn Progress = match &bars {
        Some(bars) => bars,
        None => &Silent,
    };
    let options = VerifyOptions {
        threads: args.threads.map(usize::from),
    };
    let result = ocify::verify(&args.input, &options, progress, interrupt);
    if let Some(bars) = &bars {
        bars.clear();
    }
    let verification = result?;
    if args.common.json {
        let value = serde_json::to_value(&verification).map_err(io::Error::from)?;
        json::print(&value)?;
    } else {
        print(&verification, &args.common)?;
    }
    if verification.is_sound() {
        Ok(())
    } else {
        Err(Failure::Reported)
    }
}

fn print(verification: &Verification, common: &Common) -> io::Result<()> {
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
        let place = if place.is_empty() {
            place
        } else {
            format!("{place}: ")
        };
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

fn counted(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}

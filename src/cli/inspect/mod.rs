//! `ocify inspect`.

mod age;
mod json;
mod list;
mod selected;
mod text;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write as _};
use std::path::Path;

use ocify::{Digest, Input, Inspection, Interrupt, ReadOptions, Selection};

use super::args::Inspect;
use super::escape::escape;
use super::progress::{Display, terminal_size};
use super::report::{Many, finish};
use super::{Failure, warn};
use selected::parts;
use text::text;

/// Maximum width of lines without a terminal.
const WIDTH: usize = 80;

/// Minimum width of lines.
const MIN_WIDTH: usize = 60;

pub fn run(args: &Inspect, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut options = ReadOptions::default();
    options.ignore_signatures = args.ignore_signatures;
    let open = |path: &Path| {
        let display = Display::new(args.common.progress, args.common.quiet);
        let progress = &*display.tracker;
        Input::open(path, &std::env::temp_dir(), &options, progress, interrupt)
    };
    let mut selection = Selection::default();
    selection.images.clone_from(&args.images.image);
    selection.platforms.clone_from(&args.images.platform);
    let inputs = args.inputs.expand(&[], &[])?;
    if args.display.raw || args.display.config {
        let [path] = &*inputs else {
            let message = "`--raw` and `--config` need exactly one input";
            return Err(Failure::Usage(message.to_owned()));
        };
        let input = open(path)?;
        return print(&if args.display.raw {
            ocify::raw_manifest(&input, &selection)?
        } else {
            ocify::raw_config(&input, &selection)?
        });
    }
    let mut many = Many::new(&args.inputs);
    if args.display.digests {
        let mut digests: BTreeSet<Digest> = BTreeSet::new();
        for part in parts(&inputs, &selection, &mut many, open)? {
            let path = part.path;
            let found = part.open(&selection, open);
            let found = found.and_then(|(input, selection)| ocify::digests(&input, &selection));
            digests.extend(many.take(path, found)?.into_iter().flatten());
        }
        print(lines(&digests).as_bytes())?;
        return finish(&many.failed, inputs.len());
    }
    let width = width();
    let mut is_first = true;
    let mut has_errors = false;
    for part in parts(&inputs, &selection, &mut many, open)? {
        let path = part.path;
        let opened = part.open(&selection, open);
        let inspection = opened.and_then(|(input, selection)| ocify::inspect(&input, &selection));
        let Some(inspection) = many.take(path, inspection)? else {
            continue;
        };
        warn(&inspection.warnings, args.common.quiet);
        if args.common.json && many.is_one {
            super::json::print(&json::Document(&inspection))?;
        } else if args.common.json {
            many.documents
                .push(serde_json::to_value(json::Document(&inspection)).map_err(io::Error::from)?);
        } else if args.display.list {
            let input = (!many.is_one).then_some(&*inspection.input);
            print(list::text(&inspection, input).as_bytes())?;
        } else {
            let separator = if is_first { "" } else { "\n" };
            print(format!("{separator}{}", text(&inspection, width)).as_bytes())?;
            is_first = false;
        }
        has_errors |= print_errors(&inspection);
    }
    if args.common.json && !many.is_one {
        super::json::print(&many.json())?;
    }
    finish(&many.failed, inputs.len())?;
    if has_errors {
        return Err(Failure::Reported);
    }
    Ok(())
}

/// Prints the errors, and returns whether there are any.
fn print_errors(inspection: &Inspection) -> bool {
    for error in &inspection.errors {
        eprintln!("ocify: {}", escape(&error.to_string()));
    }
    !inspection.errors.is_empty()
}

fn lines(digests: &BTreeSet<Digest>) -> String {
    let mut lines: Vec<String> = digests.iter().map(ToString::to_string).collect();
    // In the order of `sort` and `comm`.
    lines.sort_unstable();
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn width() -> usize {
    if !io::stdout().is_terminal() {
        return WIDTH;
    }
    let size = terminal_size(io::stdout());
    size.map_or(WIDTH, |size| size.columns.max(MIN_WIDTH))
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

//! The results as Markdown.

use crate::encoders::Library;
use crate::frontier::{geometric_mean, speed_at};
use crate::{Kind, Run};
use std::fmt::Write;

pub fn markdown(kinds: &[Kind], runs: &[Run], rounds: usize) -> String {
    let mut text = format!(
        "MB/s on a core (best of {rounds}, in brackets the median) and the output's size in % of the input's:\n\n"
    );
    header(&mut text, "encoder", kinds, "geometric mean");
    for run in runs {
        let _ = write!(text, "| {} {} |", run.library.name(), run.level);
        for (kind, measured) in kinds.iter().zip(&run.results) {
            let length = kind.input.len();
            let percent = 100.0 * measured.size as f64 / length as f64;
            let _ = write!(
                text,
                " {:.0} ({:.0}) {percent:.2} |",
                measured.best(length),
                measured.median(length)
            );
        }
        let pairs = || kinds.iter().zip(&run.results);
        let speed = geometric_mean(pairs().map(|(kind, measured)| measured.best(kind.input.len())));
        let percent =
            geometric_mean(pairs().map(|(kind, measured)| 100.0 * measured.size as f64 / kind.input.len() as f64));
        let _ = writeln!(text, " {speed:.0}, {percent:.2} |");
    }
    text.push_str("\nTimes as fast as zlib-rs at equal size:\n\n");
    header(&mut text, "level", kinds, "geometric mean");
    for run in runs.iter().filter(|run| run.library == Library::DeflateChunks) {
        let ratios: Vec<f64> = (0..kinds.len()).map(|index| ratio(kinds, runs, run, index)).collect();
        let cells: String = ratios.iter().map(|ratio| format!(" {ratio:.2} |")).collect();
        let _ = writeln!(
            text,
            "| {} |{cells} {:.2} |",
            run.level,
            geometric_mean(ratios.iter().copied())
        );
    }
    text.push_str("\nSpeed and size against zlib-rs at the same number (times as fast, size in %):\n\n");
    header(&mut text, "level", kinds, "geometric mean");
    for run in runs.iter().filter(|run| run.library == Library::DeflateChunks) {
        let Some(other) = runs
            .iter()
            .find(|other| other.library == Library::ZlibRs && other.level == run.level)
        else {
            continue;
        };
        let pairs = || run.results.iter().zip(&other.results);
        let _ = write!(text, "| {} |", run.level);
        for (ours, theirs) in pairs() {
            let _ = write!(
                text,
                " {:.2} {:+.2} |",
                ours.best(1) / theirs.best(1),
                change(ours.size, theirs.size)
            );
        }
        let speed = geometric_mean(pairs().map(|(ours, theirs)| ours.best(1) / theirs.best(1)));
        let size = geometric_mean(pairs().map(|(ours, theirs)| ours.size as f64 / theirs.size as f64));
        let _ = writeln!(text, " {speed:.2} {:+.2} |", 100.0 * (size - 1.0));
    }
    text
}

fn header(text: &mut String, first: &str, kinds: &[Kind], last: &str) {
    let names: String = kinds.iter().map(|kind| format!(" {} |", kind.name)).collect();
    let _ = writeln!(text, "| {first} |{names} {last} |");
    let _ = writeln!(text, "|---|{}", "---|".repeat(kinds.len() + 1));
}

fn change(ours: usize, theirs: usize) -> f64 {
    100.0 * (ours as f64 / theirs as f64 - 1.0)
}

/// The speed by that of zlib-rs at the same size.
fn ratio(kinds: &[Kind], runs: &[Run], run: &Run, index: usize) -> f64 {
    let length = kinds[index].input.len();
    let points: Vec<(usize, f64)> = runs
        .iter()
        .filter(|run| run.library == Library::ZlibRs)
        .map(|run| (run.results[index].size, run.results[index].best(length)))
        .collect();
    run.results[index].best(length) / speed_at(&points, run.results[index].size)
}

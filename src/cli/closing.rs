//! The last line of a conversion: a summary.

use std::io::{self, Write};
use std::time::Duration;

use ocify::Report;

use super::counted;
use super::progress::{bytes, duration};

/// Prints the line, if anything was converted.
pub fn print(report: &Report, time: Duration) {
    if !report.entries.is_empty() {
        // If standard error is closed, the line is lost.
        let _ = writeln!(io::stderr(), "ocify: {}", line(report, time));
    }
}

fn line(report: &Report, time: Duration) -> String {
    let layers = &report.layers;
    let count = layers.encoded + layers.kept + layers.cached + layers.left_out;
    let mut done = vec![
        format!("{} encoded", layers.encoded),
        format!("{} kept", layers.kept),
    ];
    if report.cache.is_some() {
        done.push(format!("{} from the cache", layers.cached));
    }
    if layers.left_out > 0 {
        done.push(format!("{} left out", layers.left_out));
    }
    let volumes = match report.volumes.len() {
        0 => String::new(),
        count => format!(" in {}", counted(count, "volume")),
    };
    format!(
        "converted {}, {} ({}), {} to {}{volumes}, in {}",
        counted(report.image_count(), "image"),
        counted(count, "layer"),
        done.join(", "),
        bytes(layers.bytes_before),
        bytes(layers.bytes_after),
        // Most conversions take only seconds, so the fraction matters.
        match time.as_secs() {
            0..10 => format!("{:.1} s", time.as_secs_f64()),
            _ => duration(time),
        }
    )
}

//! `ocify convert --dry-run`.

use std::io::{self, Write};
use std::path::PathBuf;

use indicatif::HumanBytes;
use ocify::{Codec, DryEntry, DryLayer, DryRun, Interrupt, Options, Target};

use super::args::Convert;
use super::escape::escape;
use super::report::finish;
use super::{Failure, counted, json, warn};

pub fn run(
    args: &Convert,
    inputs: &[PathBuf],
    target: &Target,
    options: &Options,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    // A shard may have no inputs.
    let run = if inputs.is_empty() {
        DryRun::default()
    } else {
        ocify::dry_run(inputs, target, options, interrupt)?
    };
    warn(&run.warnings, args.common.quiet);
    if args.common.json {
        json::print(&json::dry_run(&run))?;
    } else if !args.common.quiet {
        print(&run, args.common.verbose)?;
    }
    finish(&run.failed, inputs.len())
}

/// One line for each image with a summary of its layers, or with all layers.
fn print(run: &DryRun, verbose: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for entry in &run.entries {
        let place = format!("{}: {}", entry.input, names(entry));
        if entry.images.is_empty() {
            writeln!(stdout, "{}: copied", escape(&place))?;
        }
        for image in &entry.images {
            let platform = image.platform.as_ref().map(ToString::to_string);
            let platform = platform.map(|platform| format!(" {platform}"));
            let place = format!("{place}{}", platform.unwrap_or_default());
            writeln!(stdout, "{}: {}", escape(&place), in_brief(&image.layers))?;
            for layer in image.layers.iter().filter(|_| verbose) {
                writeln!(stdout, "  {}", line(layer))?;
            }
        }
    }
    stdout.flush()
}

fn names(entry: &DryEntry) -> String {
    if entry.names.is_empty() {
        return "(no name)".to_owned();
    }
    entry.names.join(", ")
}

fn in_brief(layers: &[DryLayer]) -> String {
    let left_out = layers.iter().filter(|layer| layer.left_out).count();
    let written: Vec<&DryLayer> = layers.iter().filter(|layer| !layer.left_out).collect();
    let encoded: Vec<Codec> = written.iter().filter_map(|layer| layer.encoded).collect();
    let kept = written.len() - encoded.len();
    let bytes = HumanBytes(layers.iter().map(|layer| layer.size).sum());
    let mut done = vec![format!("{kept} kept")];
    done.push(match encoded.first() {
        Some(codec) => format!("{} encoded with {codec}", encoded.len()),
        None => "none encoded".to_owned(),
    });
    if left_out > 0 {
        done.push(format!("{left_out} left out"));
    }
    let count = counted(layers.len(), "layer");
    format!("{count}, {bytes}: {}", done.join(", "))
}

fn line(layer: &DryLayer) -> String {
    let id = layer.digest.or(layer.diff_id.map(|diff_id| diff_id.0));
    let id = id.map_or_else(|| "(digest not known)".to_owned(), |id| id.to_string());
    let size = layer.size;
    match layer.encoded {
        _ if layer.left_out => format!("{id} {size} bytes, {} left out", layer.codec),
        Some(codec) => format!("{id} {size} bytes, {} encoded with {codec}", layer.codec),
        None => format!("{id} {size} bytes, {} kept", layer.codec),
    }
}

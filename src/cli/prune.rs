//! `ocify prune`.

use std::io::{self, Write};

use indicatif::HumanBytes;
use ocify::{Interrupt, PruneOptions, Pruned};
use serde_json::{Value, json};

use super::args::Prune;
use super::escape::escape;
use super::{Failure, counted, json, print_error};

/// Prunes each layout. An error does not stop the others.
pub fn run(args: &Prune, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut options = PruneOptions::default();
    options.dry_run = args.dry_run;
    let mut documents = Vec::new();
    let mut failed = false;
    for layout in &args.layouts {
        let name = layout.display().to_string();
        match ocify::prune(layout, options, interrupt) {
            Ok(pruned) if args.common.json => documents.push(document(&name, pruned)),
            Ok(pruned) if !args.common.quiet => print(&name, pruned, args.dry_run)?,
            Ok(_) => {}
            Err(error) if matches!(error.fact(), ocify::Error::Interrupted) => {
                return Err(error.into());
            }
            Err(error) => {
                failed = true;
                print_error(&error);
            }
        }
    }
    if args.common.json {
        json::print(&json!({ "layouts": documents, "dryRun": args.dry_run }))?;
    }
    if failed {
        return Err(Failure::Reported);
    }
    Ok(())
}

fn print(layout: &str, pruned: Pruned, dry_run: bool) -> io::Result<()> {
    let done = if dry_run { "would be freed" } else { "freed" };
    let layout = escape(layout);
    writeln!(io::stdout(), "{layout}: {}, {done}", amount(pruned))
}

/// The number and size of blobs.
pub fn amount(pruned: Pruned) -> String {
    let blobs = counted(pruned.blobs, "blob");
    format!("{blobs}, {}", HumanBytes(pruned.size))
}

fn document(layout: &str, pruned: Pruned) -> Value {
    json!({ "layout": layout, "blobs": pruned.blobs, "size": pruned.size })
}

//! `ocify convert`.

use std::io::{self, Write};
use std::path::Path;

use ocify::{CacheOptions, Existing, Interrupt, Options, Report, Selection, Target};

use super::args::{self, Convert};
use super::escape::escape;
use super::progress::{Display, Show};
use super::prune::amount;
use super::report::{Records, finish};
use super::{Failure, closing, dry_run, json, terminal, warn};

pub fn run(args: &Convert, interrupt: &Interrupt) -> Result<(), Failure> {
    let target = Target::parse(args.output.to, &args.output.path)?;
    if target.path().is_none() && args.common.json {
        let message = "`--json` and the tar cannot both go to standard output";
        return Err(Failure::Usage(message.to_owned()));
    }
    if target.path().is_none() && args.output.existing.add {
        let message = "`--add` needs an output that is a file or folder";
        return Err(Failure::Usage(message.to_owned()));
    }
    if target.path().is_none() {
        terminal::refuse_output()?;
    }
    let cache = args.layers.cache.as_deref().map(Path::new);
    let skipped: Vec<&Path> = [&*args.output.path].into_iter().chain(cache).collect();
    let others = [&*args.gap.have, &*args.gap.fill_from].concat();
    let inputs = args.inputs.expand(&skipped, &others)?;
    let options = options(args);
    if args.record.dry_run {
        return dry_run::run(args, &inputs, &target, &options, interrupt);
    }
    let fsync = !args.output.no_fsync;
    if inputs.is_empty() {
        return nothing(args, &target, fsync, interrupt);
    }
    let read = [&*inputs, &others].concat();
    let list = args.inputs.list();
    let records = Records::stage(&args.record, &target, &read, list, fsync, interrupt)?;
    let display = Display::new(args.common.progress, args.common.quiet);
    let result = ocify::convert(&inputs, &target, &options, &*display.tracker, interrupt);
    let time = display.tracker.elapsed();
    drop(display);
    let report = result?;
    records.publish(&report, list)?;
    warn(&report.warnings, args.common.quiet);
    if args.common.verbose {
        print_moved(&report);
        print_layers(&report);
    }
    if args.common.json {
        json::print(&json::report(&report))?;
    } else if target.path().is_some() && !args.common.quiet {
        print_images(&report)?;
    }
    if !args.common.quiet && args.common.progress != Show::None {
        closing::print(&report, time);
    }
    finish(&report.failed, inputs.len())
}

/// A shard without inputs. Its documents say so, and do not stay those of an earlier run.
fn nothing(
    args: &Convert,
    target: &Target,
    fsync: bool,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let report = Report::default();
    let list = args.inputs.list();
    Records::stage(&args.record, target, &[], list, fsync, interrupt)?.publish(&report, list)?;
    if let Some(map) = &args.record.digest_map {
        map.write(&report.entries, fsync, interrupt)?;
    }
    if args.common.json {
        json::print(&json::report(&report))?;
    }
    Ok(())
}

fn options(args: &Convert) -> Options {
    let mut options = Options::default();
    options.format = args.output.format;
    options.compression = args.layers.compression;
    options.selection = selection(args);
    options.check = args.layers.check;
    options.threads = args.layers.threads.map(usize::from);
    options.read.ignore_signatures = args.select.ignore_signatures;
    options.read.layer_bytes = args.layers.limit.max_layer_size;
    options.output.fsync = !args.output.no_fsync;
    options.output.docker_manifest = !args.output.no_docker_manifest;
    options.output.existing = match args.output.existing {
        args::Existing { add: true, .. } => Existing::Add,
        args::Existing { replace: true, .. } => Existing::Replace,
        args::Existing { .. } => Existing::ByKind,
    };
    options.output.volume_size = args.gap.volume_size;
    options.prune = args.output.existing.prune;
    options.digest_map.clone_from(&args.record.digest_map);
    options.keep_going = args.inputs.keep_going;
    options.keep_digests = args.select.keep_digests;
    options.have.clone_from(&args.gap.have);
    options.fill_from.clone_from(&args.gap.fill_from);
    let folder = args
        .layers
        .cache
        .as_ref()
        .filter(|folder| !folder.is_empty());
    options.cache = folder.map(|folder| CacheOptions {
        folder: folder.into(),
        size: args.layers.cache_size,
    });
    options
}

fn selection(args: &Convert) -> Selection {
    let mut selection = Selection::default();
    selection.images.clone_from(&args.select.images.image);
    selection.platforms.clone_from(&args.select.images.platform);
    selection.name.clone_from(&args.select.name);
    selection.index.clone_from(&args.select.index);
    selection.renames.clone_from(&args.select.rename);
    selection.missing = args.select.missing;
    selection
}

/// One line for each name, and one for an image without a name.
fn print_images(report: &Report) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for entry in &report.entries {
        if entry.names.is_empty() {
            writeln!(stdout, "{}", entry.digest)?;
        }
        for name in &entry.names {
            writeln!(stdout, "{} {}", entry.digest, escape(name))?;
        }
    }
    stdout.flush()
}

fn print_moved(report: &Report) {
    for name in &report.moved {
        let line = format!("{} moved from {} to {}", name.name, name.from, name.to);
        eprintln!("{}", escape(&line));
    }
    if let Some(pruned) = report.pruned {
        eprintln!("{} freed", amount(pruned));
    }
}

fn print_layers(report: &Report) {
    for entry in &report.entries {
        for image in &entry.images {
            let platform = image.platform.as_ref().map(ToString::to_string);
            let name = entry.names.first().map_or("(no name)", String::as_str);
            eprintln!(
                "{} {} image ID {}",
                escape(name),
                escape(&platform.unwrap_or_default()),
                image.image_id
            );
            for layer in &image.layers {
                let codec = layer.codec.map_or("other", ocify::Codec::name);
                match (layer.digest, layer.diff_id) {
                    (Some(digest), Some(diff_id)) => {
                        eprintln!("  {digest} {codec} {} bytes, diff_id {diff_id}", layer.size);
                    }
                    (Some(digest), None) => {
                        eprintln!("  {digest} {codec} {} bytes", layer.size);
                    }
                    (None, _) => eprintln!("  a foreign layer that is not in the input"),
                }
            }
        }
    }
    if let Some(cache) = report.cache {
        eprintln!(
            "{} of {} encoded layers from the cache",
            cache.hits, cache.layers
        );
    }
}

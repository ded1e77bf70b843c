//! `ocify inspect`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use indicatif::HumanBytes;
use ocify::Descriptor;
use ocify::{
    Input, InspectedArtifact, InspectedEntry, InspectedImage, InspectedIndex, InspectedLayer,
    InspectedNode, Inspection, Interrupt, ReadOptions,
};

use super::args::Inspect;
use super::escape::escape;
use super::progress::Display;
use super::report::{Many, finish};
use super::{Failure, inspect_json, json, warn};

pub fn run(args: &Inspect, interrupt: &Interrupt) -> Result<(), Failure> {
    let options = ReadOptions {
        ignore_signatures: args.ignore_signatures,
        ..ReadOptions::default()
    };
    let open = |path: &PathBuf| {
        let display = Display::new(args.common.progress, args.common.quiet);
        let progress = &*display.tracker;
        Input::open(path, &std::env::temp_dir(), &options, progress, interrupt)
    };
    let inputs = args.inputs.expand(None)?;
    if args.raw || args.config {
        let [path] = &*inputs else {
            let message = "`--raw` and `--config` need exactly one input";
            return Err(Failure::Usage(message.to_owned()));
        };
        let input = open(path)?;
        return print(&if args.raw {
            ocify::raw_manifest(&input, &args.image)?
        } else {
            ocify::raw_config(&input, &args.image)?
        });
    }
    let inspect = |path: &PathBuf| ocify::inspect(&open(path)?, &args.image);
    if args.inputs.is_one() {
        let inspection = inspect(&inputs[0])?;
        warn(&inspection.warnings, args.common.quiet);
        if args.common.json {
            json::print(&inspect_json::inspection(&inspection))?;
        } else {
            print(text(&inspection).as_bytes())?;
        }
        return end(print_errors(&inspection));
    }
    let mut many = Many::new(&args.inputs);
    let mut is_first = true;
    let mut has_errors = false;
    for path in &inputs {
        let Some(inspection) = many.take(path, inspect(path))? else {
            continue;
        };
        warn(&inspection.warnings, args.common.quiet);
        if args.common.json {
            many.documents.push(inspect_json::inspection(&inspection));
        } else {
            let separator = if is_first { "" } else { "\n" };
            print(format!("{separator}{}", text(&inspection)).as_bytes())?;
            is_first = false;
        }
        has_errors |= print_errors(&inspection);
    }
    if args.common.json {
        json::print(&many.json())?;
    }
    finish(&many.failed, inputs.len())?;
    end(has_errors)
}

/// Prints the errors, and tells whether there are any.
fn print_errors(inspection: &Inspection) -> bool {
    for error in &inspection.errors {
        eprintln!("ocify: {}", escape(&error.to_string()));
    }
    !inspection.errors.is_empty()
}

fn end(has_errors: bool) -> Result<(), Failure> {
    if has_errors {
        Err(Failure::Reported)
    } else {
        Ok(())
    }
}

fn text(inspection: &Inspection) -> String {
    let mut text = Text::default();
    text.inspection(inspection);
    text.lines
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

/// How wide a line may be. Only digests in indexes of indexes and names are ever wider.
const WIDTH: usize = 80;

/// How far what belongs to something is set in.
const STEP: usize = 2;

/// The text in the making.
#[derive(Default)]
struct Text {
    lines: String,
}

impl Text {
    /// A line, escaped.
    fn line(&mut self, indent: usize, text: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.lines, "{:indent$}{}", "", escape(text));
    }

    fn field(&mut self, indent: usize, label: &str, value: &str) {
        self.line(indent, &format!("{label:<9} {value}"));
    }

    fn inspection(&mut self, inspection: &Inspection) {
        let count = match inspection
            .entries
            .iter()
            .map(|entry| images(&entry.node))
            .sum()
        {
            0 => "no images".to_owned(),
            1 => "1 image".to_owned(),
            count => format!("{count} images"),
        };
        let Inspection { input, format, .. } = inspection;
        self.line(
            0,
            &format!(
                "{input}: {}, {count}",
                format.map_or_else(|| "unknown format".to_owned(), |format| format.to_string())
            ),
        );
        for entry in &inspection.entries {
            self.lines.push('\n');
            self.entry(entry);
        }
        if !inspection.signatures.is_empty() {
            self.lines.push('\n');
            self.line(0, "detached signatures:");
            for name in &inspection.signatures {
                self.line(STEP, name);
            }
        }
    }

    fn entry(&mut self, entry: &InspectedEntry) {
        let number = format!("@{}", entry.position);
        let first = entry.names.first().map_or("(no name)", String::as_str);
        self.line(0, &format!("{number:<3} {first}"));
        for name in entry.names.iter().skip(1) {
            self.line(2 * STEP, name);
        }
        self.node(2 * STEP, &entry.node);
    }

    fn node(&mut self, indent: usize, node: &InspectedNode) {
        match node {
            InspectedNode::Image(image) => self.image(indent, image),
            InspectedNode::Index(index) => self.index(indent, index),
            InspectedNode::Artifact(artifact) => self.artifact(indent, artifact),
            InspectedNode::Blob(descriptor) => self.descriptor(indent, "blob", descriptor),
            InspectedNode::Absent {
                descriptor,
                missing,
            } => {
                self.descriptor(indent, "type", descriptor);
                let what = if missing.contains(&descriptor.digest.hex()) {
                    "not in the input".to_owned()
                } else {
                    format!("{} is missing", cut(missing, 40))
                };
                self.field(indent, "absent", &what);
            }
        }
    }

    fn descriptor(&mut self, indent: usize, label: &str, descriptor: &Descriptor) {
        self.line(indent, &descriptor.digest.to_string());
        self.field(indent, label, &descriptor.media_type);
    }

    fn image(&mut self, indent: usize, image: &InspectedImage) {
        match &image.manifest {
            Some(descriptor) => self.descriptor(indent, "manifest", descriptor),
            None => self.field(indent, "manifest", "none"),
        }
        if let Some(platform) = &image.platform {
            self.field(indent, "platform", &platform.to_string());
        }
        if let Some(created) = &image.created {
            self.field(indent, "created", created);
        }
        match &image.image_id {
            Some(id) => self.field(indent, "image ID", &id.short()),
            None => self.field(indent, "image ID", "none until it is converted"),
        }
        if let Some(subject) = &image.subject {
            self.field(indent, "about", &subject.short());
        }
        self.layers(indent, &image.layers);
    }

    fn index(&mut self, indent: usize, index: &InspectedIndex) {
        self.descriptor(indent, "index", &index.manifest);
        for (descriptor, child) in &index.children {
            self.line(indent, &format!("- {}", heading(descriptor, child)));
            self.node(indent + STEP, child);
        }
    }

    fn artifact(&mut self, indent: usize, artifact: &InspectedArtifact) {
        self.descriptor(indent, "manifest", &artifact.manifest);
        let kind = if artifact.is_signature {
            "signature"
        } else {
            "artifact"
        };
        self.field(indent, kind, &artifact.artifact_type);
        if let Some(digest) = &artifact.attests {
            self.field(indent, "attests", &short(digest));
        }
        if let Some(subject) = &artifact.subject {
            self.field(indent, "about", &subject.short());
        }
        self.layers(indent, &artifact.layers);
    }

    fn layers(&mut self, indent: usize, layers: &[InspectedLayer]) {
        let size = layers.iter().map(|layer| layer.size).sum();
        let total = format!("{}, {}", layers.len(), HumanBytes(size));
        self.field(indent, "layers", &total);
        if layers.is_empty() {
            return;
        }
        let indent = indent + STEP;
        let has_digest = layers.iter().any(|layer| layer.digest.is_some());
        let has_diff_id = layers.iter().any(|layer| layer.diff_id.is_some());
        let mut heading = format!("{:>2}  {:>10}  {:<6}", "#", "size", "codec");
        for (_, column) in [(has_digest, "digest"), (has_diff_id, "diff_id")]
            .into_iter()
            .filter(|(shown, _)| *shown)
        {
            let _ = write!(heading, "  {column:<12}");
        }
        self.line(indent, heading.trim_end());
        for (number, layer) in layers.iter().enumerate() {
            let codec = match layer.codec {
                Some(codec) => codec.name(),
                None if layer.present => "",
                None => "absent",
            };
            let size = HumanBytes(layer.size).to_string();
            let mut row = format!("{:>2}  {size:>10}  {codec:<6}", number + 1);
            let ids = [
                (has_digest, layer.digest),
                (has_diff_id, layer.diff_id.map(|diff_id| diff_id.0)),
            ];
            for (_, id) in ids.into_iter().filter(|(shown, _)| *shown) {
                let id = id.map(|id| id.short()).unwrap_or_default();
                let _ = write!(row, "  {id:<12}");
            }
            let what = match (&layer.created_by, layer.codec) {
                (Some(command), _) => command_alone(command),
                // What is no file system is told by its media type.
                (None, None) => layer.media_type.as_deref().unwrap_or_default(),
                (None, Some(_)) => "",
            };
            // Escaped first, since escapes are longer than what they stand for.
            let row = format!("{row}  {}", escape(what));
            self.line(indent, cut(row.trim_end(), WIDTH - indent).as_str());
        }
    }
}

/// How many images there are in it.
fn images(node: &InspectedNode) -> usize {
    match node {
        InspectedNode::Image(_) => 1,
        InspectedNode::Index(index) => {
            let children = index.children.iter();
            children.map(|(_, child)| images(child)).sum()
        }
        InspectedNode::Artifact(_) | InspectedNode::Blob(_) | InspectedNode::Absent { .. } => 0,
    }
}

/// What an index says of one of its descriptors.
fn heading(descriptor: &Descriptor, child: &InspectedNode) -> String {
    match (child, &descriptor.platform) {
        (InspectedNode::Artifact(artifact), _) if artifact.attests.is_some() => {
            "attestation".to_owned()
        }
        (InspectedNode::Artifact(_), _) => "artifact".to_owned(),
        (_, Some(platform)) => platform.to_string(),
        (InspectedNode::Index(_), None) => "index".to_owned(),
        (_, None) => "no platform".to_owned(),
    }
}

/// The digest as far as it tells it from others; what is no digest stays.
fn short(digest: &str) -> String {
    match digest.parse::<ocify::Digest>() {
        Ok(digest) => digest.short(),
        Err(_) => digest.to_owned(),
    }
}

/// A command of a history without what Docker's builder puts before every one.
fn command_alone(command: &str) -> &str {
    let command = command.strip_prefix("/bin/sh -c ").unwrap_or(command);
    command
        .strip_prefix("#(nop) ")
        .unwrap_or(command)
        .trim_start()
}

/// At most `width` characters; what is cut off is marked.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

//! The contents of an input as text.

use std::fmt::Write as _;

use indicatif::HumanBytes;
use ocify::Descriptor;
use ocify::{
    InspectedArtifact, InspectedEntry, InspectedImage, InspectedIndex, InspectedLayer,
    InspectedNode, Inspection, RuntimeConfig,
};

use super::age::age;
use crate::cli::escape::escape;

/// The text in lines of `width` columns. Only names and digests in nested indexes can be wider.
pub fn text(inspection: &Inspection, width: usize) -> String {
    let mut text = Text {
        lines: String::new(),
        width,
    };
    text.inspection(inspection);
    text.lines
}

/// Indentation of subordinate lines.
const STEP: usize = 2;

/// The text so far.
struct Text {
    lines: String,
    width: usize,
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
        let count = match inspection.images {
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
            let age = age(created).map(|age| format!(", {age}"));
            self.field(
                indent,
                "created",
                &format!("{created}{}", age.unwrap_or_default()),
            );
        }
        match &image.image_id {
            Some(id) => self.field(indent, "image ID", &id.short()),
            None => self.field(indent, "image ID", "none until it is converted"),
        }
        if let Some(subject) = &image.subject {
            self.field(indent, "about", &subject.short());
        }
        self.runtime(indent, &image.runtime);
        let size = match (image.own_size, image.shared_size) {
            (own, 0) => HumanBytes(own).to_string(),
            (0, shared) => format!("{}, all shared with other images here", HumanBytes(shared)),
            (own, shared) => format!(
                "{}, of which {} shared with other images here",
                HumanBytes(own + shared),
                HumanBytes(shared)
            ),
        };
        self.field(indent, "size", &size);
        self.layers(indent, &image.layers);
    }

    fn runtime(&mut self, indent: usize, runtime: &RuntimeConfig) {
        let words = |words: &[String]| serde_json::to_string(words).unwrap_or_default();
        let labels = runtime.labels.iter();
        let labels: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let fields = [
            (
                "entry",
                words(&runtime.entrypoint),
                runtime.entrypoint.is_empty(),
            ),
            ("cmd", words(&runtime.cmd), runtime.cmd.is_empty()),
            ("user", runtime.user.clone(), runtime.user.is_empty()),
            (
                "workdir",
                runtime.working_dir.clone(),
                runtime.working_dir.is_empty(),
            ),
            (
                "ports",
                runtime.exposed_ports.join(" "),
                runtime.exposed_ports.is_empty(),
            ),
            (
                "volumes",
                runtime.volumes.join(" "),
                runtime.volumes.is_empty(),
            ),
        ];
        for (label, value, _) in fields.iter().filter(|(_, _, is_empty)| !is_empty) {
            self.cut_field(indent, label, value);
        }
        for (label, values) in [("env", &runtime.env), ("labels", &labels)] {
            for (number, value) in values.iter().take(MAX_VALUES).enumerate() {
                self.cut_field(indent, if number == 0 { label } else { "" }, value);
            }
            if values.len() > MAX_VALUES {
                let more = format!("and {} more", values.len() - MAX_VALUES);
                self.cut_field(indent, "", &more);
            }
        }
    }

    /// A field that is truncated if it does not fit.
    fn cut_field(&mut self, indent: usize, label: &str, value: &str) {
        // Escaped first, because escapes are longer than the characters they replace.
        let line = format!("{label:<9} {}", escape(value));
        let line = cut(line.trim_end(), self.width - indent);
        self.line(indent, &line);
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
                (Some(command), _) => in_brief(command_alone(command)),
                // Other layers are identified by their media type.
                (None, None) => layer.media_type.clone().unwrap_or_default(),
                (None, Some(_)) => String::new(),
            };
            let room = self.width.saturating_sub(indent + row.chars().count() + 2);
            // Escaped first, because escapes are longer than the characters they replace.
            let what = cut_middle(&escape(&what), room);
            self.line(indent, format!("{row}  {what}").trim_end());
        }
    }
}

/// The fields of a descriptor in an index.
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

/// A shortened digest. Other text is unchanged.
fn short(digest: &str) -> String {
    match digest.parse::<ocify::Digest>() {
        Ok(digest) => digest.short(),
        Err(_) => digest.to_owned(),
    }
}

/// A command of a history without the prefix that Docker's builder adds.
fn command_alone(command: &str) -> &str {
    let command = command.strip_prefix("/bin/sh -c ").unwrap_or(command);
    command
        .strip_prefix("#(nop) ")
        .unwrap_or(command)
        .trim_start()
}

/// At most `width` characters. A truncation is marked.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// The displayed values of a list.
const MAX_VALUES: usize = 12;

/// A command with shortened digests: `COPY dir:765e90098d62… in /app` is more readable than 64 digits.
fn in_brief(command: &str) -> String {
    let mut brief = String::with_capacity(command.len());
    let mut rest = command;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(start);
        let length = from
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(from.len());
        let (digits, after) = from.split_at(length);
        brief.push_str(before);
        match digits.len() {
            64 => brief.extend([&digits[..12], "…"]),
            _ => brief.push_str(digits),
        }
        rest = after;
    }
    brief.push_str(rest);
    brief
}

/// At most `width` characters. The end is kept, which is the target of a copy, or the last of many commands.
fn cut_middle(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let end = kept / 3;
    let head = text.chars().take(kept - end);
    let tail = text.chars().skip(length - end);
    head.chain(['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_command_is_kept() {
        let digits = "765e90098d62343007788130f5".repeat(3);
        let command = format!("COPY dir:{} in /srv/app", &digits[..64]);
        assert_eq!(in_brief(&command), "COPY dir:765e90098d62… in /srv/app");
        assert_eq!(in_brief("ADD face.tar /"), "ADD face.tar /");
        assert_eq!(in_brief(""), "");
        assert_eq!(
            cut_middle("apt-get install -y curl && rm -rf /var", 20),
            "apt-get insta…f /var"
        );
        assert_eq!(cut_middle("short", 20), "short");
        assert_eq!(cut_middle("short", 0), "…");
    }
}

//! Results as JSON. Field names are those of the image specification, if it has one.

use std::io::{self, BufWriter, Write};

use ocify::{
    AbsentBlob, DryEntry, DryLayer, DryRun, EntryReport, Failure, ImageReport, LayerReport,
    MovedName, Report,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::escape::is_harmful;

/// Prints one document.
pub fn print(document: &impl Serialize) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    write(&mut stdout, document)?;
    stdout.flush()
}

/// Writes an indented document with a line end.
pub fn write(mut out: impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(Escaping(&mut out), document)?;
    out.write_all(b"\n")
}

/// `serde_json` escapes only what JSON requires. Other characters that could harm a terminal occur only in strings, where an
/// escape has the same meaning.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    /// Writes text, as `serde_json` does.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes);
        let mut rest = text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let needs_escape =
            |&(_, character): &(usize, char)| character != '\n' && is_harmful(character);
        while let Some((at, character)) = rest.char_indices().find(needs_escape) {
            self.0.write_all(&rest.as_bytes()[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(self.0, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        self.0.write_all(rest.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The result of a conversion.
pub fn report(report: &Report) -> Value {
    json!({
        "images": report.entries.iter().map(entry).collect::<Vec<_>>(),
        "layers": {
            "encoded": report.layers.encoded,
            "kept": report.layers.kept,
            "cached": report.layers.cached,
            "leftOut": report.layers.left_out,
            "sizeBefore": report.layers.bytes_before,
            "sizeAfter": report.layers.bytes_after,
        },
        "warnings": report.warnings,
        "moved": report.moved.iter().map(moved).collect::<Vec<_>>(),
        "absent": report.absent.iter().map(absent).collect::<Vec<_>>(),
        "volumes": report.volumes.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "pruned": report.pruned.map(|pruned| json!({ "blobs": pruned.blobs, "size": pruned.size })),
        "cache": report.cache.map(|cache| json!({ "layers": cache.layers, "hits": cache.hits })),
        "failed": failed(&report.failed),
    })
}

/// The inputs that failed, if the run continues without them.
pub fn failed(failed: &[Failure]) -> Value {
    let failed = failed.iter().map(|failure| {
        json!({
            "input": failure.input,
            "code": failure.code,
            "message": failure.message,
        })
    });
    failed.collect()
}

/// The result of a dry run.
pub fn dry_run(run: &DryRun) -> Value {
    json!({
        "dryRun": true,
        "images": run.entries.iter().map(dry_entry).collect::<Vec<_>>(),
        "warnings": run.warnings,
        "failed": failed(&run.failed),
    })
}

fn dry_entry(entry: &DryEntry) -> Value {
    let images = entry.images.iter().map(|image| {
        json!({
            "platform": image.platform,
            "imageId": image.image_id,
            "layers": image.layers.iter().map(dry_layer).collect::<Vec<_>>(),
        })
    });
    json!({
        "input": entry.input,
        "names": entry.names,
        "manifests": images.collect::<Vec<_>>(),
    })
}

fn dry_layer(layer: &DryLayer) -> Value {
    json!({
        "digest": layer.digest,
        "size": layer.size,
        "codec": layer.codec.name(),
        "diffId": layer.diff_id,
        "action": match layer.encoded {
            _ if layer.left_out => "leave-out",
            Some(_) => "encode",
            None => "keep",
        },
        "newCodec": layer.encoded.unwrap_or(layer.codec).name(),
    })
}

fn absent(blob: &AbsentBlob) -> Value {
    json!({
        "digest": blob.digest,
        "size": blob.size,
        "mediaType": blob.media_type,
        "diffId": blob.diff_id,
        "volume": blob.volume,
    })
}

fn moved(name: &MovedName) -> Value {
    json!({ "name": name.name, "from": name.from, "to": name.to })
}

fn entry(entry: &EntryReport) -> Value {
    json!({
        "input": entry.input,
        "names": entry.names,
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size,
        "manifests": entry.images.iter().map(image).collect::<Vec<_>>(),
    })
}

fn image(image: &ImageReport) -> Value {
    json!({
        "platform": image.platform,
        "digest": image.manifest,
        "imageId": image.image_id,
        "layers": image.layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn layer(layer: &LayerReport) -> Value {
    json!({
        "digest": layer.digest,
        "size": layer.size,
        "codec": layer.codec.map(ocify::Codec::name),
        "diffId": layer.diff_id,
    })
}

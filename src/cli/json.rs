//! Results as JSON. Field names are those of the image specification, if it has one.

use std::fmt::Write as _;
use std::io::{self, Write};

use ocify::{
    AbsentBlob, DryEntry, DryLayer, DryRun, EntryReport, Failure, ImageReport, LayerReport,
    MovedName, Report,
};
use serde_json::{Value, json};

use super::escape::is_harmful;

/// Prints one document.
pub fn print(value: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text(value)?.as_bytes())?;
    stdout.flush()
}

/// An indented document with a line end.
pub fn text(value: &Value) -> io::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(escape_json(&text) + "\n")
}

/// `serde_json` escapes only what JSON requires. Other characters that could harm a terminal occur only in strings, where an
/// escape has the same meaning.
fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && is_harmful(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
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

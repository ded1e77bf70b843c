//! Results as JSON. Field names are those of the image-spec where it has one.

use std::io::{self, Write};

use ocify::{EntryReport, ImageReport, LayerReport, Report};
use serde_json::{Value, json};

/// Prints one document, indented, with a line end.
pub fn print(value: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    writeln!(stdout)?;
    stdout.flush()
}

/// The result of a conversion.
pub fn report(report: &Report) -> Value {
    json!({
        "images": report.entries.iter().map(entry).collect::<Vec<_>>(),
        "warnings": report.warnings,
    })
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

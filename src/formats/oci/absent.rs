//! `ocify-absent.json`: what a layout leaves out on purpose.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::compression::Encoding;
use crate::digest::{DiffId, Digest};
use crate::error::Result;
use crate::findings::{Code, Place};
use crate::formats::json::{field, text};
use crate::formats::reading::{Found, Reading};
use crate::formats::to_bytes;
use crate::image::{AbsentBlob, Recipe};

/// The name of the file.
pub(crate) const ABSENT: &str = "ocify-absent.json";

/// Reads the list of a layout, which may have none.
pub(crate) fn read(reading: &mut Reading) -> BTreeMap<Digest, AbsentBlob> {
    let place = Place::file(ABSENT);
    let Found::Here(content) = reading.find(ABSENT, &place) else {
        return BTreeMap::new();
    };
    let Some(document) = reading.document(&content, None, &place) else {
        return BTreeMap::new();
    };
    match parse(&document.value) {
        Ok(blobs) => blobs,
        Err(message) => {
            reading.note(Code::AbsentList, &place, message);
            BTreeMap::new()
        }
    }
}

/// Reads a list that is JSON.
pub(crate) fn parse(document: &Value) -> Result<BTreeMap<Digest, AbsentBlob>, String> {
    let Some(list) = document.get("absent").and_then(Value::as_array) else {
        return Err("it lacks the list `absent`".to_owned());
    };
    let mut blobs = BTreeMap::new();
    for (number, value) in list.iter().enumerate() {
        let blob = blob(value).ok_or_else(|| {
            format!("absent[{number}] is not a blob with digest, size and mediaType")
        })?;
        blobs.insert(blob.digest, blob);
    }
    Ok(blobs)
}

fn blob(value: &Value) -> Option<AbsentBlob> {
    let diff_id = match field(value, "diffId") {
        Some(diff_id) => Some(DiffId(diff_id.as_str()?.parse().ok()?)),
        None => None,
    };
    Some(AbsentBlob {
        digest: text(value, "digest")?.parse().ok()?,
        size: field(value, "size")?.as_u64()?,
        media_type: text(value, "mediaType")?.to_owned(),
        diff_id,
        recipe: match text(value, "codec") {
            Some(codec) => Some(recipe(codec, value)?),
            None => None,
        },
        volume: text(value, "volume").map(str::to_owned),
    })
}

fn recipe(codec: &str, value: &Value) -> Option<Recipe> {
    let level = field(value, "level")?.as_u64()?;
    let level = u32::try_from(level).ok()?;
    let encoding = match codec {
        "gzip" if (1..=9).contains(&level) => Encoding::Gzip(level),
        "zstd" if (1..=22).contains(&level) => Encoding::Zstd(level),
        _ => return None,
    };
    Some(Recipe {
        encoding,
        encoder: text(value, "encoder")?.to_owned(),
    })
}

/// The bytes of a list, in the order of the digests.
pub(crate) fn write(blobs: &BTreeMap<Digest, AbsentBlob>) -> Result<Vec<u8>> {
    let list: Vec<Value> = blobs.values().map(value).collect();
    to_bytes(&json!({ "absent": list }))
}

fn value(blob: &AbsentBlob) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("digest", json!(blob.digest));
    put("size", json!(blob.size));
    put("mediaType", json!(blob.media_type));
    if let Some(diff_id) = &blob.diff_id {
        put("diffId", json!(diff_id));
    }
    if let Some(recipe) = &blob.recipe {
        put("codec", json!(recipe.encoding.codec().name()));
        put("level", json!(recipe.encoding.level()));
        put("encoder", json!(recipe.encoder));
    }
    if let Some(volume) = &blob.volume {
        put("volume", json!(volume));
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let blob = |number: u8, encoding: Option<Encoding>, volume: Option<&str>| AbsentBlob {
            digest: Digest::sha256(&[number]),
            size: u64::from(number),
            media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
            diff_id: encoding.map(|_| DiffId(Digest::sha256(b"tar"))),
            recipe: encoding.map(|encoding| Recipe {
                encoding,
                encoder: "0123456789abcdef".to_owned(),
            }),
            volume: volume.map(str::to_owned),
        };
        let blobs = [
            blob(1, None, None),
            blob(2, Some(Encoding::Gzip(3)), None),
            blob(3, Some(Encoding::Zstd(22)), Some("app.002.tar")),
        ];
        let blobs: BTreeMap<Digest, AbsentBlob> =
            blobs.into_iter().map(|blob| (blob.digest, blob)).collect();
        let bytes = write(&blobs).unwrap();
        assert_eq!(parse(&serde_json::from_slice(&bytes).unwrap()), Ok(blobs));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let digest = Digest::sha256(b"");
        for (document, message) in [
            (json!([]), "it lacks the list `absent`"),
            (
                json!({ "absent": [{}] }),
                "absent[0] is not a blob with digest, size and mediaType",
            ),
            (
                json!({ "absent": [{
                    "digest": digest, "size": 1, "mediaType": "a/b", "codec": "gzip", "level": 10, "encoder": "x",
                }] }),
                "absent[0] is not a blob with digest, size and mediaType",
            ),
        ] {
            assert_eq!(parse(&document), Err(message.to_owned()), "{document}");
        }
    }
}

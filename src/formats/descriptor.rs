//! Reads descriptors.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::json::{field, text};
use super::keys;
use super::reading::Reading;
use crate::digest::{Digest, DigestError};
use crate::findings::{Code, Finding, Place};
use crate::image::{Descriptor, Platform, REFERENCE_DIGEST};
use crate::limits;

/// A descriptor with at least a readable digest.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// The media type is empty if it is missing.
    pub descriptor: Descriptor,
    /// Whether the size is readable. Otherwise it is 0.
    pub has_size: bool,
}

impl Link {
    /// Whether the descriptor names a subject, as those of attestations do.
    pub fn is_about_another(&self) -> bool {
        self.descriptor.annotation(REFERENCE_DIGEST).is_some()
    }
}

/// Reads a descriptor, which is `what` in the document at `place`. `None` if it has no readable digest.
pub(crate) fn read(
    reading: &mut Reading,
    value: &Value,
    what: &str,
    place: &Place,
) -> Option<Link> {
    if !value.is_object() {
        reading.note(
            Code::DocumentField,
            place,
            format!("{what} is not a descriptor"),
        );
        return None;
    }
    let value = &*keys::as_go_reads(reading, value, keys::DESCRIPTOR, what, place);
    let media_type = text(value, "mediaType").unwrap_or_default();
    if !is_media_type(media_type) {
        let (code, message) = match field(value, "mediaType") {
            Some(Value::String(found)) => (
                Code::DescriptorMediaType,
                format!("mediaType of {what} is {found:?}, expected a media type (RFC 6838)"),
            ),
            Some(found) => (
                Code::DescriptorField,
                format!("mediaType of {what} is {found}, expected a string"),
            ),
            None => (Code::DescriptorMediaType, format!("{what} lacks mediaType")),
        };
        reading.note(code, place, message);
    }
    let size = value.get("size").and_then(Value::as_u64);
    // int64 in the specification.
    let size = size.filter(|size| i64::try_from(*size).is_ok());
    if size.is_none() {
        let message = match value.get("size") {
            Some(size) => format!("size of {what} is {size}, expected a number of bytes"),
            None => format!("{what} lacks size"),
        };
        reading.note(Code::DescriptorSize, place, message);
    }
    let artifact_type = field(value, "artifactType");
    if artifact_type.is_some_and(|value| !value.as_str().is_some_and(is_media_type)) {
        let message = format!("artifactType of {what} is not a media type");
        reading.note(Code::DescriptorField, place, message);
    }
    let data = data(reading, value, what, place);
    let urls = urls(reading, value, what, place);
    let platform = platform(reading, value, what, place);
    let annotations = annotations(reading, value, what, place);
    // Last, so that all other problems are noted even if it is missing.
    let digest = digest(reading, value, what, place)?;
    if let Some((_, bytes)) = &data {
        let found = digest.same_algorithm(bytes);
        if found != digest {
            let (code, what) = (
                Code::DescriptorData,
                format!("digest of the data of {what}"),
            );
            reading.add(Finding::mismatch(code, place, &what, &digest, &found));
        }
    }
    Some(Link {
        has_size: size.is_some(),
        descriptor: Descriptor {
            artifact_type: artifact_type.and_then(Value::as_str).map(str::to_owned),
            urls,
            data: data.map(|(text, _)| text),
            platform,
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..Descriptor::new(media_type, digest, size.unwrap_or_default())
        },
    })
}

fn digest(reading: &mut Reading, value: &Value, what: &str, place: &Place) -> Option<Digest> {
    let Some(digest) = text(value, "digest") else {
        let message = match field(value, "digest") {
            Some(found) => format!("digest of {what} is {found}, expected a string"),
            None => format!("{what} lacks a digest"),
        };
        reading.note(Code::DescriptorDigest, place, message);
        return None;
    };
    match digest.parse() {
        Ok(digest) => Some(digest),
        Err(DigestError::UnknownAlgorithm(digest)) if is_digest(&digest) => {
            let message =
                format!("digest of {what} is {digest}, expected a sha256 or sha512 digest");
            reading.note(Code::DigestAlgorithm, place, message);
            None
        }
        Err(error) => {
            reading.note(Code::DescriptorDigest, place, format!("{what}: {error}"));
            None
        }
    }
}

fn urls(reading: &mut Reading, value: &Value, what: &str, place: &Place) -> Option<Vec<String>> {
    let urls = field(value, "urls")?.as_array().and_then(|urls| {
        let urls = urls.iter().map(|url| url.as_str().map(str::to_owned));
        urls.collect::<Option<Vec<String>>>()
    });
    if urls.is_none() {
        let message = format!("urls of {what} are not a list of strings");
        reading.note(Code::DescriptorField, place, message);
    }
    urls
}

/// The text of `data`, and the decoded bytes.
fn data(
    reading: &mut Reading,
    value: &Value,
    what: &str,
    place: &Place,
) -> Option<(String, Vec<u8>)> {
    let data = field(value, "data")?.as_str();
    let decoded = data.and_then(|data| Some((data.to_owned(), STANDARD.decode(data).ok()?)));
    if decoded.is_none() {
        let message = format!("data of {what} is not valid base64");
        reading.note(Code::DescriptorData, place, message);
    }
    decoded
}

/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md#image-index-property-descriptions>
fn platform(reading: &mut Reading, value: &Value, what: &str, place: &Place) -> Option<Platform> {
    let value = field(value, "platform")?;
    let name = format!("platform of {what}");
    let value = keys::as_go_reads(reading, value, keys::PLATFORM, &name, place);
    match serde_json::from_value::<Platform>(value.into_owned()) {
        Ok(platform) if !platform.is_complete() => {
            let message = format!("{name} lacks os or architecture");
            reading.note(Code::PlatformIncomplete, place, message);
            None
        }
        Ok(platform) => {
            platform_values(reading, &platform, what, place);
            Some(platform)
        }
        Err(error) => {
            reading.note(Code::DescriptorField, place, format!("{name}: {error}"));
            None
        }
    }
}

/// Names of systems and architectures that Go knows or knew, and those of attestations.
/// <https://github.com/golang/go/blob/go1.25.0/src/internal/syslist/syslist.go>
const SYSTEMS: &str = "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris \
    wasip1 windows zos unknown";
const ARCHITECTURES: &str = "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 \
    mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm unknown";

/// Notes names that Go does not know.
pub(crate) fn platform_values(
    reading: &mut Reading,
    platform: &Platform,
    what: &str,
    place: &Place,
) {
    let values = [
        ("os", &platform.os, SYSTEMS),
        ("architecture", &platform.architecture, ARCHITECTURES),
    ];
    for (field, value, known) in values {
        if !value.is_empty() && known.split(' ').all(|known| known != value) {
            let message = format!("{field} of {what} is {value:?}, expected a name that Go knows");
            reading.note(Code::PlatformValue, place, message);
        }
    }
}

/// The annotations of a descriptor or document. Values that are not strings are noted and left out.
pub(crate) fn annotations(
    reading: &mut Reading,
    value: &Value,
    what: &str,
    place: &Place,
) -> Map<String, Value> {
    let Some(annotations) = field(value, "annotations") else {
        return Map::new();
    };
    let map = annotations.as_object();
    if !map.is_some_and(|map| map.values().all(Value::is_string)) {
        let message = format!("annotations of {what} are not an object of strings");
        reading.note(Code::DescriptorField, place, message);
    }
    // They are copied for the output, so many of them take memory again. A usual number counts with the descriptor.
    let count = map.map_or(0, Map::len) as u64;
    if !reading.charge_values(count, limits::ENTRY_BYTES, place) {
        return Map::new();
    }
    let mut map = map.cloned().unwrap_or_default();
    map.retain(|_, value| value.is_string());
    map
}

/// `type/subtype` of RFC 6838, section 4.2.
pub(crate) fn is_media_type(text: &str) -> bool {
    let name = |name: &str| {
        name.len() <= 127
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| name(kind) && name(subtype))
}

/// `algorithm:encoded`, whatever the algorithm.
pub(crate) fn is_digest(text: &str) -> bool {
    let component = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.split_once(':').is_some_and(|(algorithm, encoded)| {
        algorithm.split(['+', '.', '_', '-']).all(component)
            && !encoded.is_empty()
            && encoded
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "=_-".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars() {
        assert!(is_media_type("application/vnd.oci.image.layer.v1.tar+gzip"));
        for bad in ["", "application", "application/", "a b/c", "/json", "a/b/c"] {
            assert!(!is_media_type(bad), "{bad}");
        }
        assert!(is_digest(
            "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8"
        ));
        for bad in ["sha256:", ":abc", "SHA256:abc", "sha256:a/b"] {
            assert!(!is_digest(bad), "{bad}");
        }
    }
}

//! The shape of descriptors and of what they are made of.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::findings::Findings;
use super::json::{field, text};
use crate::digest::Digest;
use crate::digest::DigestError;
use crate::findings::Code;
use crate::findings::Place;
use crate::formats::keys;
use crate::image::Platform;
use crate::image::REFERENCE_DIGEST;

/// What could be read of a descriptor. It has a digest, or there would be nothing to follow.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Empty when there is none.
    pub media_type: String,
    pub digest: Digest,
    pub size: Option<u64>,
    /// Whether there is at least one.
    pub urls: bool,
    pub platform: Option<Platform>,
    pub annotations: Map<String, Value>,
}

impl Link {
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key)?.as_str()
    }

    /// Whether it says which manifest its own is about, as those of attestations do.
    pub fn is_about_another(&self) -> bool {
        self.annotation(REFERENCE_DIGEST).is_some()
    }
}

/// Reads a descriptor, `what` of the document at `place`; `None` when it has no digest that can be followed.
pub(super) fn link(
    findings: &mut Findings,
    value: &Value,
    what: &str,
    place: &Place,
) -> Option<Link> {
    if !value.is_object() {
        findings.problem(
            Code::DocumentField,
            place,
            format!("{what} is no descriptor"),
        );
        return None;
    }
    keys(findings, value, keys::DESCRIPTOR, what, place);
    let media_type = text(value, "mediaType").unwrap_or_default();
    if !is_media_type(media_type) {
        let message = match field(value, "mediaType") {
            Some(value) => format!("mediaType of {what} is {value}, which is none by RFC 6838"),
            None => format!("{what} has no mediaType"),
        };
        findings.problem(Code::DescriptorMediaType, place, message);
    }
    let size = value.get("size").and_then(Value::as_u64);
    // int64 in the specification.
    if size.is_none_or(|size| i64::try_from(size).is_err()) {
        let message = match value.get("size") {
            Some(size) => format!("size of {what} is {size}"),
            None => format!("{what} has no size"),
        };
        findings.problem(Code::DescriptorSize, place, message);
    }
    let artifact_type = field(value, "artifactType");
    if artifact_type.is_some_and(|value| !value.as_str().is_some_and(is_media_type)) {
        let message = format!("artifactType of {what} is no media type");
        findings.problem(Code::DescriptorField, place, message);
    }
    let data = data(findings, value, what, place);
    Some(Link {
        media_type: media_type.to_owned(),
        size,
        urls: urls(findings, value, what, place),
        platform: platform(findings, value, what, place),
        annotations: annotations(findings, value, what, place),
        // Last, so that all other problems are found where the digest is none.
        digest: digest_of(findings, value, data.as_deref(), what, place)?,
    })
}

/// Reports keys that engines take for one of `known`, and other readers do not.
pub(super) fn keys(
    findings: &mut Findings,
    value: &Value,
    known: &[&'static str],
    what: &str,
    place: &Place,
) {
    for (found, known) in keys::in_other_case(value, known) {
        let message = format!("key {found:?} of {what} is {known:?} to some readers");
        let code = match value.get(known) {
            Some(other) if *other != value[found] => Code::JsonDuplicateKey,
            _ => Code::JsonKeyCase,
        };
        findings.problem(code, place, message);
    }
}

/// The digest, which must be that of the embedded `data` too: readers that use the copy would see something else.
fn digest_of(
    findings: &mut Findings,
    value: &Value,
    data: Option<&[u8]>,
    what: &str,
    place: &Place,
) -> Option<Digest> {
    let digest = digest(findings, value, what, place)?;
    if data.is_some_and(|data| digest.same_algorithm(data) != digest) {
        let message = format!("data of {what} is not what its digest names");
        findings.problem(Code::DescriptorData, place, message);
    }
    Some(digest)
}

fn digest(findings: &mut Findings, value: &Value, what: &str, place: &Place) -> Option<Digest> {
    let Some(digest) = text(value, "digest") else {
        findings.problem(
            Code::DescriptorDigest,
            place,
            format!("{what} has no digest"),
        );
        return None;
    };
    match digest.parse() {
        Ok(digest) => Some(digest),
        Err(DigestError::UnknownAlgorithm(digest)) if is_digest(&digest) => {
            let message = format!("digest of {what} is {digest}, of an unknown algorithm");
            findings.problem(Code::DigestAlgorithm, place, message);
            None
        }
        Err(error) => {
            findings.problem(Code::DescriptorDigest, place, format!("{what}: {error}"));
            None
        }
    }
}

fn urls(findings: &mut Findings, value: &Value, what: &str, place: &Place) -> bool {
    let Some(urls) = field(value, "urls") else {
        return false;
    };
    let urls = urls.as_array();
    let strings = urls.is_some_and(|urls| urls.iter().all(Value::is_string));
    if !strings {
        let message = format!("urls of {what} is no list of strings");
        findings.problem(Code::DescriptorField, place, message);
    }
    strings && urls.is_some_and(|urls| !urls.is_empty())
}

fn data(findings: &mut Findings, value: &Value, what: &str, place: &Place) -> Option<Vec<u8>> {
    let data = field(value, "data")?;
    let decoded = data.as_str().and_then(|data| STANDARD.decode(data).ok());
    if decoded.is_none() {
        let message = format!("data of {what} is no base64");
        findings.problem(Code::DescriptorData, place, message);
    }
    decoded
}

/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md#image-index-property-descriptions>
fn platform(findings: &mut Findings, value: &Value, what: &str, place: &Place) -> Option<Platform> {
    let value = field(value, "platform")?;
    let name = format!("platform of {what}");
    keys(findings, value, keys::PLATFORM, &name, place);
    let platform = serde_json::from_value::<Platform>(value.clone());
    let platform = match platform {
        Ok(platform) if !platform.os.is_empty() && !platform.architecture.is_empty() => platform,
        Ok(_) => {
            let message = format!("platform of {what} has no os or no architecture");
            findings.problem(Code::DescriptorField, place, message);
            return None;
        }
        Err(error) => {
            let message = format!("platform of {what}: {error}");
            findings.problem(Code::DescriptorField, place, message);
            return None;
        }
    };
    platform_values(findings, &platform, what, place);
    Some(platform)
}

/// Systems and architectures by the names that Go has or had for them, and what attestations say.
/// <https://github.com/golang/go/blob/go1.25.0/src/internal/syslist/syslist.go>
const SYSTEMS: &str = "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris \
    wasip1 windows zos unknown";
const ARCHITECTURES: &str = "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 \
    mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm unknown";

/// Reports names that Go does not know.
pub(super) fn platform_values(
    findings: &mut Findings,
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
            let message = format!("{field} of {what} is {value:?}, which is none that Go knows");
            findings.problem(Code::PlatformValue, place, message);
        }
    }
}

/// The annotations of a descriptor or document: names and values are strings.
pub(super) fn annotations(
    findings: &mut Findings,
    value: &Value,
    what: &str,
    place: &Place,
) -> Map<String, Value> {
    let Some(annotations) = field(value, "annotations") else {
        return Map::new();
    };
    let map = annotations.as_object();
    if !map.is_some_and(|map| map.values().all(Value::is_string)) {
        let message = format!("annotations of {what} are no object of strings");
        findings.problem(Code::DescriptorField, place, message);
    }
    map.cloned().unwrap_or_default()
}

/// `type/subtype` of RFC 6838, section 4.2.
pub(super) fn is_media_type(text: &str) -> bool {
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
pub(super) fn is_digest(text: &str) -> bool {
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

/// The grammar of `org.opencontainers.image.ref.name`:
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys>.
pub(super) fn is_ref_name(name: &str) -> bool {
    name.split('/').all(|component| {
        let mut rest = component;
        loop {
            let word = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            if word == 0 {
                return false;
            }
            rest = &rest[word..];
            if rest.is_empty() {
                return true;
            }
            let separator = if rest.starts_with("--") { 2 } else { 1 };
            if separator == 1 && !rest.starts_with(['-', '.', '_', ':', '@', '+']) {
                return false;
            }
            rest = &rest[separator..];
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars() {
        for (name, fits) in [
            ("app:1.0", true),
            ("docker.io/library/app--x:1", true),
            ("1.0+build", true),
            ("a@b", true),
            ("", false),
            ("a//b", false),
            ("a__b", false),
            ("a---b", false),
            (":tag", false),
            ("a b", false),
            ("\u{e4}", false),
        ] {
            assert_eq!(is_ref_name(name), fits, "{name}");
        }
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

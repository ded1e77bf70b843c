//! Documents of a layout or a `dir:` folder, and what is refused in them because readers would disagree about it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::error::Result;
use crate::image::media_type;
use crate::image::media_type::Kind;
use crate::limits;
use crate::source::Content;

use crate::formats::keys;
use crate::image::Descriptor;

/// Manifests and indexes in one view, since a document that could be both is an attack (CVE-2021-41190).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManifestView {
    #[serde(default)]
    pub media_type: Option<String>,
    #[serde(default)]
    pub config: Option<Descriptor>,
    #[serde(default)]
    pub layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    pub manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    fs_layers: Option<Value>,
    #[serde(default)]
    pub subject: Option<Descriptor>,
}

pub(crate) fn refuse_both(document: &str, view: &ManifestView) -> Result<()> {
    let image = view.config.is_some() || view.layers.is_some() || view.fs_layers.is_some();
    if view.manifests.is_some() && image {
        return Err(Error::document(
            document,
            "it is both an index and an image manifest, so readers would disagree about it",
        ));
    }
    // As c/image does: https://github.com/containers/image/blob/v5.36.0/internal/manifest/common.go
    if view.fs_layers.is_some() && (view.config.is_some() || view.layers.is_some()) {
        return Err(Error::document(
            document,
            "it is an image manifest of two formats, so readers would disagree about it",
        ));
    }
    Ok(())
}

/// Refuses two keys that engines take for one, and of which they read the last: they would see another image.
pub(crate) fn refuse_keys_in_other_case(document: &str, bytes: &[u8]) -> Result<()> {
    let value: Value = crate::formats::parse(document, bytes)?;
    let lists = ["manifests", "layers"].map(|key| value.get(key).and_then(Value::as_array));
    let lists = lists.into_iter().flatten().flatten();
    let descriptors = lists.chain(["config", "subject"].map(|key| &value[key]));
    let objects = descriptors.map(|descriptor| (descriptor, keys::DESCRIPTOR));
    for (object, known) in objects.chain([(&value, keys::DOCUMENT)]) {
        for (found, known) in keys::in_other_case(object, known) {
            if object
                .get(known)
                .is_some_and(|value| *value != object[found])
            {
                let reason = format!(
                    "it has the keys {known:?} and {found:?}, so readers would disagree about it"
                );
                return Err(Error::document(document, reason));
            }
        }
    }
    Ok(())
}

/// What descriptors embed must be what they name, or readers that use the copy see something else.
pub(crate) fn check_data(document: &str, view: &ManifestView) -> Result<()> {
    let lists = [&view.manifests, &view.layers]
        .into_iter()
        .flatten()
        .flatten();
    for descriptor in lists.chain(&view.config).chain(&view.subject) {
        let Some(data) = &descriptor.data else {
            continue;
        };
        let digest = descriptor.digest;
        let content = BASE64
            .decode(data)
            .map_err(|_| Error::document(document, format!("data of {digest} is no base64")))?;
        let found = digest.same_algorithm(&content);
        if found != digest {
            let reason = format!("data of {digest} is other content, of digest {found}");
            return Err(Error::document(document, reason));
        }
    }
    Ok(())
}

/// The media type that a blob gives itself, if it is a manifest's or an index's.
pub(crate) fn own_media_type(content: &Content) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct View {
        media_type: String,
    }
    if content.size() > limits::DOCUMENT_BYTES || content.beginning(1).ok()?.first() != Some(&b'{')
    {
        return None;
    }
    let bytes = content.document("the blob").ok()?;
    let own = serde_json::from_slice::<View>(&bytes).ok()?.media_type;
    matches!(media_type::kind(&own), Kind::Manifest | Kind::Index).then_some(own)
}

pub(crate) fn mismatch(descriptor: &Descriptor, own: &str) -> Error {
    let Descriptor {
        digest, media_type, ..
    } = descriptor;
    Error::document(
        format!("manifest {digest}"),
        format!("its media type is {own}, its descriptor says {media_type}"),
    )
}

pub(crate) fn check_size(name: &str, expected: u64, found: u64) -> Result<()> {
    if expected != found {
        return Err(Error::SizeMismatch {
            what: name.to_owned(),
            expected,
            found,
        });
    }
    Ok(())
}

//! OCI image layouts and the documents in them.

mod absent;
mod form;
pub(crate) mod layout;
mod manifest;
pub(crate) mod tree;
pub(crate) mod write;

use serde::Deserialize;

pub(crate) use absent::{ABSENT, parse as parse_absent, write as write_absent};
pub(crate) use manifest::FOREIGN_ABSENT;

use crate::image::media_type::{self, DocumentKind};
use crate::limits;
use crate::source::Content;

/// The media type in the blob itself, if it is that of a manifest or an index.
fn own_media_type(content: &Content) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct View {
        media_type: String,
    }
    if content.size() > limits::DOCUMENT_BYTES || content.beginning(1).ok()?.first() != Some(&b'{')
    {
        return None;
    }
    let bytes = content.document().ok()?;
    let own = serde_json::from_slice::<View>(&bytes).ok()?.media_type;
    matches!(
        media_type::kind(&own),
        DocumentKind::Manifest | DocumentKind::Index
    )
    .then_some(own)
}

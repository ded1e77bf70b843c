//! What manifests and indexes have in common: their fields, version and media type.

use serde_json::Value;

use super::tree::Tree;
use crate::findings::{Code, Finding, Place};
use crate::formats::descriptor;
use crate::formats::json::{field, text};
use crate::image::media_type::{self, DocumentKind};

impl Tree<'_, '_> {
    /// Checks what manifests and indexes have in common. Returns which of the two the document is, by the media type in its
    /// descriptor (`given`, if it is not empty), its own media type, or its fields. `None` if it is neither.
    pub fn form(&mut self, value: &Value, given: &str, place: &Place) -> Option<DocumentKind> {
        if !value.is_object() {
            let message = "the document is not an object";
            self.reading.note(Code::DocumentField, place, message);
            return None;
        }
        let has = |key| field(value, key).is_some();
        if has("manifests") && ["config", "layers", "fsLayers"].into_iter().any(has) {
            let message =
                "the document is both an index and an image manifest, so readers disagree about it";
            self.reading.note(Code::AmbiguousDocument, place, message);
        }
        // As c/image does: https://github.com/containers/image/blob/v5.36.0/internal/manifest/common.go
        if has("fsLayers") && ["config", "layers"].into_iter().any(has) {
            let message =
                "the document is an image manifest of two formats, so readers disagree about it";
            self.reading.note(Code::AmbiguousDocument, place, message);
        }
        if field(value, "artifactType").is_some_and(|own| {
            !own.as_str()
                .is_some_and(|own| own.is_empty() || descriptor::is_media_type(own))
        }) {
            let message = "artifactType is not a media type";
            self.reading.note(Code::DocumentField, place, message);
        }
        self.schema_version(value, place);
        descriptor::annotations(self.reading, value, "the document", place);
        let by_fields = if value.get("manifests").is_some() {
            DocumentKind::Index
        } else {
            DocumentKind::Manifest
        };
        Some(self.kind(value, given, place).unwrap_or(by_fields))
    }

    fn schema_version(&mut self, value: &Value, place: &Place) {
        let (code, found) = match value.get("schemaVersion") {
            Some(version) if version.as_u64() == Some(2) => return,
            None => (Code::SchemaVersion, "missing".to_owned()),
            // Go's decoder refuses what is not an integer, so no engine reads the document.
            Some(version) if !version.is_null() && version.as_i64().is_none() => {
                (Code::DocumentField, version.to_string())
            }
            Some(version) => (Code::SchemaVersion, version.to_string()),
        };
        let message = format!("schemaVersion is {found}, expected 2");
        self.reading.note(code, place, message);
    }

    /// Checks the media type in a document. Returns the kind by the descriptor or, if that has none, by the document.
    fn kind(&mut self, value: &Value, given: &str, place: &Place) -> Option<DocumentKind> {
        match field(value, "mediaType") {
            None => {
                let message = "the document has no mediaType";
                self.reading.note(Code::MediaTypeAbsent, place, message);
            }
            Some(own) if given.is_empty() || own == given => {
                if let Some(kind) = known(own.as_str().unwrap_or_default()) {
                    return Some(kind);
                }
                let message =
                    format!("mediaType is {own}, expected that of a manifest or an index");
                self.reading.note(Code::MediaTypeMismatch, place, message);
            }
            Some(own) => {
                let own = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
                self.media_type_mismatch(given, &own, place);
            }
        }
        known(given)
    }

    pub fn media_type_mismatch(&mut self, given: &str, own: &str, place: &Place) {
        let code = Code::MediaTypeMismatch;
        let finding = Finding::mismatch(code, place, "mediaType", &given, &own);
        self.reading.add(finding);
    }
}

/// The media type of a document: that of its descriptor, that in the document, or that of its kind.
pub(super) fn document_media_type(value: &Value, kind: DocumentKind, given: &str) -> String {
    let own = text(value, "mediaType").unwrap_or_default();
    let guess = match kind {
        DocumentKind::Index => media_type::INDEX,
        _ => media_type::MANIFEST,
    };
    let mut listed = [given, own].into_iter();
    listed
        .find(|listed| known(listed) == Some(kind))
        .unwrap_or(guess)
        .to_owned()
}

fn known(media_type: &str) -> Option<DocumentKind> {
    match media_type::kind(media_type) {
        kind @ (DocumentKind::Manifest | DocumentKind::Index) => Some(kind),
        DocumentKind::Schema1 | DocumentKind::Other => None,
    }
}

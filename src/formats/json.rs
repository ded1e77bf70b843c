//! Documents as JSON.

/// Parses a document into a view of it.
pub(crate) fn parse<'a, T: serde::Deserialize<'a>>(
    document: &str,
    bytes: &'a [u8],
) -> crate::error::Result<T> {
    serde_json::from_slice(bytes).map_err(|source| crate::error::Error::Json {
        document: document.to_owned(),
        source,
    })
}

/// The bytes of a document that we make.
pub(crate) fn to_bytes(value: &impl serde::Serialize) -> crate::error::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|source| crate::error::Error::Json {
        document: "a new document".to_owned(),
        source,
    })
}

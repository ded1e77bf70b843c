//! OCI image layouts and the documents in them.

pub(crate) mod documents;
pub(crate) mod layout;
pub(crate) mod tree;
pub(crate) mod write;

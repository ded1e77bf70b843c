//! Docker's metadata from before schema 2, and the configs and manifests that are made of it.
//!
//! Docker and skopeo make these documents with Go's JSON encoder, so an image keeps the ID that they give it only if
//! every byte is what Go would write.

pub(crate) mod hybrid;
pub(crate) mod legacy;
mod repositories;
pub(crate) mod save;
mod v1;

pub(crate) use v1::{config_of_v1, not_made, view_of_v1};

mod go_json;
mod go_struct;
pub(crate) mod go_time;
pub(crate) mod jws;
mod jws_key;
mod jws_sign;
pub(crate) mod schema1;
pub(crate) mod v1_config;
mod v1_write;
pub(crate) mod v2s2;

//! Docker's formats, and the configs and manifests that are created from v1 metadata.
//!
//! Docker and skopeo create these documents with Go's JSON encoder. An image gets the same ID only if every byte is as Go
//! writes it.

mod go_json;
mod go_struct;
pub(crate) mod go_time;
pub(crate) mod hybrid;
pub(crate) mod jws;
mod jws_key;
mod jws_sign;
pub(crate) mod legacy;
mod repositories;
pub(crate) mod save;
pub(crate) mod schema1;
mod v1;
pub(crate) mod v1_config;
mod v1_write;
pub(crate) mod v2s2;

pub(crate) use go_json::same_name;
pub(crate) use v1::{config_of_v1, not_made, view_of_v1};

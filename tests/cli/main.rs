//! `ocify` as a user runs it, on inputs that code makes.

mod all_or_nothing;
mod bad_docker_archives;
mod bad_oci_layouts;
mod bad_requests;
mod command_line;
mod docker_archive;
mod oci_layout;
mod output;

#[path = "../support/mod.rs"]
mod support;

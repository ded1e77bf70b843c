//! `ocify` as a user runs it, on inputs that code makes.

mod command_line;
mod docker_archive;
mod output;

#[path = "../support/mod.rs"]
mod support;

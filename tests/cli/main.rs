//! Runs `ocify` like a user, on inputs from builders.

mod across;
mod again;
mod all_or_nothing;
mod archive_members;
mod bad_docker_archives;
mod bad_oci_layouts;
mod bad_requests;
mod bombs;
mod cache;
mod cache_damage;
mod cache_folder;
mod command_line;
mod copied_damage;
mod crash;
mod depfile;
mod digest_map;
mod dir;
mod dir_output;
mod disguises;
mod docker_archive;
mod docker_archive_output;
mod docker_manifest;
mod fill;
mod findings;
mod findings_memory;
mod findings_names;
mod generate;
mod given_names;
mod have;
mod hybrids;
mod inspect;
mod inspect_damage;
mod inspect_views;
mod large_decoders;
mod large_indexes;
mod layer_damage;
mod legacy;
mod limits;
mod many;
mod merge;
mod missing;
mod modes;
mod oci_layout;
mod open_files;
mod output;
mod output_names;
mod prune;
mod recipes;
mod registry;
mod registry_damage;
mod registry_output;
mod report;
mod requests;
mod schema1;
mod schema1_output;
mod schema2;
mod signatures;
mod terminal;
mod truncated;
mod usage;
mod volumes;

// Shared with other test programs, which use the rest.
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

//! The tables of the documentation are those of the program.

use std::collections::BTreeSet;

use crate::support::sandbox::Sandbox;

/// The rows of a Markdown table, cell by cell, without its heading.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.trim_matches(['|', ' ']).split(" | ").collect())
        .collect()
}

/// What is between `heading` and the next one.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap();
    rest.split_once("\n#").map_or(rest, |(section, _)| section)
}

/// `-o` and `--output` of "-o, --output <OUTPUT>".
fn names<'a>(options: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    options
        .filter_map(|option| option.split(' ').next())
        .map(|option| option.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn every_option_is_documented() {
    let page = include_str!("../../docs/reference.md");
    let sandbox = Sandbox::new();
    for command in ["convert", "inspect", "verify", "prune"] {
        let run = sandbox.run(&[command, "-h"]);
        let help = run.succeeds().stdout();
        let (_, options) = help.split_once("\nOptions:\n").unwrap();
        let lines = options.lines().map(str::trim_start);
        let printed = lines
            .filter(|line| line.starts_with('-'))
            .flat_map(|line| line.split("  ").next().unwrap().split(", "));
        let sections = ["### All commands".to_owned(), format!("### {command}")];
        let cells = sections
            .iter()
            .flat_map(|heading| rows(section(page, heading)));
        let documented = cells.flat_map(|cells| cells[0].split(", ").collect::<Vec<_>>());
        assert_eq!(names(documented), names(printed), "{command}");
    }
}

#[test]
fn every_limit_is_documented() {
    let page = include_str!("../../docs/limits.md");
    let documented: BTreeSet<(String, String)> = rows(section(page, "## Fixed limits"))
        .iter()
        .map(|cells| (cells[2].trim_matches('`').to_owned(), cells[1].to_owned()))
        .collect();
    let source = include_str!("../../src/limits.rs");
    let limits: BTreeSet<(String, String)> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "))
        .map(|line| {
            let (name, rest) = line.split_once(": ").unwrap();
            let (_, value) = rest.split_once(" = ").unwrap();
            (name.to_owned(), shown(name, value.trim_end_matches(';')))
        })
        .collect();
    assert_eq!(documented, limits);
}

/// A limit as the documentation shows it.
fn shown(name: &str, value: &str) -> String {
    let number = |text: &str| text.replace('_', "").parse::<u64>().unwrap();
    let value = match value.split_once(" << ") {
        Some((number_of, unit)) => number(number_of) << number(unit),
        None => number(value),
    };
    match name {
        "DISK_RESERVE" => "one tenth".to_owned(),
        "ZSTD_WINDOW_LOG" => bytes(1 << value),
        name if name.ends_with("_BYTES") || name.ends_with("_MEMORY") => bytes(value),
        _ => grouped(value),
    }
}

fn bytes(value: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let (unit, shift) = units
        .into_iter()
        .find(|(_, shift)| value.trailing_zeros() >= *shift)
        .unwrap();
    format!("{} {unit}", value >> shift)
}

/// With a comma between groups of three digits.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

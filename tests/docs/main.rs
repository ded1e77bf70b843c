//! The documentation matches the program: options, codes, limits and exit statuses. Every link has a target.

mod links;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ocify::Code;

/// A file of the project.
fn read(name: &str) -> String {
    let path = root().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All documents: README.md, CONTRIBUTING.md and docs.
fn documents() -> Vec<String> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let names = docs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let documents = names.filter(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "md")
    });
    let mut documents: Vec<String> = documents.map(|name| format!("docs/{name}")).collect();
    documents.extend(["README.md".to_owned(), "CONTRIBUTING.md".to_owned()]);
    documents.sort();
    documents
}

/// The text below a heading, as far as the next of any level.
#[track_caller]
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = document
        .find(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no heading {heading:?}"));
    let text = &document[start + heading.len() + 2..];
    text.split("\n#").next().unwrap()
}

/// The rows of all tables in a text, without the headers.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut rows = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let heads = lines
            .get(number + 1)
            .is_some_and(|next| next.starts_with("|-"));
        if line.starts_with("| ") && !heads {
            // `\|` is a bar in a cell.
            let line = line.trim_matches('|').replace("\\|", "\0");
            let cells = line.split('|').map(|cell| cell.trim().replace('\0', "|"));
            rows.push(cells.collect());
        }
    }
    rows
}

/// The words in a text that are options, up to where the name ends: `-o`, `--output`.
fn options_in(text: &str) -> Vec<String> {
    let is_name = |letter: &char| letter.is_ascii_alphabetic() || *letter == '-';
    let words = text.split([' ', '`', ',', '"']);
    let options = words.filter(|word| word.starts_with('-') && !word.trim_matches('-').is_empty());
    options
        .map(|word| word.chars().take_while(is_name).collect())
        .collect()
}

/// Each option in `--help` of a command, with its default.
fn options_of(command: &str) -> BTreeMap<String, Option<String>> {
    let output = Command::new(env!("CARGO_BIN_EXE_ocify"))
        .args([command, "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let mut options = BTreeMap::new();
    let mut last = String::new();
    for line in help.lines().map(str::trim) {
        if line.starts_with('-') {
            for option in options_in(line) {
                options.insert(option.clone(), None);
                last = option;
            }
        } else if let Some(default) = line.strip_prefix("[default: ") {
            let default = default.trim_end_matches(']').to_owned();
            options.insert(last.clone(), Some(default));
        }
    }
    options
}

/// Two lists have the same items in the same order.
#[track_caller]
fn are_the_same<'a>(
    what: &str,
    documented: impl IntoIterator<Item = &'a str>,
    program: impl IntoIterator<Item = &'a str>,
) {
    let documented: Vec<&str> = documented.into_iter().collect();
    let program: Vec<&str> = program.into_iter().collect();
    let missing: Vec<&&str> = program
        .iter()
        .filter(|item| !documented.contains(item))
        .collect();
    let more: Vec<&&str> = documented
        .iter()
        .filter(|item| !program.contains(item))
        .collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "{what}: not documented: {missing:?}; documented, but not there: {more:?}"
    );
    assert_eq!(documented, program, "{what}: the order");
}

#[test]
fn every_option_is_in_the_reference() {
    let reference = read("docs/reference.md");
    for command in ["convert", "inspect", "verify"] {
        let mut documented = BTreeMap::new();
        for heading in ["### All commands", &format!("### {command}")] {
            for row in rows(section(&reference, heading)) {
                for option in options_in(&row[0]) {
                    documented.insert(option, row[1].clone());
                }
            }
        }
        let options = options_of(command);
        are_the_same(
            command,
            documented.keys().map(String::as_str),
            options.keys().map(String::as_str),
        );
        for (option, default) in &options {
            let Some(default) = default else { continue };
            let said = &documented[option];
            assert!(
                said.contains(&format!("`{default}`")),
                "{option} is {default} by default: {said}"
            );
        }
    }
}

/// Every option in the documentation exists.
#[test]
fn no_document_names_other_options() {
    let mut known: Vec<String> = ["-h", "--help", "-V", "--version", "--generate"]
        .map(str::to_owned)
        .to_vec();
    for command in ["convert", "inspect", "verify"] {
        known.extend(options_of(command).into_keys());
    }
    let of_ocify = |line: &&str| line.contains("ocify ");
    for name in documents() {
        for line in read(&name).lines().filter(of_ocify) {
            let command = line.split("ocify ").nth(1).unwrap();
            // A pipe or a comment ends it.
            let command = command.split([';', '|', '#', ')']).next().unwrap();
            for option in options_in(command) {
                assert!(known.contains(&option), "{name}: {option} in {line}");
            }
        }
    }
}

/// Scripts rely on the codes, and people look them up here.
#[test]
fn every_code_is_in_the_table() {
    let verify = read("docs/verify.md");
    let documented = rows(section(&verify, "## Codes"));
    let codes: Vec<[String; 4]> = Code::ALL
        .iter()
        .map(|code| {
            [
                format!("`{code}`"),
                code.severity().to_string(),
                code.response().to_string(),
                code.meaning().to_owned(),
            ]
        })
        .collect();
    are_the_same(
        "codes",
        documented.iter().map(|row| row[0].as_str()),
        codes.iter().map(|code| code[0].as_str()),
    );
    for (row, code) in documented.iter().zip(&codes) {
        assert_eq!(row, code);
    }
}

#[test]
fn every_limit_is_in_the_table() {
    let limits = read("docs/limits.md");
    let documented: BTreeMap<String, String> = rows(section(&limits, "## Fixed limits"))
        .into_iter()
        .map(|row| (row[2].trim_matches('`').to_owned(), row[1].clone()))
        .collect();
    let source = read("src/limits.rs");
    let constants = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "));
    let constants: BTreeMap<&str, u64> = constants
        .map(|constant| {
            let (name, value) = constant.split_once(": ").unwrap();
            let (_, value) = value.trim_end_matches(';').split_once(" = ").unwrap();
            (name, evaluated(value))
        })
        .collect();
    are_the_same(
        "limits",
        documented.keys().map(String::as_str),
        constants.keys().copied(),
    );
    for (name, value) in constants {
        let value = if name.ends_with("_LOG") {
            1 << value
        } else {
            value
        };
        let said = &documented[name];
        assert!(
            written(value).contains(said),
            "{name} is {value}, not {said}"
        );
    }
}

/// `8 << 20`, `10_000`.
fn evaluated(expression: &str) -> u64 {
    let numbers = expression.split(" << ");
    let numbers = numbers.map(|number| number.replace('_', "").parse::<u64>());
    let numbers: Vec<u64> = numbers.map(Result::unwrap).collect();
    match numbers[..] {
        [number] => number,
        [number, shift] => number << shift,
        _ => panic!("{expression}"),
    }
}

/// The ways to write a limit.
fn written(value: u64) -> Vec<String> {
    let digits = value.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = groups
        .map(|group| std::str::from_utf8(group).unwrap())
        .collect();
    let mut ways = vec![groups.join(","), format!("one in {value}")];
    if value == 10 {
        ways.push("one tenth".to_owned());
    }
    for (unit, shift) in [("KiB", 10), ("MiB", 20), ("GiB", 30)] {
        if value.trailing_zeros() >= shift {
            ways.push(format!("{} {unit}", value >> shift));
        }
    }
    ways
}

#[test]
fn every_exit_status_is_in_the_reference() {
    let reference = read("docs/reference.md");
    let rows = rows(section(&reference, "## Output and exit status"));
    let documented: Vec<i32> = rows.iter().filter_map(|row| row[0].parse().ok()).collect();
    let exits = [&["--help"][..], &["verify", "no such file"], &["convert"]].map(|args| {
        let run = Command::new(env!("CARGO_BIN_EXE_ocify"))
            .args(args)
            .output();
        run.unwrap().status.code().unwrap()
    });
    assert_eq!(documented, exits);
}

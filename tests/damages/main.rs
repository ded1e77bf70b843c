//! Tables of damaged inputs. Each row runs through `verify` and `convert`, which must agree about it.
//!
//! A row has the findings of `verify` and the response of `convert`, such as `error layer-order: corrects`: the severity, the
//! code, and `stops`, `warns` or `corrects`, or nothing if `convert` is silent.

mod archives;
mod disguises;
mod documents;
mod folders;
mod indexes;
mod layers;
mod mutants;
mod tar_headers;

// Shared with other test programs, which use the rest.
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

use support::agreement::{self, Converted};
use support::files::Files;
use support::sandbox::Sandbox;

/// A kind of damage: its name, an input with it, and the expected findings and responses.
type Case = (&'static str, Files, &'static [&'static str]);

/// Each case, as an archive, has exactly these problems.
#[track_caller]
fn archives_have(cases: Vec<Case>) {
    let with_archive = |files: &Files| (Sandbox::with_archive(files), "app.tar");
    all_have(cases, with_archive);
}

/// Each case, as a folder, has exactly these problems.
#[track_caller]
fn folders_have(cases: Vec<Case>) {
    let with_folder = |files: &Files| (Sandbox::with_folder(files), "app");
    all_have(cases, with_folder);
}

#[track_caller]
fn all_have(cases: Vec<Case>, write: impl Fn(&Files) -> (Sandbox, &'static str)) {
    let wrong = cases.into_iter().filter_map(|(name, files, expected)| {
        let (sandbox, input) = write(&files);
        differs(name, &sandbox, input, expected)
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `verify` finds exactly these problems in an input, and `convert` responds as listed.
#[track_caller]
fn has(name: &str, sandbox: &Sandbox, input: &str, expected: &[&str]) {
    let wrong = differs(name, sandbox, input, expected);
    assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
}

/// The differences from the expected result, with the whole output.
fn differs(name: &str, sandbox: &Sandbox, input: &str, expected: &[&str]) -> Option<String> {
    let said = agreement::ask(sandbox, input, "out", &[]);
    let rows = expected.iter();
    let rows = rows.map(|row| row.split_once(": ").unwrap_or((row, "")));
    let mut findings: Vec<&str> = rows.clone().map(|(finding, _)| finding).collect();
    findings.sort_unstable();
    let converted = if rows.clone().any(|(_, response)| response == "stops") {
        Converted::Stopped
    } else {
        Converted::Wrote(rows.filter_map(warning).collect())
    };
    let mut wrong = said.violations();
    if said.found != findings {
        wrong.push(format!(
            "verify finds {:?}, expected {findings:?}",
            said.found
        ));
    }
    if said.converted != converted {
        wrong.push(format!(
            "convert: {:?}, expected {converted:?}",
            said.converted
        ));
    }
    (!wrong.is_empty()).then(|| format!("=== {name}: {}\n{}", wrong.join("; "), said.transcript()))
}

/// The code of a finding, and the end of its warning by `convert`.
fn warning((finding, response): (&str, &str)) -> Option<(String, String)> {
    let (severity, code) = finding.split_once(' ').unwrap();
    let fate = match (response, severity) {
        ("", _) => return None,
        ("corrects", _) => "corrected in the output",
        ("warns", "error") => "copied unchanged",
        ("warns", _) => "",
        other => panic!("{other:?}, expected stops, warns or corrects"),
    };
    Some((code.to_owned(), fate.to_owned()))
}

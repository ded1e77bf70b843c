//! The rules for the agreement of `verify` and `convert`:
//!
//! - If `verify` has an error, `convert` stops or warns with the same code.
//! - If `convert` stops, `verify` has a finding whose code stops a conversion.
//! - An error in the output has a warning of `convert` that it was copied.
//! - Both exit with status 0 or 1.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ocify::{Code, Response};
use serde_json::Value;

use super::sandbox::{Run, Sandbox};

/// The end of a warning about a part that is copied unchanged.
pub const COPIED: &str = "copied unchanged";

/// The results of both commands for an input.
pub struct Said {
    /// `SEVERITY CODE` of each finding of `verify`, sorted.
    pub found: Vec<String>,
    pub converted: Converted,
    verify: Run,
    convert: Run,
    /// `verify` of the output, if there is one.
    again: Option<Run>,
}

/// The result of `convert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Converted {
    /// It failed.
    Stopped,
    /// It wrote an output with these warnings: the code and the effect, which is `copied unchanged`, `corrected in the output`,
    /// or empty.
    Wrote(BTreeSet<(String, String)>),
}

/// Runs `verify` and `convert` on an input, and `verify` on the output.
pub fn ask(sandbox: &Sandbox, input: &str, output: &str, args: &[&str]) -> Said {
    let verify = sandbox.run(&["verify", "--json", "--threads", "1", input]);
    let always = ["--threads", "1", input, "-o", output];
    let convert = sandbox.convert(&[&always, args].concat());
    let converted = if convert.status.code() == Some(0) {
        Converted::Wrote(warnings(&convert.stderr))
    } else {
        Converted::Stopped
    };
    let wrote = converted != Converted::Stopped;
    let again = wrote.then(|| sandbox.run(&["verify", "--json", "--threads", "1", output]));
    Said {
        found: findings(&verify),
        converted,
        verify,
        convert,
        again,
    }
}

/// `SEVERITY CODE` of each finding that `verify --json` printed, sorted.
pub fn findings(verify: &Run) -> Vec<String> {
    let report: Value = serde_json::from_slice(&verify.stdout).unwrap_or_default();
    let findings = report["problems"]
        .as_array()
        .or(report["findings"].as_array());
    let findings = findings.into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut findings: Vec<String> = findings
        .map(|finding| format!("{} {}", text(&finding["severity"]), text(&finding["code"])))
        .collect();
    findings.sort();
    findings
}

/// The codes in the warnings of `convert`, each of which ends with `(CODE)` or `(CODE; EFFECT)`.
fn warnings(stderr: &str) -> BTreeSet<(String, String)> {
    let lines = stderr.lines();
    let warnings = lines.filter_map(|line| line.strip_prefix("ocify: warning: "));
    warnings
        .map(|warning| {
            let end = warning.rsplit_once(" (").map_or("", |(_, end)| end);
            let end = end.strip_suffix(')').unwrap_or_default();
            let (code, fate) = end.split_once("; ").unwrap_or((end, ""));
            (code.to_owned(), fate.to_owned())
        })
        .collect()
}

fn errors(found: &[String]) -> BTreeSet<&str> {
    let codes = found.iter();
    codes
        .filter_map(|finding| finding.strip_prefix("error "))
        .collect()
}

/// Whether a finding has a code that stops a conversion.
fn stops(finding: &str) -> bool {
    let (_, name) = finding.split_once(' ').unwrap_or_default();
    let mut codes = Code::ALL.iter().filter(|code| code.name() == name);
    codes.any(|code| code.response() == Response::Stops)
}

impl Said {
    /// The broken rules, each in a few words.
    pub fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let runs = [
            ("verify", Some(&self.verify)),
            ("convert", Some(&self.convert)),
        ];
        for (name, run) in runs
            .into_iter()
            .chain([("verify of the output", self.again.as_ref())])
        {
            let Some(run) = run else { continue };
            if !matches!(run.status.code(), Some(0 | 1)) {
                violations.push(format!("{name} ends with {}", run.status));
            }
        }
        if (self.verify.status.code() == Some(1)) == errors(&self.found).is_empty() {
            violations.push("verify's exit status is not that of its findings".to_owned());
        }
        let Converted::Wrote(warnings) = &self.converted else {
            if !self.found.iter().any(|finding| stops(finding)) {
                violations.push("convert stops, and verify found nothing that stops it".to_owned());
            }
            return violations;
        };
        let warned: BTreeSet<&str> = warnings.iter().map(|(code, _)| &**code).collect();
        for code in errors(&self.found).difference(&warned) {
            violations.push(format!("convert says nothing of {code}"));
        }
        let output = self.again.as_ref().map(findings).unwrap_or_default();
        for code in errors(&output) {
            if !warnings.contains(&(code.to_owned(), COPIED.to_owned())) {
                violations.push(format!(
                    "the output has {code}, which convert does not say to be copied"
                ));
            }
        }
        violations
    }

    /// Everything that was printed.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        let runs = [
            ("verify", Some(&self.verify)),
            ("convert", Some(&self.convert)),
        ];
        for (name, run) in runs
            .into_iter()
            .chain([("verify of the output", self.again.as_ref())])
        {
            let Some(run) = run else { continue };
            let _ = writeln!(text, "--- {name}: {}\n{}", run.status, run.stderr);
            if name != "convert" {
                let _ = writeln!(text, "{}", String::from_utf8_lossy(&run.stdout));
            }
        }
        text
    }
}

//! Hundreds of small random changes to valid inputs of every kind. `verify` and `convert` must agree on each.
//!
//! `OCIFY_MUTANTS=N` sets the number, `OCIFY_MUTANT_SEED=N` the first seed. A failing mutant is repeated by its own seed:
//! `OCIFY_MUTANTS=1 OCIFY_MUTANT_SEED=…`. Its input stays in `target/tmp/mutants`.

mod bytes;
mod inputs;
mod json;
mod repair;
// Shared with other test programs, which use the rest.
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use inputs::{Form, Input};
use json::Json;
use support::agreement;
use support::files::Files;
use support::random::Random;
use support::sandbox::Sandbox;
use support::schema1;
use support::tar::Body;

const MUTANTS: u64 = 500;
const SEED: u64 = 20_000;

/// An input that was changed in one place.
struct Mutant {
    seed: u64,
    /// The kind of input.
    input: &'static str,
    /// The kind of change.
    change: &'static str,
    /// The description of the change.
    what: String,
    content: Content,
}

/// The files or bytes of the input.
enum Content {
    Tar(Vec<u8>),
    Folder(Files),
}

#[test]
fn verify_and_convert_agree_on_mutants() {
    let count = number("OCIFY_MUTANTS", MUTANTS);
    let seed = number("OCIFY_MUTANT_SEED", SEED);
    let inputs = inputs::all();
    let (next, failures) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let mutant = Mutant::new(&inputs, seed.wrapping_add(number));
                    if let Some(failure) = mutant.fails() {
                        failures.lock().unwrap().insert(number, failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    for failure in failures.values().take(20) {
        println!("{}", failure.report);
    }
    for failure in failures.values() {
        println!("{}", failure.line);
    }
    assert!(
        failures.is_empty(),
        "verify and convert disagree on {} of {count} mutants",
        failures.len()
    );
}

/// The inputs without mutations are valid.
#[test]
fn the_inputs_themselves_are_sound() {
    for input in inputs::all() {
        let sandbox = Sandbox::new();
        Content::of(&input.files, input.form).write(&sandbox.path("input"));
        let said = agreement::ask(&sandbox, "input", "out", &[]);
        let transcript = said.transcript();
        assert!(said.violations().is_empty(), "{}: {transcript}", input.name);
        let errors = said.found.iter().any(|found| found.starts_with("error"));
        assert!(!errors, "{}: {transcript}", input.name);
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}, expected a number")),
        Err(_) => default,
    }
}

struct Failure {
    line: String,
    report: String,
}

impl Mutant {
    fn new(inputs: &[Input], seed: u64) -> Mutant {
        let mut random = Random::new(seed);
        let input = random.pick(inputs);
        let mut files = input.files.clone();
        let mut tar = None;
        let (change, what) = match random.below(20) {
            0 if input.form == Form::Tar => {
                let (change, bytes) = bytes::mutated_tar(&files.tar(), &mut random);
                tar = Some(bytes);
                (change, "the archive".to_owned())
            }
            1 => lost_file(&mut files, &mut random),
            2 | 3 => bytes::mutate_layer(&mut files, &mut random)
                .unwrap_or_else(|| mutate_document(&mut files, &mut random)),
            _ => mutate_document(&mut files, &mut random),
        };
        Mutant {
            seed,
            input: input.name,
            change,
            what,
            content: match tar {
                Some(bytes) => Content::Tar(bytes),
                None => Content::of(&files, input.form),
            },
        }
    }

    fn fails(&self) -> Option<Failure> {
        let sandbox = Sandbox::new();
        self.content.write(&sandbox.path("input"));
        let folder = agreement::ask(&sandbox, "input", "out", &[]);
        let mut violations = folder.violations();
        let mut transcript = folder.transcript();
        if self.seed.is_multiple_of(5) {
            let tar = agreement::ask(&sandbox, "input", "out.tar", &["--compression", "zstd"]);
            let more = tar.violations().into_iter();
            let more: Vec<String> = more.filter(|more| !violations.contains(more)).collect();
            if !more.is_empty() {
                violations.extend(more);
                transcript += &tar.transcript();
            }
        }
        let inspect = sandbox.run(&["inspect", "input"]);
        if !matches!(inspect.status.code(), Some(0 | 1)) {
            violations.push(format!("inspect ends with {}", inspect.status));
            transcript += &inspect.stderr;
        }
        if violations.is_empty() {
            return None;
        }
        let Mutant {
            seed,
            input,
            change,
            what,
            ..
        } = self;
        let violations = violations.join("; ");
        let kept = self.keep();
        Some(Failure {
            line: format!("mutant {seed}: {input}: {change}: {violations}"),
            report: format!(
                "=== OCIFY_MUTANTS=1 OCIFY_MUTANT_SEED={seed} ({})\n{input}: {what}\n{violations}\n{transcript}",
                kept.display()
            ),
        })
    }

    /// Keeps the input for debugging.
    fn keep(&self) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        let path = folder.join(self.seed.to_string());
        fs::create_dir_all(&folder).unwrap();
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir_all(&path);
        self.content.write(&path);
        path
    }
}

impl Content {
    fn of(files: &Files, form: Form) -> Content {
        match form {
            Form::Tar => Content::Tar(files.tar()),
            Form::Folder => Content::Folder(files.clone()),
        }
    }

    fn write(&self, path: &Path) {
        match self {
            Content::Tar(bytes) => fs::write(path, bytes).unwrap(),
            Content::Folder(files) => files.write(path),
        }
    }
}

/// Removes a file, or empties it.
fn lost_file(files: &mut Files, random: &mut Random) -> (&'static str, String) {
    let position = random.below(files.members.len());
    let name = files.members[position].name.clone();
    if matches!(files.members[position].body, Body::File(_)) && random.once_in(2) {
        files.members[position].body = Body::File(Vec::new());
        ("file of no bytes", name)
    } else {
        files.members.remove(position);
        ("file missing", name)
    }
}

/// Changes one document and all references to it.
fn mutate_document(files: &mut Files, random: &mut Random) -> (&'static str, String) {
    let mut documents: Vec<usize> = Vec::new();
    let mut digests = Vec::new();
    for (position, member) in files.members.iter().enumerate() {
        let json = Json::parse(member.bytes());
        if let Some(json) = json.filter(Json::has_parts) {
            documents.push(position);
            json.digests(&mut digests);
        }
    }
    let position = *random.pick(&documents);
    let (change, what, bytes) = mutated(files.members[position].bytes(), &digests, random);
    let name = files.members[position].name.clone();
    repair::replace(files, position, bytes);
    (change, format!("{name}: {what}"))
}

fn mutated(
    document: &[u8],
    digests: &[String],
    random: &mut Random,
) -> (&'static str, String, Vec<u8>) {
    let mut json = Json::parse(document).unwrap();
    // Either the payload is changed and signed again, or the signature is changed.
    let signed = json.without("signatures").filter(|_| !random.once_in(3));
    if let Some(payload) = &signed {
        json = payload.clone();
    }
    let (change, what, bytes) = if random.once_in(12) {
        let (change, bytes) = json::spoil(&json.text(), random);
        (change, change.to_owned(), bytes)
    } else {
        let (change, what) = json::mutate(&mut json, digests, random);
        (change, what, json.text().into_bytes())
    };
    let text = String::from_utf8(bytes);
    match (signed, text) {
        (Some(_), Ok(text)) if text.len() > 2 && text.ends_with('}') => {
            (change, what, schema1::sign(&text).into_bytes())
        }
        (_, Ok(text)) => (change, what, text.into_bytes()),
        (_, Err(error)) => (change, what, error.into_bytes()),
    }
}

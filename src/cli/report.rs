//! Records of a run: the report, the depfile, and the list of failures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ocify::{DigestMap, Error, Failure as FailedInput, Interrupt, Report, SideDocument, Target};

use serde_json::{Value, json};

use super::args::Record;
use super::escape::escape;
use super::inputs::Inputs;
use super::{Failure, counted, depfile, json};

/// The staged files that are published after the output.
pub struct Records<'a> {
    target: &'a Target,
    report: Option<SideDocument>,
    depfile: Option<SideDocument>,
}

impl<'a> Records<'a> {
    /// Stages the files. They must not replace what is read: `read`, and the `list` of the inputs.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn stage(
        args: &Record,
        target: &'a Target,
        read: &[PathBuf],
        list: Option<&Path>,
        fsync: bool,
        interrupt: &Interrupt,
    ) -> Result<Records<'a>, Failure> {
        if args.depfile.is_some() && target.path().is_none() {
            let message = "`--depfile` needs an output with a name, which `-` is not";
            return Err(Failure::Usage(message.to_owned()));
        }
        refuse_shared_names(args, list)?;
        if args.depfile.is_some() {
            // A name inside a folder is known only later.
            depfile::rule(&outputs(target, &[]), read).map_err(no_rule)?;
        }
        let stage = |what, path: &Option<PathBuf>| {
            let path = path.as_deref();
            path.map(|path| SideDocument::new(what, path, read, target, fsync, interrupt))
                .transpose()
        };
        Ok(Records {
            target,
            report: stage("report", &args.report)?,
            depfile: stage("depfile", &args.depfile)?,
        })
    }

    /// Writes and publishes the files. `list` is the file that lists the inputs.
    pub fn publish(self, report: &Report, list: Option<&Path>) -> Result<(), Failure> {
        if let Some(mut file) = self.report {
            let mut document = Vec::new();
            json::write(&mut document, &json::report(report))?;
            file.write(&document)?;
            file.publish()?;
        }
        if let Some(mut file) = self.depfile {
            let mut files = report.files.clone();
            files.extend(list.map(Path::to_owned));
            let outputs = outputs(self.target, &report.volumes);
            let rule = depfile::rule(&outputs, &files).map_err(no_rule)?;
            file.write(&rule)?;
            file.publish()?;
        }
        Ok(())
    }
}

/// The targets of a rule: the output, or its volumes. A rule of make may have a layout's index.json as its target, because the
/// time of a folder says little.
fn outputs(target: &Target, volumes: &[PathBuf]) -> Vec<PathBuf> {
    match target {
        Target::Folder(path) => vec![path.clone(), path.join("index.json")],
        target => match target.path() {
            Some(path) if volumes.is_empty() => vec![path.to_owned()],
            _ => volumes.to_vec(),
        },
    }
}

fn no_rule(name: &Path) -> Failure {
    let name = escape(&name.display().to_string());
    Failure::Other(format!(
        "{name}: a depfile cannot name it, because its name contains a line end or ends with a backslash"
    ))
}

/// Refuses one file for two documents, or for a document and the list of the inputs.
fn refuse_shared_names(args: &Record, list: Option<&Path>) -> Result<(), Failure> {
    let named = [
        ("--files-from", list),
        (
            "--digest-map",
            args.digest_map.as_ref().map(DigestMap::path),
        ),
        ("--report", args.report.as_deref()),
        ("--depfile", args.depfile.as_deref()),
    ];
    let location = |path: &Path| {
        let folder = path.parent().filter(|parent| *parent != Path::new(""));
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some((folder, path.file_name()?.to_owned()))
    };
    let mut known = HashMap::new();
    for (option, path) in named {
        if let Some(location) = path.and_then(location)
            && let Some(other) = known.insert(location, option)
        {
            let message = format!("`{other}` and `{option}` name the same file");
            return Err(Failure::Usage(message));
        }
    }
    Ok(())
}

/// The results of one or several inputs.
pub struct Many {
    /// Whether the command line names one input, so that there is one result.
    pub is_one: bool,
    keep_going: bool,
    /// For JSON.
    pub documents: Vec<Value>,
    pub failed: Vec<FailedInput>,
}

impl Many {
    pub fn new(args: &Inputs) -> Many {
        let is_one = args.is_one();
        Many {
            is_one,
            keep_going: args.keep_going && !is_one,
            documents: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// The result of an input. `None` if it failed and the run continues.
    pub fn take<T>(&mut self, input: &Path, result: ocify::Result<T>) -> ocify::Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.keep_going && !matches!(error.fact(), Error::Interrupted) => {
                self.failed.push(FailedInput::of_input(input, &error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The document of the only input, or all.
    pub fn json(&mut self) -> Value {
        if self.is_one
            && let Some(document) = self.documents.pop()
        {
            return document;
        }
        json!({ "inputs": self.documents, "failed": json::failed(&self.failed) })
    }
}

/// Prints the list of failures last. Fails if there are any.
pub fn finish(failed: &[FailedInput], inputs: usize) -> Result<(), Failure> {
    if failed.is_empty() {
        return Ok(());
    }
    for failure in failed {
        eprintln!("ocify: {}", escape(&failure.message));
        if let Some(hint) = failure.hint {
            eprintln!("hint: {hint}");
        }
    }
    let images = failed.iter().filter(|one| one.image.is_some()).count();
    let of_inputs = |one: &&FailedInput| one.input.is_some() && one.image.is_none();
    let count = failed.iter().filter(of_inputs).count();
    match (images, count) {
        (0, 0) => {}
        (0, _) => eprintln!("ocify: {count} of {} failed", counted(inputs, "input")),
        (_, 0) => eprintln!("ocify: {} failed", counted(images, "image")),
        _ => eprintln!(
            "ocify: {} and {count} of {} failed",
            counted(images, "image"),
            counted(inputs, "input")
        ),
    }
    Err(Failure::Reported)
}

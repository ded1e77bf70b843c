//! Runs the recipes in the README and the guide.
//!
//! A block of `sh` or `make` is marked `<!-- run -->`, or `<!-- needs … -->` if it needs something that the tests lack.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use walkdir::WalkDir;

use crate::support::docker::save_one;
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;

const PAGES: [(&str, &str); 2] = [
    ("README.md", include_str!("../../README.md")),
    ("docs/guide.md", include_str!("../../docs/guide.md")),
];

struct Recipe {
    place: String,
    language: &'static str,
    marker: String,
    text: String,
}

fn recipes() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (page, text) in PAGES {
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(language) = ["sh", "make"]
                .into_iter()
                .find(|one| *line == format!("```{one}"))
            else {
                continue;
            };
            let body = lines[number + 1..]
                .iter()
                .take_while(|line| **line != "```");
            recipes.push(Recipe {
                place: format!("{page}:{}", number + 1),
                language,
                marker: lines[number - 1].to_owned(),
                text: body.flat_map(|line| [line, "\n"]).collect(),
            });
        }
    }
    recipes
}

/// With `app.tar` and a folder of archives.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    fs::create_dir(sandbox.path("archives")).unwrap();
    for name in ["a", "b", "c"] {
        let layers = [Layer::new("base"), Layer::new(name)];
        let archive = save_one(&format!("{name}:1.0"), &layers);
        sandbox.write(&format!("archives/{name}.tar"), &archive.tar());
    }
    sandbox
}

fn run(sandbox: &Sandbox, command: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_ocify"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    Command::new(command[0])
        .args(&command[1..])
        .current_dir(sandbox.path(""))
        .env("PATH", path)
        .env("HOME", sandbox.path(""))
        .env("TMPDIR", sandbox.path(""))
        .env_remove("MAKEFLAGS")
        .env_remove("OCIFY_CACHE")
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(place: &str, output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {stderr}");
}

#[test]
fn each_recipe_is_marked() {
    for Recipe { place, marker, .. } in recipes() {
        let markers = ["<!-- run -->", "<!-- needs ", "<!-- commands -->"];
        let known = markers.iter().any(|known| marker.starts_with(known));
        assert!(known, "{place}: {marker}");
    }
}

fn to_be_run(language: &str) -> Vec<Recipe> {
    let all = recipes().into_iter();
    let found: Vec<Recipe> = all
        .filter(|recipe| recipe.language == language && recipe.marker == "<!-- run -->")
        .collect();
    assert!(!found.is_empty());
    found
}

#[test]
fn commands_work() {
    for Recipe { place, text, .. } in to_be_run("sh") {
        succeeds(&place, &run(&sandbox(), &["sh", "-euc", &text]));
    }
}

/// Sets the time of everything, or of everything except the archives.
fn age(sandbox: &Sandbox, seconds: u64, with_archives: bool) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    for entry in WalkDir::new(sandbox.path("")) {
        let entry = entry.unwrap();
        let below = entry.path().strip_prefix(sandbox.path("")).unwrap();
        if with_archives || !below.starts_with("archives") {
            File::open(entry.path())
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
    }
}

/// Each Makefile builds, has nothing to do the second time, and builds again after an archive has changed.
#[test]
fn makefiles_work() {
    for Recipe { place, text, .. } in to_be_run("make") {
        let sandbox = sandbox();
        sandbox.write("Makefile", text.as_bytes());
        let is_up_to_date = || run(&sandbox, &["make", "-q"]).status.success();
        age(&sandbox, 7200, true);
        assert!(!is_up_to_date(), "{place}");
        succeeds(&place, &run(&sandbox, &["make", "-j3"]));
        assert!(is_up_to_date(), "{place}");

        age(&sandbox, 3600, false);
        assert!(is_up_to_date(), "{place}");
        let archive = save_one("b:2.0", &[Layer::new("base"), Layer::new("newer")]);
        sandbox.write("archives/b.tar", &archive.tar());
        assert!(!is_up_to_date(), "{place}");
        succeeds(&place, &run(&sandbox, &["make", "-j3"]));
        assert!(is_up_to_date(), "{place}");

        let outputs = ["layouts/b", "layout", "images.tar"];
        let mut outputs = outputs
            .iter()
            .filter(|output| sandbox.path(output).exists());
        let output = outputs.next().unwrap();
        sandbox.layout(output).named("b:2.0");
    }
}

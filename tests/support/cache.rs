//! The folder of a cache.

use std::fs::{self, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::sandbox::{Run, Sandbox};

/// All files in the folder `cache`, sorted.
pub fn files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mut found = Vec::new();
    below(&sandbox.path("cache"), &mut found);
    found.sort();
    found
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            below(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// The one entry of a layer.
#[track_caller]
pub fn entry(sandbox: &Sandbox, diff_id: &str) -> PathBuf {
    let hex = diff_id.strip_prefix("sha256:").unwrap();
    let of_layer = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(hex);
    let mut found: Vec<PathBuf> = files(sandbox).into_iter().filter(of_layer).collect();
    assert_eq!(found.len(), 1, "{diff_id}");
    found.remove(0)
}

/// Sets the time of last use of an entry to this many hours ago.
pub fn age(entry: &Path, hours: u64) {
    let time = SystemTime::now() - Duration::from_secs(hours * 3600);
    let file = fs::File::open(entry).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// The message of a run with `-v` and a cache: the number of layers from the cache, and of all.
#[track_caller]
pub fn hits(run: &Run) -> (usize, usize) {
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let line = run.stderr.lines().last().unwrap();
    let numbers = line.strip_suffix(" encoded layers from the cache").unwrap();
    let (hits, layers) = numbers.split_once(" of ").unwrap();
    (hits.parse().unwrap(), layers.parse().unwrap())
}

/// Converts `input` with the cache. Returns the message about the cache.
#[track_caller]
pub fn cached(sandbox: &Sandbox, input: &str, output: &str, args: &[&str]) -> (usize, usize) {
    let always = [input, "-o", output, "--cache", "cache", "-v"];
    hits(&sandbox.convert(&[&always, args].concat()))
}

//! The folder of `--cache`: permissions, and files that are left in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::cache::{cached, files, hits};
use crate::support::docker::save_one;
use crate::support::layers::Layer;
use crate::support::sandbox::{Run, Sandbox};

fn layers() -> [Layer; 3] {
    [
        Layer::noise(1, 200_000),
        Layer::new("middle"),
        Layer::new("top"),
    ]
}

fn sandbox() -> Sandbox {
    Sandbox::with_archive(&save_one("app:1.0", &layers()))
}

#[test]
fn modes_honour_umask() {
    let sandbox = sandbox();
    for umask in [0o022, 0o077, 0o002] {
        let args = ["convert", "app.tar", "-o", "out", "--cache", "cache/deep"];
        sandbox
            .run_after(&format!("umask {umask:03o}"), &args)
            .succeeds();
        let mode = |path: &std::path::Path| path.metadata().unwrap().mode() & 0o7777;
        for file in files(&sandbox) {
            assert_eq!(mode(&file), 0o666 & !umask, "{}", file.display());
            assert_eq!(mode(file.parent().unwrap()), 0o777 & !umask);
        }
        for folder in ["cache", "cache/deep"] {
            assert_eq!(mode(&sandbox.path(folder)), 0o777 & !umask);
        }
        fs::remove_dir_all(sandbox.path("cache")).unwrap();
    }
}

#[test]
fn a_cache_that_cannot_be_had_is_an_error() {
    let sandbox = sandbox();
    sandbox.write("file", b"");
    let before = sandbox.snapshot();
    for (cache, message) in [
        ("file", "cannot create the cache file: File exists"),
        (
            "file/cache",
            "cannot create the cache file/cache: Not a directory",
        ),
        (
            "out",
            "the cache out is inside the output out\nhint: choose a folder outside the output for the cache",
        ),
        (
            "./other/../out/cache",
            "the cache ./other/../out/cache is inside the output out\nhint: choose a folder outside the output for the cache",
        ),
    ] {
        let run = sandbox.convert(&["app.tar", "-o", "out", "--cache", cache]);
        run.fails(&format!("ocify: {message}\n"));
        assert_eq!(sandbox.snapshot(), before, "{cache}");
    }
}

#[test]
fn an_output_inside_of_the_cache_is_like_any_other() {
    let sandbox = sandbox();
    for output in ["cache/out", "cache/out.tar"] {
        fs::create_dir_all(sandbox.path("cache")).unwrap();
        for expected in [(0, 3), (3, 3)] {
            assert_eq!(cached(&sandbox, "app.tar", output, &[]), expected);
        }
        cached(&sandbox, "app.tar", output, &["--cache-size", "0"]);
        sandbox.layout(output);
        fs::remove_dir_all(sandbox.path("cache")).unwrap();
    }
}

/// Converts without the capabilities that let root ignore modes.
fn unprivileged(sandbox: &Sandbox, args: &[&str]) -> Run {
    sandbox.run_unprivileged(&[&["convert", "--no-fsync"], args].concat())
}

#[test]
fn a_cache_that_is_only_read() {
    let sandbox = sandbox();
    cached(&sandbox, "app.tar", "out", &[]);
    let other = [layers()[0].clone(), Layer::new("one"), Layer::new("two")];
    sandbox.write("other.tar", &save_one("other:1.0", &other).tar());
    let mode = |mode: &str| {
        let mut command = Command::new("chmod");
        command.args(["-R", mode, "cache"]);
        let status = command.current_dir(sandbox.path("")).status();
        assert!(status.unwrap().success());
    };
    let before = sandbox.snapshot().len();
    mode("a-w");
    let args = ["app.tar", "-o", "out", "--cache", "cache"];
    unprivileged(&sandbox, &args).succeeds();
    let args = ["other.tar", "-o", "out", "--cache", "cache", "-v"];
    let run = unprivileged(&sandbox, &args);
    mode("u+w");
    assert_eq!(hits(&run), (1, 3));
    let warnings: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("ocify: "))
        .collect();
    assert_eq!(warnings.len(), 1, "{}", run.stderr);
    let start = "ocify: warning: no more layers are added to the cache: cannot create a staged file in cache";
    let end = ": Permission denied (cache)";
    assert!(
        warnings[0].starts_with(start) && warnings[0].ends_with(end),
        "{}",
        warnings[0]
    );
    // Two layers, a config and a manifest are new in the layout.
    assert_eq!(sandbox.snapshot().len(), before + 4);
    sandbox.layout("out");
}

#[test]
fn runs_that_end_early_leave_nothing_for_good() {
    let sandbox = sandbox();
    cached(&sandbox, "app.tar", "out", &[]);
    let before = files(&sandbox);
    // Long enough to be stopped in the middle.
    let long = [Layer::noise(7, 6_000_000)];
    sandbox.write("long.tar", &save_one("long:1.0", &long).tar());
    for (signal, output) in [
        (Signal::TERM, "long"),
        (Signal::TERM, "-"),
        (Signal::KILL, "long"),
    ] {
        let args = ["convert", "long.tar", "-o", output, "--cache", "cache"];
        let compression = ["--compression", "zstd:19", "--threads", "1"];
        let mut child = sandbox
            .command(&[&args[..], &compression].concat())
            .spawn()
            .unwrap();
        while files(&sandbox).len() == before.len() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(!Run::new(child).status.success());
        if signal == Signal::TERM {
            assert_eq!(files(&sandbox), before);
        }
    }
    assert_ne!(files(&sandbox), before);
    assert_eq!(cached(&sandbox, "app.tar", "out", &[]), (3, 3));
    assert_eq!(files(&sandbox), before);
}

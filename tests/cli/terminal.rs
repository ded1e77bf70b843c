//! Progress on a terminal and in logs, and what remains of it at the end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::docker::{layer_name, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::tar::{Body, Sparse, SparseFormat};
use crate::support::terminal::Terminal;

/// A sandbox with two layers of zeros that take longer than any test, and one short layer.
fn endless() -> Files {
    let layers = ["one", "two", "three"].map(Layer::new);
    let mut files = save_one("app:1.0", &layers);
    for layer in &layers[..2] {
        let body = Body::Sparse(Sparse {
            format: SparseFormat::Pax10,
            fragments: vec![(0, b"x".to_vec())],
            size: 100 << 30,
        });
        files = files.with_body(&layer_name(layer), body);
    }
    files
}

#[test]
fn bars_fit_the_screen_and_leave_nothing_behind_after_a_signal() {
    for (columns, shown) in [
        (80, "1 of 3 layers  ["),
        (40, "1 of 3 layers  "),
        (12, "1/3 "),
    ] {
        for args in [
            &["convert", "app.tar", "-o", "out", "--threads", "2"][..],
            &[
                "convert",
                "app.tar",
                "-o",
                "out.tar",
                "--compression",
                "zstd:22",
            ],
            &["verify", "app.tar", "--threads", "2"],
        ] {
            let sandbox = Sandbox::with_archive(&endless());
            let before = sandbox.snapshot_without_content();
            let mut terminal = Terminal::start(sandbox.command(args), columns);
            // In a tar, layers are written in order.
            let is_ordered = args.contains(&"out.tar");
            let shown = if is_ordered {
                &shown.replacen('1', "0", 1)
            } else {
                shown
            };
            terminal.wait_for(shown);
            assert!(!terminal.screen.wrapped, "{}", terminal.screen.text());
            terminal.signal(Signal::INT);
            let status = terminal.end();
            assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
            let text = terminal.screen.text().replace('\n', "");
            assert_eq!(text, "ocify: interrupted", "{columns} {args:?}");
            assert_eq!(sandbox.snapshot_without_content(), before);
        }
    }
}

#[test]
fn a_pipe_is_shown_while_it_is_read_and_is_gone_after_an_error() {
    for args in [
        &["convert", "-", "-o", "out"][..],
        &["verify", "-"],
        &["inspect", "-"],
    ] {
        let sandbox = Sandbox::new();
        let archive = save_one("app:1.0", &[Layer::new("one")]).tar();
        let mut command = sandbox.command(args);
        command.stdin(Stdio::piped());
        let mut terminal = Terminal::start(command, 80);
        let mut stdin = terminal.child.stdin.take().unwrap();
        stdin.write_all(&archive[..1024]).unwrap();
        terminal.wait_for("reading standard input");
        assert!(!terminal.screen.wrapped, "{}", terminal.screen.text());
        drop(stdin);
        assert_eq!(terminal.end().code(), Some(1));
        let text = terminal.screen.text();
        assert!(!text.contains("reading"), "{text}");
    }
}

#[test]
fn without_a_terminal_a_line_is_printed_after_ten_seconds() {
    let sandbox = Sandbox::new();
    let archive = save_one("app:1.0", &[Layer::new("one")]).tar();
    let mut command = sandbox.command(&["convert", "-", "-o", "out"]);
    let begin = Instant::now();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&archive[..2048]).unwrap();
    // Nobody writes more until there is a line.
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    let time = begin.elapsed();
    let begins = line.starts_with("ocify: progress: reading standard input, ");
    assert!(begins, "{line}");
    assert!(time >= Duration::from_secs(10), "{time:?}");
    stdin.write_all(&archive[2048..]).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// While it waits for a pipe without a writer, the program cannot check flags.
#[test]
fn a_signal_removes_what_is_staged_even_while_a_pipe_is_awaited() {
    for signals in [1, 2] {
        let sandbox = Sandbox::new();
        let args = ["convert", "-", "-o", "out", "--report", "report.json"];
        let mut command = sandbox.command(&args);
        command.stdin(Stdio::piped());
        let mut terminal = Terminal::start(command, 80);
        let mut stdin = terminal.child.stdin.take().unwrap();
        stdin.write_all(&[b'x'; 100]).unwrap();
        terminal.wait_for("reading standard input");
        assert_eq!(sandbox.snapshot().len(), 1, "the report is staged");
        for _ in 0..signals {
            terminal.signal(Signal::TERM);
        }
        let status = terminal.end();
        assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
        assert_eq!(terminal.screen.text(), "ocify: interrupted");
        assert_eq!(sandbox.snapshot().len(), 0);
        drop(stdin);
    }
}

#[test]
fn nothing_is_shown_where_nothing_is_wanted() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("one")]));
    for option in ["--quiet", "--progress=none"] {
        let args = ["convert", "app.tar", "-o", "out", option];
        let mut terminal = Terminal::start(sandbox.command(&args), 80);
        assert_eq!(terminal.end().code(), Some(0));
        assert_eq!(terminal.screen.text(), "");
    }
}

#[test]
fn the_closing_line_counts_each_layer_once() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &["one", "two"].map(Layer::new)));
    let closing = |args: &[&str]| {
        let run = sandbox.convert(&[&["app.tar", "app.tar"], args].concat());
        let closing = run.succeeds().closing.clone().unwrap();
        let (said, time) = closing.split_once(", in ").unwrap();
        assert!(time.ends_with(" s"), "{closing}");
        said.rsplit_once(", ").unwrap().0.to_owned()
    };
    assert_eq!(
        closing(&["-o", "out"]),
        "ocify: converted 1 image, 2 layers (2 encoded, 0 kept)"
    );
    for from_cache in [false, true] {
        let counts = if from_cache {
            "0 encoded, 0 kept, 2 from the cache"
        } else {
            "2 encoded, 0 kept, 0 from the cache"
        };
        assert_eq!(
            closing(&["-o", "out.tar", "--cache", "cache"]),
            format!("ocify: converted 1 image, 2 layers ({counts})")
        );
    }
    let run = sandbox.convert(&["out", "-o", "again"]);
    let closing = run.closing.as_deref().unwrap();
    assert!(closing.contains(" (0 encoded, 2 kept), "), "{closing}");
    let sizes = closing.split(", ").nth(3).unwrap();
    let (before, after) = sizes.split_once(" to ").unwrap();
    assert_eq!(before, after);
}

#[test]
fn errors_come_without_a_closing_line() {
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", b"no archive");
    let run: Run = sandbox.convert(&["app.tar", "-o", "out"]);
    assert_eq!((run.status.code(), run.closing), (Some(1), None));
}

//! Whatever happens, an output is complete or unchanged, and nothing else is left.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::support::codec;
use crate::support::docker::{Image, layer_name, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::tar::{self, Body, Member, Sparse, SparseFormat};

/// The smallest archive: manifest.json, a config, and a layer with one header and one block.
fn smallest() -> Vec<u8> {
    let layers = [Layer {
        tar: tar::without_end(&[Member::file("a", "b")]),
    }];
    let mut image = Image::new(&["a:b"], &layers);
    "c".clone_into(&mut image.config_name);
    "l".clone_into(&mut image.layers[0].0);
    let config = serde_json::json!({
        "os": "linux", "architecture": "amd64",
        "rootfs": { "type": "layers", "diff_ids": [layers[0].diff_id()] },
    });
    image.config = config.to_string().into_bytes();
    save(&[image]).without("repositories").tar()
}

#[test]
fn every_truncation_is_an_error() {
    let archive = smallest();
    let sandbox = Sandbox::with_archive(&save_one("old:1", &[Layer::new("old")]));
    sandbox.convert(&["app.tar", "-o", "there.tar"]).succeeds();
    sandbox.write("app.tar", &archive);
    sandbox.convert(&["app.tar", "-o", "whole"]).succeeds();
    sandbox.write("app.tar", b"");
    let before = sandbox.snapshot();
    sandbox.write("app.tar", &archive);
    for length in (0..archive.len()).rev() {
        cut(&sandbox, length);
        // To a new folder, and to an existing tar.
        let output = if length % 2 == 0 { "out" } else { "there.tar" };
        assert!(!converts(&sandbox, output), "{length}");
        // Starting the program takes much longer than its work, so only cuts near block ends are tested, where errors are
        // likely.
        if matches!(length % 512, 0 | 1 | 200 | 511) {
            let run = sandbox.convert(&["app.tar", "-o", output]);
            assert_eq!(run.status.code(), Some(1), "{length}");
            assert!(run.stderr.starts_with("ocify: app.tar: "), "{}", run.stderr);
            assert!(run.stderr.lines().count() <= 2, "{}", run.stderr);
        }
        if length % 64 == 0 {
            assert_eq!(sandbox.snapshot().len(), before.len(), "{length}");
        }
    }
    // The last cut only removes the end-of-archive marker.
    assert_eq!(sandbox.snapshot(), before);
}

/// Shortens `app.tar`.
fn cut(sandbox: &Sandbox, length: usize) {
    let file = fs::OpenOptions::new()
        .write(true)
        .open(sandbox.path("app.tar"));
    file.unwrap().set_len(length as u64).unwrap();
}

/// Runs the same conversion in this process.
fn converts(sandbox: &Sandbox, output: &str) -> bool {
    let mut options = ocify::Options::default();
    options.threads = Some(1);
    let target = ocify::Target::new(&sandbox.path(output));
    let input = [sandbox.path("app.tar")];
    ocify::convert(
        &input,
        &target,
        &options,
        &ocify::Silent,
        &ocify::Interrupt::new(),
    )
    .is_ok()
}

#[test]
fn every_truncation_of_a_compressed_archive_is_an_error() {
    let archive = smallest();
    let sandbox = Sandbox::new();
    for (codec, encode) in codec::ALL.into_iter().skip(1) {
        let encoded = encode(&archive);
        sandbox.write("app.tar", &encoded);
        for length in (0..encoded.len()).rev() {
            cut(&sandbox, length);
            assert!(!converts(&sandbox, "out"), "{codec} {length}");
        }
        sandbox.write("app.tar", &encoded);
        assert!(converts(&sandbox, "out"), "{codec}");
        fs::remove_dir_all(sandbox.path("out")).unwrap();
    }
    assert_eq!(sandbox.snapshot().len(), 1);
}

#[test]
fn an_error_leaves_an_existing_output_as_it_was() {
    let layers = [Layer::new("base"), Layer::new("top")];
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers));
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    sandbox.convert(&["app.tar", "-o", "out.tar"]).succeeds();
    let dir = ["-o", "dir", "--to", "dir"];
    let archive = ["-o", "archive.tar", "--to", "docker-archive"];
    for output in [&dir, &archive] {
        let args = [&["app.tar"], &output[..]].concat();
        sandbox.convert(&args).succeeds();
    }
    // The other layers are valid and large, so that the output is half-written.
    let mut image = Image::new(
        &["app:1.0"],
        &[
            Layer::noise(1, 3_000_000),
            Layer::new("b"),
            Layer::noise(2, 9_000),
        ],
    );
    image.layers[2].1 = Layer::noise(3, 9_000).tar;
    sandbox.write("bad.tar", &save(&[image]).tar());
    let before = sandbox.snapshot();
    for output in [
        &["-o", "out"][..],
        &["-o", "out.tar"],
        &["-o", "new"],
        &["-o", "new.tar"],
        &dir,
        &["-o", "new", "--to", "dir", "--format", "v2s1"],
        &archive,
        &["-o", "new.tar", "--to", "docker-archive"],
    ] {
        for threads in ["1", "4"] {
            let args = [&["bad.tar", "--threads", threads], output].concat();
            let run = sandbox.convert(&args);
            assert_eq!(run.status.code(), Some(1));
            assert!(
                run.stderr.contains("layer 3 of 3: diff_id is "),
                "{}",
                run.stderr
            );
            assert_eq!(sandbox.snapshot(), before, "{output:?}");
        }
    }
}

/// A sandbox with a layer of the maximum size, which never ends during a test: zeros, which take no space as a sparse member.
fn endless() -> Files {
    long(120 << 30)
}

fn long(size: u64) -> Files {
    let layer = Layer::new("base");
    let body = Body::Sparse(Sparse {
        format: SparseFormat::Pax10,
        fragments: vec![(0, b"x".to_vec())],
        size,
    });
    save_one("app:1.0", std::slice::from_ref(&layer)).with_body(&layer_name(&layer), body)
}

/// Starts a conversion of `app.tar` and waits until it has staged something.
fn start(sandbox: &Sandbox, output: &str) -> Child {
    let staged = || {
        let folder = output.split(' ').next().unwrap();
        let inside = fs::read_dir(sandbox.path(folder)).into_iter().flatten();
        let beside = fs::read_dir(sandbox.path(".")).unwrap();
        beside.chain(inside).any(|entry| {
            let name = entry.unwrap().file_name();
            name.to_str().unwrap().starts_with('.')
        })
    };
    // With an option: `out --replace`.
    let output = output.split(' ');
    let args = ["convert", "app.tar", "-o"].into_iter().chain(output);
    let args: Vec<&str> = args.collect();
    let mut child = sandbox.command(&args).spawn().unwrap();
    while !staged() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        std::thread::yield_now();
    }
    child
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

#[test]
fn a_signal_leaves_no_trace_and_ends_the_program() {
    let sandbox = Sandbox::with_archive(&save_one("old:1", &[Layer::new("old")]));
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    sandbox.convert(&["app.tar", "-o", "out.tar"]).succeeds();
    sandbox.write("app.tar", &endless().tar());
    let before = sandbox.snapshot();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        for output in [
            "new",
            "new.tar",
            "new.tar.gz",
            "out",
            "out --replace",
            "out.tar",
            "out.tar --add",
        ] {
            let child = start(&sandbox, output);
            kill_process(pid(&child), signal).unwrap();
            let run = Run::new(child);
            assert_eq!(run.status.signal(), Some(signal.as_raw()), "{output}");
            assert_eq!(
                (run.stdout(), run.stderr.as_str()),
                ("", "ocify: interrupted\n"),
                "{output}"
            );
            assert_eq!(sandbox.snapshot(), before, "{output}");
        }
    }
}

#[test]
fn a_signal_while_standard_input_is_awaited_ends_the_program() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["convert", "-", "-o", "out"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More than fits into a pipe: when everything is written, the program is reading.
    let archive = save_one("app:1.0", &[Layer::noise(1, 2 << 20)]).tar();
    stdin.write_all(&archive[..1 << 20]).unwrap();
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert_eq!(Run::new(child).status.signal(), Some(Signal::TERM.as_raw()));
    drop(stdin);
    assert_eq!(sandbox.snapshot().len(), 0);
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let sandbox = Sandbox::with_archive(&save_one("old:1", &[Layer::new("old")]));
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    sandbox.convert(&["app.tar", "-o", "out.tar"]).succeeds();
    let archive = sandbox.read("app.tar");
    let before = sandbox.snapshot();
    for output in ["out", "out --replace", "out.tar", "out.tar --add"] {
        sandbox.write("app.tar", &endless().tar());
        let mut child = start(&sandbox, output);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_ne!(sandbox.snapshot().len(), before.len(), "{output}");
        sandbox.write("app.tar", &archive);
        let (path, _) = output.split_once(' ').unwrap_or((output, ""));
        sandbox.convert(&["app.tar", "-o", path]).succeeds();
        assert_eq!(sandbox.snapshot(), before, "{output}");
    }
    for output in ["new", "new.tar"] {
        sandbox.write("app.tar", &endless().tar());
        let mut child = start(&sandbox, output);
        child.kill().unwrap();
        child.wait().unwrap();
        sandbox.write("app.tar", &archive);
        sandbox.convert(&["app.tar", "-o", output]).succeeds();
        let hidden = |name: &String| name.starts_with('.');
        assert_eq!(
            sandbox.snapshot().keys().find(|name| hidden(name)),
            None,
            "{output}"
        );
    }
}

/// `prune` also removes files of a killed run.
#[test]
fn what_a_killed_run_left_is_pruned() {
    let sandbox = Sandbox::with_archive(&save_one("old:1", &[Layer::new("old")]));
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    let archive = sandbox.read("app.tar");
    let before = sandbox.snapshot();
    for output in ["out", "out --replace"] {
        sandbox.write("app.tar", &endless().tar());
        let mut child = start(&sandbox, output);
        child.kill().unwrap();
        child.wait().unwrap();
        sandbox.write("app.tar", &archive);
        assert_ne!(sandbox.snapshot().len(), before.len(), "{output}");
        sandbox.run(&["prune", "-q", "out"]).succeeds();
        assert_eq!(sandbox.snapshot(), before, "{output}");
    }
}

#[test]
fn no_room_left() {
    let archive = long(64 << 20).tar();
    let sandbox = Sandbox::with_archive(&save_one("old:1", &[Layer::new("old")]));
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    sandbox.convert(&["app.tar", "-o", "out.tar"]).succeeds();
    let to_tree = ["app.tar", "-o", "tree", "--to", "registry"];
    sandbox.convert(&to_tree).succeeds();
    let before = sandbox.snapshot();
    for output in [
        "new",
        "new.tar",
        "new.tar.zst",
        "out",
        "out.tar",
        "new-tree",
        "tree",
    ] {
        let kind = if output.ends_with("tree") {
            "registry"
        } else {
            "layout"
        };
        let args = [
            "convert",
            "-",
            "-o",
            output,
            "--to",
            kind,
            "--compression",
            "none",
        ];
        let mut child = sandbox
            .command(&args)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // A limit on file sizes simulates a full disk. The program has not written anything, because it waits for its input.
        let limit = Rlimit {
            current: Some(1 << 20),
            maximum: Some(1 << 20),
        };
        prlimit(Some(pid(&child)), Resource::Fsize, limit).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&archive).unwrap();
        drop(stdin);
        let run = Run::new(child);
        assert_eq!(run.status.code(), Some(1), "{output}: {:?}", run.status);
        assert!(run.stderr.starts_with("ocify: "), "{}", run.stderr);
        assert!(run.stderr.contains(output), "{}", run.stderr);
        assert!(run.stderr.ends_with(": File too large\n"), "{}", run.stderr);
        assert_eq!(sandbox.snapshot(), before, "{output}");
    }
}

#[test]
fn a_full_standard_output() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let before = sandbox.snapshot();
    let mut command = sandbox.command(&["convert", "app.tar", "-o", "-"]);
    let run = Run::new(command.stdout(full()).spawn().unwrap());
    run.fails("ocify: standard output: cannot write: No space left on device\n");
    assert_eq!(sandbox.snapshot(), before);
    // The output is complete, but standard output could not be written.
    let mut command = sandbox.command(&["convert", "app.tar", "-o", "out"]);
    let run = Run::new(command.stdout(full()).spawn().unwrap());
    run.fails("ocify: cannot write to standard output: No space left on device\n");
    sandbox.layout("out");
}

#[test]
fn a_closed_standard_output() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    let before = sandbox.snapshot();
    let closed = "it is closed, or is /dev/null opened for reading and writing; open /dev/null for writing only";
    for (redirect, problem) in [
        (">&-", closed),
        ("1<>/dev/null", closed),
        ("1<app.tar", "it is opened for reading only"),
    ] {
        let run = sandbox.run_after(
            &format!("exec {redirect}"),
            &["convert", "app.tar", "-o", "-"],
        );
        run.fails(&format!(
            "ocify: standard output: cannot write: {problem}\n"
        ));
    }
    sandbox
        .run_after("exec >/dev/null", &["convert", "app.tar", "-o", "-"])
        .succeeds();
    assert_eq!(sandbox.snapshot(), before);
    // A file that is open for reading too is not a closed one.
    sandbox
        .run_after("exec 1<>copy.tar", &["convert", "app.tar", "-o", "-"])
        .succeeds();
    sandbox.layout("copy.tar");
}

#[test]
fn no_more_files_can_be_opened() {
    for output in ["new", "new.tar", "there", "there.tar"] {
        let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
        sandbox.convert(&["app.tar", "-o", "there"]).succeeds();
        sandbox.convert(&["app.tar", "-o", "there.tar"]).succeeds();
        sandbox.write("app.tar", &save_one("app:2.0", &[Layer::new("two")]).tar());
        fs::create_dir(sandbox.path("cache")).unwrap();
        let before = sandbox.snapshot();
        let failed = (3..64).take_while(|files| {
            let args = ["convert", "app.tar", "-o", output, "--threads", "1"];
            let args = [&args[..], &["--cache", "cache"]].concat();
            let run = sandbox.run_after(&format!("ulimit -n {files}"), &args);
            if !run.status.success() {
                let mut after = sandbox.snapshot();
                // The cache has the finished layers.
                after.retain(|name, _| !name.starts_with("cache/gzip-"));
                let names: Vec<&String> = after.keys().collect();
                let message = &run.stderr;
                assert!(after == before, "{files} files: {names:?} {message}");
            }
            !run.status.success()
        });
        // The input, the output, the cache and what is staged in them are open at the same time.
        assert!(failed.count() > 5, "{output}");
    }
}

#[test]
fn what_is_replaced_hands_on_its_mode() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    let convert = |output: &str| {
        let args = [
            "convert",
            "app.tar",
            "-o",
            output,
            "--digest-map",
            "map.csv",
        ];
        sandbox.run_after("umask 022", &args).succeeds();
    };
    for (output, file) in [
        ("out", "out/index.json"),
        ("out.tar", "out.tar"),
        ("other", "map.csv"),
    ] {
        convert(output);
        for mode in [0o600, 0o640, 0o664] {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(sandbox.path(file), permissions).unwrap();
            convert(output);
            let found = fs::metadata(sandbox.path(file)).unwrap().permissions();
            assert_eq!(found.mode() & 0o7777, mode, "{file}");
        }
    }
}

/// An obstacle among the blobs of an existing layout, which is met when others are in their places already.
#[test]
fn what_is_added_to_a_layout_is_taken_back() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &["a", "b"].map(Layer::new)));
    sandbox.write(
        "new.tar",
        &save_one("app:2.0", &["c", "d"].map(Layer::new)).tar(),
    );
    for output in ["out", "other"] {
        sandbox.convert(&["app.tar", "-o", output]).succeeds();
    }
    sandbox.convert(&["new.tar", "-o", "other"]).succeeds();
    let known = sandbox.layout("out").files;
    let new = sandbox.layout("other").files.into_keys();
    let new = new.filter(|name| name.starts_with("blobs/") && !known.contains_key(name));
    for name in new {
        let obstacle = sandbox.path("out").join(name);
        fs::create_dir_all(obstacle.join("in/the/way")).unwrap();
        let before = sandbox.snapshot();
        let run = sandbox.convert(&["new.tar", "-o", "out"]);
        assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
        assert!(run.stderr.contains("is not a file"), "{}", run.stderr);
        assert_eq!(sandbox.snapshot(), before);
        fs::remove_dir_all(obstacle).unwrap();
    }
}

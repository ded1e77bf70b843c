//! Digest maps, reports and depfiles: what they replace, and what they must not.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::support::docker::save_one;
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;

const OPTIONS: [&str; 2] = ["--report", "--depfile"];

fn sandbox() -> Sandbox {
    Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]))
}

/// With `/dev/null`, a run as root would otherwise cost the machine its null device.
#[test]
fn a_pipe_is_written_to_and_not_replaced() {
    for option in OPTIONS {
        let sandbox = sandbox();
        let pipe = sandbox.path("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        // As a shell passes `>(program)`.
        symlink("pipe", sandbox.path("link")).unwrap();
        for path in ["pipe", "link"] {
            let read = {
                let pipe = pipe.clone();
                thread::spawn(move || fs::read(pipe).unwrap())
            };
            sandbox
                .convert(&["app.tar", "-o", "out", option, path])
                .succeeds();
            let bytes = read.join().unwrap();
            assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
            if option == "--report" {
                let report: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(report["images"][0]["names"][0], "app:1.0");
            } else {
                assert!(bytes.starts_with(b"out out/index.json: \\\n  app.tar\n"));
            }
        }
    }
}

#[test]
fn a_link_to_a_file_is_refused() {
    for option in OPTIONS.iter().chain(&["--digest-map"]) {
        let sandbox = sandbox();
        sandbox.write("precious", b"precious");
        for (link, target) in [("link.json", "precious"), ("dangling.json", "nowhere")] {
            symlink(target, sandbox.path(link)).unwrap();
            let before = sandbox.snapshot();
            let run = sandbox.convert(&["app.tar", "-o", "out", option, link]);
            run.fails(&format!(
                "ocify: {link}: {link} is a symbolic link\nhint: use the path that it points to\n"
            ));
            assert_eq!(sandbox.snapshot(), before);
        }
    }
}

#[test]
fn a_hyphen_is_not_the_name_of_a_file() {
    for option in OPTIONS {
        let sandbox = sandbox();
        let before = sandbox.snapshot();
        sandbox
            .convert(&["app.tar", "-o", "out", option, "-"])
            .is_wrong_usage("expected the name of a file; /dev/stdout is standard output");
        assert_eq!(sandbox.snapshot(), before);
    }
}

#[test]
fn the_output_is_not_replaced_however_it_is_spelled() {
    for option in OPTIONS {
        let sandbox = sandbox();
        fs::create_dir(sandbox.path("folder")).unwrap();
        let absolute = sandbox.path("out.tar").display().to_string();
        for path in ["out.tar", "./out.tar", "folder/../out.tar", &absolute] {
            let before = sandbox.snapshot();
            let run = sandbox.convert(&["app.tar", "-o", "out.tar", option, path]);
            let what = option.trim_start_matches('-');
            run.fails(&format!(
                "ocify: the {what} {path} would be a file of out.tar\nhint: choose another path for it\n"
            ));
            assert_eq!(sandbox.snapshot(), before);
        }
        let volumes = ["app.tar", "-o", "out.tar", "--volume-size", "1M"];
        let run = sandbox.convert(&[&volumes[..], &[option, "out.001.tar"]].concat());
        assert!(
            run.stderr
                .contains("out.001.tar would be a file of out.tar"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn what_is_read_is_not_replaced() {
    let sandbox = sandbox();
    sandbox.convert(&["app.tar", "-o", "base", "-q"]).succeeds();
    let digests = sandbox.run(&["inspect", "--digests", "base"]);
    sandbox.write("have.txt", digests.succeeds().stdout().as_bytes());
    sandbox.write("list", b"app.tar\n");
    let before = sandbox.snapshot();
    for option in OPTIONS {
        for (read, path) in [
            (["--have", "have.txt"], "have.txt"),
            (["--have", "base"], "base/index.json"),
            (["--fill-from", "base"], "base/oci-layout"),
        ] {
            let args = [&["app.tar", "-o", "out", option, path], &read[..]].concat();
            let run = sandbox.convert(&args);
            let message = format!("{path} would be a file of {}", read[1]);
            assert!(run.stderr.contains(&message), "{args:?}: {}", run.stderr);
        }
        sandbox
            .convert(&["-T", "list", "-o", "out", option, "./list"])
            .is_wrong_usage(&format!("`--files-from` and `{option}` name the same file"));
    }
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn two_documents_do_not_share_a_file() {
    let sandbox = sandbox();
    let before = sandbox.snapshot();
    for (one, other) in [
        (["--digest-map", "x.json"], ["--report", "./x.json"]),
        (["--digest-map", "x.json"], ["--depfile", "x.json"]),
        (["--report", "x"], ["--depfile", "x"]),
    ] {
        let args = [&["app.tar", "-o", "out"], &one[..], &other[..]].concat();
        let message = format!("`{}` and `{}` name the same file", one[0], other[0]);
        sandbox.convert(&args).is_wrong_usage(&message);
    }
    assert_eq!(sandbox.snapshot(), before);
}

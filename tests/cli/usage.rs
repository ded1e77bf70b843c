//! Messages for unknown options and invalid values.

use crate::support::sandbox::Sandbox;

#[test]
fn unknown_options_are_not_taken_for_files() {
    let sandbox = Sandbox::new();
    for option in ["--force", "-f", "--overwrite"] {
        let run = sandbox.convert(&["app.tar", "-o", "out", option]);
        run.is_wrong_usage(&format!("unexpected argument '{option}' found"));
        run.is_wrong_usage("hint: a tar is overwritten without this option; use `--replace`");
        assert!(!run.stderr.contains("tip:"), "{}", run.stderr);
        assert!(!run.stderr.contains("--report"), "{}", run.stderr);
    }
    let run = sandbox.convert(&["app.tar", "-o", "out", "-x"]);
    run.is_wrong_usage("unexpected argument '-x' found");
    assert!(!run.stderr.contains("tip:"), "{}", run.stderr);
}

#[test]
fn misspelt_options_are_still_recognised() {
    let sandbox = Sandbox::new();
    let run = sandbox.convert(&["app.tar", "-o", "out", "--compresion", "gzip"]);
    run.is_wrong_usage("a similar argument exists: '--compression'");
}

#[test]
fn negative_numbers_are_values() {
    let sandbox = Sandbox::new();
    for (option, expected) in [
        ("--threads", "-1 is not in 1..=1024"),
        ("--cache-size", "expected a size such as 512M"),
        ("--max-layer-size", "expected a size such as 512M"),
    ] {
        let run = sandbox.convert(&["app.tar", "-o", "out", option, "-1"]);
        run.is_wrong_usage(&format!("invalid value '-1' for '{option} "));
        run.is_wrong_usage(expected);
    }
    let run = sandbox.run(&["verify", "app.tar", "--threads", "-1"]);
    run.is_wrong_usage("invalid value '-1' for '--threads <N>'");
}

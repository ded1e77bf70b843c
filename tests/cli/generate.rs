//! `--generate`: the manual and the completions contain every option of every command.

use crate::support::sandbox::Sandbox;

const COMMANDS: [&str; 4] = ["convert", "inspect", "verify", "prune"];
const DOCUMENTS: [&str; 4] = ["man", "complete-bash", "complete-zsh", "complete-fish"];

/// The long options in a help text.
fn options(help: &str) -> Vec<String> {
    let lines = help.lines().map(str::trim);
    let lines = lines.filter(|line| line.starts_with('-'));
    let words = lines.filter_map(|line| line.split([' ', ',']).find(|word| word.starts_with("--")));
    words.map(str::to_owned).collect()
}

#[test]
fn every_document_has_every_option() {
    let sandbox = Sandbox::new();
    let before = sandbox.snapshot();
    let mut wanted = options(sandbox.run(&["--help"]).succeeds().stdout());
    assert!(wanted.contains(&"--generate".to_owned()), "{wanted:?}");
    for command in COMMANDS {
        let help = sandbox.run(&[command, "--help"]);
        let found = options(help.succeeds().stdout());
        assert!(found.contains(&"--help".to_owned()), "{command}: {found:?}");
        wanted.extend(found);
    }
    for document in DOCUMENTS {
        let run = sandbox.run(&["--generate", document]);
        // The manual escapes the hyphens of options, and fish omits them.
        let text = run.succeeds().stdout().replace("\\-", "-");
        for option in &wanted {
            let name = option.trim_start_matches('-');
            let forms = [option.clone(), format!("-l {name}")];
            let known = forms.iter().any(|form| text.contains(form.as_str()));
            assert!(known, "{document} lacks {option}");
        }
        for command in COMMANDS {
            assert!(text.contains(command), "{document} lacks {command}");
        }
        assert_eq!(run.stderr, "");
    }
    assert_eq!(sandbox.snapshot(), before);
}

#[test]
fn the_manual_is_a_page_of_section_1() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["--generate", "man"]);
    let text = run.succeeds().stdout();
    assert!(text.contains("\n.TH ocify 1 "), "{text}");
    for command in COMMANDS {
        assert!(text.contains(&format!("\n.SH \"OCIFY {}\"\n", command.to_uppercase())));
    }
}

#[test]
fn generate_stands_alone() {
    let sandbox = Sandbox::new();
    for (args, part) in [
        (
            &["--generate"][..],
            "a value is required for '--generate <DOCUMENT>'",
        ),
        (&["--generate", "html"], "invalid value 'html'"),
        (
            &["--generate", "man", "inspect", "app.tar"],
            "cannot be used with '--generate <DOCUMENT>'",
        ),
        (&[], "Usage: ocify"),
    ] {
        sandbox.run(args).is_wrong_usage(part);
    }
}

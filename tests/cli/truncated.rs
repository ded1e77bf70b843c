//! Archives that end too early are called truncated, and are not taken for another format.

use crate::support::docker::{Image, layer_name, save};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;
use crate::support::{codec, legacy};

#[test]
fn a_truncated_archive_is_not_one_of_an_old_docker() {
    let layers = ["one", "two"].map(Layer::new);
    // Docker before 25 wrote v1 metadata beside each layer, as archives from before 1.10 have it.
    let mut files = Files::default();
    for layer in &layers {
        let name = layer_name(layer);
        let id = name.strip_suffix("/layer.tar").unwrap();
        files.put(&format!("{id}/json"), format!(r#"{{"id":"{id}"}}"#));
        files.put(&name, layer.tar.clone());
    }
    for member in save(&[Image::new(&["app:1.0"], &layers)]).members {
        if !files.members.iter().any(|known| known.name == member.name) {
            files.members.push(member);
        }
    }
    let archive = files.tar();
    let sandbox = Sandbox::new();
    let mut seen = 0;
    for length in (1024..archive.len() - 1024).step_by(1024) {
        sandbox.write("app.tar", &archive[..length]);
        let verified = sandbox.run(&["verify", "app.tar"]);
        let stdout = verified.stdout();
        assert_eq!(verified.status.code(), Some(1), "{length}");
        assert!(!stdout.contains("before 1.10"), "{length}: {stdout}");
        if stdout.contains("unknown format") {
            // Nothing but what is wrong with it.
            assert_eq!(stdout.lines().count(), 2, "{length}: {stdout}");
            assert!(stdout.contains(" is truncated: "), "{length}: {stdout}");
            seen += 1;
        }
        let run = sandbox.convert(&["app.tar", "-o", "out"]);
        assert!(
            run.stderr.contains(" is truncated: "),
            "{length}: {}",
            run.stderr
        );
        assert!(!sandbox.path("out").exists());
    }
    assert!(seen > 0);
}

#[test]
fn an_archive_is_called_truncated_wherever_it_ends() {
    let whole = save(&[Image::new(&["app:1.0"], &["one", "two"].map(Layer::new))]).tar();
    let sandbox = Sandbox::new();
    for (name, encode) in codec::ALL {
        let archive = encode(&whole);
        let cuts = [1, 2, 5, archive.len() / 2, archive.len() - 1];
        for length in cuts {
            let cut = &archive[..length];
            sandbox.write("app.tar", cut);
            for (command, input) in [
                (&["convert", "--no-fsync", "-o", "out"][..], "app.tar"),
                (&["convert", "--no-fsync", "-o", "-"], "-"),
                (&["verify"], "app.tar"),
                (&["inspect"], "app.tar"),
            ] {
                let run = sandbox.run_with_stdin(&[command, &[input]].concat(), cut);
                let said = format!("{}{}", run.stdout(), run.stderr);
                let place = format!("{name}, {length} bytes, {command:?} {input}: {said}");
                assert_eq!(run.status.code(), Some(1), "{place}");
                assert!(said.contains(" is truncated"), "{place}");
                for other in ["is damaged", "before 1.10", "is not a tar"] {
                    assert!(!said.contains(other), "{place}");
                }
            }
        }
    }
    assert!(!sandbox.path("out").exists());
}

/// With the list of its images, a truncated archive of an old Docker shows what it had.
#[test]
fn a_truncated_archive_of_an_old_docker_is_one() {
    let layers = ["one", "two"].map(Layer::new);
    let archive = legacy::save("app", "1.0", &layers).reversed().tar();
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &archive[..archive.len() - 2048]);
    let run = sandbox.run(&["inspect", "app.tar"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stdout().contains("app:1.0"), "{}", run.stdout());
    let said = format!("{}{}", run.stdout(), run.stderr);
    assert!(said.contains(" is truncated: "), "{said}");
}

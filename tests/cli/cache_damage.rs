//! `--cache` with a damaged cache or damaged inputs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use rustix::process::geteuid;

use crate::support::cache::{entry, files, hits};
use crate::support::docker::{Image, save, save_one};
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;
use crate::support::{codec, sha256_hex};

fn layers() -> [Layer; 3] {
    [
        Layer::noise(1, 1_200_000),
        Layer::new("middle"),
        Layer::noise(2, 9000),
    ]
}

/// A sandbox with an archive and a warm cache that only this user can write to, whatever the umask, because the checks of
/// entries depend on it.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &layers()));
    let args = ["convert", "app.tar", "-o", "expected", "--cache", "cache"];
    sandbox.run_after("umask 022", &args).succeeds();
    sandbox
}

type Damage = fn(&Path);

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(path.metadata().unwrap().len() - 1).unwrap();
}

fn lengthen(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, [&bytes[..], b"x"].concat()).unwrap();
}

fn empty(path: &Path) {
    fs::write(path, b"").unwrap();
}

/// A link to the correct bytes counts as damage too.
fn link(path: &Path) {
    let elsewhere = path.with_file_name("elsewhere");
    fs::rename(path, &elsewhere).unwrap();
    symlink(elsewhere, path).unwrap();
}

fn dangle(path: &Path) {
    fs::remove_file(path).unwrap();
    symlink("nowhere", path).unwrap();
}

fn folder(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
    fs::write(path.join("file"), b"x").unwrap();
}

fn fifo(path: &Path) {
    fs::remove_file(path).unwrap();
    let status = std::process::Command::new("mkfifo").arg(path).status();
    assert!(status.unwrap().success());
}

const DAMAGE: [(&str, Damage, &str); 8] = [
    ("flipped bit", flip, ", expected sha256:"),
    ("cut short", truncate, ", expected sha256:"),
    ("too long", lengthen, ", expected sha256:"),
    ("empty", empty, ", expected sha256:"),
    ("link", link, "Too many levels of symbolic links (cache)\n"),
    (
        "dangling link",
        dangle,
        "Too many levels of symbolic links (cache)\n",
    ),
    ("folder", folder, "Is a directory (cache)\n"),
    ("fifo", fifo, " is not a file (cache)\n"),
];

#[test]
fn a_damaged_entry_is_replaced() {
    for (what, damage, message) in DAMAGE {
        let sandbox = sandbox();
        let expected = sandbox.layout("expected");
        for (layer, output) in [(0, "out"), (2, "out"), (0, "out.tar"), (2, "-")] {
            let path = entry(&sandbox, &layers()[layer].diff_id());
            let bytes = fs::read(&path).unwrap();
            damage(&path);
            let args = ["app.tar", "-o", output, "--cache", "cache"];
            let run = sandbox.convert(&args);
            let warning = &run.stderr;
            assert_eq!(run.status.code(), Some(0), "{what}: {warning}");
            assert!(
                warning.starts_with("ocify: warning: removed from the cache"),
                "{what}: {warning}"
            );
            assert_eq!(warning.lines().count(), 1, "{what}: {warning}");
            assert!(warning.contains(message), "{what}: {warning}");
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(warning.contains(name), "{what}: {warning}");
            if output == "-" {
                sandbox.write("out.tar", &run.stdout);
            }
            let output = output.replace('-', "out.tar");
            let mut found = sandbox.layout(&output);
            found.files.remove("manifest.json");
            assert!(found == expected, "{what}");
            // The entry is restored.
            assert_eq!(fs::read(&path).unwrap(), bytes, "{what}");
            assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{what}");
            let run = sandbox.convert(&[&args[..2], &[&output, "-v"], &args[3..]].concat());
            assert_eq!(hits(&run), (3, 3), "{what}");
            fs::remove_file(path.with_file_name("elsewhere")).unwrap_or_default();
        }
    }
}

#[test]
fn many_damaged_entries_are_made_anew_at_once() {
    let sandbox = sandbox();
    let expected = sandbox.layout("expected");
    let before = sandbox.snapshot();
    for path in files(&sandbox) {
        flip(&path);
    }
    let args = ["app.tar", "-o", "out", "--cache", "cache", "-v"];
    assert_eq!(hits(&sandbox.convert(&args)), (0, 3));
    assert!(sandbox.layout("out") == expected);
    fs::remove_dir_all(sandbox.path("out")).unwrap();
    assert!(sandbox.snapshot() == before);
}

#[test]
fn a_cache_hides_no_damage_of_the_input() {
    let sandbox = sandbox();
    let good = Image::new(&["app:1.0"], &layers());
    let mut flipped = good.clone();
    flipped.layers[0].1[1_000_000] ^= 1;
    let mut other = good.clone();
    other.layers[1].1 = Layer::new("other").tar;
    let mut cut = good.clone().encoded(codec::gzip);
    cut.layers[2].1.truncate(300);
    let damaged = [
        (save(&[flipped]), "layer 1 of 3: diff_id is "),
        (save(&[other]), "layer 2 of 3: diff_id is "),
        (save(&[cut]), "layer 3 of 3: the gzip data is truncated"),
        (
            save(std::slice::from_ref(&good)).without(&good.layers[1].0),
            "layer 2 of 3: ",
        ),
    ];
    for (archive, message) in damaged {
        sandbox.write("bad.tar", &archive.tar());
        let before = sandbox.snapshot();
        for output in ["out", "out.tar", "-"] {
            let args = ["bad.tar", "-o", output, "--compression", "gzip:3"];
            let without = sandbox.convert(&args);
            assert!(without.stderr.contains(message), "{}", without.stderr);
            let warm = ["app.tar", "-o", "expected", "--cache", "cache"];
            sandbox.convert(&warm).succeeds();
            let with = sandbox.convert(&[&args[..], &["--cache", "cache"]].concat());
            with.fails(&without.stderr);
            assert!(sandbox.snapshot() == before);
        }
    }
    // An entry that is too large is not used either.
    let args = ["app.tar", "-o", "out", "--max-layer-size", "1M"];
    let without = sandbox.convert(&args);
    let with = sandbox.convert(&[&args[..], &["--cache", "cache"]].concat());
    with.fails(&without.stderr);
}

/// The name of an entry with its seal.
fn name(folder: &Path, diff_id: &str, digest: &str) -> String {
    let folder = folder.file_name().unwrap().to_str().unwrap();
    let name = format!("{diff_id}-{digest}");
    let seal = sha256_hex(format!("ocify cache: {folder}/{name}").as_bytes());
    format!("{name}-{}", &seal[..32])
}

/// Files in a private cache may come from another machine, and may have been renamed.
#[test]
fn an_entry_under_another_layers_name_is_not_used() {
    let other = Layer::new("other");
    let sandbox = sandbox();
    let own = entry(&sandbox, &layers()[1].diff_id());
    let convert = |archive: &str, more: &[&str]| {
        let args = [archive, "-o", "out", "--cache", "cache"];
        sandbox.convert(&[&args, more].concat())
    };
    sandbox.write(
        "other.tar",
        &save_one("other:1", std::slice::from_ref(&other)).tar(),
    );
    // Renamed to another layer's `diff_id`; moved to another level's folder.
    let renamed = own.file_name().unwrap().to_str().unwrap();
    let renamed = own.with_file_name(renamed.replace(&layers()[1].hex(), &other.hex()));
    convert("app.tar", &["--compression", "gzip:9"]).succeeds();
    fs::remove_dir_all(sandbox.path("out")).unwrap();
    let best = files(&sandbox)
        .into_iter()
        .find(|path| path.to_str().unwrap().contains("gzip-9-"))
        .unwrap();
    let moved = best.with_file_name(own.file_name().unwrap());
    for (path, archive, level) in [
        (renamed, "other.tar", "gzip:3"),
        (moved, "app.tar", "gzip:9"),
    ] {
        fs::copy(&own, &path).unwrap();
        let run = convert(archive, &["--compression", level]);
        run.warns(&format!(
            "ocify: warning: removed from the cache: {} was made for another layer or by another encoder (cache)\n",
            path.strip_prefix(sandbox.path("")).unwrap().display()
        ));
        assert!(!path.exists());
        let again = ["--compression", level, "-v"];
        assert_ne!(hits(&convert(archive, &again)).0, 0);
        let fresh = [archive, "-o", "fresh", "--compression", level];
        sandbox.convert(&fresh).succeeds();
        assert!(sandbox.layout("out") == sandbox.layout("fresh"));
        for output in ["out", "fresh"] {
            fs::remove_dir_all(sandbox.path(output)).unwrap();
        }
    }
}

/// Other users who can write to a cache cannot put another layer into an image.
#[test]
fn what_others_could_have_put_there_is_decoded() {
    let sandbox = sandbox();
    let path = entry(&sandbox, &layers()[1].diff_id());
    let forged = codec::gzip(&Layer::new("forged").tar);
    let folder = path.parent().unwrap();
    let name = name(folder, &layers()[1].hex(), &sha256_hex(&forged));
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let open_to_all = || mode(folder, 0o777);
    let open_to_group = || mode(folder.parent().unwrap(), 0o775);
    let of_another_user = || chown(folder, Some(65_534), None).unwrap();
    let mut ways: Vec<&dyn Fn()> = vec![&open_to_all, &open_to_group];
    if geteuid().is_root() {
        ways.push(&of_another_user);
    }
    for open in ways {
        fs::remove_file(entry(&sandbox, &layers()[1].diff_id())).unwrap();
        fs::write(folder.join(&name), &forged).unwrap();
        open();
        let run = sandbox.convert(&["app.tar", "-o", "out", "--cache", "cache"]);
        let found = Layer::new("forged").diff_id();
        assert!(
            run.stderr
                .starts_with("ocify: warning: removed from the cache, ")
                && run
                    .stderr
                    .contains(&format!("{name}: diff_id is {found}, ")),
            "{}",
            run.stderr
        );
        assert!(sandbox.layout("out") == sandbox.layout("expected"));
        assert!(!folder.join(&name).exists());
        // Correct entries are used.
        let args = ["app.tar", "-o", "out", "--cache", "cache", "-v"];
        assert_eq!(hits(&sandbox.convert(&args)), (3, 3));
        mode(folder, 0o755);
        mode(folder.parent().unwrap(), 0o755);
    }
}

#[test]
fn links_in_place_of_the_cache_s_own_folders_are_not_followed() {
    let sandbox = sandbox();
    let path = entry(&sandbox, &layers()[1].diff_id());
    let folder = path.parent().unwrap();
    let elsewhere = sandbox.path("elsewhere");
    fs::rename(folder, &elsewhere).unwrap();
    symlink(&elsewhere, folder).unwrap();
    let before = fs::read_dir(&elsewhere).unwrap().count();
    let args = ["--cache", "cache", "--cache-size", "0"];
    let run = sandbox.convert(&[&["app.tar", "-o", "out"][..], &args].concat());
    assert_eq!(run.status.code(), Some(0));
    assert!(
        run.stderr.contains("warning: cannot read the cache: "),
        "{}",
        run.stderr
    );
    assert!(sandbox.layout("out") == sandbox.layout("expected"));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), before);
}

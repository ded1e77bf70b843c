//! Folders in which the system cannot read something, or whose links lead nowhere.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::files::Files;
use crate::support::layout::Layout as Converted;
use crate::support::oci::{self, Layout, blob_path, digest};
use crate::support::registry::Tree;
use crate::support::sandbox::{Run, Sandbox};

/// Sets the mode of a file or folder of the sandbox.
fn set_mode(sandbox: &Sandbox, name: &str, mode: u32) {
    fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs the program while a file or folder has another mode.
fn run_with_mode(sandbox: &Sandbox, name: &str, mode: u32, args: &[&str]) -> Run {
    set_mode(sandbox, name, mode);
    let run = sandbox.run_unprivileged(args);
    set_mode(sandbox, name, 0o755);
    run
}

/// The files of a layout of two platforms, and the path of the manifest for arm64.
fn two_platforms() -> (Files, String) {
    let mut layout = Layout::default();
    let (index, [_, arm64]) = layout.two_platforms();
    let files = layout.listing(oci::named(&index, "app:1.0")).files();
    (files, blob_path(digest(&arm64)))
}

/// A platform whose manifest cannot be read is not one that nobody saved.
#[test]
fn a_platform_that_cannot_be_read_is_not_left_out() {
    let (files, manifest) = two_platforms();
    let own = manifest.rsplit('/').next().unwrap();
    for (target, code, message) in [
        ("nowhere", "bad-link", "a link to nowhere, which is missing"),
        (own, "bad-link", "a link that leads back to itself"),
        (
            "../../../secret/manifest",
            "unreadable",
            "cannot be read: Permission denied",
        ),
    ] {
        let sandbox = Sandbox::with_folder(&files);
        let path = sandbox.path("app").join(&manifest);
        fs::create_dir(sandbox.path("secret")).unwrap();
        fs::rename(&path, sandbox.path("secret/manifest")).unwrap();
        symlink(target, &path).unwrap();
        let run = |args: &[&str]| run_with_mode(&sandbox, "secret", 0, args);
        let problem = format!("app:1.0 linux/arm64: {manifest}: {message}");
        let convert = ["convert", "--no-fsync", "app", "-o", "out"];
        run(&convert).fails(&format!("ocify: app: {problem}\n"));
        let verified = run(&["verify", "app"]);
        assert_eq!(
            verified.stdout().lines().next(),
            Some(&*format!("error[{code}]: {problem}"))
        );
        // Another platform does not need it.
        run(&[&convert[..], &["--platform", "linux/amd64"]].concat()).succeeds();
        Converted::open(&sandbox.path("out")).check();
    }
}

#[test]
fn a_folder_that_cannot_be_listed_is_not_empty() {
    let (files, _) = two_platforms();
    let sandbox = Sandbox::with_folder(&files);
    for mode in [0, 0o311] {
        for args in [
            &["verify", "app"][..],
            &["verify", "-r", "app"],
            &["inspect", "app"],
            &["convert", "app", "-o", "out"],
        ] {
            let run = run_with_mode(&sandbox, "app", mode, args);
            run.fails("ocify: app: cannot read: Permission denied\n");
        }
    }
    fs::create_dir(sandbox.path("all")).unwrap();
    fs::rename(sandbox.path("app"), sandbox.path("all/app")).unwrap();
    let args = ["verify", "-r", "all"];
    let run = run_with_mode(&sandbox, "all/app", 0, &args);
    run.fails("ocify: all/app: cannot read: Permission denied\n");
}

/// The folder, its mode, and what cannot be read then.
#[test]
fn the_files_of_a_folder_that_cannot_be_read_are_not_missing() {
    let (files, _) = two_platforms();
    let sandbox = Sandbox::with_folder(&files);
    let index = Converted::open(&sandbox.path("app")).only();
    let blob = format!("app:1.0: {}", blob_path(digest(&index)));
    for (folder, mode, unread) in [
        ("app", 0o644, &["oci-layout", "index.json"][..]),
        ("app/blobs", 0, &[&*blob]),
        ("app/blobs", 0o644, &[&*blob]),
        ("app/blobs/sha256", 0, &[&*blob]),
        ("app/blobs/sha256", 0o644, &[&*blob]),
    ] {
        let run = run_with_mode(&sandbox, folder, mode, &["verify", "-q", "app"]);
        let denied = "cannot be read: Permission denied";
        let expected = unread
            .iter()
            .map(|place| format!("error[unreadable]: {place}: {denied}\n"));
        let expected: String = expected.collect();
        assert_eq!((run.stdout(), &*run.stderr), (&*expected, ""), "{folder}");
        let args = ["convert", "app", "-o", "out"];
        let run = run_with_mode(&sandbox, folder, mode, &args);
        run.fails(&format!("ocify: app: {}: {denied}\n", unread[0]));
    }
}

/// A link in place of the folder of all blobs.
#[test]
fn a_folder_of_blobs_that_is_a_dangling_link() {
    let (files, _) = two_platforms();
    let sandbox = Sandbox::with_folder(&files);
    let index = Converted::open(&sandbox.path("app")).only();
    fs::remove_dir_all(sandbox.path("app/blobs")).unwrap();
    symlink("nowhere", sandbox.path("app/blobs")).unwrap();
    let blob = blob_path(digest(&index));
    let run = sandbox.run(&["verify", "-q", "app"]);
    let expected =
        format!("error[bad-link]: app:1.0: {blob}: blobs is a link to nowhere, which is missing\n");
    assert_eq!((run.stdout(), &*run.stderr), (&*expected, ""));
}

#[test]
fn a_list_of_images_that_is_a_dangling_link() {
    for name in ["index.json", "manifest.json"] {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("app")).unwrap();
        symlink("nowhere", sandbox.path("app").join(name)).unwrap();
        let run = sandbox.run(&["convert", "app", "-o", "out"]);
        assert_eq!(run.status.code(), Some(1));
        let verified = sandbox.run(&["verify", "-q", "app"]);
        let problem = verified.stdout().lines().find(|line| line.contains(name));
        let problem = problem.unwrap_or_else(|| panic!("{}", verified.stdout()));
        assert!(problem.starts_with("error[bad-link]: "), "{problem}");
        assert!(
            problem.ends_with("a link to nowhere, which is missing"),
            "{problem}"
        );
    }
}

#[test]
fn a_registry_of_which_a_folder_cannot_be_read() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[]);
    let tree = Tree::one(&layout, &image);
    let sandbox = Sandbox::with_folder(&tree.files);
    for (folder, mode) in [
        ("app/docker", 0),
        ("app/docker", 0o311),
        ("app/docker/registry/v2", 0o644),
    ] {
        let args = ["verify", "-q", "app"];
        let run = run_with_mode(&sandbox, folder, mode, &args);
        let unread = match mode {
            0o644 => "app/docker/registry/v2/blobs",
            _ => folder,
        };
        let expected = format!("error[unreadable]: cannot read {unread}: Permission denied\n");
        assert_eq!((run.stdout(), &*run.stderr), (&*expected, ""), "{folder}");
    }
    // A folder with other files is not a registry, whatever is in a subfolder.
    fs::write(sandbox.path("app/notes.txt"), "").unwrap();
    let args = ["verify", "-q", "app"];
    let run = run_with_mode(&sandbox, "app/docker", 0, &args);
    assert!(
        run.stdout().starts_with("error[not-an-image]: "),
        "{}",
        run.stdout()
    );
}

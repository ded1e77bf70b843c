//! Modes of outputs, and attempts to redirect outputs with links.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::support::docker::save_one;
use crate::support::layers::Layer;
use crate::support::oci;
use crate::support::sandbox::Sandbox;
use crate::support::tar::{self, Member};

fn sandbox() -> Sandbox {
    Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]))
}

fn convert_with_umask(sandbox: &Sandbox, umask: u32, output: &str) {
    let map = format!("{output}.csv");
    let args = ["convert", "app.tar", "-o", output, "--digest-map", &map];
    sandbox
        .run_after(&format!("umask {umask:03o}"), &args)
        .succeeds();
}

/// A tar is the same for every umask: everybody may read what is unpacked.
#[test]
fn members_of_a_tar() {
    let sandbox = sandbox();
    for (output, to) in [("out.tar", "layout"), ("docker.tar", "docker-archive")] {
        let args = ["convert", "app.tar", "-o", output, "--to", to];
        sandbox.run_after("umask 077", &args).succeeds();
        let archive = sandbox.read(output);
        let mut archive = ::tar::Archive::new(archive.as_slice());
        let mut count = 0;
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            let expected = match header.entry_type() {
                ::tar::EntryType::Directory => 0o755,
                ::tar::EntryType::Symlink => 0o777,
                _ => 0o644,
            };
            assert_eq!(header.mode().unwrap(), expected, "{:?}", entry.path());
            let owner = (header.uid().unwrap(), header.gid().unwrap());
            assert_eq!((owner, header.mtime().unwrap()), ((0, 0), 0));
            count += 1;
        }
        assert!(count > 4, "{output}");
    }
}

/// Path and mode of everything below a path.
fn modes(path: &Path, found: &mut Vec<(String, bool, u32)>) {
    let metadata = fs::symlink_metadata(path).unwrap();
    found.push((
        path.display().to_string(),
        metadata.is_dir(),
        metadata.mode() & 0o7777,
    ));
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            modes(&entry.unwrap().path(), found);
        }
    }
}

#[test]
fn what_is_made_honours_umask() {
    let sandbox = sandbox();
    for umask in [0o022, 0o077, 0o027, 0o002] {
        for output in [format!("out-{umask:o}"), format!("out-{umask:o}.tar")] {
            // Once for a new output, once for an existing one.
            for _ in 0..2 {
                convert_with_umask(&sandbox, umask, &output);
                let mut found = Vec::new();
                modes(&sandbox.path(&output), &mut found);
                modes(&sandbox.path(&format!("{output}.csv")), &mut found);
                for (name, folder, mode) in found {
                    let all = if folder { 0o777 } else { 0o666 };
                    assert_eq!(mode, all & !umask, "{name}: {mode:o} with umask {umask:o}");
                }
            }
        }
    }
}

#[test]
fn kept_blobs_share_neither_modes_nor_later_changes_with_the_input() {
    let files = oci::one("app:1.0", &[Layer::new("base"), Layer::new("top")]).files();
    let sandbox = Sandbox::with_folder(&files);
    let blobs = |folder: &str| {
        let entries = fs::read_dir(sandbox.path(folder).join("blobs/sha256")).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    // Set-user-ID, world-writable, read-only.
    for (path, mode) in blobs("app").iter().zip([0o4755, 0o666, 0o444, 0o600]) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    sandbox.write("new", b"");
    let allowed = fs::metadata(sandbox.path("new")).unwrap().mode();
    for check in ["full", "blobs"] {
        let output = format!("out-{check}");
        sandbox
            .convert(&["app", "-o", &output, "--check", check])
            .succeeds();
        for path in blobs(&output) {
            assert_eq!(fs::metadata(&path).unwrap().mode(), allowed, "{path:?}");
        }
    }
    for path in blobs("app") {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(path, "changed in place").unwrap();
    }
    for output in ["out-full", "out-blobs"] {
        sandbox.layout(output);
    }
}

#[test]
fn members_with_privileges_stay_inside_their_layer() {
    // A set-user-ID program, a device, a link out of the layout: none of them is created.
    let mut bytes = Vec::new();
    for (name, kind, link) in [
        ("bin/su", b'0', ""),
        ("dev/sda", b'4', ""),
        ("etc/passwd", b'2', "/etc/passwd"),
        ("../../escape", b'0', ""),
    ] {
        let mut header = tar::header(name, kind, 0, link);
        header[100..108].copy_from_slice(b"0006777\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend(header);
    }
    bytes.extend(tar::END);
    // The same in the outer archive.
    let mut files = save_one("app:1.0", &[Layer { tar: bytes.clone() }]);
    files.members.push(Member::file("../../escape", "out"));
    let sandbox = Sandbox::new();
    let inner = files.tar();
    bytes.truncate(bytes.len() - tar::END.len());
    bytes.extend(inner);
    sandbox.write("app.tar", &bytes);
    sandbox
        .convert(&["app.tar", "-o", "deep/../out"])
        .fails("ocify: deep/../out: cannot open deep/..: No such file or directory\n");
    sandbox.convert(&["app.tar", "-o", "out"]).warns(
        "ocify: warning: app.tar: escape: the archive has two members with this name; the last is read \
         (archive-duplicate-member)\n\
         ocify: warning: app.tar: app:1.0: layer 1 of 1: paths with \"..\": ../../escape (layer-path)\n",
    );
    sandbox.layout("out");
    let mut found = Vec::new();
    modes(&sandbox.path("out"), &mut found);
    for (name, folder, mode) in found {
        let metadata = fs::symlink_metadata(&name).unwrap();
        assert!(folder || metadata.is_file(), "{name}");
        assert_eq!(mode & 0o7000, 0, "{name}: {mode:o}");
    }
    let left: Vec<String> = sandbox
        .snapshot()
        .into_keys()
        .filter(|name| !name.starts_with("out"))
        .collect();
    assert_eq!(left, ["app.tar"]);
}

#[test]
fn an_output_that_is_a_link_is_refused() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    sandbox.write("elsewhere.tar", b"");
    for (link, target) in [
        ("out", "elsewhere"),
        ("out.tar", "elsewhere.tar"),
        ("dangling", "nowhere"),
        ("dangling.tar", "nowhere.tar"),
    ] {
        symlink(target, sandbox.path(link)).unwrap();
        sandbox.convert(&["app.tar", "-o", link]).fails(&format!(
            "ocify: {link}: {link} is a symbolic link\nhint: use the path that it points to\n"
        ));
    }
    let changed = ["nowhere", "nowhere.tar"].map(|name| sandbox.path(name).exists());
    assert_eq!(changed, [false, false]);
    assert_eq!(fs::read_dir(sandbox.path("elsewhere")).unwrap().count(), 0);
    assert_eq!(sandbox.read("elsewhere.tar"), b"");
}

#[test]
fn links_inside_a_layout_are_not_followed() {
    // Another user with write access to the layout has created links at the paths of blobs and documents.
    let target = |sandbox: &Sandbox| sandbox.path("precious");
    for place in ["blobs", "blobs/sha256", "index.json", "oci-layout"] {
        let sandbox = sandbox();
        sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
        let path = sandbox.path("out").join(place);
        if path.is_dir() {
            fs::create_dir(target(&sandbox)).unwrap();
            fs::remove_dir_all(&path).unwrap();
        } else {
            sandbox.write("precious", b"{}");
            fs::remove_file(&path).unwrap();
        }
        symlink(target(&sandbox), &path).unwrap();
        let run = sandbox.convert(&["app.tar", "-o", "out"]);
        assert_eq!(run.status.code(), Some(1), "{place}: {}", run.stderr);
        if target(&sandbox).is_dir() {
            assert_eq!(
                fs::read_dir(target(&sandbox)).unwrap().count(),
                0,
                "{place}"
            );
        } else {
            assert_eq!(sandbox.read("precious"), b"{}", "{place}");
        }
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    }
}

#[test]
fn a_link_in_place_of_a_blob_is_replaced_not_followed() {
    let sandbox = sandbox();
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    sandbox.write("precious", b"precious");
    for entry in fs::read_dir(sandbox.path("out/blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_file(&path).unwrap();
        symlink(sandbox.path("precious"), &path).unwrap();
    }
    sandbox.convert(&["app.tar", "-o", "out"]).succeeds();
    assert_eq!(sandbox.read("precious"), b"precious");
    for entry in fs::read_dir(sandbox.path("out/blobs/sha256")).unwrap() {
        assert!(entry.unwrap().file_type().unwrap().is_file());
    }
    sandbox.layout("out");
}

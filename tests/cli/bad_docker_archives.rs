//! Damaged `docker save` archives, and the complete message for each.

use serde_json::{Value, json};

use crate::support::docker::{Image, layer_name, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;
use crate::support::tar::{self, Body, Member, Sparse, SparseFormat};
use crate::support::{codec, docker, sha256, sha256_hex};

/// Converting `app.tar` fails with these lines and leaves nothing behind, neither a folder nor a tar.
#[track_caller]
pub fn refuses(archive: &[u8], stderr: &str) {
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", archive);
    let before = sandbox.snapshot();
    for output in ["out", "out.tar", "-"] {
        sandbox.convert(&["app.tar", "-o", output]).fails(stderr);
        assert_eq!(sandbox.snapshot(), before, "{output}");
    }
}

const DAMAGED: &str = "hint: copy or save the input again: it is damaged\n";
const CUT: &str = "hint: copy or save the input again, and compare the sizes\n";
const INPUTS: &str = "hint: pass a docker save archive, an OCI layout, a dir: folder, a schema 1 folder or a registry tree\n";

fn layers() -> [Layer; 3] {
    [Layer::new("base"), Layer::new("middle"), Layer::new("top")]
}

fn image() -> Image {
    Image::new(&["fixture/app:1.0"], &layers())
}

fn archive() -> Files {
    save(&[image()])
}

/// The file is recognised as a tar, so the message is about its first member.
#[test]
fn damage_to_the_first_member() {
    let archive = save_one("app:1.0", &[Layer::new("base")]).tar();
    let spoilt = |at: usize, bytes: &[u8]| {
        let mut archive = archive.clone();
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        archive
    };
    let mut old = spoilt(257, &[0; 255]);
    old[0] ^= 1;
    let sized = {
        let mut header = tar::header("x", b'0', 0, "");
        header[124..136].copy_from_slice(b"not a number");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        [&header[..], &archive].concat()
    };
    let checksum = "checksum mismatch";
    for (bytes, reason) in [
        (spoilt(0, b"!"), checksum),
        (spoilt(130, b"!!!"), checksum),
        (spoilt(257, b"USTAR"), checksum),
        (old, checksum),
        (codec::gzip(&spoilt(0, b"!")), checksum),
        (sized, "its size is not a number"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("app.tar", &bytes);
        let message = format!("damaged tar header at byte 0: {reason}");
        sandbox
            .convert(&["app.tar", "-o", "out"])
            .fails(&format!("ocify: app.tar: {message}\n{CUT}"));
        let verify = sandbox.run(&["verify", "app.tar"]);
        assert!(
            verify
                .stdout()
                .starts_with(&format!("error[archive-damaged]: {message}\n")),
            "{}",
            verify.stdout()
        );
    }
}

#[test]
fn files_that_are_no_archives_of_images() {
    let text = b"Dear operator,\nthis is a letter.\n".repeat(40);
    let root: Vec<Member> = ["bin/sh", "etc/passwd", "usr/bin/env"]
        .iter()
        .map(|name| Member::file(name, "x"))
        .collect();
    let not_an_image =
        |found: &str| format!("ocify: app.tar: not a container image: {found}\n{INPUTS}");
    for (bytes, message) in [
        (
            Vec::new(),
            format!("ocify: app.tar: the file is empty\n{INPUTS}"),
        ),
        (
            text.clone(),
            not_an_image("the file is not a tar archive, folder or manifest"),
        ),
        (
            b"x".to_vec(),
            not_an_image("the file is truncated or not an archive: it ends at byte 1"),
        ),
        (
            codec::gzip(&text),
            not_an_image("the gzip data does not contain a tar archive"),
        ),
        (
            codec::gzip(b""),
            not_an_image("the gzip data does not contain a tar archive"),
        ),
        (
            tar::tar(&root),
            not_an_image(
                "it is a root file system without the metadata of an image, for example from docker export",
            ),
        ),
        (
            tar::tar(&[Member::file("a", ""), Member::file("b/c", "")]),
            not_an_image(
                "none of its 2 files is manifest.json, index.json or repositories; the first is a",
            ),
        ),
        (
            // As `tar cf app.tar -C folder ./` writes it.
            tar::tar(&[
                Member::new("./", Body::Folder),
                Member::file("./a", ""),
                Member::file("./b", ""),
            ]),
            not_an_image(
                "none of its 2 files is manifest.json, index.json or repositories; the first is a",
            ),
        ),
        (
            tar::tar(&[Member::file("README", ""), Member::file("app.tar.gz", "")]),
            "ocify: app.tar: not a container image: it contains archives, such as app.tar.gz\n\
             hint: pass the archives as inputs, or use `--recursive` for a folder\n"
                .to_owned(),
        ),
        (
            tar::tar(&[Member::file("a/layer.tar", "")]),
            not_an_image(
                "its only file is a/layer.tar, not manifest.json, index.json or repositories",
            ),
        ),
        (tar::tar(&[]), not_an_image("it contains no files")),
        (
            archive().with("manifest.json", "[]").tar(),
            "ocify: app.tar: manifest.json: no images are listed\n".to_owned(),
        ),
    ] {
        refuses(&bytes, &message);
    }
}

#[test]
fn archives_that_are_cut_or_damaged() {
    let whole = archive().tar();
    let length = whole.len();
    let last = format!(
        "ocify: app.tar: the archive is truncated: it ends at byte {} without an end-of-archive marker\n{CUT}",
        length - 1024
    );
    refuses(&whole[..length - 1024], &last);
    // In the middle of the first layer, which is the second member after its folder.
    refuses(
        &whole[..2000],
        &format!(
            "ocify: app.tar: {} is truncated: it ends at byte 2000, expected {}\n{CUT}",
            layer_name(&layers()[0]),
            1024 + layers()[0].tar.len(),
        ),
    );
    let mut damaged = whole.clone();
    damaged[512 + 3] ^= 1;
    refuses(
        &damaged,
        &format!("ocify: app.tar: damaged tar header at byte 512: checksum mismatch\n{CUT}"),
    );
    let single_zero_block = [&whole[..512], &[0; 512], &whole[512..]].concat();
    refuses(
        &single_zero_block,
        &format!("ocify: app.tar: damaged tar header at byte 512: a single zero block\n{CUT}"),
    );
    let number = [tar::pax(&[("size", "many".to_owned())]), whole.clone()].concat();
    refuses(
        &number,
        &format!(
            "ocify: app.tar: damaged tar header at byte 0: its PAX record size is \"many\", expected a 64-bit integer\n{CUT}"
        ),
    );
    let mut gzip = codec::gzip(&whole);
    let length = gzip.len();
    gzip.extend(b"garbage after the end");
    refuses(
        &gzip,
        &format!(
            "ocify: app.tar: the gzip data is damaged: something that is not gzip follows at byte {length}\n{CUT}"
        ),
    );
}

#[test]
fn sparse_members_that_lie() {
    let sparse = |format, fragments: Vec<(u64, Vec<u8>)>, size| {
        let body = Body::Sparse(Sparse {
            format,
            fragments,
            size,
        });
        let files = archive().with_body("x", body);
        (files.without_last().tar().len() - 1024, files.tar())
    };
    let overlapping = || vec![(0, vec![1; 600]), (512, vec![1; 512])];
    for format in [
        SparseFormat::Gnu,
        SparseFormat::Pax00,
        SparseFormat::Pax01,
        SparseFormat::Pax10,
    ] {
        for fragments in [overlapping(), vec![(4000, vec![1; 512])]] {
            let (before, archive) = sparse(format, fragments, 4096);
            let at = if format == SparseFormat::Gnu {
                before
            } else {
                before + 1024
            };
            refuses(
                &archive,
                &format!(
                    "ocify: app.tar: damaged tar header at byte {at}: the sparse map of x does not match its sizes\n{CUT}"
                ),
            );
        }
    }
}

/// With a change to manifest.json.
fn manifest(edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    archive()
        .edited("manifest.json", |manifest| edit(&mut manifest[0]))
        .tar()
}

/// With a changed config, named by its digest.
fn config(edit: impl FnOnce(&mut Value)) -> (Vec<u8>, String) {
    let mut config: Value = serde_json::from_slice(&image().config).unwrap();
    edit(&mut config);
    let image = image().with_config(config.to_string());
    (save(std::slice::from_ref(&image)).tar(), image.config_name)
}

#[test]
fn manifest_json() {
    let base = layer_name(&layers()[0]);
    let app = "ocify: app.tar: fixture/app:1.0: ";
    refuses(
        &archive().with("manifest.json", "[{\"Config\":").tar(),
        "ocify: app.tar: manifest.json: not valid JSON: EOF while parsing a value at line 1 column 11\n",
    );
    refuses(
        &manifest(|entry| entry["Layers"] = json!("x")),
        &format!("{app}manifest.json: [0].Layers is not a list of strings\n"),
    );
    refuses(
        &manifest(|entry| entry["Config"] = json!("other.json")),
        &format!("{app}other.json: missing from the input\n"),
    );
    refuses(
        &manifest(|entry| entry["Layers"][0] = json!("other/layer.tar")),
        &format!("{app}layer 1 of 3: other/layer.tar: missing from the input\n"),
    );
    let folder = base.strip_suffix("/layer.tar").unwrap();
    refuses(
        &manifest(|entry| entry["Layers"][0] = json!(folder)),
        &format!("{app}layer 1 of 3: {folder}: not a file\n"),
    );
    refuses(
        &manifest(|entry| {
            entry["Layers"].as_array_mut().unwrap().pop();
        }),
        &format!(
            "{app}manifest.json: the number of layers is 2, expected 3, the number of diff_ids in the config\n"
        ),
    );
    refuses(
        &manifest(|entry| {
            entry["RepoTags"] = Value::Null;
            entry["Config"] = json!("other.json");
        }),
        "ocify: app.tar: @0: other.json: missing from the input\n",
    );
}

/// An image that cannot even be listed may be any of those that are asked for.
#[test]
fn an_entry_that_cannot_be_read_concerns_all_images() {
    let [other, good] = ["other:1", "good:1"].map(|name| Image::new(&[name], &layers()));
    let files = save(&[image(), other, good]).edited("manifest.json", |list| {
        list[0]["Config"] = json!(5);
    });
    let sandbox = Sandbox::with_archive(&files);
    let all = sandbox.convert(&["app.tar", "-o", "out"]);
    assert_eq!(all.status.code(), Some(1));
    let one = sandbox.convert(&["app.tar", "-o", "out", "--image", "good:1"]);
    assert_eq!(one.status.code(), Some(1));
    assert_eq!(one.stderr, all.stderr);
}

#[test]
fn links_that_lead_nowhere() {
    let base = layer_name(&layers()[0]);
    let linked = |target: &str| archive().with_body(&base, Body::Symlink(target.to_owned()));
    let app = "ocify: app.tar: fixture/app:1.0: layer 1 of 3: ";
    refuses(
        &linked("../../../../etc/passwd").tar(),
        &format!("{app}{base}: a link to etc/passwd, which is missing\n"),
    );
    refuses(
        &linked("layer.tar").tar(),
        &format!("{app}{base}: a link that leads back to itself\n"),
    );
    let mut circle = linked("../a");
    circle.add("a", Body::Symlink("b".to_owned()));
    circle.add("b", Body::HardLink(base.clone()));
    refuses(
        &circle.tar(),
        &format!("{app}{base}: a link that leads back to itself\n"),
    );
    refuses(
        &archive().with_body(&base, Body::Fifo).tar(),
        &format!("{app}{base}: not a file\n"),
    );
}

#[test]
fn configs() {
    let image = image();
    let name = &image.config_name;
    let app = "ocify: app.tar: fixture/app:1.0: ";
    let text = image.clone().with_config("this is no JSON");
    refuses(
        &save(std::slice::from_ref(&text)).tar(),
        &format!(
            "{app}{}: not valid JSON: expected ident at line 1 column 2\n",
            text.config_name
        ),
    );
    let (archive_, _) = config(|config| {
        config["rootfs"]
            .as_object_mut()
            .unwrap()
            .shift_remove("diff_ids");
    });
    let none = format!(
        "{app}manifest.json: the number of layers is 3, expected 0, the number of diff_ids in the config\n"
    );
    refuses(&archive_, &none);
    let (archive_, _) = config(|config| config["rootfs"]["diff_ids"] = json!([]));
    refuses(&archive_, &none);
    let other = image.clone().with_config(docker::config(&layers()[..2]));
    refuses(
        &archive().with(name, other.config.clone()).tar(),
        &format!(
            "{app}{name}: digest is {}, expected {}\n{DAMAGED}",
            other.id(),
            image.id(),
        ),
    );
    assert_eq!(*name, format!("{}.json", sha256_hex(&image.config)));
}

/// The `diff_id` is right, but a name in `blobs/sha256` is the digest of the blob as it is.
#[test]
fn a_blob_whose_name_is_not_its_digest() {
    let layers = [Layer::new("base")];
    let image = docker::image_of_blobs(&["app:1.0"], &layers).encoded(codec::gzip);
    let blob = image.layers[0].1.clone();
    refuses(
        &save(&[image]).tar(),
        &format!(
            "ocify: app.tar: app:1.0: layer 1 of 1: digest is sha256:{}, expected {}\n{DAMAGED}",
            sha256_hex(&blob),
            layers[0].diff_id(),
        ),
    );
}

/// Engines refuse such a config, but it is copied like any other.
#[test]
fn configs_without_readable_diff_ids() {
    let converts = |(archive, name): (Vec<u8>, String), message: &str| {
        let sandbox = Sandbox::new();
        sandbox.write("app.tar", &archive);
        sandbox.convert(&["app.tar", "-o", "out"]).warns(&format!(
            "ocify: warning: app.tar: fixture/app:1.0: {name}: {message} (config-rootfs; copied unchanged)\n"
        ));
        let config = name.strip_suffix(".json").unwrap();
        let copied = sandbox.read(&format!("out/blobs/sha256/{config}"));
        assert_eq!(sha256_hex(&copied), config);
    };
    converts(
        config(|config| {
            config.as_object_mut().unwrap().shift_remove("rootfs");
        }),
        "the config lacks rootfs",
    );
    let upper = layers()[0]
        .diff_id()
        .to_uppercase()
        .replace("SHA256", "sha256");
    for bad in [
        upper.as_str(),
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "sha256:../../etc/passwd",
        "x",
    ] {
        converts(
            config(|config| config["rootfs"]["diff_ids"][0] = json!(bad)),
            &format!("rootfs.diff_ids[0] of the config is {bad:?}, expected a digest"),
        );
    }
}

#[test]
fn layers_that_are_not_what_the_config_says() {
    let wrong = Layer::new("wrong");
    let name = layer_name(&layers()[1]);
    let app = "ocify: app.tar: fixture/app:1.0: layer 2 of 3: ";
    let with = |bytes: Vec<u8>| archive().with(&name, bytes).tar();
    let expected = layers()[1].diff_id();
    for (_, encode) in codec::ALL {
        refuses(
            &with(encode(&wrong.tar)),
            &format!(
                "{app}diff_id is {}, expected {expected}\n{DAMAGED}",
                wrong.diff_id()
            ),
        );
    }
    refuses(
        &with(Vec::new()),
        &format!(
            "{app}diff_id is {}, expected {expected}\n{DAMAGED}",
            sha256(b"")
        ),
    );
    let lz4 = b"\x04\x22\x4d\x18 this is lz4";
    refuses(
        &with(lz4.to_vec()),
        &format!(
            "{app}diff_id is {}, expected {expected}; the layer begins with 04 22 4d 18 20 74 68 69, \
             expected tar, gzip, zstd, bzip2 or xz\n{DAMAGED}",
            sha256(lz4)
        ),
    );
    let tar = &layers()[1].tar;
    for (encode, codec, member) in [
        (codec::gzip as fn(&[u8]) -> Vec<u8>, "gzip", "member"),
        (codec::zstd, "zstd", "frame"),
        (codec::bzip2, "bzip2", "stream"),
        (codec::xz, "xz", "stream"),
    ] {
        let blob = encode(tar);
        refuses(
            &with(blob[..blob.len() - 3].to_vec()),
            &format!("{app}the {codec} data is truncated: it ends within a {member}\n{DAMAGED}"),
        );
        let length = blob.len();
        refuses(
            &with([&blob[..], b"garbage after the end"].concat()),
            &format!("{app}something that is not {codec} follows at byte {length}\n{DAMAGED}"),
        );
    }
}

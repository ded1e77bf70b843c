//! Bombs: small inputs that are large when decoded. The tests run with much less memory than the decoded size.

use super::limits::{is_refused, too_many};
use crate::support::docker::{Image, save};
use crate::support::layers::Layer;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::tar::{self, Body, Dialect, Member, Sparse, SparseFormat};
use crate::support::{codec, oci, sha256};

/// Converts with this much address space, in MiB.
fn convert_within(sandbox: &Sandbox, mebibytes: u32, args: &[&str]) -> Run {
    let convert = ["convert", "--no-fsync", "--threads", "1"];
    sandbox.run_within(mebibytes, &[&convert, args].concat())
}

/// zstd, `count` times 128 KiB of zeros: four bytes each.
fn zstd_zeros(count: usize) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    for number in 0..count {
        let header: usize = ((128 << 10) << 3) | (1 << 1) | usize::from(number + 1 == count);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

const GIB: usize = (1 << 30) / (128 << 10);

#[test]
fn a_layer_that_is_a_bomb() {
    let gzip = codec::gzip(&vec![0; 32 << 20]).repeat(64);
    for bomb in [zstd_zeros(2 * GIB), gzip] {
        let image = Image::new(&["app:1.0"], &[Layer::new("base")]).encoded(|_| bomb.clone());
        let sandbox = Sandbox::with_archive(&save(&[image]));
        for compression in ["keep", "none"] {
            let args = [
                "app.tar",
                "-o",
                "out",
                "--max-layer-size",
                "64M",
                "--compression",
                compression,
            ];
            convert_within(&sandbox, 400, &args).fails(
                "ocify: app.tar: app:1.0: layer 1 of 1: the decoded layer is larger than the limit of 67108864 bytes\n\
                 hint: use `--max-layer-size` to allow more\n",
            );
        }
        let left: Vec<String> = sandbox.snapshot().into_keys().collect();
        assert_eq!(left, ["app.tar"]);
    }
}

/// The message about layers that are together too large, for an archive of this size.
fn too_large_together(sandbox: &Sandbox) -> String {
    let limit = (4 << 30) + 100 * sandbox.read("app.tar").len();
    format!("the decoded layers together are larger than the limit of {limit} bytes")
}

/// A layer with a file of zeros, of so many gibibytes.
fn layer_of_zeros(gib: usize) -> Vec<u8> {
    let header = tar::header("zeros", b'0', (gib as u64) << 30, "");
    [codec::zstd(&header), zstd_zeros(gib * GIB)].concat()
}

#[test]
fn a_layer_that_is_a_bomb_without_any_options() {
    let image = Image::new(&["app:1.0"], &[Layer::new("base")]).encoded(|_| layer_of_zeros(7));
    let sandbox = Sandbox::with_archive(&save(&[image]));
    let message = too_large_together(&sandbox);
    convert_within(&sandbox, 400, &["app.tar", "-o", "out"]).fails(&format!(
        "ocify: app.tar: {message}\nhint: use `--max-layer-size` to allow more\n"
    ));
    assert!(!sandbox.path("out").exists());
}

#[test]
fn layers_that_are_a_bomb_together() {
    let layers: Vec<Layer> = (0..6)
        .map(|number| Layer::new(&number.to_string()))
        .collect();
    let image = Image::new(&["app:1.0"], &layers).encoded(|_| layer_of_zeros(1));
    let sandbox = Sandbox::with_archive(&save(&[image]));
    let verify = sandbox.run(&["verify", "app.tar"]);
    let finding = format!("error[layer-size]: {}\n", too_large_together(&sandbox));
    assert_eq!(verify.stdout().matches("layer-size").count(), 1);
    assert!(verify.stdout().contains(&finding), "{}", verify.stdout());
    assert_eq!(verify.status.code(), Some(1));

    let verify = sandbox.run(&["verify", "app.tar", "--max-layer-size", "2G"]);
    assert!(
        !verify.stdout().contains("layer-size"),
        "{}",
        verify.stdout()
    );
}

#[test]
fn a_layer_of_much_that_decodes_to_nothing() {
    // Members with 65,535 bytes in a header's extra field and no content, and a frame to be skipped.
    let mut member = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff];
    member.resize(member.len() + 0xffff, 7);
    member.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let members = member.repeat(128 << 4);
    let mut frame = vec![0x50, 0x2a, 0x4d, 0x18];
    frame.extend(&(128_u32 << 20).to_le_bytes());
    frame.resize(frame.len() + (128 << 20), 7);
    for (nothing, encode) in [
        (members, codec::gzip as fn(&[u8]) -> Vec<u8>),
        (frame, codec::zstd),
    ] {
        let layer = |tar: &[u8]| [&nothing[..], &encode(tar)].concat();
        let image = Image::new(&["app:1.0"], &[Layer::new("base")]).encoded(layer);
        let digest = sha256(&image.layers[0].1);
        let sandbox = Sandbox::with_archive(&save(&[image]));
        convert_within(&sandbox, 80, &["app.tar", "-o", "out"]).succeeds();
        assert!(
            sandbox
                .path(&format!("out/blobs/{}", digest.replace(':', "/")))
                .exists()
        );
    }
}

#[test]
fn an_archive_that_is_a_bomb() {
    // Half a gibibyte of zeros, more than the memory. As a file it must fit into the free space.
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &zstd_zeros(GIB / 2));
    convert_within(&sandbox, 400, &["app.tar", "-o", "out"]).fails(
        "ocify: app.tar: not a container image: it contains no files\n\
         hint: pass a docker save archive, an OCI layout, a dir: folder, a schema 1 folder or a registry tree\n",
    );
    sandbox.write("twice.tar", &codec::gzip(&zstd_zeros(GIB / 2)));
    convert_within(&sandbox, 400, &["twice.tar", "-o", "out"]).fails(
        "ocify: twice.tar: not a container image: the gzip data does not contain a tar archive\n\
         hint: pass a docker save archive, an OCI layout, a dir: folder, a schema 1 folder or a registry tree\n",
    );
}

/// The first blocks show that a stream is not an archive. The rest is not written to disk.
#[test]
fn what_is_no_archive_and_has_no_end() {
    let sandbox = Sandbox::new();
    let hint = "hint: pass a docker save archive, an OCI layout, a dir: folder, a schema 1 folder or a registry tree\n";
    sandbox.write("zeros", &zstd_zeros(16 * GIB));
    sandbox.write("text", &codec::zstd(&b"text ".repeat(8 << 20)));
    for (input, found) in [
        ("/dev/zero", "it contains no files"),
        ("zeros", "it contains no files"),
        ("text", "the zstd data does not contain a tar archive"),
    ] {
        // A limit on file sizes simulates a full disk.
        for command in ["inspect", "convert", "verify"] {
            let args = match command {
                "convert" => vec![command, input, "-o", "out"],
                _ => vec![command, input],
            };
            let run = sandbox.run_after("ulimit -f 8192", &args);
            assert_eq!(run.status.code(), Some(1), "{command} {input}");
            let message = format!("not a container image: {found}");
            if command == "verify" {
                assert!(run.stdout().contains(&message), "{}", run.stdout());
            } else {
                run.fails(&format!("ocify: {input}: {message}\n{hint}"));
            }
        }
    }
}

#[test]
fn an_archive_that_decodes_to_much_more() {
    // A member of 7 GiB of zeros, a quarter of a megabyte as zstd. For each byte, 100 are allowed.
    let mut archive = codec::zstd(&tar::header("layer.tar", b'0', 7 << 30, ""));
    archive.extend(zstd_zeros(7 * GIB));
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &archive);
    let limit = (4 << 30) + 100 * archive.len();
    let message = format!("the decoded archive is larger than the limit of {limit} bytes");
    convert_within(&sandbox, 400, &["app.tar", "-o", "out"]).fails(&format!(
        "ocify: app.tar: {message}\nhint: decompress it, and pass the archive that it contains\n"
    ));
    let verify = sandbox.run(&["verify", "app.tar"]);
    assert!(verify.stdout().contains(&message), "{}", verify.stdout());
    assert_eq!(verify.status.code(), Some(1));
}

#[test]
fn an_archive_and_its_layers_that_are_a_bomb_together() {
    // Each is within the limit: the archive is 3 GiB of zeros and an image whose layers decode to 3 GiB.
    let layers = [Layer::new("base"), Layer::new("top"), Layer::new("last")];
    let image = Image::new(&["app:1.0"], &layers).encoded(|_| layer_of_zeros(1));
    let archive = [
        codec::zstd(&tar::header("zeros", b'0', 3 << 30, "")),
        zstd_zeros(3 * GIB),
        codec::zstd(&save(&[image]).tar()),
    ];
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &archive.concat());
    let limit = (4 << 30) + 100 * sandbox.read("app.tar").len();
    let message = format!(
        "the decoded archive and its decoded layers together are larger than the limit of {limit} bytes"
    );
    let verify = sandbox.run(&["verify", "app.tar"]);
    let finding = format!("error[layer-size]: {message}\n");
    assert!(verify.stdout().contains(&finding), "{}", verify.stdout());
    assert_eq!(verify.status.code(), Some(1));
}

/// A file of 8 EiB minus one byte that stores no data.
fn hole() -> Body {
    Body::Sparse(Sparse {
        format: SparseFormat::Pax10,
        fragments: Vec::new(),
        size: i64::MAX.unsigned_abs(),
    })
}

#[test]
fn sparse_members_of_eight_exbibytes() {
    let image = Image::new(&["app:1.0"], &[Layer::new("base")]);
    let layer = image.layers[0].0.clone();
    let config = image.config_name.clone();
    let files = save(&[image]);
    let sandbox = Sandbox::with_archive(&files.clone().with_body(&layer, hole()));
    convert_within(&sandbox, 400, &["app.tar", "-o", "out"]).fails(
        "ocify: app.tar: app:1.0: layer 1 of 1: the decoded layer is larger than the limit of 137438953472 bytes\n\
         hint: use `--max-layer-size` to allow more\n",
    );
    let verify = sandbox.run(&["verify", "app.tar"]);
    let message = "the decoded layer is larger than the limit of 137438953472 bytes";
    assert!(verify.stdout().contains(message), "{}", verify.stdout());
    assert_eq!(verify.status.code(), Some(1));
    let what = "the size of the document in bytes";
    let message = too_many(what, i64::MAX.unsigned_abs(), 8 << 20);
    is_refused(
        &files.clone().with_body(&config, hole()),
        &format!("app:1.0: {config}: {message}"),
    );
    is_refused(
        &files.with_body("manifest.json", hole()),
        &format!("manifest.json: {message}"),
    );
}

#[test]
fn a_size_of_exbibytes_in_a_pax_record() {
    let mut bytes = tar::pax(&[("size", i64::MAX.to_string())]);
    bytes.extend(tar::header("manifest.json", b'0', 0, ""));
    bytes.extend(tar::END);
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &bytes);
    let run = convert_within(&sandbox, 400, &["app.tar", "-o", "out"]);
    assert!(
        run.stderr.contains("manifest.json is truncated"),
        "{}",
        run.stderr
    );
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn names_that_fill_the_memory() {
    // 120 MiB of different names in an archive of some kilobytes.
    let mut members = Vec::new();
    for number in 0..2000 {
        let name = format!("{number:08}{}", "n".repeat(60 << 10));
        members.push(Member {
            name,
            body: Body::File(Vec::new()),
            dialect: Dialect::GnuLong,
        });
    }
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &codec::zstd(&tar::tar(&members)));
    drop(members);
    let run = convert_within(&sandbox, 400, &["app.tar", "-o", "out"]);
    let message = "the size of the archive's index in bytes is ";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn members_that_nothing_refers_to() {
    // Empty blobs with wrong digests: 512 bytes each, and a few bytes when they are compressed.
    let mut files = oci::one("app:1.0", &[Layer::new("base")]).files();
    let blob = |number| Member::file(&format!("blobs/sha256/{number:064x}"), Vec::new());
    files.members.extend((0..11_000).map(blob));
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &codec::zstd(&files.tar()));
    let verify = sandbox.run_within(400, &["verify", "app.tar", "--threads", "1"]);
    let found = verify.stdout().matches("[unreferenced-damaged]").count();
    assert_eq!(found, 10_000);
    assert!(verify.stdout().contains("more than 10000 problems"));
    assert_eq!(verify.status.code(), Some(1), "{}", verify.stderr);
}

/// Each annotation takes many times its size in the document.
#[test]
fn annotations_that_fill_the_memory() {
    let annotations: Vec<(String, &str)> = (0..40).map(|key| (format!("{key:x}"), "")).collect();
    let annotations: Vec<(&str, &str)> = annotations
        .iter()
        .map(|(key, value)| (&**key, *value))
        .collect();
    let mut layout = oci::one("app:1.0", &[Layer::new("base")]);
    for number in 0..9000 {
        let blob = layout.blob("a/b", number.to_string().as_bytes());
        layout.add(oci::annotated(&blob, &annotations));
    }
    let padding = " ".repeat(4 << 20);
    let index = [layout.files().get("index.json"), padding.as_bytes()].concat();
    let sandbox = Sandbox::with_folder(&layout.files().with("index.json", index));
    for command in ["inspect", "verify", "convert"] {
        let args = match command {
            "convert" => vec![command, "app", "-o", "out", "--no-fsync"],
            _ => vec![command, "app"],
        };
        let run = sandbox.run_within(320, &args);
        let is_killed = run.stderr.contains("memory allocation");
        assert!(run.status.code().is_some() && !is_killed, "{}", run.stderr);
    }
}

#[test]
fn documents_that_are_much_larger_in_memory() {
    // The shortest JSON values, in fields that may have any value.
    let empty = |element: &str| {
        format!(
            "[{}{element}]",
            format!("{element},").repeat((7 << 20) / (element.len() + 1))
        )
    };
    for list in [empty("0"), empty("[]"), empty("{}")] {
        let mut config = Image::new(&[], &[]).config;
        let end = config.iter().rposition(|byte| *byte == b'}').unwrap();
        config.splice(end.., format!(",\"x\":{list}}}").into_bytes());
        let image = Image::new(&["app:1.0"], &[]).with_config(config.clone());
        let sandbox = Sandbox::with_archive(&save(&[image]));
        convert_within(&sandbox, 1 << 10, &["app.tar", "-o", "out"]).succeeds();

        let mut layout = oci::one("app:1.0", &[Layer::new("base")]);
        let image = layout.manifest(oci::CONFIG, &config, &[]);
        layout.add(oci::annotated(&image, &[("big", &"n".repeat(1 << 20))]));
        let files = layout.files();
        let sandbox = Sandbox::with_archive(&files);
        convert_within(&sandbox, 1 << 10, &["app.tar", "-o", "out"]).succeeds();
    }
}

//! Limits on inputs, each tested with a value at the limit and one above it.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::docker::{Image, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;
use crate::support::tar::{self, Body, Dialect, Member, Sparse, SparseFormat};
use crate::support::{codec, oci};

/// The input can be inspected.
#[track_caller]
fn is_read(files: &Files) {
    let sandbox = Sandbox::with_archive(files);
    let run = sandbox.run(&["inspect", "app.tar"]);
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""));
    assert!(!is_too_large(&sandbox));
}

/// Whether `verify` reports a limit.
fn is_too_large(sandbox: &Sandbox) -> bool {
    let run = sandbox.run(&["verify", "--json", "app.tar"]);
    let verification: Value = serde_json::from_slice(&run.stdout).unwrap();
    let problems = verification["problems"].as_array().unwrap();
    // Too many links in a row have the same message as a cycle.
    let codes = [json!("limit"), json!("bad-link")];
    problems
        .iter()
        .any(|problem| codes.contains(&problem["code"]))
}

/// The input is refused with this message.
#[track_caller]
pub(super) fn is_refused(files: &Files, message: &str) {
    let sandbox = Sandbox::with_archive(files);
    let run = sandbox.run(&["inspect", "app.tar"]);
    assert_eq!(run.stderr, format!("ocify: app.tar: {message}\n"));
    assert_eq!(run.status.code(), Some(1));
    assert!(is_too_large(&sandbox));
}

pub(super) fn too_many(what: &str, found: u64, limit: u64) -> String {
    format!("{what} is {found}, more than the limit of {limit}")
}

fn app() -> Files {
    save_one("app:1.0", &[Layer::new("base")])
}

#[test]
fn size_of_a_document() {
    const LIMIT: usize = 8 << 20;
    let manifest = |size: usize| {
        let files = app();
        let mut bytes = files.get("manifest.json").to_vec();
        bytes.resize(size, b' ');
        files.with("manifest.json", bytes)
    };
    is_read(&manifest(LIMIT));
    let message = too_many("the size of the document in bytes", 8_388_609, 8_388_608);
    is_refused(&manifest(LIMIT + 1), &format!("manifest.json: {message}"));
}

#[test]
fn size_of_all_metadata() {
    // Many images share a config of 4 MiB, which is read for each of them.
    let images = |count: usize, os: &str| {
        let config = String::from_utf8(Image::new(&[], &[]).config).unwrap();
        let mut config = config.replace("linux", os).into_bytes();
        config.resize(4 << 20, b' ');
        let image = Image::new(&[], &[]).with_config(config);
        let files = save(std::slice::from_ref(&image));
        files.edited("manifest.json", |manifest| {
            let entry = manifest[0].take();
            *manifest = Value::Array(vec![entry; count]);
        })
    };
    // The archive has 4 MiB, so the limit is that of small inputs, 64 MiB.
    is_read(&images(13, "linux"));
    // With another finding before it.
    assert!(is_too_large(&Sandbox::with_archive(&images(25, ""))));
    let sandbox = Sandbox::with_archive(&images(25, "linux"));
    assert!(is_too_large(&sandbox));
    let run = sandbox.run(&["inspect", "app.tar"]);
    assert!(
        run.stderr.contains("the size of all metadata in bytes is "),
        "{}",
        run.stderr
    );
}

/// The value at the limit has a test next to the code, because half a gibibyte of headers takes long to read.
#[test]
fn number_of_members() {
    const MANY: usize = 1 << 12;
    let message = too_many("the number of members", 1_048_577, 1_048_576);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let many = tar::header("empty", b'0', 0, "").repeat(MANY);
    for _ in 0..=(1 << 20) / MANY {
        encoder.write_all(&many).unwrap();
    }
    encoder.write_all(&tar::END).unwrap();
    let sandbox = Sandbox::new();
    sandbox.write("app.tar.zst", &encoder.finish().unwrap());
    let run = sandbox.run(&["inspect", "app.tar.zst"]);
    run.fails(&format!("ocify: app.tar.zst: {message}\n"));
}

#[test]
fn length_of_a_member_name() {
    let files = |length: usize| {
        let member = Member {
            name: "n".repeat(length),
            body: Body::File(Vec::new()),
            dialect: Dialect::GnuLong,
        };
        let mut files = app();
        files.members.push(member);
        files
    };
    is_read(&files(64 << 10));
    let what = "the length of a member's name or link in bytes";
    is_refused(&files((64 << 10) + 1), &too_many(what, 65_537, 65_536));
}

/// A larger header is damage, as in Go's `archive/tar`.
#[test]
fn size_of_an_extension_header() {
    let with = |size: usize| {
        let value = "x".repeat(size - "1048576 comment=\n".len());
        let sandbox = Sandbox::new();
        let header = tar::pax(&[("comment", value)]);
        sandbox.write("app.tar", &[header, app().tar()].concat());
        sandbox
    };
    with(1 << 20).run(&["inspect", "app.tar"]).succeeds();
    let run = with((1 << 20) + 1).run(&["inspect", "app.tar"]);
    run.fails(
        "ocify: app.tar: damaged tar header at byte 0: its extension header has 1048577 bytes, more than the 1048576 \
         that engines accept\nhint: copy or save the input again, and compare the sizes\n",
    );
}

#[test]
fn length_of_an_image_name() {
    let files = |length| save_one(&"n".repeat(length), &[Layer::new("base")]);
    // No engine accepts such a name.
    let run = Sandbox::with_archive(&files(4096)).run(&["inspect", "app.tar"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    assert!(run.stderr.ends_with("(ref-name)\n"), "{}", run.stderr);
    let message = too_many("the length of an image's name in bytes", 4097, 4096);
    let run = Sandbox::with_archive(&files(4097)).run(&["convert", "app.tar", "-o", "out"]);
    run.fails(&format!("ocify: app.tar: manifest.json: {message}\n"));
}

#[test]
fn number_of_images() {
    let images = |count: usize| {
        app().edited("manifest.json", |manifest| {
            let mut entry = manifest[0].take();
            entry["RepoTags"] = Value::Null;
            *manifest = Value::Array(vec![entry; count]);
        })
    };
    is_read(&images(10_000));
    is_refused(
        &images(10_001),
        &format!(
            "manifest.json: {}",
            too_many("the number of images", 10_001, 10_000)
        ),
    );
}

#[test]
fn number_of_names() {
    let tags =
        |count: usize| -> Vec<String> { (0..count).map(|tag| format!("app:{tag}")).collect() };
    let docker = |count: usize| {
        app().edited("manifest.json", |manifest| {
            manifest[0]["RepoTags"] = json!(tags(count));
        })
    };
    let layout = |count: usize| {
        let mut layout = oci::Layout::default();
        let image = layout.image("amd64", &[Layer::new("base")]);
        for tag in tags(count) {
            layout.add(oci::named(&image, &tag));
        }
        layout.files()
    };
    is_read(&docker(10_000));
    let message = too_many("the number of names", 10_001, 10_000);
    is_refused(&docker(10_001), &format!("manifest.json: {message}"));
    let message = too_many("the number of manifests", 131_073, 131_072);
    let run = Sandbox::with_archive(&layout(131_073)).run(&["inspect", "app.tar"]);
    run.fails(&format!("ocify: app.tar: index.json: {message}\n"));
}

#[test]
fn number_of_layers() {
    let files = |count: usize| save_one("app:1.0", &vec![Layer::new("base"); count]);
    is_read(&files(10_000));
    let message = format!(
        "app:1.0: manifest.json: {}",
        too_many("the number of layers", 10_001, 10_000)
    );
    is_refused(&files(10_001), &message);
}

#[test]
fn links_in_a_row() {
    // l0 → l1 → … → the layer.
    let files = |count: usize| {
        let image = Image::new(&["app:1.0"], &[Layer::new("base")]);
        let (name, _) = image.layers[0].clone();
        let mut files = save(&[image]);
        let link = |number: usize| format!("l{number}");
        for number in 0..count {
            let target = if number + 1 == count {
                name.clone()
            } else {
                link(number + 1)
            };
            files.add(&link(number), Body::Symlink(target));
        }
        files.edited("manifest.json", |manifest| {
            manifest[0]["Layers"][0] = json!("l0");
        })
    };
    is_read(&files(39));
    is_refused(
        &files(40),
        "app:1.0: layer 1 of 1: l0: a link that leads back to itself",
    );
}

#[test]
fn depth_of_indexes() {
    let files = |depth: usize| {
        let mut layout = oci::Layout::default();
        let mut node = layout.image("amd64", &[Layer::new("base")]);
        for _ in 0..depth {
            node = layout.index(&[node]);
        }
        layout.add(oci::named(&node, "app:1.0"));
        layout.files()
    };
    is_read(&files(8));
    let run = Sandbox::with_archive(&files(9)).run(&["inspect", "app.tar"]);
    let message = too_many("the depth of nested indexes", 9, 8);
    assert!(
        run.stderr.ends_with(&format!("{message}\n")),
        "{}",
        run.stderr
    );
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn fragments_of_a_sparse_member() {
    // Empty fragments, so that their maps are short.
    let files = |format, count: usize| {
        let body = Body::Sparse(Sparse {
            format,
            fragments: vec![(0, Vec::new()); count],
            size: 1,
        });
        let mut files = app();
        files.add("sparse", body);
        files
    };
    let what = "the number of fragments of a sparse member";
    let message = too_many(what, (1 << 20) + 1, 1 << 20);
    // Formats 0.0 and 0.1 exceed the limit of extension headers first.
    for format in [SparseFormat::Gnu, SparseFormat::Pax10] {
        is_read(&files(format, 1 << 20));
        is_refused(&files(format, (1 << 20) + 1), &message);
    }
}

#[test]
fn manifests_that_are_about_each_other() {
    // An image, something about it, something about that, …
    let sandbox = |count: usize| {
        let mut layout = oci::Layout::default();
        let image = layout.image("amd64", &[Layer::new("base")]);
        let mut chain = vec![image];
        for _ in 0..count {
            let empty = layout.blob(oci::EMPTY, b"{}");
            let mut about = oci::manifest(&empty, std::slice::from_ref(&empty));
            about["artifactType"] = json!("application/vnd.example.note");
            about["subject"] = chain[chain.len() - 1].clone();
            chain.push(layout.document(&about));
        }
        // The last one first, so that the others are reached through it.
        for descriptor in chain.iter().rev() {
            layout.add(descriptor.clone());
        }
        Sandbox::with_folder(&layout.files())
    };
    let longest = sandbox(64);
    longest.convert(&["app", "-o", "out"]).succeeds();
    assert!(longest.run(&["verify", "app"]).status.success());
    assert_eq!(longest.layout("out").descriptors().len(), 65);

    let longer = sandbox(65);
    let message = too_many("the number of manifests in a chain of subjects", 65, 64);
    let run = longer.convert(&["app", "-o", "out"]);
    run.fails(&format!("ocify: app: index.json: {message}\n"));
    let verify = longer.run(&["verify", "app"]);
    assert!(
        verify.stdout().contains("error[limit]"),
        "{}",
        verify.stdout()
    );
    assert_eq!(verify.status.code(), Some(1));
}

/// A zstd frame of raw blocks that asks for a window of two to the power of `log` bytes (RFC 8878, section 3.1.1.1.2).
pub(super) fn zstd_frame(bytes: &[u8], log: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
    let last = bytes.chunks(1 << 16).count() - 1;
    for (number, block) in bytes.chunks(1 << 16).enumerate() {
        let header = (block.len() << 3) | usize::from(number == last);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}

#[test]
fn window_of_zstd() {
    let layer = Layer::new("base");
    for (log, fits) in [(27, true), (28, false)] {
        let image = Image::new(&["app:1.0"], std::slice::from_ref(&layer));
        let sandbox = Sandbox::with_archive(&save(&[image.encoded(|tar| zstd_frame(tar, log))]));
        let run = sandbox.convert(&["app.tar", "-o", "out"]);
        if fits {
            run.succeeds();
            sandbox.layout("out");
        } else {
            let place = "ocify: app.tar: app:1.0: layer 1 of 1";
            let reason = "its window is larger than the limit of 134217728 bytes";
            run.fails(&format!("{place}: the zstd data: {reason}\n"));
            assert!(is_too_large(&sandbox));
        }
    }
}

/// An xz stream whose first block asks for another dictionary (the xz file format, sections 3.1 and 5.3.1).
pub(super) fn with_dictionary(mut xz: Vec<u8>, size_code: u8) -> Vec<u8> {
    let header = 12..12 + 4 * (usize::from(xz[12]) + 1);
    let (start, crc) = (header.start, header.end - 4);
    // Size, flags, the filter's ID (LZMA2), the size of its properties (1), the dictionary.
    assert_eq!(&xz[start + 1..start + 4], [0, 0x21, 1]);
    xz[start + 4] = size_code;
    let sum = crc32fast::hash(&xz[start..crc]);
    xz[crc..crc + 4].copy_from_slice(&sum.to_le_bytes());
    xz
}

#[test]
fn memory_of_xz() {
    // 31 stands for 192 MiB, 32 for 256 MiB, to which the decoder's own needs are added.
    for (code, fits) in [(31, true), (32, false)] {
        let image = Image::new(&["app:1.0"], &[Layer::new("base")]);
        let image = image.encoded(|tar| with_dictionary(codec::xz(tar), code));
        let sandbox = Sandbox::with_archive(&save(&[image]));
        let run = sandbox.convert(&["app.tar", "-o", "out"]);
        assert_eq!(run.status.success(), fits, "{}", run.stderr);
        let reason = "it needs more memory than the limit of 209715200 bytes";
        assert!(fits || run.stderr.contains(reason), "{}", run.stderr);
        assert_eq!(is_too_large(&sandbox), !fits);
    }
}

#[test]
fn size_of_a_decoded_layer() {
    let layer = Layer::noise(1, 100_000);
    let size = layer.tar.len();
    let encoders = [
        codec::plain,
        codec::gzip,
        codec::zstd,
        codec::bzip2,
        codec::xz,
    ];
    for (number, encode) in encoders.into_iter().enumerate() {
        let image = Image::new(&["app:1.0"], std::slice::from_ref(&layer)).encoded(encode);
        let sandbox = Sandbox::with_archive(&save(&[image]));
        for compression in ["keep", "none", "zstd"] {
            let convert = |limit: usize, output: &str| {
                let limit = limit.to_string();
                sandbox.convert(&[
                    "app.tar",
                    "-o",
                    output,
                    "--compression",
                    compression,
                    "--max-layer-size",
                    &limit,
                ])
            };
            convert(size, &format!("out-{number}-{compression}")).succeeds();
            convert(size - 1, "refused").fails(&format!(
                "ocify: app.tar: app:1.0: layer 1 of 1: the decoded layer is larger than the limit of {} bytes\n\
                 hint: use `--max-layer-size` to allow more\n",
                size - 1
            ));
        }
        assert!(!sandbox.path("refused").exists());
    }
}

#[test]
fn sizes_have_units() {
    let sandbox = Sandbox::with_archive(&app());
    for size in [
        "1M", "2048K", "1G", "1T", "1000000", "1m", "1.5G", "10GB", "1024KiB", "1.50 GiB",
    ] {
        sandbox
            .convert(&["app.tar", "-o", "out", "--max-layer-size", size])
            .succeeds();
    }
    for size in ["", "M", "1X", "-1", "1.G", "1,5G", "99999999999T"] {
        let option = format!("--max-layer-size={size}");
        sandbox
            .convert(&["app.tar", "-o", "out", &option])
            .is_wrong_usage("expected a size such as 512M");
    }
}

#[test]
fn number_of_findings() {
    let layout = |count: usize| {
        let mut layout = oci::Layout::default();
        for number in 0..count {
            let absent = oci::descriptor(oci::MANIFEST, number.to_string().as_bytes());
            layout.add(absent);
        }
        layout.files()
    };
    // One more finding is that the folder of blobs is missing.
    for (count, has_more) in [(9_999, false), (10_000, true)] {
        let sandbox = Sandbox::with_archive(&layout(count));
        let run = sandbox.run(&["verify", "app.tar"]);
        let stdout = run.stdout();
        assert_eq!(stdout.matches("[layout-blobs]").count(), 1);
        assert_eq!(stdout.matches("[missing-blob]").count(), 9_999);
        assert_eq!(stdout.contains("more than 10000 problems"), has_more);
    }
}

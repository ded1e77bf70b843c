//! Damage to layers: codec, tar, and metadata.

use crate::support::layers::Layer;
use crate::support::parts::{Parts, layer_path, spoiled, two};
use crate::support::sandbox::Sandbox;
use crate::support::tar::{self, Body, Dialect, Member, Sparse, SparseFormat};
use crate::support::{codec, oci};
use crate::{archives_have, has};

/// An image of one layer in a codec.
fn encoded(media_type: &'static str, blob: Vec<u8>) -> Parts {
    let mut parts = Parts::plain(&two()[0].tar);
    parts.layers = vec![(media_type, blob)];
    parts
}

#[test]
fn codecs() {
    let plain = two()[0].tar.clone();
    let with_garbage =
        |encode: fn(&[u8]) -> Vec<u8>, garbage: &[u8]| [&encode(&plain), garbage].concat();
    let gzip: fn(&[u8]) -> Vec<u8> = codec::gzip;
    let zstd: fn(&[u8]) -> Vec<u8> = codec::zstd;
    let thirds = |encode| codec::in_thirds(encode, &plain);
    let checksum_damaged = || {
        let mut blob = gzip(&plain);
        let at = blob.len() - 8;
        blob[at] ^= 1;
        blob
    };
    archives_have(vec![
        ("gzip", encoded(oci::LAYER_GZIP, gzip(&plain)).files(), &[]),
        ("zstd", encoded(oci::LAYER_ZSTD, zstd(&plain)).files(), &[]),
        (
            "many gzip members",
            encoded(oci::LAYER_GZIP, thirds(gzip)).files(),
            &[],
        ),
        (
            "many zstd frames",
            encoded(oci::LAYER_ZSTD, thirds(zstd)).files(),
            &[],
        ),
        (
            "zstd called gzip",
            encoded(oci::LAYER_GZIP, zstd(&plain)).files(),
            &["error layer-media-type: corrects"],
        ),
        (
            "plain called gzip",
            encoded(oci::LAYER_GZIP, plain.clone()).files(),
            &["error layer-media-type: corrects"],
        ),
        (
            "gzip called plain",
            encoded(oci::LAYER, gzip(&plain)).files(),
            &["error layer-media-type: corrects"],
        ),
        (
            "xz called plain",
            encoded(oci::LAYER, codec::xz(&plain)).files(),
            &["error layer-media-type: corrects"],
        ),
        (
            "plain called gzip by Docker's media type",
            encoded(oci::DOCKER_LAYER_GZIP, plain.clone()).files(),
            &["warning layer-docker-media-type"],
        ),
        (
            "a media type that is no layer's",
            encoded("application/x-test", gzip(&plain)).files(),
            &["warning layer-unknown-media-type: warns"],
        ),
        (
            "garbage behind gzip",
            encoded(oci::LAYER_GZIP, with_garbage(gzip, b"some garbage")).files(),
            &["error layer-trailing-data: stops"],
        ),
        (
            "one byte behind gzip",
            encoded(oci::LAYER_GZIP, with_garbage(gzip, b"\0")).files(),
            &["error layer-trailing-data: stops"],
        ),
        (
            "garbage behind zstd",
            encoded(oci::LAYER_ZSTD, with_garbage(zstd, b"garbage")).files(),
            &["error layer-trailing-data: stops"],
        ),
        (
            "one byte behind zstd",
            encoded(oci::LAYER_ZSTD, with_garbage(zstd, b"\x28")).files(),
            &["error layer-trailing-data: stops"],
        ),
        (
            "half a member behind gzip",
            encoded(oci::LAYER_GZIP, with_garbage(gzip, &gzip(b"more")[..10])).files(),
            &["error layer-decode: stops"],
        ),
        (
            "gzip's checksum",
            encoded(oci::LAYER_GZIP, checksum_damaged()).files(),
            &["error layer-decode: stops"],
        ),
        (
            "gzip cut short",
            encoded(oci::LAYER_GZIP, gzip(&plain)[..60].to_vec()).files(),
            &["error layer-decode: stops"],
        ),
        (
            "zstd cut short",
            encoded(oci::LAYER_ZSTD, zstd(&plain)[..60].to_vec()).files(),
            &["error layer-decode: stops"],
        ),
    ]);
}

#[test]
fn bytes() {
    let files = Parts::plain(&two()[0].tar).files();
    let layer = layer_path(&files, 0);
    let zipped = Parts::new().files();
    let zipped_layer = layer_path(&zipped, 0);
    archives_have(vec![
        (
            "a byte of a file",
            spoiled(files.clone(), &layer, |bytes| bytes[600] ^= 1),
            &["error blob-digest: stops", "error layer-diff-id: stops"],
        ),
        (
            "a byte of a header",
            spoiled(files.clone(), &layer, |bytes| bytes[5] ^= 1),
            &[
                "error blob-digest: stops",
                "error layer-diff-id: stops",
                "error layer-not-tar: warns",
            ],
        ),
        (
            "cut short",
            spoiled(files.clone(), &layer, |bytes| bytes.truncate(600)),
            &[
                "error blob-digest: stops",
                "error blob-size: stops",
                "error layer-diff-id: stops",
                "error layer-tar-truncated: warns",
            ],
        ),
        (
            "a gzip blob cut short",
            spoiled(zipped.clone(), &zipped_layer, |bytes| {
                bytes.pop();
            }),
            &[
                "error blob-digest: stops",
                "error blob-size: stops",
                "error layer-decode: stops",
            ],
        ),
        (
            "no bytes at all",
            spoiled(zipped, &zipped_layer, Vec::clear),
            &[
                "error blob-digest: stops",
                "error blob-size: stops",
                "error layer-diff-id: stops",
                "error layer-media-type: corrects",
            ],
        ),
    ]);
}

#[test]
fn order() {
    let [base, top] = two();
    let three = [base.clone(), top.clone(), Layer::new("third")];
    let parts = |order: [usize; 3]| {
        let mut parts = Parts::new();
        let config = crate::support::docker::config(&three);
        parts.config = serde_json::from_slice(&config).unwrap();
        let blob = |position: usize| (oci::LAYER_GZIP, codec::gzip(&three[position].tar));
        parts.layers = order.map(blob).to_vec();
        parts.files()
    };
    archives_have(vec![
        ("in order", parts([0, 1, 2]), &[]),
        (
            "two swapped",
            parts([0, 2, 1]),
            &["error layer-order: stops"],
        ),
        (
            "all in another place",
            parts([2, 0, 1]),
            &["error layer-order: stops"],
        ),
        (
            "one of them twice",
            parts([0, 0, 1]),
            &["error layer-diff-id: stops", "error layer-diff-id: stops"],
        ),
    ]);
}

// A table.
#[allow(clippy::too_many_lines)]
#[test]
fn tars() {
    let file = |name: &str| Member::file(name, "content");
    let of = |members: &[Member]| Parts::plain(&tar::tar(members)).files();
    let raw = |tar: &[u8]| Parts::plain(tar).files();
    let two_files = tar::tar(&[file("a"), file("b")]);
    let changed = |at: usize| {
        let mut tar = two_files.clone();
        tar[at] ^= 1;
        tar
    };
    let mut in_all_dialects = Vec::new();
    for dialect in [Dialect::Plain, Dialect::GnuLong, Dialect::Pax] {
        for (name, body) in [
            ("file", Body::File(vec![7; 3000])),
            ("folder/", Body::Folder),
            ("symlink", Body::Symlink("file".to_owned())),
            ("hard link", Body::HardLink("file".to_owned())),
            ("fifo", Body::Fifo),
        ] {
            let name = format!("{dialect:?} {name}");
            in_all_dialects.push(Member {
                dialect,
                ..Member::new(&name, body)
            });
        }
    }
    for format in [
        SparseFormat::Gnu,
        SparseFormat::Pax00,
        SparseFormat::Pax01,
        SparseFormat::Pax10,
    ] {
        // More fragments than the first header of GNU's old format holds, and more than one extension block.
        let fragments = (0..40).map(|number| (number * 8192, vec![b'x'; 512]));
        let sparse = Sparse {
            format,
            fragments: fragments.collect(),
            size: 40 * 8192,
        };
        in_all_dialects.push(Member::new(&format!("{format:?}"), Body::Sparse(sparse)));
    }
    // Go's reader takes GNU's old format for sparse files, but engines do not.
    let is_gnu_sparse =
        |body: &Body| matches!(body, Body::Sparse(sparse) if sparse.format == SparseFormat::Gnu);
    let mut unpacked = in_all_dialects.clone();
    unpacked.retain(|member| !is_gnu_sparse(&member.body));
    let binary_attribute = {
        let mut tar = Vec::new();
        let value = "\n1 x\n\u{1}".to_owned();
        tar.extend(tar::pax(&[("SCHILY.xattr.user.x", value)]));
        tar.extend(two_files.clone());
        tar
    };
    archives_have(vec![
        (
            "every kind of member",
            of(&in_all_dialects),
            &["error layer-entry-type: warns"],
        ),
        (
            "every kind of member that engines unpack",
            of(&unpacked),
            &[],
        ),
        ("an attribute with a line end", raw(&binary_attribute), &[]),
        ("no files", raw(&tar::END), &[]),
        (
            "padding behind the end",
            raw(&[&two_files[..], &[0; 9000]].concat()),
            &[],
        ),
        (
            "a header",
            raw(&changed(1024 + 3)),
            &["error layer-tar-header: warns"],
        ),
        (
            "the first header",
            raw(&changed(3)),
            &["error layer-not-tar: warns"],
        ),
        (
            "no tar",
            raw(b"hello"),
            &["error layer-tar-truncated: warns"],
        ),
        (
            "text",
            raw(&b"hello ".repeat(500)),
            &["error layer-not-tar: warns"],
        ),
        (
            "cut short in a file",
            raw(&two_files[..512 + 3]),
            &["error layer-tar-truncated: warns"],
        ),
        (
            "cut short in a header",
            raw(&two_files[..1024 + 100]),
            &["error layer-tar-truncated: warns"],
        ),
        (
            "no end",
            raw(&two_files[..two_files.len() - 1024]),
            &["note layer-tar-no-end"],
        ),
        (
            "half an end",
            raw(&two_files[..two_files.len() - 512]),
            &["note layer-tar-no-end"],
        ),
        (
            "no padding behind the last file",
            raw(&two_files[..1024 + 512 + 7]),
            &["note layer-tar-no-end"],
        ),
        (
            "something behind a single zero block",
            raw(&[&two_files[..1024], &[0; 512], &two_files[..]].concat()),
            &["error layer-tar-header: warns"],
        ),
        (
            "an archive behind the end",
            raw(&[two_files.clone(), two_files.clone()].concat()),
            &["warning layer-tar-after-end: warns"],
        ),
        (
            "a path twice",
            of(&[file("a"), file("b"), file("./a")]),
            &["warning layer-duplicate-path: warns"],
        ),
        (
            "a path twice in another dialect",
            of(&[
                file("a"),
                Member {
                    dialect: Dialect::Pax,
                    ..file("a")
                },
            ]),
            &["warning layer-duplicate-path: warns"],
        ),
        (
            "a path out of the root",
            of(&[file("../a")]),
            &["warning layer-path: warns"],
        ),
        (
            "damaged PAX records",
            raw(&[
                &tar::header("x", b'x', 5, "")[..],
                &[b'?'; 512],
                &two_files[..],
            ]
            .concat()),
            &["error layer-not-tar: warns"],
        ),
    ]);
}

/// The limit of engines: <https://github.com/golang/go/blob/go1.25.0/src/archive/tar/format.go>, `maxSpecialFileSize`.
#[test]
fn extensions_of_a_mebibyte_and_more() {
    let layer = |kind: u8, size: usize| {
        let mut records = format!("{size} comment=").into_bytes();
        records.resize(size - 1, b'x');
        records.push(b'\n');
        records.resize(size.next_multiple_of(512), 0);
        let before = tar::header("before", b'0', 0, "");
        let extension = tar::header("extension", kind, size as u64, "");
        let after = tar::tar(&[Member::file("after", "content")]);
        [&before[..], &extension, &records, &after].concat()
    };
    for kind in *b"xgLK" {
        for (size, problems) in [
            (1 << 20, &[][..]),
            ((1 << 20) + 1, &["error layer-tar-header: warns"]),
        ] {
            let sandbox = Sandbox::with_archive(&Parts::plain(&layer(kind, size)).files());
            let name = format!("{} of {size} bytes", char::from(kind));
            has(&name, &sandbox, "app.tar", problems);
        }
    }
}

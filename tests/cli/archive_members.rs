//! The members of an archive: names, links, sizes and holes in all forms that tar programs write.

use serde_json::{Value, json};

use super::docker_archive::{gives, two_layers};
use crate::support::docker::{Image, layer_name, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;
use crate::support::tar::{self, Body, Dialect, Member, Sparse, SparseFormat};
use crate::support::{oci, sha512};

#[test]
fn names_in_any_spelling() {
    let layers = two_layers();
    let files = save_one("app:1.0", &layers);
    gives(&files.clone().renamed(|name| format!("./{name}")), &layers);
    gives(&files.clone().renamed(|name| format!("/{name}")), &layers);
    gives(
        &files.clone().renamed(|name| format!("image/{name}")),
        &layers,
    );
    gives(
        &files.clone().renamed(|name| name.replace('/', "//")),
        &layers,
    );
    let with_names = |spell: &dyn Fn(&str) -> String| {
        files.clone().edited("manifest.json", |manifest| {
            for name in manifest[0]["Layers"].as_array_mut().unwrap() {
                *name = json!(spell(name.as_str().unwrap()));
            }
        })
    };
    gives(&with_names(&|name| name.replace('/', "\\")), &layers);
    gives(&with_names(&|name| format!("./{name}")), &layers);
}

#[test]
fn members_in_any_order() {
    let layers = two_layers();
    let files = save_one("app:1.0", &layers);
    gives(&files.clone().reversed(), &layers);
    let (manifest, mut rest): (Vec<Member>, Vec<Member>) = files
        .members
        .into_iter()
        .partition(|member| member.name == "manifest.json");
    rest.rotate_left(2);
    let first = [manifest.clone(), rest.clone()].concat();
    let last = [rest, manifest].concat();
    for members in [first, last] {
        gives(&Files { members }, &layers);
    }
}

#[test]
fn repeated_names_mean_the_last() {
    let layers = two_layers();
    let mut files = save_one("app:1.0", &layers);
    let stale = ["manifest.json".to_owned(), layer_name(&layers[0])];
    for name in stale {
        files.members.insert(0, Member::file(&name, "stale"));
    }
    let warning = |name: &str| {
        format!(
            "ocify: warning: app.tar: {name}: the archive has two members with this name; the last is read \
             (archive-duplicate-member)\n"
        )
    };
    let warnings = [warning(&layer_name(&layers[0])), warning("manifest.json")];
    let layout = Sandbox::with_archive(&files).converted_with(&["app.tar"], &warnings.concat());
    assert_eq!(layout.layers(&layout.only()), layers.map(|layer| layer.tar));
}

#[test]
fn names_and_sizes_in_every_dialect() {
    let layers = two_layers();
    let long = "a-folder-with-a-long-name/".repeat(8);
    let mut image = Image::new(&["app:1.0"], &layers);
    image.layers[0].0 = format!("{long}layer.tar");
    image.config_name = format!("{long}config.json");
    let files = save(&[image]);
    gives(&files.clone().in_dialect(Dialect::GnuLong), &layers);
    gives(&files.in_dialect(Dialect::Pax), &layers);
    let mut linked = save_one("app:1.0", &layers).without(&layer_name(&layers[0]));
    let target = format!("{long}layer.tar");
    linked.add(
        &layer_name(&layers[0]),
        Body::Symlink(format!("../{target}")),
    );
    linked.add(&target, Body::File(layers[0].tar.clone()));
    gives(&linked.clone().in_dialect(Dialect::GnuLong), &layers);
    gives(&linked.in_dialect(Dialect::Pax), &layers);
}

#[test]
fn a_global_pax_header_is_passed_over() {
    let layers = two_layers();
    let comment = "52 comment=0123456789abcdef0123456789abcdef01234567\n";
    let mut archive = tar::header("pax_global_header", b'g', 52, "").to_vec();
    archive.extend(comment.as_bytes());
    archive.resize(1024, 0);
    archive.extend(save_one("app:1.0", &layers).tar());
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &archive);
    let layout = sandbox.converted(&["app.tar"]);
    assert_eq!(layout.layers(&layout.only()), layers.map(|layer| layer.tar));
}

#[test]
fn layers_behind_links() {
    let layers = two_layers();
    let [base, top] = layers.each_ref().map(layer_name);
    let files = save_one("app:1.0", &layers).without(&base);
    let link = |name: &str, target: &str, members: &[(&str, Body)]| {
        let mut files = files
            .clone()
            .with_body(name, Body::Symlink(target.to_owned()));
        for (name, body) in members {
            files.add(name, body.clone());
        }
        files
    };
    let blob = || Body::File(layers[0].tar.clone());
    let symlink = |target: &str| Body::Symlink(target.to_owned());
    // As Docker 1.12 writes it; with one "../" too many, as its release candidates did; from the root.
    for target in [
        "../x/layer.tar",
        "../../x/layer.tar",
        "../../../../x/layer.tar",
        "/x/layer.tar",
    ] {
        gives(&link(&base, target, &[("x/layer.tar", blob())]), &layers);
    }
    // A chain in which each link precedes its target.
    let chain = [
        ("a", symlink("b/c")),
        ("b/c", symlink("../d")),
        ("d", blob()),
    ];
    gives(&link(&base, "../a", &chain), &layers);
    // podman: the layer is at the root, and the old name links to it.
    let podman = format!("{}.tar", layers[0].hex());
    gives(
        &link(&base, &format!("../{podman}"), &[(&podman, blob())]),
        &layers,
    );
    // A repacked archive has hard links.
    let hard = files
        .clone()
        .with_body("x", blob())
        .with_body(&base, Body::HardLink("./x".to_owned()));
    gives(&hard, &layers);
    let before = hard.reversed();
    gives(&before, &layers);
    // A link to another layer is the same layer.
    let same = [layers[1].clone(), layers[1].clone()];
    let mut image = Image::new(&["app:1.0"], &same);
    image.layers[0].0.clone_from(&base);
    let linked = save(&[image]).with_body(&base, Body::Symlink(format!("../{top}")));
    gives(&linked, &same);
}

#[test]
fn sparse_members() {
    // Files that consist of holes.
    let fragments: Vec<(u64, Vec<u8>)> = (0..30)
        .map(|number| {
            (
                number * 4096,
                tar::header(&number.to_string(), b'0', 3584, "").to_vec(),
            )
        })
        .collect();
    let size = 30 * 4096 + 1024;
    let mut content = vec![0; usize::try_from(size).unwrap()];
    for (position, bytes) in &fragments {
        let position = usize::try_from(*position).unwrap();
        content[position..position + bytes.len()].copy_from_slice(bytes);
    }
    let layers = [Layer { tar: content }];
    let files = save_one("app:1.0", &layers);
    for format in [
        SparseFormat::Gnu,
        SparseFormat::Pax00,
        SparseFormat::Pax01,
        SparseFormat::Pax10,
    ] {
        let sparse = Body::Sparse(Sparse {
            format,
            fragments: fragments.clone(),
            size,
        });
        let files = files.clone().with_body(&layer_name(&layers[0]), sparse);
        gives(&files.clone(), &layers);
        gives(&files.reversed(), &layers);
    }
    // GNU tar ends the map with an empty fragment at the end of the file.
    let mut ended = fragments.clone();
    ended.push((size, Vec::new()));
    for format in [
        SparseFormat::Gnu,
        SparseFormat::Pax00,
        SparseFormat::Pax01,
        SparseFormat::Pax10,
    ] {
        let body = Body::Sparse(Sparse {
            format,
            fragments: ended.clone(),
            size,
        });
        gives(
            &files.clone().with_body(&layer_name(&layers[0]), body),
            &layers,
        );
    }
}

/// As in Go's `archive/tar`, a hard link has no data, whatever its size. The next member follows its header. skopeo copies the
/// same image.
#[test]
fn members_within_the_size_of_a_hard_link() {
    let seen = [Layer::new("seen")];
    let hidden = [Layer::new("hidden")];
    let [image, other] =
        [&seen, &hidden].map(|layers| save_one("app:1.0", layers).without("repositories"));
    let manifest = [Member::file("manifest.json", image.get("manifest.json"))];
    let first = tar::tar(&manifest);
    let blobs = [&image, &other].map(|files| {
        let files = files.clone().without("manifest.json");
        tar::without_end(&files.members)
    });
    let archive = [
        blobs.concat(),
        tar::header("link", b'1', first.len() as u64, "manifest.json").to_vec(),
        first,
        tar::tar(&[Member::file("manifest.json", other.get("manifest.json"))]),
    ];
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &archive.concat());
    let layout = sandbox.converted(&["app.tar"]);
    assert_eq!(layout.layers(&layout.only()), seen.map(|layer| layer.tar));
}

/// Go, and therefore every engine, reads all of them as files.
#[test]
fn files_of_other_types() {
    let layers = two_layers();
    let archive = save_one("app:1.0", &layers).tar();
    for kind in [0, b'7', b'A', b'Z'] {
        let mut archive = archive.clone();
        let mut at = 0;
        while archive[at] != 0 {
            let mut block: [u8; 512] = archive[at..at + 512].try_into().unwrap();
            let size = std::str::from_utf8(&block[124..135]).unwrap();
            let size = usize::from_str_radix(size, 8).unwrap();
            if block[156] == b'0' {
                block[156] = kind;
            }
            archive[at..at + 512].copy_from_slice(&tar::checksummed(block));
            at += 512 + size.next_multiple_of(512);
        }
        let sandbox = Sandbox::new();
        sandbox.write("app.tar", &archive);
        let layout = sandbox.converted(&["app.tar"]);
        let expected = layers.clone().map(|layer| layer.tar);
        assert_eq!(layout.layers(&layout.only()), expected, "type {kind}");
    }
}

/// Headers with short names, and with a long one for a digest of SHA-512.
#[test]
fn archives_that_were_written_are_read_without_a_finding() {
    let mut files = oci::one("app:1.0", &two_layers()).files();
    let mut index: Value = serde_json::from_slice(files.get("index.json")).unwrap();
    let path = oci::blob_path(oci::digest(&index["manifests"][0]));
    let manifest = files.get(&path).to_vec();
    let digest = sha512(&manifest);
    index["manifests"][0]["digest"] = json!(digest);
    files.put(&oci::blob_path(&digest), manifest);
    let files = files.without(&path).with("index.json", index.to_string());
    let sandbox = Sandbox::with_folder(&files);
    sandbox.convert(&["app", "-o", "out.tar"]).succeeds();
    let out = sandbox.read("out.tar");
    assert!(
        out.windows(7).any(|bytes| bytes == b"sha512/"),
        "no long name"
    );
    sandbox.run(&["verify", "out.tar"]).succeeds();
    sandbox.convert(&["out.tar", "-o", "again.tar"]).succeeds();
    assert_eq!(sandbox.read("again.tar"), out);
}

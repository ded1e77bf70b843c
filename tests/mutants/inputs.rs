//! Small valid inputs of every kind, which are mutated.

use std::fs;
use std::io::Read;

use serde_json::{Value, json};

use crate::support::docker::{self, Image};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::oci::{self, Layout};
use crate::support::tar::{Body, Member};
use crate::support::{legacy, schema1, testdata};

/// A valid input.
pub struct Input {
    pub name: &'static str,
    pub files: Files,
    pub form: Form,
}

/// The form of an input on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Tar,
    Folder,
}

/// One of each kind.
pub fn all() -> Vec<Input> {
    use Form::{Folder, Tar};
    let input = |name, files, form| Input { name, files, form };
    vec![
        input("docker save", saved(), Tar),
        input("docker save, 25 and later", hybrid(), Tar),
        input("docker save, containerd's store", containerd(), Tar),
        input("before 1.10", old(), Tar),
        input("layout", oci::one("app:1.0", &two()).files(), Folder),
        input(
            "layout in a tar",
            oci::one("app:1.0", &two()).files().reversed(),
            Tar,
        ),
        input("multi-platform layout", multi_platform(), Folder),
        input("artifacts", artifacts(), Folder),
        input("dir: of one image", dir_of_image(), Folder),
        input("dir: of a manifest list", dir_of_list(), Folder),
        input("schema 1", schema1::unsigned("app", "1.0", &two()), Folder),
        input("schema 1, signed", signed(), Folder),
        input("Docker 20.10's", from_tar("docker-save.tar"), Tar),
        input("Docker 1.9's", from_tar("docker-before-1.10.tar"), Tar),
        input("skopeo's layout", from_tar("oci-archive.tar"), Folder),
        input("podman's", from_tar("podman-multi.tar"), Tar),
        input("skopeo's schema 1", from_folder("schema1"), Folder),
    ]
}

fn two() -> [Layer; 2] {
    [Layer::new("base"), Layer::new("top")]
}

fn saved() -> Files {
    let app = Image::new(&["app:1.0", "app:latest"], &two());
    let base = Image::new(&["base:1"], &two()[..1]);
    let tops = json!({
        "app": { "1.0": docker::v1_id(&two()[1]), "latest": docker::v1_id(&two()[1]) },
        "base": { "1": docker::v1_id(&two()[0]) },
    });
    docker::save(&[app, base]).with("repositories", tops.to_string())
}

fn hybrid() -> Files {
    let images = [
        docker::image_of_blobs(&["app:1.0"], &two()),
        docker::image_of_blobs(&["other:1.0"], &two()[..1]),
    ];
    docker::save_hybrid(&images, &[true, true])
}

/// As from Docker 29: compressed blobs, and both documents list the image.
fn containerd() -> Files {
    let mut layout = Layout::default();
    let manifest = layout.image("amd64", &two());
    let names = [
        (oci::CONTAINERD_NAME, "docker.io/library/app:1.0"),
        (oci::REF_NAME, "1.0"),
    ];
    layout.add(oci::annotated(&manifest, &names));
    let files = layout.files();
    let document: Value =
        serde_json::from_slice(files.get(&oci::blob_path(oci::digest(&manifest)))).unwrap();
    let path = |descriptor: &Value| oci::blob_path(oci::digest(descriptor));
    let layers: Vec<String> = document["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(path)
        .collect();
    let entry =
        json!({ "Config": path(&document["config"]), "RepoTags": ["app:1.0"], "Layers": layers });
    files.with("manifest.json", json!([entry]).to_string())
}

fn old() -> Files {
    let mut files = legacy::save("app", "1.0", &two());
    legacy::add_chain(&mut files, &[Layer::new("other")], "1.7.1");
    files.edited("repositories", |tags| {
        tags["other"] = json!({ "1": docker::v1_id(&Layer::new("other")) });
    })
}

fn platforms(layout: &mut Layout) -> Vec<Value> {
    let amd64 = layout.image("amd64", &two());
    let arm64 = layout.image("arm64", &two()[1..]);
    vec![
        oci::on(&amd64, "linux", "amd64"),
        oci::on(&arm64, "linux", "arm64"),
    ]
}

fn multi_platform() -> Files {
    let mut layout = Layout::default();
    let mut manifests = platforms(&mut layout);
    let statement = [("application/vnd.in-toto+json", b"{}".to_vec())];
    let config = json!({
        "architecture": "unknown", "os": "unknown", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [crate::support::sha256(b"{}")] },
    });
    let attestation = layout.manifest(oci::CONFIG, config.to_string().as_bytes(), &statement);
    let about = [
        (oci::REFERENCE_DIGEST, oci::digest(&manifests[0])),
        ("vnd.docker.reference.type", "attestation-manifest"),
    ];
    let attestation = oci::annotated(&attestation, &about);
    manifests.push(oci::on(&attestation, "unknown", "unknown"));
    let index = layout.index(&manifests);
    layout.listing(oci::named(&index, "app:1.0")).files()
}

/// An image, an artifact about it, and one without a subject.
fn artifacts() -> Files {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &two());
    let config = layout.blob(oci::EMPTY, b"{}");
    let note = layout.blob("text/plain", b"a note");
    let mut artifact = oci::manifest(&config, &[note]);
    artifact["artifactType"] = json!("application/x-note");
    let lone = layout.document(&artifact);
    artifact["subject"] = image.clone();
    artifact["annotations"] = json!({ "a": "b" });
    let referrer = layout.document(&artifact);
    layout
        .listing(oci::named(&image, "app:1.0"))
        .listing(referrer)
        .listing(oci::named(&lone, "notes:1"))
        .files()
}

fn dir_of_image() -> Files {
    let mut layout = Layout::default();
    let config = docker::config(&two());
    let image = layout.manifest(oci::DOCKER_CONFIG, &config, &oci::docker_layers(&two()));
    // The blobs are there, but not the manifest.
    oci::dir(&layout, &image).without(&oci::digest(&image).replace("sha256:", ""))
}

fn dir_of_list() -> Files {
    let mut layout = Layout::default();
    let manifests = platforms(&mut layout);
    let index = layout.index(&manifests);
    let mut files = oci::dir(&layout, &index);
    let hex = |descriptor: &Value| oci::digest(descriptor).replace("sha256:", "");
    let index = hex(&index);
    files = files.without(&index);
    for manifest in manifests.iter().map(hex) {
        let name = |file: &str| {
            if file == manifest {
                format!("{file}.manifest.json")
            } else {
                file.to_owned()
            }
        };
        files = files.renamed(name);
    }
    files
}

fn signed() -> Files {
    let payload = schema1::manifest("app", "1.0", &two()).to_string();
    schema1::folder(&schema1::sign(&payload), &two())
}

fn from_tar(name: &str) -> Files {
    let bytes = fs::read(testdata(name)).unwrap();
    let mut files = Files::default();
    for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let link = entry.link_name().unwrap();
        let link = || link.as_ref().unwrap().to_str().unwrap().to_owned();
        let body = match entry.header().entry_type() {
            tar::EntryType::Directory => Body::Folder,
            tar::EntryType::Symlink => Body::Symlink(link()),
            tar::EntryType::Link => Body::HardLink(link()),
            _ => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                Body::File(content)
            }
        };
        files.members.push(Member::new(&name, body));
    }
    files
}

fn from_folder(name: &str) -> Files {
    let mut files = Files::default();
    let mut entries: Vec<_> = fs::read_dir(testdata(name))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        files.put(&name, fs::read(entry.path()).unwrap());
    }
    files
}

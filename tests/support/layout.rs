//! A reader of OCI layouts that shares no code with the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::oci::{self, CONTAINERD_NAME, REF_NAME, blob_path, digest};
use super::{codec, sha256, sha512};

/// All files of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Layout {
    /// Reads a folder, or a tar.
    pub fn open(path: &Path) -> Layout {
        if path.is_dir() {
            let mut files = BTreeMap::new();
            read_folder(path, path, &mut files);
            Layout { files }
        } else {
            Layout::in_tar(
                &fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        }
    }

    pub fn in_tar(bytes: &[u8]) -> Layout {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(bytes).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            if entry.header().entry_type().is_dir() {
                continue;
            }
            assert!(entry.header().entry_type().is_file(), "{name}");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            assert!(
                files.insert(name.clone(), content).is_none(),
                "{name} is there twice"
            );
        }
        Layout { files }
    }

    pub fn blob_count(&self) -> usize {
        let names = self.files.keys();
        names.filter(|name| name.starts_with("blobs/")).count()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(self.file(name)).unwrap()
    }

    pub fn file(&self, name: &str) -> &[u8] {
        self.files
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing"))
    }

    /// The bytes of a descriptor, whose digest and size must match.
    pub fn blob(&self, descriptor: &Value) -> &[u8] {
        let bytes = self.file(&blob_path(digest(descriptor)));
        assert_eq!(
            descriptor["size"].as_u64(),
            Some(bytes.len() as u64),
            "{descriptor}"
        );
        assert_eq!(digest_like(digest(descriptor), bytes), digest(descriptor));
        bytes
    }

    pub fn document(&self, descriptor: &Value) -> Value {
        serde_json::from_slice(self.blob(descriptor)).unwrap()
    }

    /// The descriptors of index.json.
    pub fn descriptors(&self) -> Vec<Value> {
        self.json("index.json")["manifests"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Each name with its digest, and the digests without a name.
    pub fn names(&self) -> Vec<(Option<String>, String)> {
        let name = |descriptor: &Value| annotation(descriptor, REF_NAME).map(str::to_owned);
        self.descriptors()
            .iter()
            .map(|descriptor| (name(descriptor), digest(descriptor).to_owned()))
            .collect()
    }

    /// The only descriptor with this name.
    pub fn named(&self, name: &str) -> Value {
        let fits = |descriptor: &Value| annotation(descriptor, REF_NAME) == Some(name);
        let found: Vec<Value> = self.descriptors().into_iter().filter(fits).collect();
        assert_eq!(found.len(), 1, "{name}: {:?}", self.names());
        found[0].clone()
    }

    /// The only descriptor.
    pub fn only(&self) -> Value {
        let mut descriptors = self.descriptors();
        assert_eq!(descriptors.len(), 1);
        descriptors.remove(0)
    }

    /// The bytes of the config of an image.
    pub fn config(&self, descriptor: &Value) -> &[u8] {
        self.blob(&self.document(descriptor)["config"])
    }

    /// The uncompressed layers of an image.
    pub fn layers(&self, descriptor: &Value) -> Vec<Vec<u8>> {
        let manifest = self.document(descriptor);
        let layers = manifest["layers"].as_array().unwrap().iter();
        layers
            .map(|layer| codec::decode(self.blob(layer), layer["mediaType"].as_str().unwrap()))
            .collect()
    }

    /// The media types of the layers of an image.
    pub fn layer_types(&self, descriptor: &Value) -> Vec<String> {
        let manifest = self.document(descriptor);
        let layers = manifest["layers"].as_array().unwrap().iter();
        layers
            .map(|layer| layer["mediaType"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Checks the rules of the specification, and that every blob is referenced.
    pub fn check(&self) {
        assert_eq!(
            self.file("oci-layout"),
            br#"{"imageLayoutVersion":"1.0.0"}"#
        );
        let index = self.json("index.json");
        assert_eq!(index["schemaVersion"], 2);
        let mut used = BTreeSet::new();
        for descriptor in self.descriptors() {
            self.check_node(&descriptor, true, &mut used);
        }
        for (name, bytes) in &self.files {
            let Some(blob) = name.strip_prefix("blobs/") else {
                let known = ["oci-layout", "index.json", "manifest.json"];
                assert!(known.contains(&name.as_str()), "{name}");
                continue;
            };
            let expected = blob.replace('/', ":");
            assert_eq!(digest_like(&expected, bytes), expected, "content of {name}");
            assert!(used.contains(&expected), "nothing refers to {name}");
        }
    }

    /// `listed` is true for entries of index.json, in which every image has its platform.
    fn check_node(&self, descriptor: &Value, listed: bool, used: &mut BTreeSet<String>) {
        used.insert(digest(descriptor).to_owned());
        let media_type = descriptor["mediaType"].as_str().unwrap();
        assert!(!media_type.contains("docker"), "{media_type}");
        if media_type != oci::MANIFEST && media_type != oci::INDEX {
            self.blob(descriptor);
            return;
        }
        let document = self.document(descriptor);
        assert_eq!(document["schemaVersion"], 2);
        assert_eq!(document["mediaType"], media_type);
        if media_type == oci::INDEX {
            for child in document["manifests"].as_array().unwrap() {
                self.check_node(child, false, used);
            }
            return;
        }
        let layers = list(&document["layers"]);
        for blob in layers.iter().chain([&document["config"]]) {
            used.insert(digest(blob).to_owned());
            if blob.get("urls").is_none() {
                self.blob(blob);
            }
        }
        let attestation = annotation(descriptor, oci::REFERENCE_DIGEST).is_some();
        let layers = document["layers"].as_array();
        let signature = layers.is_some_and(|layers| {
            let is_signature = |layer: &Value| {
                let media_type = layer["mediaType"].as_str().unwrap_or_default();
                media_type.starts_with("application/vnd.dev.cosign.")
            };
            !layers.is_empty() && layers.iter().all(is_signature)
        });
        if document["config"]["mediaType"] == oci::CONFIG && !attestation && !signature {
            let config: Value = serde_json::from_slice(self.blob(&document["config"])).unwrap();
            if listed {
                let of_config = |key: &str| config[key].as_str().filter(|text| !text.is_empty());
                let platform = descriptor.get("platform");
                if of_config("os").is_none() && of_config("architecture").is_none() {
                    assert_eq!(platform, None, "{descriptor}");
                } else {
                    let platform = platform.unwrap();
                    assert_eq!(platform["os"], config["os"], "{descriptor}");
                    assert_eq!(
                        platform["architecture"], config["architecture"],
                        "{descriptor}"
                    );
                }
            }
            self.check_layers(&document, &config);
        }
    }

    fn check_layers(&self, manifest: &Value, config: &Value) {
        let layers = list(&manifest["layers"]);
        let diff_ids = config["rootfs"]["diff_ids"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(layers.len(), diff_ids.len());
        for (layer, diff_id) in layers.iter().zip(diff_ids) {
            let media_type = layer["mediaType"].as_str().unwrap();
            if layer.get("urls").is_none() && media_type.contains(".layer.") {
                let decoded = codec::decode(self.blob(layer), media_type);
                let diff_id = diff_id.as_str().unwrap();
                assert_eq!(digest_like(diff_id, &decoded), diff_id, "{layer}");
            }
        }
    }
}

/// A list, or null, which Go writes for an empty one.
fn list(value: &Value) -> &[Value] {
    if value.is_null() {
        return &[];
    }
    value.as_array().unwrap()
}

fn read_folder(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(root, &path, files);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// The digest of `bytes` by the algorithm of another digest.
fn digest_like(like: &str, bytes: &[u8]) -> String {
    if like.starts_with("sha512:") {
        sha512(bytes)
    } else {
        sha256(bytes)
    }
}

/// An annotation of a descriptor.
pub fn annotation<'a>(descriptor: &'a Value, key: &str) -> Option<&'a str> {
    descriptor.get("annotations")?.get(key)?.as_str()
}

/// `io.containerd.image.name` of a descriptor.
pub fn containerd_name(descriptor: &Value) -> Option<&str> {
    annotation(descriptor, CONTAINERD_NAME)
}

//! Images with changed documents, and the paths of their parts.

use serde_json::Value;

use super::files::Files;
use super::layers::Layer;
use super::oci::{self, Layout};
use super::{codec, docker};

/// The two layers of an image.
pub fn two() -> [Layer; 2] {
    [Layer::new("base"), Layer::new("top")]
}

/// An image whose documents can be changed. References to them are updated.
pub struct Parts {
    pub config: Value,
    pub config_type: &'static str,
    pub layers: Vec<(&'static str, Vec<u8>)>,
    pub manifest: Box<dyn Fn(&mut Value)>,
    /// The descriptor in index.json.
    pub entry: Box<dyn Fn(&mut Value)>,
}

impl Parts {
    pub fn new() -> Parts {
        let layers = two();
        let blobs = layers
            .iter()
            .map(|layer| (oci::LAYER_GZIP, codec::gzip(&layer.tar)));
        Parts {
            config: serde_json::from_slice(&docker::config(&layers)).unwrap(),
            config_type: oci::CONFIG,
            layers: blobs.collect(),
            manifest: Box::new(|_| {}),
            entry: Box::new(|_| {}),
        }
    }

    /// With one layer of these bytes, uncompressed.
    pub fn plain(tar: &[u8]) -> Parts {
        let layer = Layer { tar: tar.to_vec() };
        let config = docker::config(std::slice::from_ref(&layer));
        Parts {
            config: serde_json::from_slice(&config).unwrap(),
            layers: vec![(oci::LAYER, layer.tar)],
            ..Parts::new()
        }
    }

    pub fn config(mut self, edit: impl FnOnce(&mut Value)) -> Parts {
        edit(&mut self.config);
        self
    }

    pub fn manifest(mut self, edit: impl Fn(&mut Value) + 'static) -> Parts {
        self.manifest = Box::new(edit);
        self
    }

    pub fn entry(mut self, edit: impl Fn(&mut Value) + 'static) -> Parts {
        self.entry = Box::new(edit);
        self
    }

    /// Adds the image to a layout, and returns its descriptor.
    pub fn add(&self, layout: &mut Layout) -> Value {
        let config = layout.blob(self.config_type, self.config.to_string().as_bytes());
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|(media_type, blob)| layout.blob(media_type, blob))
            .collect();
        let mut manifest = oci::manifest(&config, &layers);
        (self.manifest)(&mut manifest);
        let mut entry = layout.blob(oci::MANIFEST, manifest.to_string().as_bytes());
        (self.entry)(&mut entry);
        entry
    }

    /// A layout of this image.
    pub fn files(&self) -> Files {
        let mut layout = Layout::default();
        let entry = self.add(&mut layout);
        layout.listing(entry).files()
    }
}

/// The path of the blob of a descriptor.
pub fn path(descriptor: &Value) -> String {
    oci::blob_path(oci::digest(descriptor))
}

/// The file of the image's manifest, in a layout of one image.
pub fn manifest_path(files: &Files) -> String {
    let index: Value = serde_json::from_slice(files.get("index.json")).unwrap();
    path(&index["manifests"][0])
}

/// The file of the config, in a layout of one image.
pub fn config_path(files: &Files) -> String {
    let manifest: Value = serde_json::from_slice(files.get(&manifest_path(files))).unwrap();
    path(&manifest["config"])
}

/// The file of a layer, in a layout of one image.
pub fn layer_path(files: &Files, position: usize) -> String {
    let manifest: Value = serde_json::from_slice(files.get(&manifest_path(files))).unwrap();
    path(&manifest["layers"][position])
}

/// The file with its bytes changed.
pub fn spoiled(files: Files, name: &str, spoil: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut bytes = files.get(name).to_vec();
    spoil(&mut bytes);
    files.with(name, bytes)
}

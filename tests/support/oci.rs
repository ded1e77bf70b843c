//! OCI image layouts, and the manifests and indexes in them.

use serde_json::{Map, Value, json};

use super::files::Files;
use super::layers::{Layer, layers};
use super::{docker, sha256};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
pub const DOCKER_FOREIGN_GZIP: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
pub const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// A builder for layouts.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    files: Files,
    pub manifests: Vec<Value>,
}

impl Layout {
    /// Adds a blob and returns its descriptor.
    pub fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        self.files.put(&blob_path(&sha256(bytes)), bytes);
        descriptor(media_type, bytes)
    }

    /// Adds a manifest with its config and layers, and returns its descriptor.
    pub fn manifest(
        &mut self,
        config_type: &str,
        config: &[u8],
        layers: &[(&str, Vec<u8>)],
    ) -> Value {
        let config = self.blob(config_type, config);
        let layers: Vec<Value> = layers
            .iter()
            .map(|(media_type, blob)| self.blob(media_type, blob))
            .collect();
        self.document(&manifest(&config, &layers))
    }

    /// Adds a manifest or index, and returns its descriptor.
    pub fn document(&mut self, document: &Value) -> Value {
        // Indented, so that writing it again would change it.
        let bytes = serde_json::to_vec_pretty(document).unwrap();
        self.blob(document["mediaType"].as_str().unwrap(), &bytes)
    }

    /// An image of gzip layers.
    pub fn image(&mut self, architecture: &str, layers: &[Layer]) -> Value {
        let blobs: Vec<(&str, Vec<u8>)> = layers
            .iter()
            .map(|layer| (LAYER_GZIP, super::codec::gzip(&layer.tar)))
            .collect();
        self.manifest(CONFIG, &docker::config_for(architecture, layers), &blobs)
    }

    /// An index of these descriptors.
    pub fn index(&mut self, manifests: &[Value]) -> Value {
        self.document(&index(manifests))
    }

    /// An index of an image for amd64 and one for arm64, and the descriptors in it.
    pub fn two_platforms(&mut self) -> (Value, [Value; 2]) {
        let images = ["amd64", "arm64"].map(|architecture| {
            let image = self.image(architecture, &layers(architecture));
            on(&image, "linux", architecture)
        });
        (self.index(&images), images)
    }

    /// Lists a descriptor in index.json.
    pub fn add(&mut self, descriptor: Value) {
        self.manifests.push(descriptor);
    }

    #[must_use]
    pub fn listing(mut self, descriptor: Value) -> Layout {
        self.add(descriptor);
        self
    }

    pub fn files(&self) -> Files {
        let mut files = Files::default();
        files.put("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        files.put("index.json", index(&self.manifests).to_string());
        files.members.extend(self.files.members.iter().cloned());
        files
    }

    /// The layout with everything in it but one blob.
    pub fn files_without(&self, descriptor: &Value) -> Files {
        self.files().without(&blob_path(digest(descriptor)))
    }
}

pub fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

pub fn digest(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().unwrap()
}

pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": sha256(bytes), "size": bytes.len() })
}

/// The descriptor with a name.
pub fn named(descriptor: &Value, name: &str) -> Value {
    annotated(descriptor, &[(REF_NAME, name)])
}

pub fn annotated(descriptor: &Value, annotations: &[(&str, &str)]) -> Value {
    let mut descriptor = descriptor.clone();
    let annotations: Map<String, Value> = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    descriptor["annotations"] = Value::Object(annotations);
    descriptor
}

/// The descriptor for a platform.
pub fn on(descriptor: &Value, os: &str, architecture: &str) -> Value {
    let mut descriptor = descriptor.clone();
    descriptor["platform"] = json!({ "architecture": architecture, "os": os });
    descriptor
}

pub fn manifest(config: &Value, layers: &[Value]) -> Value {
    let docker = config["mediaType"] == DOCKER_CONFIG;
    json!({
        "schemaVersion": 2,
        "mediaType": if docker { DOCKER_MANIFEST } else { MANIFEST },
        "config": config,
        "layers": layers,
    })
}

/// The manifest of an artifact with the empty config and an `artifactType`.
pub fn artifact(artifact_type: &str, empty: &Value, layers: &[Value]) -> Value {
    let mut manifest = manifest(empty, layers);
    manifest["artifactType"] = json!(artifact_type);
    manifest
}

/// The manifest of an attestation, as `BuildKit` writes it with the empty config.
pub fn attestation(empty: &Value, statements: &[Value]) -> Value {
    artifact(
        "application/vnd.docker.attestation.manifest.v1+json",
        empty,
        statements,
    )
}

pub fn index(manifests: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests })
}

/// The layers with Docker's media types, as in a registry.
pub fn docker_layers(layers: &[Layer]) -> Vec<(&'static str, Vec<u8>)> {
    let layers = layers.iter();
    layers
        .map(|layer| (DOCKER_LAYER_GZIP, super::codec::gzip(&layer.tar)))
        .collect()
}

/// A layout of one named image.
pub fn one(name: &str, layers: &[Layer]) -> Layout {
    let mut layout = Layout::default();
    let image = layout.image("amd64", layers);
    layout.listing(named(&image, name))
}

/// A `dir:` folder with this manifest and the blobs of `layout`.
pub fn dir(layout: &Layout, manifest: &Value) -> Files {
    let files = layout.files();
    let mut dir = Files::default();
    dir.put("version", "Directory Transport Version: 1.1\n");
    dir.put("manifest.json", files.get(&blob_path(digest(manifest))));
    for member in &files.members {
        if let Some(hex) = member.name.strip_prefix("blobs/sha256/") {
            dir.put(hex, member.bytes());
        }
    }
    dir
}

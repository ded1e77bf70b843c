//! `docker save` archives with a manifest.json, as from Docker 1.10 and later and many other tools.

use serde_json::{Map, Value, json};

use super::files::Files;
use super::layers::Layer;
use super::oci::{self, Layout};
use super::tar::Body;
use super::{sha256, sha256_hex};

/// An image to be saved.
#[derive(Debug, Clone)]
pub struct Image {
    /// `RepoTags`. Left out if `None`.
    pub tags: Option<Value>,
    pub config: Vec<u8>,
    pub config_name: String,
    /// Name and blob of each layer.
    pub layers: Vec<(String, Vec<u8>)>,
    /// Further fields of its entry in manifest.json.
    pub fields: Map<String, Value>,
}

impl Image {
    /// An image as saved by Docker 1.10 to 24: each uncompressed layer in a folder.
    pub fn new(tags: &[&str], layers: &[Layer]) -> Image {
        let config = config(layers);
        Image {
            tags: Some(json!(tags)),
            config_name: format!("{}.json", sha256_hex(&config)),
            config,
            layers: layers
                .iter()
                .map(|layer| (layer_name(layer), layer.tar.clone()))
                .collect(),
            fields: Map::new(),
        }
    }

    /// The same with its layers in another codec, with the same names.
    #[must_use]
    pub fn encoded(mut self, encode: impl Fn(&[u8]) -> Vec<u8>) -> Image {
        for (_, blob) in &mut self.layers {
            *blob = encode(blob);
        }
        self
    }

    #[must_use]
    pub fn tagged(mut self, tags: Option<Value>) -> Image {
        self.tags = tags;
        self
    }

    /// The same with another config, named by its digest.
    #[must_use]
    pub fn with_config(mut self, config: impl Into<Vec<u8>>) -> Image {
        self.config = config.into();
        self.config_name = format!("{}.json", sha256_hex(&self.config));
        self
    }

    pub fn id(&self) -> String {
        sha256(&self.config)
    }

    fn entry(&self) -> Value {
        let names: Vec<&String> = self.layers.iter().map(|(name, _)| name).collect();
        let mut entry = json!({ "Config": self.config_name });
        let fields = entry.as_object_mut().unwrap();
        if let Some(tags) = &self.tags {
            fields.insert("RepoTags".to_owned(), tags.clone());
        }
        fields.insert("Layers".to_owned(), json!(names));
        fields.extend(self.fields.clone());
        entry
    }
}

/// `<v1 id>/layer.tar`. It depends only on the layer, so that images share it.
pub fn layer_name(layer: &Layer) -> String {
    format!("{}/layer.tar", v1_id(layer))
}

pub fn v1_id(layer: &Layer) -> String {
    sha256_hex(format!("v1 {}", layer.diff_id()).as_bytes())
}

/// A config that would change if it were parsed and written again: unusual spacing and order, Docker's and unknown fields, and
/// numbers and escapes that encoders change.
pub fn config(layers: &[Layer]) -> Vec<u8> {
    config_for("amd64", layers)
}

pub fn config_for(architecture: &str, layers: &[Layer]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(Layer::diff_id).collect();
    let history: Vec<Value> = layers
        .iter()
        .map(|_| json!({"created_by": "/bin/sh -c #(nop) ADD file"}))
        .collect();
    format!(
        "{{ \"os\":\"linux\",\n \"architecture\" : \"{architecture}\", \"x-unknown\": 1.0e2,\
         \"config\":{{\"Hostname\":\"b\\u00f6x\",\"Healthcheck\":{{\"Test\":[\"CMD\",\"true\"]}},\
         \"OnBuild\":[\"RUN a<b&&c\"],\"Shell\":[\"/bin/ash\"],\"StopTimeout\":7}},\
         \"created\":\"2024-01-02T03:04:05.678901234Z\",\
         \"history\":{}, \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":{}}} }}\n",
        json!(history),
        json!(diff_ids),
    )
    .into_bytes()
}

/// An archive of these images, with shared files only once. manifest.json is the last but one member.
pub fn save(images: &[Image]) -> Files {
    let mut files = Files::default();
    for image in images {
        for (name, blob) in &image.layers {
            if let Some((folder, _)) = name.rsplit_once('/') {
                let folder = format!("{folder}/");
                if !files.members.iter().any(|member| member.name == folder) {
                    files.add(&folder, Body::Folder);
                }
            }
            files.put(name, blob.clone());
        }
        files.put(&image.config_name, image.config.clone());
    }
    let entries: Vec<Value> = images.iter().map(Image::entry).collect();
    files.put("manifest.json", json!(entries).to_string());
    files.put("repositories", "{}");
    files
}

/// The archive of one image with one name.
pub fn save_one(name: &str, layers: &[Layer]) -> Files {
    save(&[Image::new(&[name], layers)])
}

/// An image as saved by Docker 25 and later: all files are blobs, and layers are uncompressed.
pub fn image_of_blobs(tags: &[&str], layers: &[Layer]) -> Image {
    let mut image = Image::new(tags, layers);
    image.config_name = format!("blobs/sha256/{}", sha256_hex(&image.config));
    for ((name, _), layer) in image.layers.iter_mut().zip(layers) {
        *name = format!("blobs/sha256/{}", layer.hex());
    }
    if tags.is_empty() {
        image.tags = Some(Value::Null);
    }
    image
}

/// A Docker 25 archive. `listed` selects the images in index.json, because Docker leaves some out.
pub fn save_hybrid(images: &[Image], listed: &[bool]) -> Files {
    let mut layout = Layout::default();
    for (image, listed) in images.iter().zip(listed) {
        let layers: Vec<(&str, Vec<u8>)> = image
            .layers
            .iter()
            .map(|(_, blob)| (oci::LAYER, blob.clone()))
            .collect();
        if !listed {
            continue;
        }
        let manifest = layout.manifest(oci::CONFIG, &image.config, &layers);
        let tags: Vec<&str> = image
            .tags
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for tag in &tags {
            let (_, version) = tag.rsplit_once(':').unwrap();
            layout.add(oci::annotated(
                &manifest,
                &[
                    (oci::CONTAINERD_NAME, &format!("docker.io/library/{tag}")),
                    (oci::REF_NAME, version),
                ],
            ));
        }
        if tags.is_empty() {
            layout.add(manifest);
        }
    }
    let mut files = layout.files();
    for member in save(images).members {
        if !files.members.iter().any(|known| known.name == member.name) {
            files.members.push(member);
        }
    }
    files
}

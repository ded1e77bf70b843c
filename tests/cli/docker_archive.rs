//! `docker save` archives with a manifest.json, from every producer.

use serde_json::{Value, json};

use crate::support::codec;
use crate::support::docker::{self, Image, layer_name, save, save_one};
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::layout::{Layout, containerd_name};
use crate::support::sandbox::Sandbox;
use crate::support::tar::{self, Member};
use crate::support::{oci, sha256_hex, sha512};

/// Converts the archive. Its only image must have these layers.
#[track_caller]
pub fn gives(files: &Files, layers: &[Layer]) -> Layout {
    let layout = Sandbox::with_archive(files).converted(&["app.tar"]);
    let expected: Vec<Vec<u8>> = layers.iter().map(|layer| layer.tar.clone()).collect();
    assert_eq!(layout.layers(&layout.only()), expected);
    layout
}

pub fn two_layers() -> [Layer; 2] {
    [Layer::new("base"), Layer::new("top")]
}

#[test]
fn config_is_copied_byte_for_byte() {
    let image = Image::new(&["app:1.0"], &two_layers());
    let layout = gives(&save(std::slice::from_ref(&image)), &two_layers());
    assert_eq!(layout.config(&layout.only()), image.config);
    assert_eq!(
        layout.document(&layout.only())["config"]["digest"],
        image.id()
    );
}

#[test]
fn names_are_kept_as_they_are_and_qualified_for_containerd() {
    for (tag, qualified) in [
        ("app:1.0", "docker.io/library/app:1.0"),
        ("team/app:1.0", "docker.io/team/app:1.0"),
        ("localhost/app:1.0", "localhost/app:1.0"),
        ("localhost:5000/a/b:x", "localhost:5000/a/b:x"),
        (
            "registry.example.com/app:1.0",
            "registry.example.com/app:1.0",
        ),
    ] {
        let layout = gives(&save_one(tag, &two_layers()), &two_layers());
        assert_eq!(containerd_name(&layout.named(tag)), Some(qualified));
    }
}

#[test]
fn one_many_or_no_tags() {
    let image = Image::new(&[], &two_layers());
    for none in [None, Some(json!([])), Some(Value::Null)] {
        let layout = gives(&save(&[image.clone().tagged(none)]), &two_layers());
        assert_eq!(layout.only().get("annotations"), None);
    }
    let image = Image::new(&["app:1.0", "app:latest", "other:x"], &two_layers());
    let layout = Sandbox::with_archive(&save(&[image])).converted(&["app.tar"]);
    let digest = oci::digest(&layout.named("app:1.0")).to_owned();
    let entry = |name: &str| (Some(name.to_owned()), digest.clone());
    assert_eq!(
        layout.names(),
        [entry("app:1.0"), entry("app:latest"), entry("other:x")]
    );
}

#[test]
fn many_images_share_layers() {
    let [base, top] = two_layers();
    let other = Layer::new("other");
    let images = [
        Image::new(&["app:1.0"], &[base.clone(), top.clone()]),
        Image::new(&["app:2.0"], &[base.clone(), other.clone()]),
        Image::new(&[], std::slice::from_ref(&base)),
    ];
    let sandbox = Sandbox::with_archive(&save(&images));
    let run = sandbox.convert(&["app.tar", "-o", "out"]);
    let layout = sandbox.layout("out");
    let [first, second, third] = &layout.descriptors()[..] else {
        panic!("{:?}", layout.names());
    };
    assert_eq!(layout.layers(first), [base.tar.clone(), top.tar]);
    assert_eq!(layout.layers(second), [base.tar.clone(), other.tar]);
    assert_eq!(layout.layers(third), [base.tar]);
    // Three manifests, three configs, three layers.
    assert_eq!(layout.blob_count(), 9);
    let digest = oci::digest;
    assert_eq!(
        run.succeeds().stdout(),
        format!(
            "{} app:1.0\n{} app:2.0\n{}\n",
            digest(first),
            digest(second),
            digest(third)
        )
    );
}

#[test]
fn an_image_may_have_a_layer_twice_or_none_at_all() {
    let [base, top] = two_layers();
    let layers = [base.clone(), top, base];
    gives(&save_one("app:1.0", &layers), &layers);
    gives(&save_one("app:1.0", &[]), &[]);
}

#[test]
fn inner_layers_in_any_codec_become_what_oci_has_a_media_type_for() {
    let layers = [Layer::new("base"), Layer::noise(1, 40_000)];
    let image = Image::new(&["app:1.0"], &layers);
    for (codec, encode) in codec::ALL {
        let expected = if codec == "zstd" {
            oci::LAYER_ZSTD
        } else {
            oci::LAYER_GZIP
        };
        let whole = image.clone().encoded(encode);
        let thirds = image
            .clone()
            .encoded(|bytes| codec::in_thirds(encode, bytes));
        for (image, kept) in [
            (whole, codec == "gzip" || codec == "zstd"),
            (thirds, codec == "zstd"),
        ] {
            if codec == "gzip" && !kept {
                continue;
            }
            let layout = gives(&save(std::slice::from_ref(&image)), &layers);
            assert_eq!(
                layout.layer_types(&layout.only()),
                [expected, expected],
                "{codec}"
            );
            if kept {
                let manifest = layout.document(&layout.only());
                assert_eq!(
                    layout.blob(&manifest["layers"][0]),
                    image.layers[0].1,
                    "{codec}"
                );
            }
        }
    }
}

#[test]
fn gzip_of_many_members_is_read_to_its_end() {
    let layers = [Layer::noise(1, 40_000)];
    let image =
        Image::new(&["app:1.0"], &layers).encoded(|bytes| codec::in_thirds(codec::gzip, bytes));
    let sandbox = Sandbox::with_archive(&save(&[image]));
    let layout = sandbox.converted(&["app.tar", "--compression", "none"]);
    assert_eq!(layout.layers(&layout.only()), [layers[0].tar.clone()]);
    // The new layer is one gzip member, which the reader of these tests checks.
    sandbox
        .convert(&["app.tar", "--compression", "gzip:9", "-o", "again"])
        .succeeds();
    let layout = sandbox.layout("again");
    assert_eq!(layout.layers(&layout.only()), [layers[0].tar.clone()]);
}

#[test]
fn outer_file_in_any_codec() {
    let archive = save_one("app:1.0", &two_layers()).tar();
    let sandbox = Sandbox::new();
    sandbox.write("app.tar", &archive);
    sandbox.convert(&["app.tar", "-o", "plain.tar"]).succeeds();
    for (codec, encode) in codec::ALL {
        // The name has no meaning.
        sandbox.write("app", &encode(&archive));
        sandbox.write("thirds", &codec::in_thirds(encode, &archive));
        for input in ["app", "thirds"] {
            let output = format!("{codec}-{input}.tar");
            sandbox.convert(&[input, "-o", &output]).succeeds();
            assert_eq!(sandbox.read(&output), sandbox.read("plain.tar"), "{codec}");
        }
    }
}

#[test]
fn layers_of_nothing() {
    // The file is empty, as in the config.
    let zero = [Layer::new("base"), Layer::zero_bytes()];
    gives(&save_one("app:1.0", &zero), &zero);
    // The file is empty, but the config has the digest of an empty tar.
    let empty = [Layer::new("base"), Layer::empty()];
    let files = save_one("app:1.0", &empty);
    gives(&files, &empty);
    gives(&files.with(&layer_name(&empty[1]), ""), &empty);
}

#[test]
fn layers_without_an_end_of_archive() {
    let layers = [Layer {
        tar: tar::without_end(&[Member::file("etc/hosts", "127.0.0.1\n")]),
    }];
    gives(&save_one("app:1.0", &layers), &layers);
}

#[test]
fn other_producers_layouts() {
    let layers = two_layers();
    // crane: sha256: before the config's digest, manifest.json last, gzip layers by their digests.
    let mut crane = Image::new(&["app:1.0"], &layers).encoded(codec::gzip);
    crane.config_name = crane.id();
    for (name, blob) in &mut crane.layers {
        *name = format!("{}.tar.gz", sha256_hex(blob));
    }
    gives(&save(&[crane.clone()]), &layers);
    // rules_oci: the same names whatever the codec.
    let mut rules = crane.clone();
    for ((_, blob), layer) in rules.layers.iter_mut().zip(&layers) {
        *blob = codec::zstd(&layer.tar);
    }
    gives(&save(&[rules]), &layers);
    // jib: a config without a digest in its name.
    crane.config_name = "config.json".to_owned();
    gives(&save(&[crane]), &layers);
    // podman and buildah: at the root by diff_id.
    let mut podman = Image::new(&["localhost/app:1.0"], &layers);
    for ((name, _), layer) in podman.layers.iter_mut().zip(&layers) {
        *name = format!("{}.tar", layer.hex());
    }
    gives(&save(&[podman]), &layers);
    // Docker 1.11 and later: Parent and LayerSources are no layers.
    let mut docker = Image::new(&["app:1.0"], &layers);
    docker
        .fields
        .insert("Parent".to_owned(), json!(layers[0].diff_id()));
    let source = json!({ layers[0].diff_id(): oci::descriptor(oci::LAYER, &layers[0].tar) });
    docker.fields.insert("LayerSources".to_owned(), source);
    gives(&save(&[docker]), &layers);
}

#[test]
fn a_foreign_layer_is_carried_by_its_urls_or_converted() {
    let layers = two_layers();
    let blob = codec::gzip(&layers[0].tar);
    let mut image = Image::new(&["app:1.0"], &layers);
    let mut source = oci::descriptor(oci::DOCKER_FOREIGN_GZIP, &blob);
    source["urls"] = json!(["https://example.com/layer"]);
    let sources = json!({ layers[0].diff_id(): source });
    image.fields.insert("LayerSources".to_owned(), sources);
    let files = save(&[image]);

    let layout = gives(&files, &layers);
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    // The urls do not lead to the new bytes, so it becomes an ordinary layer, which every tool pushes.
    assert_eq!(
        layout.layer_types(&layout.only()),
        [oci::LAYER_GZIP, oci::LAYER_GZIP]
    );

    let sandbox = Sandbox::with_archive(&files.without(&layer_name(&layers[0])));
    sandbox.convert(&["app.tar", "-o", "out"]).warns(&format!(
        "ocify: warning: app.tar: app:1.0: layer 1 of 2: {}: a foreign layer that is missing from the input: \
         only its urls are kept (foreign-layer-absent)\n",
        layer_name(&layers[0])
    ));
    let layout = sandbox.layout("out");
    let layer = &layout.document(&layout.only())["layers"][0];
    assert_eq!(layer["mediaType"], foreign);
    assert_eq!(oci::digest(layer), oci::digest(&source));
    assert_eq!(layer["urls"], source["urls"]);
    assert!(
        !layout
            .files
            .contains_key(&oci::blob_path(oci::digest(layer)))
    );
}

/// Its blob is then named by it, which is too long for the header of a tar.
#[test]
fn the_diff_id_of_a_plain_layer_is_sha512() {
    let layer = Layer::new("base");
    let config = docker::config(std::slice::from_ref(&layer));
    let config = String::from_utf8(config).unwrap();
    let config = config.replace(&layer.diff_id(), &sha512(&layer.tar));
    let image = Image::new(&["app:1.0"], std::slice::from_ref(&layer)).with_config(config);
    let sandbox = Sandbox::with_archive(&save(&[image]));
    for output in ["out", "out.tar"] {
        let args = ["app.tar", "-o", output, "--compression", "none"];
        sandbox.convert(&args).succeeds();
        let layout = sandbox.layout(output);
        let layers = &layout.document(&layout.only())["layers"];
        assert_eq!(oci::digest(&layers[0]), sha512(&layer.tar), "{output}");
        sandbox.run(&["verify", output]).succeeds();
    }
}

#[test]
fn a_config_may_have_variants_of_a_platform() {
    let layers = two_layers();
    let config = String::from_utf8(docker::config_for("arm64", &layers)).unwrap();
    let config = config.replacen(
        "\"x-unknown\": 1.0e2",
        "\"variant\":\"v8\",\"os.version\":\"10.0\"",
        1,
    );
    let image = Image::new(&["app:1.0"], &layers).with_config(config);
    let layout = gives(&save(&[image]), &layers);
    let expected = json!({"architecture":"arm64","os":"linux","os.version":"10.0","variant":"v8"});
    assert_eq!(layout.only()["platform"], expected);
}

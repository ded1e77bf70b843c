//! Folders with a schema 1 manifest and its blobs.

use serde_json::{Value, json};

use crate::support::docker::v1_id;
use crate::support::files::Files;
use crate::support::layers::Layer;
use crate::support::layout::containerd_name;
use crate::support::legacy::config;
use crate::support::sandbox::Sandbox;
use crate::support::schema1::{edit_v1, folder, manifest, sign, sign_as, signature, unsigned};
use crate::support::{codec, sha256, sha256_hex};

fn layers() -> [Layer; 3] {
    [Layer::new("base"), Layer::new("middle"), Layer::new("top")]
}

fn blob(layer: &Layer) -> String {
    sha256_hex(&codec::gzip(&layer.tar))
}

#[track_caller]
fn gives(files: &Files, layers: &[Layer]) {
    let layout = Sandbox::with_folder(files).converted(&["app"]);
    let image = layout.named("team/app:1.0");
    assert_eq!(containerd_name(&image), Some("docker.io/team/app:1.0"));
    let expected: Vec<Vec<u8>> = layers.iter().map(|layer| layer.tar.clone()).collect();
    assert_eq!(layout.layers(&image), expected);
}

#[track_caller]
fn refuses(files: &Files, stderr: &str) {
    let sandbox = Sandbox::with_folder(files);
    let before = sandbox.snapshot();
    sandbox.convert(&["app", "-o", "out"]).fails(stderr);
    assert_eq!(sandbox.snapshot(), before);
}

/// The folder with a change to the manifest.
fn edited(edit: impl FnOnce(&mut Value)) -> Files {
    let mut manifest = manifest("team/app", "1.0", &layers());
    edit(&mut manifest);
    folder(&manifest.to_string(), &layers())
}

#[test]
fn signed_or_not_under_any_usual_name() {
    let payload = manifest("team/app", "1.0", &layers()).to_string();
    gives(&folder(&payload, &layers()), &layers());
    gives(&folder(&sign(&payload), &layers()), &layers());
    gives(
        &folder(&sign(&payload), &layers()).with("version", "Directory Transport Version: 1.1\n"),
        &layers(),
    );
    let spellings: [fn(&str) -> String; 6] = [
        |hex| format!("{hex}.tar"),
        |hex| format!("{hex}.tar.gz"),
        |hex| format!("sha256:{hex}"),
        |hex| format!("sha256-{hex}"),
        |hex| format!("blobs/sha256/{hex}"),
        str::to_owned,
    ];
    for spell in spellings {
        let files = folder(&payload, &layers()).renamed(|name| {
            if name == "manifest.json" {
                name.to_owned()
            } else {
                spell(name)
            }
        });
        gives(&files, &layers());
    }
    // The manifest with another name, as the input.
    let files = unsigned("team/app", "1.0", &layers())
        .renamed(|name| name.replace("manifest.json", "app-1.0.json"));
    gives(&files, &layers());
    let sandbox = Sandbox::with_folder(&files);
    sandbox
        .convert(&["app/app-1.0.json", "-o", "out"])
        .succeeds();
    sandbox.layout("out").named("team/app:1.0");
}

/// Other documents of a folder may look like one.
#[test]
fn only_json_files_beside_the_layers_are_manifests() {
    for name in ["notes/app.json", "app-1.0"] {
        let files = unsigned("team/app", "1.0", &layers())
            .renamed(|old| old.replace("manifest.json", name));
        let run = Sandbox::with_folder(&files).convert(&["app", "-o", "out"]);
        assert_eq!(run.status.code(), Some(1), "{name}");
        let message = "ocify: app: not a container image: ";
        assert!(run.stderr.starts_with(message), "{}", run.stderr);
    }
}

#[test]
fn signed_manifests_have_a_media_type_of_their_own() {
    let payload = manifest("team/app", "1.0", &layers()).to_string();
    let plain = "application/vnd.docker.distribution.manifest.v1+json";
    let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    for (manifest, media_type) in [(payload.clone(), plain), (sign(&payload), signed)] {
        let sandbox = Sandbox::with_folder(&folder(&manifest, &layers()));
        let run = sandbox.run(&["inspect", "--json", "app"]);
        let text = format!("{media_type:?}");
        assert!(run.stdout().contains(&text), "{}", run.stdout());
    }
}

#[test]
fn the_config_is_the_one_that_skopeo_makes() {
    let layout = Sandbox::with_folder(&unsigned("team/app", "1.0", &layers())).converted(&["app"]);
    let entry = "{\"created\":\"2015-06-01T12:00:00.5Z\",\"created_by\":\"/bin/sh -c echo a \\u003e b\",\"author\":\"someone\"}";
    let expected = config(entry, &layers());
    let order = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let found = String::from_utf8_lossy(layout.config(&layout.only())).into_owned();
    assert_eq!(order(&found), order(&expected));
    assert!(found.contains("echo a \\u003e b"), "{found}");
}

#[test]
fn blobs_in_any_codec() {
    for (_, encode) in codec::ALL {
        let mut manifest = manifest("team/app", "1.0", &layers());
        let mut files = Files::default();
        for (position, layer) in layers().iter().rev().enumerate() {
            let blob = encode(&layer.tar);
            manifest["fsLayers"][position]["blobSum"] = json!(sha256(&blob));
            files.put(&sha256_hex(&blob), blob);
        }
        files.put("manifest.json", manifest.to_string());
        gives(&files, &layers());
    }
}

#[test]
fn empty_layers_by_every_sign() {
    let [base, middle, top] = layers();
    let kept = [base.clone(), top.clone()];
    // Docker 1.10 and later mark empty layers. The blob may be missing.
    let throwaway = edited(|manifest| edit_v1(manifest, 1, |v1| v1["throwaway"] = json!(true)));
    gives(&throwaway, &kept);
    gives(&throwaway.clone().without(&blob(&middle)), &kept);
    let layout = Sandbox::with_folder(&throwaway).converted(&["app"]);
    let config: Value = serde_json::from_slice(layout.config(&layout.only())).unwrap();
    let marked: Vec<Option<bool>> = config["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["empty_layer"].as_bool())
        .collect();
    assert_eq!(marked, [None, Some(true), None]);
    // The blob that Docker's registries have for it.
    let known = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";
    gives(
        &edited(|manifest| manifest["fsLayers"][1]["blobSum"] = json!(known)),
        &kept,
    );
    // Size 0 and no blob; size 0 and a blob that is not empty.
    let size = edited(|manifest| edit_v1(manifest, 1, |v1| v1["Size"] = json!(0)));
    gives(&size.clone().without(&blob(&middle)), &kept);
    gives(&size, &layers());
    // Only zeros.
    let with_empty = [base.clone(), Layer::empty(), top.clone()];
    let manifest_json = manifest("team/app", "1.0", &with_empty);
    gives(&folder(&manifest_json.to_string(), &with_empty), &kept);
    // Unless an engine marks empty layers: another one here.
    let marked = [base, Layer::empty(), middle, top];
    let mut with_mark = manifest("team/app", "1.0", &marked);
    edit_v1(&mut with_mark, 1, |v1| v1["throwaway"] = json!(true));
    let [base, empty, _, top] = &marked;
    gives(
        &folder(&with_mark.to_string(), &marked),
        &[base.clone(), empty.clone(), top.clone()],
    );
    // Two marks are one more.
    edit_v1(&mut with_mark, 0, |v1| v1["throwaway"] = json!(true));
    gives(
        &folder(&with_mark.to_string(), &marked),
        &[base.clone(), empty.clone()],
    );
    // Unless `throwaway` is false.
    let mut manifest_json = manifest_json;
    edit_v1(&mut manifest_json, 1, |v1| v1["throwaway"] = json!(false));
    gives(
        &folder(&manifest_json.to_string(), &with_empty),
        &with_empty,
    );
}

/// Larger layers are not decoded to find out whether they are empty.
#[test]
fn only_small_layers_of_zeros_are_empty() {
    let [base, _, top] = layers();
    for (size, is_empty) in [(1 << 20, true), ((1 << 20) + 512, false)] {
        let zeros = Layer { tar: vec![0; size] };
        let with_zeros = [base.clone(), zeros, top.clone()];
        let manifest = manifest("team/app", "1.0", &with_zeros).to_string();
        let files = folder(&manifest, &with_zeros);
        if is_empty {
            gives(&files, &[base.clone(), top.clone()]);
        } else {
            gives(&files, &with_zeros);
        }
    }
}

#[test]
fn an_id_twice_in_a_row_is_one_layer() {
    let files = edited(|manifest| {
        for list in ["history", "fsLayers"] {
            let list = manifest[list].as_array_mut().unwrap();
            let entry = list[1].clone();
            list.insert(1, entry);
        }
    });
    gives(&files, &layers());
}

#[test]
fn manifests_that_break_a_rule() {
    let invalid = "ocify: app: manifest.json: ";
    let [base, middle, top] = layers().each_ref().map(v1_id);
    let zeros = "0".repeat(64);
    for (files, message) in [
        (
            edited(|manifest| {
                manifest["history"].as_array_mut().unwrap().pop();
            }),
            "history has 2 entries, fsLayers has 3".to_owned(),
        ),
        (
            edited(|manifest| {
                manifest["history"] = json!([]);
                manifest["fsLayers"] = json!([]);
            }),
            "history is empty".to_owned(),
        ),
        (
            edited(|manifest| edit_v1(manifest, 0, |v1| v1["parent"] = json!(zeros))),
            format!("parent of history[0] is {zeros:?}, expected {middle}, the next id"),
        ),
        (
            edited(|manifest| edit_v1(manifest, 2, |v1| v1["parent"] = json!(zeros))),
            format!("history[2] is the last and has parent {zeros:?}, expected none"),
        ),
        (
            edited(|manifest| edit_v1(manifest, 0, |v1| v1["id"] = json!("ABC"))),
            "id of history[0] is \"ABC\", expected 64 lower-case hex digits".to_owned(),
        ),
        (
            edited(|manifest| {
                edit_v1(manifest, 1, |v1| v1["parent"] = json!(top));
                edit_v1(manifest, 2, |v1| v1["id"] = json!(top));
            }),
            format!("id {top} of history[0] is also the id of history[2]"),
        ),
        (
            edited(|manifest| manifest["fsLayers"][0]["blobSum"] = json!("sha256:../../x")),
            "blobSum of fsLayers[0]: digest \"sha256:../../x\" is malformed, expected 64 lower-case hex digits"
                .to_owned(),
        ),
        (
            edited(|manifest| manifest["layers"] = json!([])),
            "has layers, which schema 1 manifests do not have".to_owned(),
        ),
    ] {
        refuses(&files, &format!("{invalid}{message}\n"));
    }
    assert_ne!(base, middle);
}

#[test]
fn signatures_that_do_not_fit() {
    let payload = manifest("team/app", "1.0", &layers()).to_string();
    let length = i64::try_from(payload.len()).unwrap() - 1;
    let invalid = "ocify: app: manifest.json: ";
    let ignore = "hint: use `--ignore-signatures` to convert it anyway\n";

    let forged = folder(
        &sign_as(&payload, length, "}", &payload.replace("amd64", "arm64")),
        &layers(),
    );
    refuses(
        &forged,
        &format!(
            "{invalid}signature 1 of 1: the ES256 signature does not match the payload\n{ignore}"
        ),
    );
    let sandbox = Sandbox::with_folder(&forged);
    sandbox
        .convert(&["app", "-o", "out", "--ignore-signatures"])
        .warns(
            "ocify: warning: app: manifest.json: signature 1 of 1: the ES256 signature does not match the payload \
             (schema1-signature)\n",
        );
    sandbox.layout("out").named("team/app:1.0");

    let changed = sign(&payload).replace("\"tag\":\"1.0\"", "\"tag\":\"2.0\"");
    refuses(
        &folder(&changed, &layers()),
        &format!(
            "{invalid}signature 1 of 1: the ES256 signature does not match the payload\n{ignore}"
        ),
    );

    let range = sign_as(&payload, 1_000_000, "}", &payload);
    refuses(
        &folder(&range, &layers()),
        &format!(
            "{invalid}signature 1 of 1: formatLength is 1000000, the file has {} bytes\n",
            range.len()
        ),
    );
    let negative = sign_as(&payload, -1, "}", &payload);
    refuses(
        &folder(&negative, &layers()),
        &format!(
            "{invalid}signature 1 of 1: formatLength is -1, the file has {} bytes\n",
            negative.len()
        ),
    );

    let body = payload.strip_suffix('}').unwrap();
    let (first, second) = (
        signature(length, "}", &payload),
        signature(length, " }", &payload),
    );
    let unequal = format!("{body},\"signatures\":[{first},{second}]}}");
    refuses(
        &folder(&unequal, &layers()),
        &format!("{invalid}signature 2 of 2: signs other bytes than signature 1\n"),
    );
}

#[test]
fn blobs_that_are_missing_or_others() {
    let files = unsigned("team/app", "1.0", &layers());
    let middle = blob(&layers()[1]);
    let app = "ocify: app: team/app:1.0: layer 2 of 3: ";
    refuses(
        &files.clone().without(&middle),
        &format!("{app}{middle}: missing from the input\n"),
    );
    let other = codec::gzip(&Layer::new("other").tar);
    refuses(
        &files.with(&middle, other.clone()),
        &format!(
            "{app}digest is {}, expected sha256:{middle}\nhint: copy or save the input again: it is damaged\n",
            sha256(&other)
        ),
    );
}

/// Errors in the metadata are found when the config is created.
#[test]
fn metadata_that_does_not_give_a_config() {
    let layers = layers();
    let with = |architecture: Value| {
        unsigned("team/app", "1.0", &layers).edited("manifest.json", |manifest| {
            edit_v1(manifest, 0, |v1| v1["architecture"] = architecture);
        })
    };
    refuses(
        &with(json!(5)),
        "ocify: app: team/app:1.0: cannot create a config from the v1 metadata: v1 metadata of layer 3 of 3: \
         architecture is a number, expected a string\n",
    );
    // Go reads null as an empty string.
    Sandbox::with_folder(&with(json!(null)))
        .convert(&["app", "-o", "out"])
        .warns(
            "ocify: warning: app: team/app:1.0: the config lacks architecture (config-platform; copied unchanged)\n",
        );
}

/// Each of them signs the whole manifest, so thousands in a small file would take many seconds.
#[test]
fn the_number_of_signatures() {
    let payload = manifest("team/app", "1.0", &layers()).to_string();
    let length = i64::try_from(payload.len()).unwrap() - 1;
    let body = payload.strip_suffix('}').unwrap();
    let one = signature(length, "}", &payload).to_string();
    let signed = |count: usize| {
        let all = vec![one.as_str(); count].join(",");
        folder(&format!("{body},\"signatures\":[{all}]}}"), &layers())
    };
    gives(&signed(64), &layers());
    let message = "the number of signatures is 65, more than the limit of 64";
    refuses(
        &signed(65),
        &format!("ocify: app: manifest.json: {message}\n"),
    );
    let run = Sandbox::with_folder(&signed(65)).run(&["verify", "app"]);
    let line = format!("error[limit]: manifest.json: {message}\n");
    assert!(run.stdout().starts_with(&line), "{}", run.stdout());
}

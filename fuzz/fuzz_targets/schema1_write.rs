//! Schema 1 manifests of any config: what is read back is what was written. The first document is the config, the others are
//! its layers, to which it can refer by `@1` and so on.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocify::{DiffId, ManifestFormat, OutputKind, Report};
use ocify_fuzz::{Scratch, documents};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

fuzz_target!(|bytes: &[u8]| {
    let linked = documents::link(&documents::split(bytes, 10));
    SCRATCH.remove("input");
    let input = SCRATCH.path("input");
    fs::create_dir_all(&input).expect("a folder");
    fs::write(input.join("version"), "Directory Transport Version: 1.1\n").expect("a file");
    let mut descriptors = Vec::new();
    for (number, (hex, bytes)) in linked.iter().enumerate() {
        fs::write(input.join(hex), bytes).expect("a file");
        let kind = if number == 0 { "config.v1+json" } else { "layer.v1.tar" };
        descriptors.push(format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"sha256:{hex}","size":{}}}"#,
            bytes.len()
        ));
    }
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
        descriptors[0],
        descriptors[1..].join(",")
    );
    fs::write(input.join("manifest.json"), manifest).expect("a file");

    let (first, second) = (SCRATCH.path("first"), SCRATCH.path("second"));
    let to_schema1 = |from, to| SCRATCH.convert_to(from, to, OutputKind::Dir, ManifestFormat::V2s1);
    if let Ok(written) = to_schema1(&input, &first) {
        assert!(SCRATCH.is_readable_and_signed(&first), "an output cannot be read");
        let again = to_schema1(&first, &second).expect("what was written is read");
        assert_eq!(digest_and_diff_ids(&written), digest_and_diff_ids(&again));
        let manifest = |folder: &std::path::Path| fs::read(folder.join("manifest.json")).expect("a manifest");
        assert_eq!(manifest(&first), manifest(&second), "converting an output changes it");
        SCRATCH.remove("second");
        // Nor does a second run write anything else.
        let again = to_schema1(&input, &second).expect("the same conversion");
        assert_eq!(digest_and_diff_ids(&written), digest_and_diff_ids(&again));
        assert_eq!(manifest(&first), manifest(&second), "two runs give different bytes");
        // The config that engines make of it has the same layers, and the ID that was foretold.
        let oci = SCRATCH
            .convert(&first, &SCRATCH.path("layout"))
            .expect("an OCI image of it");
        let [written, oci] = [&written, &oci].map(|report| &report.entries[0].images[0]);
        assert_eq!(written.image_id, oci.image_id);
        assert_eq!(diff_ids(written), diff_ids(oci));
    }
    for folder in ["first", "second", "layout"] {
        SCRATCH.remove(folder);
    }
});

fn digest_and_diff_ids(report: &Report) -> (ocify::Digest, Vec<Option<DiffId>>) {
    let entry = &report.entries[0];
    (entry.digest, diff_ids(&entry.images[0]))
}

fn diff_ids(image: &ocify::ImageReport) -> Vec<Option<DiffId>> {
    image.layers.iter().map(|layer| layer.diff_id).collect()
}

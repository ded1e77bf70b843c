//! Damage to the bytes of a layer in any codec: `verify` and `convert` find the same, with any number of threads.

use std::path::Path;

use ocify::{Error, Finding, Interrupt, Options, Report, Response, Silent, Target, VerifyOptions};

use crate::support::codec;
use crate::support::docker::{Image, save};
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;

fn verify(input: &Path, threads: usize) -> Vec<Finding> {
    let mut options = VerifyOptions::default();
    options.threads = Some(threads);
    let verification = ocify::verify(input, &options, &Silent, &Interrupt::new()).unwrap();
    verification.problems
}

fn convert(input: &Path, compression: &str, threads: usize) -> Result<Report, Error> {
    let output = input.with_file_name("out.tar");
    let mut options = Options::default();
    options.compression = compression.parse().unwrap();
    options.threads = Some(threads);
    options.output.fsync = false;
    // A note about engines, not about the layers.
    options.output.docker_manifest = false;
    let inputs = [input.to_owned()];
    ocify::convert(
        &inputs,
        &Target::new(&output),
        &options,
        &Silent,
        &Interrupt::new(),
    )
}

/// The blob cut short, with bits flipped, and with something after its end.
fn mutants(blob: &[u8]) -> Vec<Vec<u8>> {
    let mut mutants = vec![blob.to_vec()];
    let length = blob.len();
    for at in (1..length).step_by(length / 12) {
        mutants.push(blob[..at].to_vec());
        let mut flipped = blob.to_vec();
        flipped[at] ^= 1 << (at % 8);
        mutants.push(flipped);
    }
    for cut in 1..=12 {
        mutants.push(blob[..length - cut].to_vec());
    }
    for after in [
        &b"\0"[..],
        b"\x1f\x8b\x08",
        &[0; 512],
        b"garbage",
        &blob[..length / 2],
        blob,
    ] {
        mutants.push([blob, after].concat());
    }
    mutants
}

/// The text of a finding in both commands.
fn told<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Vec<(&'f str, &'f str)> {
    let findings = findings.into_iter();
    let mut told: Vec<(&str, &str)> = findings
        .map(|finding| (finding.code.name(), finding.message.as_str()))
        .collect();
    told.sort_unstable();
    told
}

#[test]
fn both_commands_find_the_same() {
    let layer = Layer::new("layer");
    let sandbox = Sandbox::new();
    let input = sandbox.path("app.tar");
    for (name, encode) in codec::ALL {
        // Of several members, one of which may be damaged.
        let blob = match name {
            "none" => layer.tar.clone(),
            _ => codec::in_thirds(encode, &layer.tar),
        };
        for (number, mutant) in mutants(&blob).into_iter().enumerate() {
            let what = format!("{name}, mutant {number}");
            let image = Image::new(&["app:1.0"], std::slice::from_ref(&layer));
            let image = image.encoded(|_| mutant.clone());
            sandbox.write("app.tar", &save(&[image]).tar());
            let found = verify(&input, 1);
            assert_eq!(found, verify(&input, 4), "{what}");
            let (stops, goes_on): (Vec<_>, Vec<_>) = found
                .iter()
                .filter(|finding| finding.code.response() != Response::Silent)
                .partition(|finding| finding.code.response() == Response::Stops);
            for compression in ["keep", "zstd:1"] {
                for threads in [1, 4] {
                    let what = format!("{what}, {compression}, {threads} threads");
                    match convert(&input, compression, threads) {
                        Ok(report) => {
                            assert!(stops.is_empty(), "{what}: {stops:#?}");
                            assert_eq!(told(&report.warnings), told(goes_on.clone()), "{what}");
                        }
                        Err(error) => {
                            let Error::Finding { finding } = error.fact() else {
                                panic!("{what}: {error:?}");
                            };
                            let of_both = told([&**finding])[0];
                            assert!(
                                told(stops.clone()).contains(&of_both),
                                "{what}: {of_both:?} is not among {stops:#?}"
                            );
                        }
                    }
                }
            }
        }
    }
}

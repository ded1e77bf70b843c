//! More inputs than the limit on open files.

use crate::support::codec;
use crate::support::docker::save_one;
use crate::support::layers::Layer;
use crate::support::sandbox::Sandbox;

const COUNT: usize = 300;

#[test]
fn more_inputs_than_open_files() {
    let sandbox = Sandbox::new();
    let mut names = Vec::new();
    for number in 0..COUNT {
        let layers = [Layer::new("base"), Layer::new(&number.to_string())];
        let archive = save_one(&format!("app:{number}"), &layers).tar();
        let name = format!("app-{number}.tar");
        // Every second archive is compressed.
        let bytes = match number % 4 {
            1 => codec::gzip(&archive),
            3 => codec::zstd(&archive),
            _ => archive,
        };
        sandbox.write(&name, &bytes);
        names.push(name);
    }
    let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
    for output in ["out", "out.tar"] {
        let args = ["convert", "--no-fsync", "-q", "-o", output];
        sandbox
            .run_after("ulimit -n 32", &[&args, &inputs[..]].concat())
            .succeeds();
        let layout = sandbox.layout(output);
        for number in [0, 1, 2, 3, COUNT - 2, COUNT - 1] {
            let layers = layout.layers(&layout.named(&format!("app:{number}")));
            assert_eq!(layers[1], Layer::new(&number.to_string()).tar);
        }
        assert_eq!(layout.descriptors().len(), COUNT);
    }
}

#[test]
fn a_soft_limit_is_no_limit() {
    let sandbox = Sandbox::with_archive(&save_one("app:1.0", &[Layer::new("base")]));
    sandbox
        .run_after("ulimit -S -n 6", &["convert", "app.tar", "-o", "out", "-q"])
        .succeeds();
}

use std::fs;

use super::*;

/// A folder has the name of the second volume, since it was looked at.
#[test]
fn an_error_leaves_the_old_volumes() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let old = [0; 512];
    fs::write(path("v.001.tar"), old).unwrap();
    let options = OutputOptions {
        existing: Existing::Replace,
        ..OutputOptions::default()
    };
    let interrupt = Interrupt::new();
    let output = VolumesOutput::open(&path("v.tar"), 1 << 20, &options, &interrupt).unwrap();
    let tars = ["v.001.tar", "v.002.tar"].map(|name| {
        let tar = TarOutput::open(&path(name), options.clone(), &interrupt).unwrap();
        tar.seal(br#"{"manifests":[]}"#, &BTreeMap::new()).unwrap();
        tar
    });
    fs::create_dir(path("v.002.tar")).unwrap();
    assert!(output.publish(tars.into()).is_err());
    assert_eq!(fs::read(path("v.001.tar")).unwrap(), old);
}

//! The working folder of a target, in memory if the system supports that.

use std::fs;
use std::path::{Path, PathBuf};

use ocify::{
    Finding, Input, Interrupt, ManifestFormat, Options, OutputKind, ReadOptions, Report, Response, Result, Silent,
    Target,
};

/// A folder of this process. libFuzzer ends without cleaning up, so folders of ended processes are removed first.
pub struct Scratch {
    folder: PathBuf,
}

const PREFIX: &str = "ocify-fuzz-";

/// Maximum size of a decoded layer or archive, so that bombs take little time.
pub const LAYER_BYTES: u64 = 16 << 20;

impl Scratch {
    #[must_use]
    pub fn new() -> Scratch {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let folder = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a scratch folder");
        Scratch { folder }
    }

    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file with these bytes.
    #[must_use]
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("writing into the scratch folder");
        path
    }

    /// Removes a file or folder if it exists.
    pub fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() {
            let _ = fs::remove_dir_all(&path);
        } else {
            let _ = fs::remove_file(&path);
        }
    }

    /// Reads the metadata of an input. Returns whether it can be converted, whatever its signatures are.
    pub fn is_readable(&self, input: &Path) -> bool {
        self.reads(input, &read_options())
    }

    /// The same with its signatures.
    pub fn is_readable_and_signed(&self, input: &Path) -> bool {
        self.reads(input, &ReadOptions::default())
    }

    fn reads(&self, input: &Path, options: &ReadOptions) -> bool {
        let input = Input::open(input, &self.folder, options, &Silent, &Interrupt::new());
        let stops = |finding: &Finding| finding.code.response() == Response::Stops;
        !input.expect("an open input").findings().any(stops)
    }

    /// Converts to a layout with one thread and without fsync.
    pub fn convert(&self, input: &Path, output: &Path) -> Result<Report> {
        self.convert_to(input, output, OutputKind::Layout, ManifestFormat::Oci)
    }

    /// Converts a tar with these bytes to another one, if it can be.
    pub fn convert_if_readable(&self, tar: &[u8]) {
        let input = self.file("input.tar", tar);
        if self.is_readable(&input) {
            let _ = self.convert(&input, &self.path("output.tar"));
            self.remove("output.tar");
        }
    }

    pub fn convert_to(&self, input: &Path, output: &Path, kind: OutputKind, format: ManifestFormat) -> Result<Report> {
        let mut options = Options::default();
        options.format = format;
        options.threads = Some(1);
        options.read = read_options();
        options.output.fsync = false;
        let target = Target::of(kind, output);
        ocify::convert(&[input.to_owned()], &target, &options, &Silent, &Interrupt::new())
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

fn read_options() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.ignore_signatures = true;
    options.layer_bytes = Some(LAYER_BYTES);
    options
}

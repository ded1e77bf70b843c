//! The inputs of a command: named on the command line, listed in a file, or found in folders.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ocify::{Codec, Error, limits};
use walkdir::WalkDir;

use super::{Failure, terminal};

/// The inputs of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Inputs")]
pub struct Inputs {
    /// docker-save archive, OCI layout (folder or tar), dir: folder, folder
    /// with a schema 1 manifest, storage tree of a registry (folder or tar);
    /// compressed files too; "-" is standard input
    #[arg(value_name = "INPUT", help_heading = None::<&str>, required_unless_present = "files_from")]
    named: Vec<PathBuf>,

    /// Search folders that are not images, and use every input below them
    #[arg(short, long)]
    recursive: bool,

    /// Read more inputs from FILE, one per line; "-" is standard input
    #[arg(short = 'T', long, value_name = "FILE")]
    files_from: Option<PathBuf>,

    /// Inputs in the file of --files-from are separated by NUL
    #[arg(short = '0', long, requires = "files_from")]
    null: bool,

    /// Use only every N-th input, beginning with the I-th
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// If an input fails, report it and continue with the others; the exit
    /// status is then 1
    #[arg(short, long)]
    pub keep_going: bool,
}

/// Every `of`-th input, starting at position `number` - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
    number: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let number = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<usize>().ok().filter(|_| is_plain)
        };
        text.split_once('/')
            .and_then(|(first, of)| Some((number(first)?, number(of)?)))
            .filter(|&(first, of)| (1..=of).contains(&first))
            .map(|(number, of)| Shard { number, of })
            .ok_or_else(|| "expected I/N with I from 1 to N, such as 2/3".to_owned())
    }
}

impl Inputs {
    /// Whether the command line names one input, so that there is one result.
    pub fn is_one(&self) -> bool {
        let is_plain = !self.recursive && self.files_from.is_none() && self.shard.is_none();
        is_plain && self.named.len() == 1
    }

    /// The file that lists inputs, if there is one.
    pub fn list(&self) -> Option<&Path> {
        let list = self.files_from.as_deref();
        list.filter(|list| *list != Path::new("-"))
    }

    /// The shard of all inputs in order: first the named ones, then those of the list. The paths in `skipped`, such as the output,
    /// are skipped when folders are searched. `others` are what other options read.
    pub fn expand(&self, skipped: &[&Path], others: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
        terminal::refuse_input(self.named.iter().chain(&self.files_from).chain(others))?;
        let mut inputs = self.named.clone();
        if let Some(list) = &self.files_from {
            inputs.extend(self.listed(list)?);
        }
        let stdin = Path::new("-");
        let reads_stdin = inputs.iter().chain(&self.files_from).chain(others);
        if reads_stdin.filter(|path| *path == stdin).count() > 1 {
            let message = "standard input can be read only once, but `-` is given twice";
            return Err(Failure::Usage(message.to_owned()));
        }
        if self.recursive {
            let skipped = skipped.iter().filter_map(|path| path.canonicalize().ok());
            let skipped: Vec<PathBuf> = skipped.collect();
            let mut found = Vec::new();
            for input in inputs {
                if input != stdin && input.is_dir() && !is_image(&input) {
                    below(&input, &skipped, &mut found);
                } else {
                    found.push(input);
                }
            }
            inputs = found;
        }
        if inputs.is_empty() {
            return Err(Failure::NoInputs);
        }
        Ok(match self.shard {
            Some(Shard { number, of }) => inputs.into_iter().skip(number - 1).step_by(of).collect(),
            None => inputs,
        })
    }

    /// The inputs in a list. Empty lines are skipped, and so are carriage returns at the end of lines.
    fn listed(&self, list: &Path) -> Result<Vec<PathBuf>, Error> {
        let failed = |source| Error::Io {
            action: "read",
            path: list.to_owned(),
            source,
        };
        let bytes = if list == Path::new("-") {
            read_list(io::stdin().lock())
        } else {
            File::open(list).and_then(read_list)
        };
        let bytes = bytes.map_err(failed)?;
        if bytes.len() as u64 > limits::INPUT_LIST_BYTES {
            return Err(Error::Limit {
                what: format!("the size of {} in bytes", list.display()),
                found: bytes.len() as u64,
                limit: limits::INPUT_LIST_BYTES,
            });
        }
        let end = if self.null { b'\0' } else { b'\n' };
        let lines = bytes.split(|byte| *byte == end);
        let names = lines.map(|line| match line {
            [line @ .., b'\r'] if !self.null => line,
            line => line,
        });
        let names = names.filter(|name| !name.is_empty());
        Ok(names
            .map(|name| PathBuf::from(OsString::from_vec(name.to_vec())))
            .collect())
    }
}

/// Reads a list up to its limit, and one more byte if it is larger.
fn read_list(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = reader.take(limits::INPUT_LIST_BYTES + 1);
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Adds every input in a folder and its subfolders, sorted by path. A damaged image is added too, so that it is reported.
/// Other files are skipped.
fn below(folder: &Path, skipped: &[PathBuf], found: &mut Vec<PathBuf>) {
    let mut walk = WalkDir::new(folder)
        .follow_links(true)
        .min_depth(1)
        .sort_by_file_name()
        .into_iter();
    while let Some(next) = walk.next() {
        let entry = match next {
            Ok(entry) => entry,
            // A link to an enclosing folder adds nothing new.
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => {
                let path = error.path().map(Path::to_owned);
                // The error is reported when it is opened. A dangling link matters if it has the name of an archive.
                let matters = |path: &PathBuf| !path.is_symlink() || has_archive_ending(path);
                found.extend(path.filter(matters));
                continue;
            }
        };
        let path = entry.path();
        let is_folder = entry.file_type().is_dir();
        let is_skipped = path
            .canonicalize()
            .is_ok_and(|path| skipped.contains(&path));
        if is_skipped || is_staged(entry.file_name()) {
            if is_folder {
                walk.skip_current_dir();
            }
        } else if is_folder && is_image(path) {
            found.push(path.to_owned());
            walk.skip_current_dir();
        } else if entry.file_type().is_file() && (has_archive_ending(path) || is_archive(path)) {
            found.push(path.to_owned());
        }
    }
}

/// Whether a folder has the files that images have at their root.
fn is_image(folder: &Path) -> bool {
    let markers = ["oci-layout", "index.json", "manifest.json", "repositories"];
    let mut markers = markers.iter();
    let is_registry = || ["blobs", "repositories"].map(|name| folder.join(name).is_dir());
    markers.any(|marker| folder.join(marker).is_file()) || is_registry() == [true; 2]
}

/// Whether it was staged by another run, which may have left it.
fn is_staged(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".") && name.windows(7).any(|part| part == b".ocify-")
}

fn has_archive_ending(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let endings = [
        ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.bz2", ".tbz2",
        ".tbz",
    ];
    endings.iter().any(|ending| name.ends_with(ending))
}

/// Whether a file starts like a tar or a compressed file, or cannot be read.
fn is_archive(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut beginning));
    let is_tar = beginning.get(257..262) == Some(b"ustar");
    read.is_err() || is_tar || Codec::sniff(&beginning) != Codec::None
}

//! Compares deflate-chunks with zlib-rs, zlib-ng and libdeflate on one core, side by side.
//!
//! Usage: compare FOLDER [--megabytes N] [--rounds N] [--svg FILE]
//!
//! Each file of the folder is a kind of data, of which N MB in eight slices are taken. In each round, all encoders encode
//! all kinds once, so that a slow moment of the machine hits all. Prints Markdown. Times are those that the
//! thread was on a core.

mod clock;
mod encoders;
mod frontier;
mod plot;
mod table;

use encoders::Library;
use std::path::{Path, PathBuf};

const LEVELS: std::ops::RangeInclusive<u32> = 1..=9;
const SLICES: usize = 8;

/// A kind of data.
pub struct Kind {
    pub name: String,
    pub input: Vec<u8>,
}

/// An encoder at a level, and what it did with each kind.
pub struct Run {
    pub library: Library,
    pub level: u32,
    pub results: Vec<Measured>,
}

/// What an encoder did with a kind: the bytes that came out, and the seconds of each round.
#[derive(Default, Clone)]
pub struct Measured {
    pub size: usize,
    pub seconds: Vec<f64>,
}

impl Measured {
    /// MB/s in the best round.
    pub fn best(&self, input: usize) -> f64 {
        let seconds = self.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        input as f64 / 1e6 / seconds
    }

    /// MB/s in the median round.
    pub fn median(&self, input: usize) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        input as f64 / 1e6 / seconds[seconds.len() / 2]
    }
}

struct Options {
    folder: PathBuf,
    megabytes: usize,
    rounds: usize,
    svg: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("usage: compare FOLDER [--megabytes N] [--rounds N] [--svg FILE]")?
        .into();
    let mut options = Options {
        folder,
        megabytes: 24,
        rounds: 5,
        svg: None,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name}: a value is missing"))?;
        let number = || {
            value
                .parse::<usize>()
                .ok()
                .filter(|&number| number > 0)
                .ok_or(format!("{name}: no number: {value}"))
        };
        match name.as_str() {
            "--megabytes" => options.megabytes = number()?,
            "--rounds" => options.rounds = number()?,
            "--svg" => options.svg = Some(value.into()),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

/// Eight slices, evenly spread, that are `limit` bytes together; all of what is shorter.
fn sample(bytes: Vec<u8>, limit: usize) -> Vec<u8> {
    if bytes.len() <= limit {
        return bytes;
    }
    let slice = limit / SLICES;
    let starts = (0..SLICES).map(|index| (bytes.len() - slice) / (SLICES - 1) * index);
    starts
        .flat_map(|start| bytes[start..start + slice].iter().copied())
        .collect()
}

fn read_kinds(folder: &Path, limit: usize) -> Result<Vec<Kind>, String> {
    let describe = |error: std::io::Error| format!("read {}: {error}", folder.display());
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(describe)? {
        let path = entry.map_err(describe)?.path();
        let bytes = std::fs::read(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if bytes.is_empty() {
            return Err(format!("{} is empty", path.display()));
        }
        kinds.push(Kind {
            name,
            input: sample(bytes, limit),
        });
    }
    kinds.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(kinds)
}

/// Decodes what was encoded; libdeflate's members, which are raw and one behind the other, are left out.
fn verify(library: Library, stream: &[u8], input: &[u8]) -> Result<(), String> {
    if library == Library::Libdeflate {
        return Ok(());
    }
    let mut decoded = vec![0; input.len()];
    match libdeflater::Decompressor::new().deflate_decompress(stream, &mut decoded) {
        Ok(length) if length == input.len() && decoded == input => Ok(()),
        result => Err(format!(
            "{}: the output does not decode to the input: {result:?}",
            library.name()
        )),
    }
}

fn measure(kinds: &[Kind], rounds: usize) -> Result<Vec<Run>, String> {
    let mut runs = Vec::new();
    for library in Library::ALL {
        for level in LEVELS {
            runs.push(Run {
                library,
                level,
                results: vec![Measured::default(); kinds.len()],
            });
        }
    }
    let mut out = Vec::new();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (index, kind) in kinds.iter().enumerate() {
            for run in &mut runs {
                let start = clock::seconds();
                run.library.encode(run.level, &kind.input, &mut out);
                run.results[index].seconds.push(clock::seconds() - start);
                run.results[index].size = out.len();
                if round == 0 {
                    verify(run.library, &out, &kind.input)?;
                }
            }
        }
    }
    Ok(runs)
}

fn run() -> Result<(), String> {
    let options = options()?;
    let kinds = read_kinds(&options.folder, options.megabytes * 1_000_000)?;
    let runs = measure(&kinds, options.rounds)?;
    print!("{}", table::markdown(&kinds, &runs, options.rounds));
    if let Some(path) = options.svg {
        std::fs::write(&path, plot::svg(&kinds, &runs))
            .map_err(|error| format!("write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

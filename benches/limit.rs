//! Compares a conversion with its limit: the time for only hashing and encoding the same bytes in memory, against the time of
//! the whole conversion from an archive to a folder.
//!
//! usage: cargo bench --bench limit -- ARCHIVE [FOLDER [RUNS]]
//!
//! ARCHIVE is a docker-save archive. FOLDER, by default that for temporary files, is where the layouts are written and removed.
//! Prints a Markdown table of medians. For the limit too, a layer is hashed by one thread, because SHA-256 is sequential.
//! Everything else runs in any order.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use ocify::{ChunkEncoder, Compression, Encoding, Hasher, Interrupt, Options, Silent, Target};
use rayon::prelude::*;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    // cargo bench adds an argument.
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let Some(archive) = arguments.next().map(PathBuf::from) else {
        println!("left out: no archive given");
        return Ok(());
    };
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let runs: usize = arguments.next().map_or(Ok(7), |runs| runs.parse())?;
    let layers = layers(&archive)?;
    let cores = std::thread::available_parallelism()?.get();
    println!(
        "| compression | threads | hashing and encoding alone, s | whole conversion, s | alone ÷ whole |"
    );
    println!("|---|---:|---:|---:|---:|");
    for compression in ["none", "gzip", "zstd"] {
        let mut wholes = Vec::new();
        for threads in [1, cores] {
            let (alone, whole) = medians(&archive, &layers, &folder, compression, threads, runs)?;
            println!(
                "| {compression} | {threads} | {alone:.3} | {whole:.3} | {:.2} |",
                alone / whole
            );
            wholes.push(whole);
        }
        println!(
            "| {compression} | 1 ÷ {cores} | | {:.2} | |",
            wholes[0] / wholes[1]
        );
    }
    Ok(())
}

/// Alternates between both, so that a slow moment of the machine affects both.
fn medians(
    archive: &Path,
    layers: &[Vec<u8>],
    folder: &Path,
    compression: &str,
    threads: usize,
    runs: usize,
) -> Result<(f64, f64), Failure> {
    let compression: Compression = compression.parse()?;
    let Compression::Into(encoding) = compression else {
        return Err("not one codec".into());
    };
    let (mut alone, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        alone.push(limit(layers, encoding, threads)?);
        whole.push(conversion(archive, folder, compression, threads)?);
    }
    Ok((median(alone), median(whole)))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Seconds for hashing and encoding.
fn limit(layers: &[Vec<u8>], encoding: Encoding, threads: usize) -> Result<f64, Failure> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    // The largest layer first, because hashing it takes longest.
    let mut order: Vec<&Vec<u8>> = layers.iter().collect();
    order.sort_by_key(|layer| std::cmp::Reverse(layer.len()));
    let encoders: Vec<Mutex<(ChunkEncoder, Vec<u8>)>> = (0..threads)
        .map(|_| Ok(Mutex::new((ChunkEncoder::new(encoding)?, Vec::new()))))
        .collect::<Result<_, Failure>>()?;
    let begin = Instant::now();
    pool.scope_fifo(|scope| {
        for layer in &order {
            scope.spawn_fifo(move |_| {
                hash(layer);
            });
        }
        if encoding == Encoding::None {
            return;
        }
        for layer in &order {
            layer.par_chunks(encoding.chunk_size()).for_each(|chunk| {
                let thread = rayon::current_thread_index().expect("a thread of the pool");
                let mut encoder = encoders[thread].lock().expect("no thread panicked");
                let (encoder, buffer) = &mut *encoder;
                let encoded = encoder
                    .encode(&[], chunk, std::mem::take(buffer))
                    .expect("memory can be written");
                hash(&encoded.bytes);
                *buffer = encoded.bytes;
            });
        }
    });
    Ok(begin.elapsed().as_secs_f64())
}

fn hash(bytes: &[u8]) {
    let mut hasher = Hasher::sha256();
    hasher.update(bytes);
    std::hint::black_box(hasher.finish());
}

/// Seconds for the conversion.
fn conversion(
    archive: &Path,
    folder: &Path,
    compression: Compression,
    threads: usize,
) -> Result<f64, Failure> {
    let folder = tempfile::tempdir_in(folder)?;
    let mut options = Options::default();
    options.compression = compression;
    options.threads = Some(threads);
    options.output.fsync = false;
    let inputs = [archive.to_owned()];
    let target = Target::new(&folder.path().join("layout"));
    let begin = Instant::now();
    ocify::convert(&inputs, &target, &options, &Silent, &Interrupt::new())?;
    Ok(begin.elapsed().as_secs_f64())
}

/// The layers in the manifest of the archive.
fn layers(archive: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let mut members = HashMap::new();
    for entry in tar::Archive::new(File::open(archive)?).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        members.insert(name, bytes);
    }
    let manifest = members.get("manifest.json").ok_or("no manifest.json")?;
    let manifest: serde_json::Value = serde_json::from_slice(manifest)?;
    let names = manifest[0]["Layers"].as_array().ok_or("no layers")?;
    names
        .iter()
        .map(|name| {
            let bytes = name.as_str().and_then(|name| members.remove(name));
            bytes.ok_or_else(|| format!("no member {name}").into())
        })
        .collect()
}

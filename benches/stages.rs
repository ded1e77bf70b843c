//! Benchmarks of each stage of a conversion, and of a whole conversion: `cargo bench --bench stages`.
//!
//! The content is this program itself: machine code, tables and text, as in layers.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use ocify::{
    ChunkEncoder, Compression, Encoding, Hasher, Input, Interrupt, Options, ReadOptions, Silent,
    Target,
};

fn main() {
    divan::main();
}

/// Up to `size` bytes of real content.
fn content(size: usize) -> Vec<u8> {
    let path = std::env::current_exe().expect("a program knows its path");
    let mut bytes = std::fs::read(path).expect("a program can be read");
    while bytes.len() < size {
        bytes.extend_from_within(..);
    }
    bytes.truncate(size);
    bytes
}

#[divan::bench]
fn sha256(bencher: Bencher) {
    let bytes = content(1 << 20);
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| {
        let mut hasher = Hasher::sha256();
        hasher.update(black_box(&bytes));
        hasher.finish()
    });
}

#[divan::bench]
fn inflate(bencher: Bencher) {
    let bytes = content(8 << 20);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(&bytes).expect("memory can be written");
    let gzip = encoder.finish().expect("memory can be written");
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| {
        let mut decoded = Vec::with_capacity(bytes.len());
        flate2::read::GzDecoder::new(black_box(&gzip[..]))
            .read_to_end(&mut decoded)
            .expect("it was just encoded");
        decoded.len()
    });
}

fn encode(bencher: Bencher, encoding: Encoding) {
    let bytes = content(encoding.chunk_size());
    let mut encoder = ChunkEncoder::new(encoding).expect("there is memory");
    let mut output = Vec::new();
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| {
            let encoded = encoder
                .encode(&[], black_box(&bytes), std::mem::take(&mut output))
                .expect("memory can be written");
            output = encoded.bytes;
            output.len()
        });
}

#[divan::bench(args = [1, 3, 4, 6, 9])]
fn gzip(bencher: Bencher, level: u32) {
    encode(bencher, Encoding::Gzip(level));
}

#[divan::bench(args = [1, 3, 9])]
fn zstd(bencher: Bencher, level: u32) {
    encode(bencher, Encoding::Zstd(level));
}

/// A folder that is removed at the end.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is a folder for temporary files")
}

/// A docker-save archive of one image with `layers` layers of `size` bytes each.
fn archive(path: &Path, layers: usize, size: usize) {
    let file = File::create(path).expect("the folder is writable");
    let mut tar = tar::Builder::new(file);
    let mut append = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes)
            .expect("the disk has room");
    };
    let mut names = Vec::new();
    let mut diff_ids = Vec::new();
    for number in 0..layers {
        let mut layer = tar::Builder::new(Vec::new());
        let bytes = content(size);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        layer
            .append_data(&mut header, format!("file-{number}"), &bytes[..])
            .expect("memory can be written");
        let layer = layer.into_inner().expect("memory can be written");
        diff_ids.push(ocify::Digest::sha256(&layer).to_string());
        names.push(format!("{number}/layer.tar"));
        append(&names[number], &layer);
    }
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    append("config.json", config.to_string().as_bytes());
    let manifest = serde_json::json!([
        { "Config": "config.json", "RepoTags": ["bench:1"], "Layers": names },
    ]);
    append("manifest.json", manifest.to_string().as_bytes());
    tar.finish().expect("the disk has room");
}

#[divan::bench]
fn index_1000_layers(bencher: Bencher) {
    let folder = folder();
    let path = folder.path().join("archive.tar");
    archive(&path, 1000, 512);
    let options = ReadOptions::default();
    bencher.bench(|| {
        Input::open(&path, folder.path(), &options, &Silent, &Interrupt::new())
            .expect("it was just made")
    });
}

#[divan::bench(args = ["keep", "zstd", "none"], sample_count = 10)]
fn convert_32_mib(bencher: Bencher, compression: &str) {
    let folder = folder();
    let path: PathBuf = folder.path().join("archive.tar");
    archive(&path, 2, 16 << 20);
    let mut options = Options::default();
    options.compression = compression.parse::<Compression>().expect("it is one");
    options.output.fsync = false;
    let output = folder.path().join("layout");
    bencher
        .counter(BytesCount::new(32_u64 << 20))
        .with_inputs(|| {
            // Nothing to remove the first time.
            let _ = std::fs::remove_dir_all(&output);
            Target::new(&output)
        })
        .bench_values(|target| {
            let inputs = [path.clone()];
            ocify::convert(&inputs, &target, &options, &Silent, &Interrupt::new())
                .expect("it was just made")
        });
}

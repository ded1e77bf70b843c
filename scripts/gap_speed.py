#!/usr/bin/env python3
"""Compares putting a part together with what it consists of: hashing what is copied, and encoding what is encoded.

usage: scripts/gap_speed.py [--runs N] [PROGRAM]

PROGRAM is target/release/ocify. Prints medians of CPU time, which a busy machine changes little, of each pair.
"""
import argparse, hashlib, json, os, pathlib, random, shutil, statistics, subprocess, sys, tempfile

from make_tar import tar

parser = argparse.ArgumentParser()
parser.add_argument("--runs", type=int, default=7)
parser.add_argument("program", nargs="?", default="target/release/ocify")
arguments = parser.parse_args()
program = os.path.realpath(arguments.program)
LAYERS, FILES = 6, 40


def words(seed, size=500_000):
    """Text that gzip compresses to about a third."""
    chosen = random.Random(seed)
    known = ["".join(chosen.choices("etaoinshrdlu", k=chosen.randint(3, 9))) for _ in range(2000)]
    return " ".join(chosen.choices(known, k=size // 7)).encode()


def archive():
    layers = [tar((f"usr/{layer}/{file}", words(f"{layer} {file}")) for file in range(FILES)) for layer in range(LAYERS)]
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]}}).encode()
    names = [f"{number}/layer.tar" for number in range(LAYERS)]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["app:1"], "Layers": names}]).encode()
    return tar([*zip(names, layers), ("config.json", config), ("manifest.json", manifest)])


def cpu(command):
    """CPU time of a run in seconds."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"FAIL: {command} ended with {status}")
    return usage.ru_utime + usage.ru_stime


def median(scratch, *commands):
    """The median CPU time of these commands together. Each writes to `out`."""
    times = []
    for _ in range(arguments.runs):
        shutil.rmtree(scratch / "out", ignore_errors=True)
        times.append(sum(cpu(command) for command in commands))
    return statistics.median(times)


def convert(*args):
    return [program, "convert", "--no-fsync", "--quiet", *map(str, args)]


with tempfile.TemporaryDirectory(prefix="ocify-gap-speed-") as folder:
    scratch = pathlib.Path(folder)
    whole, full, part, out = (scratch / name for name in ("app.tar", "full", "part.tar", "out"))
    whole.write_bytes(archive())
    cpu(convert(whole, "-o", full))
    cpu(convert(whole, "--have", full, "-o", part))
    blobs = [path for path in (full / "blobs/sha256").iterdir() if path.stat().st_size > 1_000_000]
    size = sum(path.stat().st_size for path in blobs)
    print(f"{len(blobs)} layers, {whole.stat().st_size / 1e6:.0f} MB plain, {size / 1e6:.0f} MB gzip, medians of {arguments.runs}")
    pairs = [
        ("blobs copied, --check blobs", [convert(part, "--fill-from", full, "--check", "blobs", "-o", out)],
         "cp and sha256sum of the blobs", [["cp", "-r", full, out], ["sha256sum", *map(str, blobs)]]),
        ("blobs copied and decoded", [convert(part, "--fill-from", full, "-o", out)],
         "conversion of the whole layout", [convert(full, "-o", out)]),
        ("layers encoded", [convert(part, "--fill-from", whole, "-o", out)],
         "conversion of the archive", [convert(whole, "-o", out)]),
    ]
    for name, commands, other, others in pairs:
        own, peer = median(scratch, *commands), median(scratch, *others)
        print(f"{name}: {own:.2f} s; {other}: {peer:.2f} s; {own / peer:.2f} times as long")

#!/usr/bin/env python3
"""Counts the instructions of small fixed conversions and holds them to recorded budgets.

usage: scripts/instructions.py [--record] [PROGRAM]

PROGRAM is a release build, target/release/ocify by default. Unlike seconds, instructions are the same on a busy machine. A
count of more than 5 % above its budget in scripts/instructions.txt fails. One of more than 5 % below fails too: what was won
must be kept, so record it. --record writes the counts as the new budgets, after a change that is meant to cost or to save
something, or with a new compiler.

Needs valgrind, on x86-64 with AVX2: valgrind shows programs the same processor on all of those, whatever else they have.
"""
import hashlib, io, json, os, pathlib, platform, random, re, shutil, subprocess, sys, tarfile, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUDGETS = ROOT / "scripts/instructions.txt"
SLACK = 0.05
MEBIBYTE = 1 << 20

# Route, input, options. Each runs with one thread, because threads do not wait for each other in the same way twice.
ROUTES = [
    ("docker-save-to-gzip", "docker.tar", ["--compression", "gzip"]),
    ("docker-save-to-zstd", "docker.tar", ["--compression", "zstd"]),
    ("docker-save-to-none", "docker.tar", ["--compression", "none"]),
    ("gzip-kept", "gzip.tar", []),
    ("gzip-to-zstd", "gzip.tar", ["--compression", "zstd"]),
]


def words(chance, size):
    """Text in which words are as frequent as in a language."""
    known = ["".join(chance.choice("etaoinshrdlucmfwypvbgk") for _ in range(2 + number % 9)) for number in range(3000)]
    text = bytearray()
    while len(text) < size:
        word = known[int(len(known) * chance.random() ** 3)]
        text += word.encode() + (b"\n" if chance.random() < 0.1 else b" ")
    return bytes(text[:size])


def records(chance, size):
    """Data like tables and object code: fields that count up, small numbers, and zeros."""
    data = bytearray()
    while len(data) < size:
        data += (len(data) // 24).to_bytes(8, "little") + int(1 << int(20 * chance.random())).to_bytes(8, "little") + bytes(4)
        data += chance.randbytes(4)
    return bytes(data[:size])


def layer(seed, size):
    chance = random.Random(seed)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number, make in enumerate([words, records, words, lambda chance, size: chance.randbytes(size // 4)]):
            data = make(chance, size // 4)
            info = tarfile.TarInfo(f"usr/share/{seed}/{number}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def docker_archive(path):
    layers = [layer(1, 4 * MEBIBYTE), layer(2, 2 * MEBIBYTE)]
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}})
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["count:1"], "Layers": ["1/layer.tar", "2/layer.tar"]}])
    files = {"1/layer.tar": layers[0], "2/layer.tar": layers[1], "config.json": config.encode(), "manifest.json": manifest.encode()}
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def convert(program, work, source, options, before=()):
    command = [*before, program, "convert", source, "-o", "out.tar", "--threads", "1", "--no-fsync", "-q", *options]
    run = subprocess.run(command, cwd=work, capture_output=True, text=True, env={"PATH": os.environ["PATH"], "TMPDIR": str(work)})
    if run.returncode:
        sys.exit(f"{' '.join(command)} ends with {run.returncode}: {run.stderr}")
    (work / "out.tar").rename(work / "done.tar")
    return run.stderr


def count(program, work, source, options):
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    report = convert(program, work, source, options, valgrind)
    found = re.search(r"Collected *: *(\d+)", report)
    return int(found[1]) if found else sys.exit(f"valgrind says no number: {report}")


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--record"]
    record = len(arguments) < len(sys.argv) - 1
    program = str(pathlib.Path(arguments[0] if arguments else ROOT / "target/release/ocify").resolve())
    if platform.machine() != "x86_64" or not re.search(r"^flags.*\bavx2\b", pathlib.Path("/proc/cpuinfo").read_text(), re.M):
        print("left out: instruction counts, since the budgets are for x86-64 with AVX2")
        return
    if not shutil.which("valgrind"):
        sys.exit(f"{sys.argv[0]}: valgrind is not installed (scripts/install-peers.sh installs it)")
    counts = {}
    with tempfile.TemporaryDirectory(prefix="ocify-instructions-") as folder:
        work = pathlib.Path(folder)
        docker_archive(work / "docker.tar")
        convert(program, work, "docker.tar", ["--compression", "gzip"])
        (work / "done.tar").rename(work / "gzip.tar")
        for name, source, options in ROUTES:
            counts[name] = count(program, work, source, options)
    if record:
        BUDGETS.write_text("".join(f"{name} {number}\n" for name, number in counts.items()))
    budgets = dict(line.split() for line in BUDGETS.read_text().splitlines())
    failed = 0
    for name, number in counts.items():
        if name not in budgets:
            print(f"FAIL {name} has no budget: record it with {sys.argv[0]} --record")
            failed += 1
            continue
        change = number / int(budgets[name]) - 1
        print(f"{name}: {number:,} instructions, {change:+.1%} of the budget")
        if change > SLACK:
            print(f"FAIL {name} costs more than its budget: find out why, or record it with {sys.argv[0]} --record")
        elif change < -SLACK:
            print(f"FAIL {name} costs less than its budget: record it with {sys.argv[0]} --record, so that it stays so")
        failed += abs(change) > SLACK
    sys.exit(1 if failed else 0)


main()

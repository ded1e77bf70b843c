#!/usr/bin/env python3
"""Counts the instructions of small fixed conversions and inspections, and holds them to recorded budgets.

usage: scripts/instructions.py [--record] [PROGRAM]

PROGRAM is a release build, target/release/ocify by default. Unlike seconds, instructions are the same on a busy machine. A
count of more than 5 % above its budget in scripts/instructions.txt fails. One of more than 5 % below fails too: what was won
must be kept, so record it. --record writes the counts as the new budgets, after a change that is meant to cost or to save
something, or with a new compiler.

Needs valgrind, on x86-64 with AVX2: valgrind shows programs the same processor on all of those, whatever else they have.
"""
import gzip, hashlib, io, json, os, pathlib, platform, random, re, shutil, subprocess, sys, tarfile, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUDGETS = ROOT / "scripts/instructions.txt"
SLACK = 0.05
MEBIBYTE = 1 << 20

# Conversions run with one thread, because threads do not wait for each other in the same way twice.
CONVERT = ["convert", "-o", "out.tar", "--threads", "1", "--no-fsync", "-q"]
# Name and arguments.
ROUTES = [
    ("docker-save-to-gzip", [*CONVERT, "docker.tar", "--compression", "gzip"]),
    ("docker-save-to-zstd", [*CONVERT, "docker.tar", "--compression", "zstd"]),
    ("docker-save-to-none", [*CONVERT, "docker.tar", "--compression", "none"]),
    ("gzip-kept", [*CONVERT, "gzip.tar"]),
    ("gzip-to-zstd", [*CONVERT, "gzip.tar", "--compression", "zstd"]),
    # If the work grew with the square of the input, these would cost much more than their budgets.
    ("inspect-attestations", ["inspect", "-q", "attestations.tar"]),
    ("inspect-shared-zeros", ["inspect", "-q", "schema1"]),
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
    write_tar(path, files)


def write_tar(path, files):
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def attestations(path, number):
    """A layout of one image with many attestations."""
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def blob(kind, data, **fields):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        hexadecimal = hashlib.sha256(data).hexdigest()
        files[f"blobs/sha256/{hexadecimal}"] = data
        return {"mediaType": f"application/vnd.{kind}", "digest": f"sha256:{hexadecimal}", "size": len(data), **fields}

    def manifest(layers, platform, **fields):
        diff_ids = [layer["digest"] for layer in layers]
        config = {**platform, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        document = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": layers,
                    "config": blob("oci.image.config.v1+json", config)}
        return blob("oci.image.manifest.v1+json", document, platform=platform, **fields)

    image = manifest([blob("oci.image.layer.v1.tar", bytes(1024))], {"architecture": "amd64", "os": "linux"})
    manifests = [image]
    for statement in range(number):
        layer = blob("in-toto+json", {"statement": statement})
        about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image["digest"]}
        manifests.append(manifest([layer], {"architecture": "unknown", "os": "unknown"}, annotations=about))
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    name = {"org.opencontainers.image.ref.name": "count:1"}
    top = {"schemaVersion": 2, "manifests": [blob("oci.image.index.v1+json", index, annotations=name)]}
    files["index.json"] = json.dumps(top).encode()
    write_tar(path, files)


def shared_zeros(folder, number):
    """A schema 1 manifest of layers that share one blob of zeros, of which only decoding shows that it is empty."""
    folder.mkdir()
    blob = gzip.compress(bytes(MEBIBYTE), mtime=0)
    digest = hashlib.sha256(blob).hexdigest()
    (folder / digest).write_bytes(blob)
    ids = [f"{layer:064x}" for layer in range(number)]
    v1 = [{"id": own, **({"parent": parent} if parent else {})} for own, parent in zip(ids, [None, *ids])]
    history = [{"v1Compatibility": json.dumps(layer)} for layer in reversed(v1)]
    manifest = {"schemaVersion": 1, "name": "count", "tag": "1", "architecture": "amd64",
                "fsLayers": [{"blobSum": f"sha256:{digest}"}] * number, "history": history}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def run(program, work, arguments, before=()):
    command = [*before, program, *arguments]
    run = subprocess.run(command, cwd=work, capture_output=True, text=True, env={"PATH": os.environ["PATH"], "TMPDIR": str(work)})
    if run.returncode:
        sys.exit(f"{' '.join(command)} ends with {run.returncode}: {run.stderr}")
    if (work / "out.tar").exists():
        (work / "out.tar").rename(work / "done.tar")
    return run.stderr


def count(program, work, arguments):
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    report = run(program, work, arguments, valgrind)
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
        run(program, work, ROUTES[0][1])
        (work / "done.tar").rename(work / "gzip.tar")
        attestations(work / "attestations.tar", 2000)
        shared_zeros(work / "schema1", 300)
        for name, arguments in ROUTES:
            counts[name] = count(program, work, arguments)
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

#!/usr/bin/env python3
"""Measures what it costs to add an image to a large layout, and how many writers get on with one layout.

usage: scripts/scale.py [--images N]... [--no-list] [PROGRAM]

N is 10,000 by default, PROGRAM is target/release/ocify. Prints CPU time and peak memory of adding one image and of listing all.
Fails if adding one image to 10,000 takes more than 60 ms of CPU beyond what adding it to an empty layout takes.
"""
import argparse, gzip, hashlib, io, json, os, pathlib, subprocess, sys, tarfile, tempfile, time

parser = argparse.ArgumentParser()
parser.add_argument("--images", type=int, action="append")
parser.add_argument("--no-list", action="store_true")
parser.add_argument("program", nargs="?", default="target/release/ocify")
arguments = parser.parse_args()
program = os.path.realpath(arguments.program)
MANIFEST, CONFIG = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json"


def layout(path, names):
    """A layout with an image for each name; all share one layer."""
    blobs = path / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    tar = buffer.getvalue()
    layer = put("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(tar, mtime=0))
    manifests = []
    for name in names:
        config = put(CONFIG, json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Env": [f"NAME={name}"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]}}).encode())
        manifest = put(MANIFEST, json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}).encode())
        manifest["platform"] = {"architecture": "amd64", "os": "linux"}
        manifest["annotations"] = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
        manifests.append(manifest)
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    (path / "index.json").write_text(json.dumps(index, separators=(",", ":")))
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def run(*args):
    """CPU time in ms and peak memory in MiB of a run."""
    process = subprocess.Popen([program, *map(str, args)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"FAIL: {args} ended with {status}")
    return (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024


def added(scratch, target, count=5):
    """The least CPU time and the most memory of adding one image, the lock and the disk included."""
    results = [run("convert", scratch / f"new-{number}", "-o", target, "-q") for number in range(count)]
    return min(cpu for cpu, _ in results), max(memory for _, memory in results)


def throughput(scratch, target, writers):
    """Images a second that so many writers add to a layout at the same time; none may get lost."""
    count = 64
    inputs = [scratch / f"writer-{writers}-{number}" for number in range(count)]
    for number, path in enumerate(inputs):
        layout(path, [f"registry.example/writers-{writers}/app-{number}:1"])
    before = len(json.loads((target / "index.json").read_text())["manifests"])
    begin, running = time.monotonic(), []
    for path in inputs:
        if len(running) == writers:
            process = running.pop(0)
            assert process.wait() == 0
        running.append(subprocess.Popen([program, "convert", path, "-o", target, "-q", "--threads", "1"]))
    for process in running:
        assert process.wait() == 0
    seconds = time.monotonic() - begin
    after = len(json.loads((target / "index.json").read_text())["manifests"])
    if after != before + count:
        sys.exit(f"FAIL: {writers} writers added {count} images, and {after - before} are in index.json")
    return count / seconds


os.environ["OCIFY_CACHE"] = ""
with tempfile.TemporaryDirectory() as folder:
    scratch = pathlib.Path(folder)
    for number in range(5):
        layout(scratch / f"new-{number}", [f"registry.example/new/app-{number}:1"])
    run("convert", scratch / "new-0", "-o", scratch / "small", "-q")
    base, _ = added(scratch, scratch / "small")
    print(f"one image into a layout of few: {base:.0f} ms of CPU")
    for images in arguments.images or [10_000]:
        target = scratch / f"images-{images}"
        layout(target, [f"registry.example/team/app-{number:06}:1.0" for number in range(images)])
        cpu, memory = added(scratch, target)
        size = (target / "index.json").stat().st_size / 1e6
        print(f"one image into a layout of {images}: {cpu:.0f} ms of CPU, {memory:.0f} MiB, index.json {size:.1f} MB")
        if images == 10_000 and cpu - base > 60:
            sys.exit("FAIL: more than 60 ms")
        if not arguments.no_list:
            cpu, memory = run("inspect", "-q", target)
            print(f"inspect of {images}: {cpu:.0f} ms of CPU, {memory:.0f} MiB")
        if images == 10_000:
            for writers in (4, 32):
                print(f"{writers} writers: {throughput(scratch, target, writers):.0f} images a second")

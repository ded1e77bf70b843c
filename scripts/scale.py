#!/usr/bin/env python3
"""Measures what it costs to add an image to a large layout, and how many writers get on with one layout.

usage: scripts/scale.py [--images N]... [--no-list] [PROGRAM]

N is 10,000 by default, PROGRAM is target/release/ocify. Prints CPU time and peak memory of adding one image, of listing and of
verifying all, and how long the lock of the layout is held. With 10,000 images it also compares 4 writers with 32, in the medians of
5 runs, and writes to a layout from many hosts whose locks do not reach each other, which a library imitates. Fails if
adding one image to 10,000 takes more than 60 ms of CPU, if 32 writers are slower than 4 by more than a tenth, or if an image of a
run that succeeded is lost, except where nothing shows that locks stay on each host.
"""
import argparse, gzip, hashlib, io, json, os, pathlib, re, shutil, statistics, subprocess, sys, tarfile, tempfile, time

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


def held(scratch, target):
    """How long the lock is held while an image is added, and how long of it the new index.json takes, in ms."""
    trace = scratch / "trace"
    shutil.rmtree(scratch / "held", ignore_errors=True)
    layout(scratch / "held", [f"registry.example/held/app-{time.monotonic_ns()}:1"])
    calls = "trace=flock,openat,renameat,renameat2,exit_group,close"
    subprocess.run(["strace", "-f", "--seccomp-bpf", "-ttt", "-y", "-o", trace, "-e", calls,
                    program, "convert", scratch / "held", "-o", target, "-q"], check=True)
    lines = [re.match(r"\d+ +([0-9.]+) (.*)", line) for line in trace.read_text().splitlines()]
    calls = [(float(line[1]) * 1000, line[2]) for line in lines if line]
    lock = next(at for at, call in reversed(calls) if call.startswith("flock") and f"{target}/oci-layout>" in call)
    opened = next(at for at, call in calls if at > lock and call.startswith("openat") and "index.json" in call and "O_CREAT" in call)
    renamed = next(at for at, call in reversed(calls) if call.startswith("renameat") and call.count("index.json"))
    freed = next(at for at, call in calls if at > renamed and call.startswith("close") and f"{target}/oci-layout>" in call)
    return freed - lock, renamed - opened


def inputs_of(scratch, name, count):
    paths = [scratch / f"{name}-{number}" for number in range(count)]
    for number, path in enumerate(paths):
        layout(path, [f"registry.example/{name}/app-{number}:1"])
    return paths


def names(target):
    return {one["annotations"]["org.opencontainers.image.ref.name"]
            for one in json.loads((target / "index.json").read_text())["manifests"]}


def write(inputs, writers, target, **environment):
    """Adds all inputs, so many at a time, each by a run of its own. Returns the exit statuses."""
    running, statuses = [], []
    for number, path in enumerate(inputs):
        if len(running) == writers:
            statuses.append(running.pop(0).wait())
        output = target(number) if callable(target) else target
        running.append(subprocess.Popen(
            [program, "convert", path, "-o", output, "-q", "--threads", "1"], env={**os.environ, **environment},
            stderr=subprocess.DEVNULL if environment else None))
    return statuses + [process.wait() for process in running]


def throughput(scratch, target, writers, run):
    """Images a second that so many writers add to a layout at the same time; none may get lost."""
    inputs = inputs_of(scratch, f"writers-{writers}-{run}", 64)
    before, begin = len(names(target)), time.monotonic()
    statuses = write(inputs, writers, target)
    seconds = time.monotonic() - begin
    if any(statuses) or len(names(target)) != before + len(inputs):
        sys.exit(f"FAIL: {writers} writers added {len(inputs)} images, and {len(names(target)) - before} are in index.json")
    return len(inputs) / seconds


def without_locks(scratch):
    """Many hosts on a file system without locks that reach all of them, of three kinds: flock(2) succeeds, but only on its host,
    which nobody can notice; flock(2) fails, as on NFS without its lock daemon; the file system does not support it."""
    inputs = inputs_of(scratch, "hosts", 64)
    for error, kind in ("0", "locks stay on each host"), ("ENOLCK", "no lock daemon"), ("ENOSYS", "no locks"):
        (scratch / "flock.c").write_text(
            f"#include <errno.h>\nint flock(int file, int how) {{ (void)file; (void)how; errno = {error}; return errno ? -1 : 0; }}\n")
        library = scratch / f"flock-{error}.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, scratch / "flock.c"], check=True)
        flock = {"LD_PRELOAD": str(library)}
        for what in "an empty folder", "a new layout":
            target = scratch / f"{what} {error}"
            if what == "an empty folder":
                target.mkdir()
            done = write(inputs, 16, target, **flock).count(0)
            there = len(names(target)) if (target / "index.json").exists() else 0
            print(f"16 hosts, {kind}, {what}: {done} runs say that they have succeeded, {there} images are there")
            if error != "0" and done != there:
                sys.exit("FAIL: an image is lost")
            if error != "0" and not there and [*target.iterdir()]:
                sys.exit("FAIL: runs that fail leave something")
        parts = scratch / f"parts {error}"
        parts.mkdir()
        statuses = write(inputs, 16, lambda number: parts / str(number), **flock)
        joined = scratch / f"joined {error}"
        subprocess.run([program, "convert", *sorted(parts.iterdir()), "-o", joined, "-q"], check=True, env={**os.environ, **flock})
        print(f"16 hosts, {kind}, a layout each, joined: {len(names(joined))} of {len(inputs)} images")
        if any(statuses) or len(names(joined)) != len(inputs):
            sys.exit("FAIL: an image is lost")


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
        if images == 10_000 and cpu > 60:
            sys.exit("FAIL: more than 60 ms")
        times = [held(scratch, target) for _ in range(5)]
        lock, index = (statistics.median(column) for column in zip(*times))
        print(f"the lock is held for {lock:.0f} ms, {index:.0f} ms of it for the new index.json (strace, median of 5)")
        if not arguments.no_list:
            for command in ("inspect", "-l"), ("inspect", "--json"), ("verify",):
                cpu, memory = run(*command, target)
                print(f"{' '.join(command)}, {images} images: {cpu / 1000:.1f} s of CPU, {memory:.0f} MiB")
        if images == 10_000:
            rates = {writers: [] for writers in (4, 32)}
            for number in range(5):
                for writers, found in rates.items():
                    found.append(throughput(scratch, target, writers, number))
            few, many = (statistics.median(found) for found in rates.values())
            print(f"4 writers: {few:.1f} images a second, 32 writers: {many:.1f} (median of 5)")
            if many < few * 0.9:
                sys.exit("FAIL: 32 writers are slower than 4")
    without_locks(scratch)

#!/usr/bin/env python3
"""The work of torture.sh, which see. Prints what was done and ends with `N passed, N failed`.

What must hold after a kill, an injected error or a full disk:
- the output is the old one or the new one: for a tar and for a new folder byte by byte; for a folder that is added to,
  index.json and every blob it reaches (blobs that no index reaches may be there after SIGKILL until the next run);
- exit status 0 means the new one;
- after an error nothing temporary is left; after SIGKILL the next run removes it, and ends with exactly the new output.
"""
import argparse, hashlib, io, json, os, pathlib, random, re, shutil, signal, subprocess, sys, tarfile, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("OCIFY_SHARED", ROOT / "../shared"))
CHECK = SHARED / "tools/check_layout.py"

# Where the program changes what is on disk. openat and read are failed too: an error on the way to the disk must not
# leave anything behind either.
CHANGES = ["write", "pwrite64", "ftruncate", "fsync", "mkdirat", "renameat", "linkat", "openat", "flock"]
# Failing to remove is the one error after which something stays behind.
REMOVALS = ["unlinkat"]

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=200)
parser.add_argument("--short", action="store_true")
parser.add_argument("--ocify", default=str(ROOT / "target/release/ocify"))
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
if args.short:
    args.rounds = 24
OCIFY = str(pathlib.Path(args.ocify).resolve())
STRIDE = 7 if args.short else 1
chance = random.Random(args.seed)
counts = {"passed": 0, "failed": 0, "kills": 0, "kills that hit": 0, "faults": 0, "full disks": 0, "writers": 0,
          "outputs verified": 0, "losses": 0}


def no(what, *details):
    counts["failed"] += 1
    print("FAIL", what, *details, flush=True)


def passed():
    counts["passed"] += 1


# Inputs.

def archive(path, name, sizes, seed):
    """A docker-save archive with layers of these sizes, of bytes that do not compress well."""
    source = random.Random(seed)
    layers = []
    for number, size in enumerate(sizes):
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            info = tarfile.TarInfo(f"data-{number}")
            info.size = size
            tar.addfile(info, io.BytesIO(source.randbytes(size)))
        layers.append(layer.getvalue())
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name],
                            "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]).encode()
    files = {config_name: config, **{f"{n}/layer.tar": layer for n, layer in enumerate(layers)}, "manifest.json": manifest}
    with tarfile.open(path, "w") as tar:
        for member, data in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


# Outputs.

def state(output):
    """What is there: None, the digest of a tar, or {name: digest} of a folder without staging folders."""
    if not output.exists():
        return None
    if output.is_file():
        return hashlib.sha256(output.read_bytes()).hexdigest()
    found = {}
    for path in sorted(output.rglob("*")):
        name = str(path.relative_to(output))
        if path.is_file() and not name.startswith(".ocify-"):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def temporary(folder, output):
    """Everything in the folder, and in the layout, that is neither the output nor part of it."""
    left = [path.name for path in folder.iterdir() if path != output]
    if output.is_dir():
        left += [path.name for path in output.iterdir() if path.name not in ("oci-layout", "index.json", "blobs")]
    return left


def includes(found, wanted):
    """Whether a folder has all of `wanted` as it should be; more blobs may be there."""
    return isinstance(found, dict) and isinstance(wanted, dict) and all(found.get(k) == v for k, v in wanted.items())


known_good = set()
VERIFIES = subprocess.run([OCIFY, "verify", "--help"], capture_output=True).returncode == 0


def verify(what, output):
    """The layout checker and, where there is one, `ocify verify`. The same bytes are checked once."""
    key = repr(state(output))
    counts["outputs verified"] += 1
    if key in known_good:
        return True
    commands = [[sys.executable, str(CHECK), str(output)]] if CHECK.exists() else []
    if VERIFIES:
        commands.append([OCIFY, "verify", str(output)])
    for command in commands:
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            no(what, "does not pass", command[:2], run.stdout[-400:], run.stderr[-400:])
            return False
    known_good.add(key)
    return True


class Scenario:
    """A conversion onto something: nothing yet, a layout that is there, or an empty folder."""

    def __init__(self, work, kind, before):
        existing = before != "new"
        self.name = f"{before} {kind}"
        self.folder = work / self.name.replace(" ", "-")
        self.output = self.folder / ("out.tar" if kind == "tar" else "out")
        self.old_copy = work / (self.folder.name + "-old") if existing else None
        self.input = work / "new-image.tar"
        self.folder.mkdir()
        if existing:
            if before == "empty":
                self.output.mkdir()
            else:
                convert(work / "old-image.tar", self.output)
            copy(self.output, self.old_copy)
        self.old = state(self.output)
        started = time.monotonic()
        convert(self.input, self.output)
        self.seconds = time.monotonic() - started
        self.new = state(self.output)
        assert self.old != self.new
        verify(self.name, self.output)
        self.reset()

    def reset(self):
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        if self.old_copy:
            copy(self.old_copy, self.output)

    def command(self, *more):
        return [OCIFY, "convert", str(self.input), "-o", str(self.output), "-q", *more]

    def is_old(self, found):
        # An empty folder is marked as a layout before anything is put into it, since the mark is what is locked.
        return found == self.old or (self.old == {} and isinstance(found, dict) and found.keys() <= {"oci-layout"})

    def judge(self, what, status, killed):
        """What must hold at once, and after the next run."""
        found = state(self.output)
        left = temporary(self.folder, self.output)
        old, new = self.is_old(found), found == self.new
        if killed and isinstance(found, dict) and not (old or new):
            # Blobs without an index that reaches them: neither image is damaged.
            index = found.get("index.json")
            of = self.new if index == self.new["index.json"] else self.old
            old = new = includes(found, of) and found.keys() <= self.new.keys()
        if not (old or new):
            counts["losses"] += 1
            return no(what, "the output is neither the old one nor the new one", self.difference(found))
        if status == 0 and not new:
            counts["losses"] += 1
            return no(what, "exit status 0, but the old output")
        # If all went well but for the removal itself, the next run has to do it.
        if left and not killed and status != 0:
            return no(what, "left behind:", left)
        if not left and found and (found == self.old or new) and not verify(what, self.output):
            return None
        if killed or left:
            again = subprocess.run(self.command(), capture_output=True, text=True)
            if again.returncode:
                return no(what, "the next run fails:", again.stderr)
            if state(self.output) != self.new:
                counts["losses"] += 1
                return no(what, "the next run does not end with the new output")
            if left := temporary(self.folder, self.output):
                return no(what, "the next run leaves", left)
            verify(what, self.output)
        return passed()

    def difference(self, found):
        if not isinstance(found, dict):
            return found
        return [name for name in found | self.new if found.get(name) != self.new.get(name)][:5]


def copy(source, target):
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def convert(source, output, *more):
    subprocess.run([OCIFY, "convert", str(source), "-o", str(output), "-q", *more], check=True, capture_output=True)


# Kills.

def kill_at_random(scenario):
    scenario.reset()
    run = subprocess.Popen(scenario.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(chance.uniform(0, scenario.seconds * 1.1))
    run.send_signal(signal.SIGKILL)
    status = run.wait()
    counts["kills"] += 1
    counts["kills that hit"] += status == -signal.SIGKILL
    scenario.judge(f"{scenario.name}, killed at random", status, killed=True)


def calls(scenario, wanted):
    """How often the thread that does it most calls each of these."""
    scenario.reset()
    with tempfile.TemporaryDirectory() as logs:
        subprocess.run(["strace", "-ff", "-qq", "-o", logs + "/log", "-e", "trace=" + ",".join(wanted),
                        *scenario.command("--threads", "1")], check=True, capture_output=True)
        most = dict.fromkeys(wanted, 0)
        for log in pathlib.Path(logs).iterdir():
            text = log.read_text(errors="replace")
            for name in wanted:
                most[name] = max(most[name], len(re.findall(rf"^{name}\(", text, re.M)))
        return most


def strace(scenario, injection):
    return subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + injection.split(":")[0],
                           "-e", "inject=" + injection, *scenario.command("--threads", "1")], capture_output=True, text=True)


def positions(count):
    first = chance.randrange(min(STRIDE, count)) if count else 0
    return range(1 + first, count + 1, STRIDE)


def kill_at_calls(scenario):
    wanted = [name for name in CHANGES + REMOVALS if name not in ("openat", "flock")]
    for name, count in calls(scenario, wanted).items():
        for when in positions(count):
            scenario.reset()
            run = strace(scenario, f"{name}:signal=SIGKILL:when={when}")
            counts["kills"] += 1
            counts["kills that hit"] += run.returncode != 0
            scenario.judge(f"{scenario.name}, killed at {name} {when}", run.returncode, killed=True)


# Errors.

def inject_errors(scenario):
    for name, count in calls(scenario, CHANGES + REMOVALS).items():
        for when in positions(count):
            errors = ["EIO"] if name == "flock" else ["ENOSPC", "EIO"]
            for error in [chance.choice(errors)] if args.short else errors:
                scenario.reset()
                run = strace(scenario, f"{name}:error={error}:when={when}")
                counts["faults"] += 1
                if "panicked" in run.stderr:
                    no(f"{scenario.name}, {error} at {name} {when}", "panics:", run.stderr[:300])
                scenario.judge(f"{scenario.name}, {error} at {name} {when}", run.returncode, killed=name in REMOVALS)


def full_disks(work, scenario):
    """Conversions onto file systems that are too small for them, and one that is large enough."""
    mount = work / "small"
    mount.mkdir(exist_ok=True)
    sizes = range(64, 6 << 10, (1000 if args.short else 160))
    for kib in [*sizes, 64 << 10]:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(mount)], capture_output=True)
        if mounted.returncode:
            print("left out: full disks, since nothing can be mounted here:", mounted.stderr.decode().strip())
            return
        try:
            scenario.reset()
            output = mount / scenario.output.name
            if scenario.old_copy:
                try:
                    copy(scenario.old_copy, output)
                except (OSError, shutil.Error):
                    continue
            run = subprocess.run([OCIFY, "convert", str(scenario.input), "-o", str(output), "-q"], capture_output=True, text=True)
            counts["full disks"] += 1
            found, left = state(output), temporary(mount, output)
            what = f"{scenario.name} on {kib} KiB"
            if left:
                no(what, "left behind:", left)
            elif not (found == scenario.new if run.returncode == 0 else scenario.is_old(found)):
                counts["losses"] += 1
                no(what, f"status {run.returncode}, but not the output that fits it", run.stderr)
            else:
                passed()
        finally:
            subprocess.run(["umount", str(mount)], check=True)


def zstd_run(byte, mebibytes):
    """A zstd frame that repeats one byte: four bytes for 128 KiB of it (RFC 8878, section 3.1.1.2)."""
    frame = bytearray(b"\x28\xb5\x2f\xfd\0" + bytes([7 << 3]))
    count = mebibytes * 8
    for number in range(count):
        frame += ((128 << 10) << 3 | 1 << 1 | (number == count - 1)).to_bytes(3, "little") + bytes([byte])
    return bytes(frame)


def bombs(work):
    """Inputs that decode to far more than the disk holds: they must end with an error and a tenth of it free."""
    layer = zstd_run(1, 1024)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["bomb:1"], "Layers": ["layer.tar"]}]).encode()
    inner = work / "bomb-layer.tar"
    with tarfile.open(inner, "w") as tar:
        for name, data in {"config.json": config, "layer.tar": layer, "manifest.json": manifest}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    outer = work / "bomb.tar.zst"
    outer.write_bytes(layer)
    mount, size = work / "small", 64 << 20
    for what, source, output in [("outer archive", outer, "out"), ("outer archive", outer, "out.tar"),
                                 ("layer", inner, "out"), ("layer", inner, "out.tar")]:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mount)], capture_output=True)
        if mounted.returncode:
            return
        try:
            run = subprocess.Popen([OCIFY, "convert", str(source), "-o", str(mount / output), "-q", "--compression", "none"],
                                   stderr=subprocess.PIPE, text=True)
            least = size
            while run.poll() is None:
                free = os.statvfs(mount)
                least = min(least, free.f_bavail * free.f_frsize)
                time.sleep(0.001)
            stderr = run.stderr.read()
            counts["full disks"] += 1
            if run.returncode != 1 or "no room" not in stderr:
                no(f"bomb as {what} into {output}:", run.returncode, stderr)
            elif left := os.listdir(mount):
                no(f"bomb as {what} into {output}: left behind:", left)
            elif least < size // 20:
                no(f"bomb as {what} into {output}: only {least} bytes were left free")
            else:
                passed()
        finally:
            subprocess.run(["umount", str(mount)], check=True)


def full_caches(work):
    """A disk with room for the output, but not for all of it in the cache too: the cache gives way."""
    source, plain, mount = work / "new-image.tar", work / "plain", work / "small"
    convert(source, plain)
    need = sum(path.stat().st_size for path in plain.rglob("*") if path.is_file())
    for size in range(need + (256 << 10), 2 * need + (512 << 10), 512 << 10):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mount)], capture_output=True)
        if mounted.returncode:
            return
        try:
            what = f"{size} bytes for {need} bytes of output and the cache"
            for name in ("out", "again"):
                run = subprocess.run([OCIFY, "convert", str(source), "-o", str(mount / name), "--no-fsync",
                                      "--cache", str(mount / "cache")], capture_output=True, text=True)
                counts["full disks"] += 1
                if run.returncode:
                    no(what, f"status {run.returncode}:", run.stderr)
                elif state(mount / name) != state(plain):
                    no(what, "another output than without a cache")
                elif left := [path.name for path in (mount / "cache").iterdir() if path.name.startswith(".")]:
                    no(what, "left in the cache:", left)
                else:
                    passed()
                shutil.rmtree(mount / name, ignore_errors=True)
        finally:
            subprocess.run(["umount", str(mount)], check=True)


# Many writers.

def names(output):
    if output.is_dir():
        index = json.loads((output / "index.json").read_bytes())
    else:
        with tarfile.open(output) as tar:
            index = json.loads(tar.extractfile("index.json").read())
    key = "org.opencontainers.image.ref.name"
    return {m["annotations"][key]: m["digest"] for m in index["manifests"] if key in m.get("annotations", {})}


def many_writers(work, kind, kill):
    folder = work / "many"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    output = folder / ("out.tar" if kind == "tar" else "out")
    what = f"eight writers into one {kind}" + (", one of them killed" if kill else "")
    writers = sorted(work.glob("writer-*.tar"))
    chance.shuffle(writers)
    runs = [subprocess.Popen([OCIFY, "convert", str(path), "-o", str(output), "-q", "--threads", "1"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for path in writers]
    victim = None
    if kill:
        victim = runs[-1]
        time.sleep(chance.uniform(0, 0.15))
        victim.send_signal(signal.SIGKILL)
    wanted = {}
    for run in runs:
        stdout, stderr = run.communicate()
        counts["writers"] += 1
        if run.returncode == 0:
            digest, name = stdout.split()
            wanted[name] = digest
        elif run is not victim:
            return no(what, "a writer fails:", stderr)
    found = names(output)
    lost = [name for name, digest in wanted.items() if found.get(name) != digest]
    if lost:
        counts["losses"] += len(lost)
        return no(what, "lost:", lost)
    if victim is not None:
        # Whatever the dead one has left is gone after the next run, and its image is there.
        again = subprocess.run([OCIFY, "convert", str(writers[-1]), "-o", str(output), "-q"], capture_output=True, text=True)
        if again.returncode:
            return no(what, "the next run fails:", again.stderr)
        if len(names(output)) != len(writers):
            return no(what, "the next run does not complete the names")
    if left := temporary(folder, output):
        return no(what, "left behind:", left)
    return passed() if verify(what, output) else None


def main():
    with tempfile.TemporaryDirectory(prefix="ocify-torture-", dir=os.environ.get("TMPDIR")) as folder:
        work = pathlib.Path(folder)
        archive(work / "old-image.tar", "torture/old:1", [700_000, 90_000], 1)
        archive(work / "new-image.tar", "torture/new:1", [1_500_000, 2_200_000, 60_000], 2)
        for number in range(8):
            archive(work / f"writer-{number}.tar", f"torture/writer:{number}", [200_000 + 9000 * number], 10 + number)
        kinds = [("folder", "new"), ("folder", "existing"), ("folder", "empty"), ("tar", "new"), ("tar", "existing")]
        scenarios = [Scenario(work, kind, before) for kind, before in kinds]
        for number in range(args.rounds):
            kill_at_random(scenarios[number % len(scenarios)])
        for scenario in scenarios:
            kill_at_calls(scenario)
            inject_errors(scenario)
            full_disks(work, scenario)
        bombs(work)
        full_caches(work)
        for number in range(max(4, args.rounds // 4)):
            many_writers(work, ("folder", "tar")[number % 2], kill=number % 4 >= 2)
    print(", ".join(f"{number} {what}" for what, number in counts.items() if what not in ("passed", "failed")))
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    sys.exit(1 if counts["failed"] else 0)


main()

"""Shared by the parts of torture.py: inputs, the state of an output, and counting."""
import argparse, hashlib, json, os, pathlib, random, shutil, signal, subprocess, sys, tarfile, time

from make_tar import tar

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("OCIFY_SHARED", ROOT / "../shared"))
CHECK = SHARED / "tools/check_layout.py"

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=200)
parser.add_argument("--short", action="store_true")
parser.add_argument("--ocify", default=str(ROOT / "target/release/ocify"))
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
if args.short:
    args.rounds = 24
OCIFY = str(pathlib.Path(args.ocify).resolve())
STRIDE = 11 if args.short else 1
chance = random.Random(args.seed)
counts = {"passed": 0, "failed": 0, "kills": 0, "kills that hit": 0, "faults": 0, "full disks": 0, "writers": 0,
          "outputs verified": 0, "losses": 0}


def no(what, *details):
    counts["failed"] += 1
    print("FAIL", what, *details, flush=True)


def passed():
    counts["passed"] += 1


# Inputs.

def archive(path, names, sizes, seed):
    """A docker-save archive with layers of these sizes, of bytes that do not compress well."""
    source = random.Random(seed)
    layers = [tar([(f"data-{number}", source.randbytes(size))]) for number, size in enumerate(sizes)]
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": names,
                            "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]).encode()
    files = {config_name: config, **{f"{n}/layer.tar": layer for n, layer in enumerate(layers)}, "manifest.json": manifest}
    pathlib.Path(path).write_bytes(tar(files.items()))


# Outputs.

def state(output):
    """The state of an output: None, the digest of a tar, or {name: digest} of a folder without staging folders."""
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
    if output.is_dir() and is_layout(output):
        left += [path.name for path in output.iterdir() if path.name not in ("oci-layout", "index.json", "blobs")]
    return left


def is_layout(output):
    """Whether an output is a layout, rather than a dir: folder or a docker-archive."""
    if output.is_dir():
        return not (output / "version").exists()
    with tarfile.open(output) as tar:
        return "oci-layout" in tar.getnames()


def includes(found, wanted):
    """Whether a folder contains all of `wanted`, intact; it may contain more blobs."""
    return isinstance(found, dict) and isinstance(wanted, dict) and all(found.get(k) == v for k, v in wanted.items())


known_good = set()
VERIFIES = subprocess.run([OCIFY, "verify", "--help"], capture_output=True).returncode == 0


def verify(what, output):
    """The layout checker and, where there is one, `ocify verify`. The same bytes are checked once."""
    key = repr(state(output))
    counts["outputs verified"] += 1
    if key in known_good:
        return True
    commands = [[sys.executable, str(CHECK), str(output)]] if CHECK.exists() and is_layout(output) else []
    if VERIFIES:
        commands.append([OCIFY, "verify", str(output)])
    for command in commands:
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            no(what, "does not pass", command[:2], run.stdout[-400:], run.stderr[-400:])
            return False
    known_good.add(key)
    return True


def copy(source, target):
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def convert(source, output, *more):
    subprocess.run([OCIFY, "convert", str(source), "-o", str(output), "-q", *more], check=True, capture_output=True)


# Many writers.

def names(output):
    if output.is_dir():
        index = json.loads((output / "index.json").read_bytes())
    else:
        with tarfile.open(output) as tar:
            index = json.loads(tar.extractfile("index.json").read())
    key = "org.opencontainers.image.ref.name"
    return {m["annotations"][key]: m["digest"] for m in index["manifests"] if key in m.get("annotations", {})}


def run_writers(what, work, folder, output, kill, options):
    """Runs eight writers at once into `output` in `folder`, which is created again. With `kill`, one of them is killed and runs again
    at the end. Returns the digest of each name that they have written, or nothing if one fails."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    writers = sorted(work.glob("writer-*.tar"))
    chance.shuffle(writers)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    start = lambda path: subprocess.Popen([OCIFY, "convert", str(path), "-o", str(output), "--threads", "1", *options], **pipes)
    runs = [start(path) for path in writers]
    victim = runs[-1] if kill else None
    if victim:
        time.sleep(chance.uniform(0, 0.15))
        victim.send_signal(signal.SIGKILL)
    ended = [(run, *run.communicate()) for run in runs]
    counts["writers"] += len(runs)
    if victim:
        # After this, everything that the dead writer left is gone, and its image is there.
        again = start(writers[-1])
        ended.append((again, *again.communicate()))
    wanted = {}
    for run, stdout, stderr in ended:
        if run.returncode == 0:
            digest, name = stdout.split()
            wanted[name] = digest
        elif run is not victim:
            return no(what, "a writer fails:", stderr)
    return wanted


def many_writers(work, kind, kill, folder=None):
    """Eight at once in `folder`. The outputs must have all names of the writers that succeeded."""
    folder = folder or work / "many"
    output = folder / ("out.tar" if kind == "tar" else "out")
    what = f"eight writers into one {kind}" + (", one of them killed" if kill else "")
    wanted = run_writers(what, work, folder, output, kill, ["--add"])
    if wanted is None:
        return None
    found = names(output)
    lost = [name for name, digest in wanted.items() if found.get(name) != digest]
    if lost:
        counts["losses"] += len(lost)
        return no(what, "lost:", lost)
    if left := temporary(folder, output):
        return no(what, "left behind:", left)
    return passed() if verify(what, output) else None


def last_writer(work, options, kill):
    """Eight at once into one output that holds one image or is written anew: it must be that of one of them."""
    folder = work / "many"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    output = folder / "out"
    what = f"eight writers with {' '.join(options)}" + (", one of them killed" if kill else "")
    writers = sorted(work.glob("writer-*.tar"))
    chance.shuffle(writers)
    possible = []
    for path in writers:
        alone = work / "alone"
        convert(path, alone, *options)
        possible.append(state(alone))
        shutil.rmtree(alone) if alone.is_dir() else alone.unlink()
    command = ["-o", str(output), "-q", "--threads", "1", *options]
    runs = [subprocess.Popen([OCIFY, "convert", str(path), *command], stderr=subprocess.PIPE, text=True) for path in writers]
    if kill:
        time.sleep(chance.uniform(0, 0.15))
        runs[-1].send_signal(signal.SIGKILL)
    for run in runs:
        stderr = run.communicate()[1]
        counts["writers"] += 1
        if run.returncode and not (kill and run is runs[-1]):
            return no(what, "a writer fails:", stderr)
    if kill:
        # What the dead writer left is removed by the next run.
        again = subprocess.run([OCIFY, "convert", str(writers[0]), *command], capture_output=True, text=True)
        if again.returncode:
            return no(what, "the next run fails:", again.stderr)
    if state(output) not in possible:
        counts["losses"] += 1
        return no(what, "the output is not that of any writer")
    if left := temporary(folder, output):
        return no(what, "left behind:", left)
    return passed() if verify(what, output) else None

#!/usr/bin/env python3
"""Converts every archive of the shared corpus to each output, from there to each other one, and back.

Along the way diff_ids must stay, and the image ID unless schema 1 is on the way, which has none. The manifest must be the
same again where its format allows: not through a docker-archive, which has none, nor through schema 1 unless it was of schema
1 before, nor of layers in zstd through schema 2, which encodes them again. Where it is converted on the way, it must have been
in the form that skopeo writes. A conversion into the format that the input has already must change nothing at all.

usage: scripts/round-trips.py [BINARY]       (default: target/release/ocify)
"""
import concurrent.futures, hashlib, itertools, json, os, pathlib, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("OCIFY_SHARED", ROOT / "../shared"))
CORPUS = SHARED / "corpus"
OCIFY = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/ocify").resolve())

OUTPUTS = {
    "oci": [],
    "v2s2": ["--format", "v2s2"],
    "dir": ["--to", "dir"],
    "dir-v2s2": ["--to", "dir", "--format", "v2s2"],
    "dir-v2s1": ["--to", "dir", "--format", "v2s1"],
    "docker-archive": ["--to", "docker-archive"],
    "registry": ["--to", "registry", "--name", "round/trip:1"],
    "registry-v2s1": ["--to", "registry", "--name", "round/trip:1", "--format", "v2s1"],
}
OF_SCHEMA1 = {"dir-v2s1", "registry-v2s1"}
OF_SCHEMA2 = {"v2s2", "dir-v2s2"}
passed = failed = 0


def check(what, expected, found):
    global passed, failed
    if expected == found:
        passed += 1
        return
    failed += 1
    print(f"FAIL {what}: expected {expected}, found {found}", flush=True)


def convert(source, output, kind, *more):
    """What the report says of the one image: its digest, image ID and diff_ids."""
    command = [OCIFY, "convert", str(source), "-o", str(output), "--json", "--no-fsync", "--threads", "1", *OUTPUTS[kind], *more]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)}: {run.stderr}")
    [entry] = json.loads(run.stdout)["images"]
    [image] = entry["manifests"]
    layers = image["layers"]
    return {
        "digest": entry["digest"],
        "id": image["imageId"],
        "diff_ids": [layer["diffId"] for layer in layers],
        "has_zstd": any(layer["codec"] == "zstd" for layer in layers),
    }


def is_as_skopeo_writes(output, digest):
    """Whether the manifest of an output has the usual fields in the usual order."""
    files = (path for path in output.rglob("*") if path.is_file() and path.stat().st_size < 1 << 20)
    [text] = {data for data in (path.read_bytes() for path in files) if f"sha256:{hashlib.sha256(data).hexdigest()}" == digest}
    manifest = json.loads(text)
    order = ["mediaType", "size", "digest"] if "docker" in manifest["mediaType"] else ["mediaType", "digest", "size"]
    blob = lambda descriptor: {key: descriptor[key] for key in order}
    usual = {key: manifest[key] for key in ("schemaVersion", "mediaType")}
    usual |= {"config": blob(manifest["config"]), "layers": [blob(layer) for layer in manifest["layers"]]}
    return text == json.dumps(usual, separators=(",", ":")).encode()


def comes_back(start, between, first, output):
    """Whether the digest of a manifest does."""
    if "docker-archive" in (start, between):
        return start == "docker-archive" and between not in OF_SCHEMA1
    if between in OF_SCHEMA2 and first["has_zstd"] or (start in OF_SCHEMA1) != (between in OF_SCHEMA1):
        return False
    same_format = start in OF_SCHEMA1 or (start in OF_SCHEMA2) == (between in OF_SCHEMA2)
    return same_format or is_as_skopeo_writes(output, first["digest"])


def content(output):
    """The digest of every file of an output."""
    files = [output] if output.is_file() else sorted(path for path in output.rglob("*") if path.is_file())
    digests = {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return hashlib.sha256(repr(digests).encode()).hexdigest()


def path(work, *kinds):
    return work / ("-then-".join(kinds) + (".tar" if kinds[-1] == "docker-archive" else ""))


def round_trips(work, name, image):
    source = CORPUS / name
    platform = ["--platform", image["platform"]] if image["platform"] else []
    # One with this image ID alone; an image that has none yet is the only one, or has a name.
    select = ["--image", (image["names"] or ["@0"])[0], *platform]
    first = {}
    for kind in OUTPUTS:
        first[kind] = convert(source, path(work, kind), kind, *select)
        title = f"{name}: {image['image_id']}: {kind}"
        check(f"{title}: diff_ids", image["diff_ids"], first[kind]["diff_ids"])
        if kind not in OF_SCHEMA1:
            check(f"{title}: image ID", image["image_id"], first[kind]["id"])
        again = path(work, kind, kind)
        convert(path(work, kind), again, kind)
        check(f"{title}: into itself", content(path(work, kind)), content(again))
    for start, between in itertools.permutations(OUTPUTS, 2):
        title = f"{name}: {image['image_id']}: {start} to {between} and back"
        there, back = path(work, start, between), path(work, start, between, start)
        convert(path(work, start), there, between)
        found = convert(there, back, start)
        check(f"{title}: diff_ids", image["diff_ids"], found["diff_ids"])
        if between not in OF_SCHEMA1:
            check(f"{title}: image ID", first[start]["id"], found["id"])
        if comes_back(start, between, first[start], path(work, start)):
            check(f"{title}: digest", first[start]["digest"], found["digest"])


def job(name, image):
    global failed
    work = pathlib.Path(tempfile.mkdtemp(prefix="ocify-round-trips-"))
    try:
        round_trips(work, name, image)
    except (RuntimeError, ValueError) as error:
        failed += 1
        print(f"FAIL {name}: {error}", flush=True)
    finally:
        shutil.rmtree(work)


expected = json.loads((CORPUS / "expected.json").read_text())
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    jobs = []
    for name, about in expected.items():
        # The first image of each, and every platform of an index.
        images = about["images"] if "multi-platform" in name or "list" in name else about["images"][:1]
        jobs += [pool.submit(job, name, image) for image in images]
    for done in jobs:
        done.result()
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)

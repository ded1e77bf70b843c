#!/usr/bin/env python3
"""Converts every archive of the shared corpus to each output, from there to each other one, and back.

Along the way diff_ids must stay, and the image ID unless schema 1 is on the way, which has none. Where the first and the
last output are schema 2, and the one between keeps layers as they are, the manifest must be the same again; and a
conversion into the format that the input has already must change nothing at all.

usage: scripts/round-trips.py [BINARY]       (default: target/release/ocify)
"""
import hashlib, itertools, json, os, pathlib, shutil, subprocess, sys, tempfile

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
}
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
    command = [OCIFY, "convert", str(source), "-o", str(output), "--json", "--no-fsync", *OUTPUTS[kind], *more]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)}: {run.stderr}")
    [entry] = json.loads(run.stdout)["images"]
    [image] = entry["manifests"]
    return {"digest": entry["digest"], "id": image["imageId"], "diff_ids": [layer["diffId"] for layer in image["layers"]]}


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
        if kind != "dir-v2s1":
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
        if between != "dir-v2s1":
            check(f"{title}: image ID", first[start]["id"], found["id"])
        if start in ("v2s2", "dir-v2s2") and between in ("oci", "v2s2", "dir", "dir-v2s2"):
            check(f"{title}: manifest", first[start]["digest"], found["digest"])


expected = json.loads((CORPUS / "expected.json").read_text())
for name, about in expected.items():
    # The first image of each, and every platform of an index.
    images = about["images"] if "multi-platform" in name or "list" in name else about["images"][:1]
    for image in images:
        work = pathlib.Path(tempfile.mkdtemp(prefix="ocify-round-trips-"))
        try:
            round_trips(work, name, image)
        except (RuntimeError, ValueError) as error:
            failed += 1
            print(f"FAIL {name}: {error}", flush=True)
        finally:
            shutil.rmtree(work)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)

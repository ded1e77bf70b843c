#!/usr/bin/env python3
"""Damages archives and layouts in many ways and asks skopeo, umoci and ocify what they think of it.

usage: scripts/damage.py [OCIFY]

Writes a table. Ends with an error if an undamaged input is refused, or if ocify (convert or verify) lets any damage pass
without a word.
"""
import gzip, hashlib, io, json, os, pathlib, shutil, subprocess, sys, tarfile, tempfile

OCIFY = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/release/ocify").resolve())
OCI = "application/vnd.oci.image."
NAME = "org.opencontainers.image.ref.name"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def text(value):
    return json.dumps(value).encode()


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def flipped(data, at):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


LAYERS = [tar([("etc/one", b"one\n" * 3000)]), tar([("etc/two", b"two\n" * 3000), ("etc/three", b"three\n")])]


class Image:
    """An image, every part of which can be replaced. Digests are computed from the parts unless they are set."""

    def __init__(self, layers=None, kind="tar+gzip", encode=lambda data: gzip.compress(data, mtime=0), diff_ids=None):
        self.plain = list(layers or LAYERS)
        self.blobs = [encode(layer) for layer in self.plain]
        self.kinds = [kind] * len(self.blobs)
        self.diff_ids = diff_ids or ["sha256:" + sha(layer) for layer in self.plain]
        self.config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
                       "history": [{"created_by": "COPY"} for _ in self.plain]}

    def config_bytes(self):
        return self.config if isinstance(self.config, bytes) else text(self.config)

    def manifest(self):
        return {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "config": described(self.config_bytes(), "config.v1+json"),
                "layers": [described(blob, "layer.v1." + kind) for blob, kind in zip(self.blobs, self.kinds)]}

    def layout(self, manifest=None):
        manifest = manifest if manifest is not None else text(self.manifest())
        index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json",
                 "manifests": [described(manifest, "manifest.v1+json", annotations={NAME: "app"})]}
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": text(index)}
        for blob in [self.config_bytes(), manifest, *self.blobs]:
            files[path(blob)] = blob
        return files

    def save(self):
        """As docker save writes it; a list, because a name may occur twice."""
        config = self.config_bytes()
        names = [f"{number}/layer.tar" for number in range(len(self.plain))]
        manifest = [{"Config": sha(config) + ".json", "RepoTags": ["app:1"], "Layers": names}]
        return [(sha(config) + ".json", config), *zip(names, self.plain), ("manifest.json", text(manifest))]


def described(data, kind, **more):
    return {"mediaType": OCI + kind, "digest": "sha256:" + sha(data), "size": len(data), **more}


def path(data):
    return "blobs/sha256/" + sha(data)


def changed(pairs, name, data):
    return [(n, data if n == name else d) for n, d in pairs]


# Each returns a layout (a dict), or the bytes of a docker-save archive.

def layout_blob(change):
    def damage():
        image = Image()
        files = image.layout()
        files[path(image.blobs[1])] = change(image.blobs[1])
        return files
    return damage


def layout_image(prepare):
    def damage():
        image = Image()
        prepare(image)
        return image.layout()
    return damage


def layout_file(change):
    def damage():
        image = Image()
        files = image.layout()
        change(image, files)
        return files
    return damage


def own_digest(change):
    """A damaged layer blob that has the digest in its name."""
    def prepare(image):
        image.blobs[1] = change(image.blobs[1])
    return layout_image(prepare)


def own_layer(change):
    """A layer whose tar is damaged, with matching digests."""
    return lambda: Image([LAYERS[0], change(LAYERS[1])]).layout()


def saved(change):
    return lambda: tar(change(Image().save()))


def edited_manifest(edit):
    def change(files):
        manifest = json.loads(dict(files)["manifest.json"])
        edit(manifest)
        return changed(files, "manifest.json", text(manifest))
    return saved(change)


def put(image, files, blob, data):
    files[path(blob)] = data


def without(files, name):
    del files[name]


def swap(items):
    items[0], items[1] = items[1], items[0]


def both():
    image = Image()
    manifest = image.manifest()
    manifest["manifests"] = [described(text(manifest), "manifest.v1+json")]
    return image.layout(text(manifest))


def layers_twice():
    image = Image()
    manifest = text(image.manifest())
    return image.layout(manifest[:-1] + b',"layers":[]}')


def bad_utf8():
    image = Image()
    image.config["author"] = "NAME"
    image.config = text(image.config).replace(b"NAME", b"\xff\xfe")
    return image.layout()


def two_of_one_name():
    first, second = Image(), Image([LAYERS[1]])
    files = {**first.layout(), **second.layout()}
    index = [json.loads(image.layout()["index.json"])["manifests"][0] for image in (first, second)]
    files["index.json"] = text({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": index})
    return files


def index_size(image, files):
    index = json.loads(files["index.json"])
    index["manifests"][0]["size"] += 1
    files["index.json"] = text(index)


def second_header(layer):
    return flipped(layer, layer.index(b"etc/three") + 5)


whole = tar(Image().save())
start = whole.index(LAYERS[1])

KINDS = [
    # docker-save archives
    ("docker", "nothing (for comparison)", lambda: whole),
    ("docker", "archive cut short within a layer", lambda: whole[:start + 600]),
    ("docker", "archive cut short after its last member", lambda: whole.rstrip(b"\0").ljust(-(-len(whole.rstrip(b"\0")) // 512) * 512, b"\0")),
    ("docker", "bit flipped in a layer", lambda: flipped(whole, start + 700)),
    ("docker", "bit flipped in the archive's header of a layer", lambda: flipped(whole, start - 512 + 101)),
    ("docker", "bit flipped in the config", lambda: flipped(whole, whole.index(b"amd64"))),
    ("docker", "layer missing", saved(lambda files: [file for file in files if file[0] != "1/layer.tar"])),
    ("docker", "layer empty", saved(lambda files: changed(files, "1/layer.tar", b""))),
    ("docker", "layer is a link to itself", saved(lambda files: changed(files, "1/layer.tar", "layer.tar"))),
    ("docker", "layers in another order than the config's", edited_manifest(lambda manifest: swap(manifest[0]["Layers"]))),
    ("docker", "one layer more than the config has", edited_manifest(lambda manifest: manifest[0]["Layers"].append("0/layer.tar"))),
    ("docker", "one layer fewer than the config has", edited_manifest(lambda manifest: manifest[0]["Layers"].pop())),
    ("docker", "manifest.json cut short", saved(lambda files: changed(files, "manifest.json", dict(files)["manifest.json"][:40]))),
    ("docker", "two members of the layer's name, the second another layer", saved(lambda files: files + [("1/layer.tar", LAYERS[0])])),
    ("docker", "outer gzip cut short", lambda: gzip.compress(whole, mtime=0)[:-200]),
    ("docker", "outer gzip with a wrong checksum", lambda: flipped(gzip.compress(whole, mtime=0), -8)),
    # OCI layouts
    ("oci", "nothing (for comparison)", lambda: Image().layout()),
    ("oci", "bit flipped in a layer", layout_blob(lambda blob: flipped(blob, 40))),
    ("oci", "layer cut short", layout_blob(lambda blob: blob[:-30])),
    ("oci", "bytes after a layer", layout_blob(lambda blob: blob + b"more")),
    ("oci", "layer of no bytes", layout_blob(lambda blob: b"")),
    ("oci", "layer missing", layout_file(lambda image, files: without(files, path(image.blobs[1])))),
    ("oci", "config missing", layout_file(lambda image, files: without(files, path(image.config_bytes())))),
    ("oci", "config changed", layout_file(lambda image, files: put(image, files, image.config_bytes(), flipped(image.config_bytes(), 20)))),
    ("oci", "manifest changed, same length", layout_file(lambda image, files: put(image, files, text(image.manifest()), text(image.manifest()).replace(b": 2", b":2 ")))),
    ("oci", "size of the manifest wrong in index.json", layout_file(index_size)),
    ("oci", "oci-layout missing", layout_file(lambda image, files: without(files, "oci-layout"))),
    ("oci", "oci-layout of version 2.0.0", layout_file(lambda image, files: files.update({"oci-layout": b'{"imageLayoutVersion":"2.0.0"}'}))),
    ("oci", "index.json cut short", layout_file(lambda image, files: files.update({"index.json": files["index.json"][:60]}))),
    ("oci", "one name for two images", two_of_one_name),
    # OCI layouts whose digests all match
    ("oci", "diff_id wrong", lambda: Image(diff_ids=["sha256:" + sha(LAYERS[0]), "sha256:" + "0" * 64]).layout()),
    ("oci", "layers in another order than the config's", layout_image(lambda image: swap(image.blobs))),
    ("oci", "fewer diff_ids than layers", layout_image(lambda image: image.diff_ids.pop())),
    ("oci", "more history than layers", layout_image(lambda image: image.config["history"].append({"created_by": "RUN"}))),
    ("oci", "gzip stream cut short", own_digest(lambda blob: blob[:-20])),
    ("oci", "gzip checksum wrong", own_digest(lambda blob: flipped(blob, -8))),
    ("oci", "garbage after the gzip stream", own_digest(lambda blob: blob + b"garbage")),
    ("oci", "media type says gzip, layer is plain", lambda: Image(encode=bytes).layout()),
    ("oci", "media type says plain, layer is gzip", lambda: Image(kind="tar").layout()),
    ("oci", "layer is not a tar", own_layer(lambda layer: b"This is no tar.\n" * 100)),
    ("oci", "layer's tar cut short", own_layer(lambda layer: layer[:5000])),
    ("oci", "header in the layer's tar damaged", own_layer(second_header)),
    ("oci", "garbage after the end of the layer's tar", own_layer(lambda layer: layer + b"garbage!" * 64)),
    ("oci", "path with `..` in a layer", own_layer(lambda layer: tar([("../../../etc/two", b"two\n")]))),
    ("oci", "a path twice in a layer", own_layer(lambda layer: tar([("etc/two", b"two\n"), ("etc/two", b"2\n")]))),
    ("oci", "manifest that is also an index", both),
    ("oci", "manifest with two lists of layers", layers_twice),
    ("oci", "config that is not UTF-8", bad_utf8),
]


def says(command):
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"})
    return run


def ask(kind, made, work):
    """What each program reports: a dict of verdicts."""
    if kind == "docker":
        source = work / "image.tar"
        source.write_bytes(made)
        skopeo = f"docker-archive:{source}:app:1"
    else:
        source = work / "layout"
        (source / "blobs/sha256").mkdir(parents=True)
        for name, data in made.items():
            (source / name).write_bytes(data)
        skopeo = f"oci:{source}:app"
    verdicts = {}
    run = says(["skopeo", "copy", "--insecure-policy", skopeo, f"oci:{work}/skopeo:app"])
    verdicts["skopeo copy"] = "error" if run.returncode else "silence"
    verdicts["umoci unpack"] = "-"
    if kind == "oci":
        run = says(["umoci", "unpack", "--image", f"{source}:app", str(work / "bundle")])
        verdicts["umoci unpack"] = "error" if run.returncode else "silence"
    run = says([OCIFY, "convert", str(source), "-o", str(work / "out"), "--progress", "none"])
    verdicts["ocify convert"] = "error" if run.returncode else "warning" if run.stderr else "silence"
    run = says([OCIFY, "verify", str(source)])
    problems = [line for line in run.stdout.splitlines() if line.startswith(("error[", "warning["))]
    verdicts["ocify verify"] = "error" if run.returncode else "warning" if problems else "silence"
    first = (problems or [""])[0]
    verdicts["code"] = first[first.find("[") + 1:first.find("]")] if first else ""
    return verdicts


def main():
    version = lambda program: subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    columns = ["skopeo copy", "umoci unpack", "ocify convert", "ocify verify"]
    print("What is said of damaged inputs. *silence*: the program ends with status 0 and has nothing to say; - : it does not")
    print("read this format. Made by `scripts/damage.py` with", ", ".join(map(version, ("skopeo", "umoci", OCIFY))) + ".\n")
    bad, silent, count = [], dict.fromkeys(columns, 0), 0
    asked = dict.fromkeys(columns, 0)
    for kind, title in [("docker", "docker-save archive"), ("oci", "OCI layout")]:
        print(f"| {title} |", " | ".join(columns), "| code |")
        print("|---" * (len(columns) + 2) + "|")
        for of, what, make in KINDS:
            if of != kind:
                continue
            with tempfile.TemporaryDirectory() as folder:
                verdicts = ask(kind, make(), pathlib.Path(folder))
            print(f"| {what} |", " | ".join(verdicts[column] for column in columns), f"| {verdicts['code']} |")
            if what.startswith("nothing"):
                bad += [f"{kind}: {column} refuses what is whole" for column in columns if verdicts[column] in ("error", "warning")]
                continue
            count += 1
            for column in columns:
                asked[column] += verdicts[column] != "-"
                silent[column] += verdicts[column] == "silence"
            bad += [f"{kind}: {column} takes it in silence: {what}" for column in columns[2:] if verdicts[column] == "silence"]
        print()
    print(f"{count} kinds of damage. Accepted in silence:", ", ".join(f"{column} {silent[column]} of {asked[column]}" for column in columns) + ".")
    print("A warning of convert: it puts the media type right, or copies byte for byte what is inside of a layer or config.")
    for line in bad:
        print("FAIL", line, file=sys.stderr)
    sys.exit(1 if bad else 0)


main()

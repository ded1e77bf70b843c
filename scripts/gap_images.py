#!/usr/bin/env python3
"""Makes docker-save archives of eight images in two versions, and one of a new base: DIR/1, DIR/2, DIR/base.

All images of a version share a base of many files; each has layers of its own. Version 2 changes the last layer of each image
and leaves the others as they are; `base` is version 1 on another base. Their content compresses like that of programs.
"""
import hashlib, json, pathlib, random, sys

from make_tar import tar

IMAGES = 8
MIB = 1 << 20


def text(source, size):
    """Bytes that compress to about a third: words of a vocabulary."""
    words = [source.randbytes(source.randint(2, 9)) for _ in range(400)]
    out = bytearray()
    while len(out) < size:
        out += source.choice(words)
    return bytes(out[:size])


def layer(seed, size, files):
    source = random.Random(seed)
    return tar((f"{seed}/file-{number}", text(source, size // files)) for number in range(files))


def archive(path, name, layers):
    diff_ids = ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    members = {f"{digest[7:]}/layer.tar": data for digest, data in zip(diff_ids, layers)}
    manifest = [{"Config": hashlib.sha256(config).hexdigest() + ".json", "RepoTags": [name], "Layers": list(members)}]
    members = {manifest[0]["Config"]: config, **members, "manifest.json": json.dumps(manifest).encode()}
    path.write_bytes(tar(members.items()))


def main(folder):
    bases = {"1": "base-1", "2": "base-1", "base": "base-2"}
    for version, base in bases.items():
        (folder / version).mkdir(parents=True)
        shared = [layer(base, 3 * MIB, 40), layer(base + "-libraries", MIB, 20)]
        for image in range(IMAGES):
            own = f"app-{image}"
            changed = own + ("-2" if version == "2" else "-1")
            layers = [*shared, layer(own, MIB // 4, 5), layer(changed, MIB, 5)]
            archive(folder / version / f"app-{image}.tar", f"registry.local/app-{image}:1", layers)


main(pathlib.Path(sys.argv[1]))
